//===- Passes.td - The passes that GPU targets share -------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def MapToGPU : Pass<"weft-map-to-gpu", "::mlir::ModuleOp"> {
  let summary = "Divides kernels among the blocks and threads of a GPU";
  let description = [{
    The body of `weft.kernel @k` on memory becomes device functions in
    `gpu.module @k_gpu`; what stays in `@k` is arithmetic on sizes and one
    `gpu.launch_func` for each of them, in order. A launch waits for the one before
    it, which is how one operation sees what another one wrote.

    One launch each:
    - An operation of `linalg`: its parallel loops, the last dimension of the result
      innermost, are one range that the threads of the grid divide, so that
      neighbours in a warp work on neighbours in memory. A thread reduces alone, but
      for reductions to at most eight results: these are one block's, whose threads
      each combine every 256th element and then each other's, in an order that
      depends on nothing but the extents.
    - An outermost `scf.forall` with such operations inside: one iteration a block.
      The threads of the block divide each operation and meet at a barrier
      before and after it; all else they run alike, and the first of them writes what is
      stored outside of such operations. Its temporaries are workgroup memory.
    - An outermost `scf.forall` without: one iteration a thread.
    - Anything else that touches memory, together with all that uses its results:
      one block, which works as within a parallel loop.

    Where the kernel's `#weft.schedule` has a `vector`, [rows, columns, 1], the threads
    of a block compute its matrix products in registers: each of 16 x 16 threads keeps
    so many results, and both operands pass through workgroup memory
    (`targets/GPU/DistributeContraction.cpp`). Sums are added in the order of k, as
    by a loop. With [16, 16, 16], products of f16 or bf16 with sums of f32 stay
    operations of `linalg` between barriers, which `weft-gpu-lower-matrix-products`
    writes for each chip.

    A grid has a bounded number of blocks, whose threads go on with what lies a
    grid further. A grid of no blocks, which is what empty operands give, is not
    launched.

    Device functions take the number of blocks, other numbers and then one `memref<T>` of rank 0, a bare
    address, for each of the kernel's buffers that they use; extents are numbers,
    strides products of them. Views are computed again on the device.

    A kernel that has what no device can run, such as strings, stays as it is and is
    a fallback, which is said.
  }];
  let dependentDialects = [
    "::mlir::gpu::GPUDialect", "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::affine::AffineDialect", "::mlir::memref::MemRefDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::vector::VectorDialect"];
  let statistics = [
    Statistic<"numLaunches", "num-launches", "Device functions">,
    Statistic<"numHostKernels", "num-host-kernels", "Kernels that stay on the host">];
}

def LowerMatrixProducts : Pass<"weft-gpu-lower-matrix-products", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Computes matrix products in device functions by a chip's instruction";
  let description = [{
    Matrix products that `weft-map-to-gpu` has left in a device function become code of
    its threads, 64 x 64 results of a block at a time. Both operands pass through
    workgroup memory, 32 k at a time, with zeros beyond the last one. A subgroup has 16
    rows of the results, and 32 of the columns (of 32 lanes) or all 64 (of 64 lanes):

    | `instruction` | becomes |
    |---|---|
    | `mma-sync` | `nvvm.mma.sync` m16n8k16, two for each 16 x 16 results and 16 k |
    | `mfma` | `rocdl.mfma.f32.16x16x16f16`, `...bf16.1k` |
    | `mfma2` | `rocdl.mfma.f32.16x16x16bf16.1k`; four `rocdl.mfma.f32.16x16x4f32` of f16 |
    | `wmma11`, `wmma12` | `rocdl.wmma.f32.16x16x16.f16`, `.bf16`, as RDNA 3 and RDNA 4 lay out their operands |
    | `none` | sums of a thread's own, in the order of k |

    Where numbers lie in lanes is in `targets/GPU/MatrixProduct.cpp`.
  }];
  let options = [Option<"instruction", "instruction", "::weft::gpu::MatrixInstruction",
                        "::weft::gpu::MatrixInstruction::None", "The chip's instruction",
                        [{::llvm::cl::values(
                          clEnumValN(::weft::gpu::MatrixInstruction::None, "none", "None"),
                          clEnumValN(::weft::gpu::MatrixInstruction::MMASync, "mma-sync", "NVIDIA"),
                          clEnumValN(::weft::gpu::MatrixInstruction::MFMA, "mfma", "AMD CDNA 3"),
                          clEnumValN(::weft::gpu::MatrixInstruction::MFMA2, "mfma2", "AMD CDNA 2"),
                          clEnumValN(::weft::gpu::MatrixInstruction::WMMA11, "wmma11", "AMD RDNA 3"),
                          clEnumValN(::weft::gpu::MatrixInstruction::WMMA12, "wmma12", "AMD RDNA 4"))}]>];
  let dependentDialects = [
    "::mlir::gpu::GPUDialect", "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::affine::AffineDialect", "::mlir::memref::MemRefDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect", "::mlir::ROCDL::ROCDLDialect",
    "::mlir::vector::VectorDialect"];
}

def ExpandRemainders : Pass<"weft-gpu-expand-remainders"> {
  let summary = "Computes remainders of floats exactly";
  let description = [{
    `arith.remf` of scalars becomes integer arithmetic: the significand of the dividend,
    shifted as far as the exponents differ, modulo that of the divisor, a few
    bits at a time (as in the C library's `fmod`, and exact as there). GPUs have no
    instruction for it, and LLVM's substitute for NVIDIA's rounds the quotient.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect"];
}

def LowerGPUMath : Pass<"weft-gpu-lower-math"> {
  let summary = "Makes functions that GPUs have instructions for intrinsics of LLVM";
  let description = [{
    Square roots, absolute values, roundings, `math.fma` and `math.copysign` of scalars become
    `llvm.call_intrinsic`. Upstream's conversions for GPUs would call a vendor's
    library for them. `weft-expand-math` has left no other function of floats.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}
