//===- Passes.td - The passes of the CPU target ------------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def LowerCPUCopies : Pass<"weft-cpu-lower-copies"> {
  let summary = "Turns copies of memrefs into loops or memcpy";
  let description = [{
    A `memref.copy` of strided memory, or of memory that is not known any more to
    be contiguous, would become a call of MLIR's run-time library. In kernels, and
    of strided memory, it becomes a `linalg.copy` and so a loop nest; of contiguous
    memory in host functions, a `memcpy`.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::LLVM::LLVMDialect",
                           "::mlir::arith::ArithDialect"];
}

def LowerCPUReshapes : Pass<"weft-cpu-lower-reshapes"> {
  let summary = "Turns reshapes of contiguous memory into casts";
  let description = [{
    `memref.expand_shape` and `memref.collapse_shape` whose source and result are
    contiguous become `memref.reinterpret_cast`: extents as given, strides as
    their products. Upstream's expansion cannot split one dynamic dimension into
    several.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect"];
}

def LowerCPUKernels : Pass<"weft-cpu-lower-kernels", "::mlir::ModuleOp"> {
  let summary = "Gives kernels the calling convention of the module ABI";
  let description = [{
    `weft.kernel @k` becomes three kinds of functions:
    - `@k`: `i32 (env, buffers, sizes, site)`, the ABI of
      `weft-runtime/module.h`; it loads the addresses and calls
    - `@k.body`, whose buffers are arguments that do not alias, which is what
      lets LLVM vectorise it; it is always inlined. Where parallel loops write
      them too, only the bodies of the loops say so;
    - `@k.parallel_N` for each outermost `scf.forall`: the range function that
      the environment's `parallel_for` runs. What the loop uses from outside is
      computed again there; it consists of views and index arithmetic.
    Nested `scf.forall`s become sequential loops.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect",
                           "::mlir::scf::SCFDialect", "::mlir::memref::MemRefDialect"];
}

def LowerLaunches : Pass<"weft-cpu-lower-launches", "::mlir::ModuleOp"> {
  let summary = "Makes launches of device kernels calls through the environment table";
  let description = [{
    `gpu.launch_func` in a kernel that has the ABI already stores the addresses of
    its arguments and the extents of its grid and blocks in arrays and calls the
    environment's `launch`; where that fails, the kernel returns the status.
    Records the device kernels, those of a `gpu.module` or `gpu.binary` together, in
    `weft.device_kernels`, for the packaging. Runs on control flow of blocks.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::cf::ControlFlowDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect"];
}

def LowerCPUHost : Pass<"weft-cpu-lower-host", "::mlir::ModuleOp"> {
  let summary = "Gives host functions the calling convention of the module ABI";
  let description = [{
    The entry becomes `@<entry>.invoke`: `i32 (env, symbols, inputs)`; its
    dispatches, outputs and failures become calls through the environment table,
    each of which can end the call. Records the signature, the order of kernels
    and the call sites as attributes of the module, for the packaging. Runs on
    control flow of blocks (after `convert-scf-to-cf`).
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::cf::ControlFlowDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect"];
}

def LowerCPUStrings : Pass<"weft-cpu-lower-strings", "::mlir::ModuleOp"> {
  let summary = "Turns operations on strings into calls of the builtins";
  let description = [{
    Literals become constant bytes with a table of offsets, so that modules need
    no relocations for them; the rest calls `runtime/builtins/string.c`. Runs
    when kernels and host functions have the ABI, whose environment gives the
    memory of new strings.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}
