//===- Passes.td - The passes of the emulation -------------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def LowerEmulatedMatrixProducts
    : Pass<"weft-emulation-lower-matrix-products", "::mlir::ModuleOp"> {
  let summary = "Computes matrix products by the instruction of the chip that is emulated";
  let description = [{
    `weft-gpu-lower-matrix-products` for the chip that `weft.chips` names, so that the code
    which GPUs of NVIDIA or AMD get is what the emulation runs: `lanes32-mma`,
    `lanes64-mfma`, `lanes64-mfma2`, `lanes32-wmma11`, `lanes32-wmma12`.
  }];
  let dependentDialects = [
    "::mlir::gpu::GPUDialect", "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::affine::AffineDialect", "::mlir::memref::MemRefDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect", "::mlir::ROCDL::ROCDLDialect",
    "::mlir::vector::VectorDialect"];
}

def EmulateKernels : Pass<"weft-emulate-kernels", "::mlir::ModuleOp"> {
  let summary = "Makes device kernels functions that run one of their threads on the CPU";
  let description = [{
    `gpu.func @f kernel` in `gpu.module @m` becomes `@m.f`, the `weft_emulated_fn` of
    `weft-runtime/module.h`. Where a thread is comes from the structure that it is
    given; `gpu.barrier` and what lanes of a subgroup do together become calls
    through it, which the runtime's scheduler returns from when all have arrived.
    Each such place has a number, so that threads that wait at different ones are
    told apart.

    Workgroup memory is the block's. What is read or written there is checked: the
    indices against the extents of the view, and the element's position against the
    buffer that the view is of. Memory that views cannot be traced to is not checked.

    Operations on a subgroup exchange the lanes' values and compute from them in the order
    of lanes: shuffles, reductions of a subgroup or of clusters, broadcasts and rotations.
    Matrix instructions are computed as the manuals of PTX, CDNA and RDNA define them
    (`EmulateMatrices.cpp`): `nvvm.mma.sync` m16n8k16 and the `mfma` and `wmma` of
    16 x 16 x 16 of f16 and bf16 and 16 x 16 x 4 of f32, with sums of f32, added in the order of k.

    Records in `weft.device_kernels` how much shared memory a kernel declares and
    whether its threads cooperate; those that do not run as a loop. Runs after
    `weft-cpu-lower-launches` and removes the modules.
  }];
  let options = [Option<"subgroupSize", "subgroup-size", "int64_t", "0",
                        "Lanes of a subgroup: 32 or 64; 0: as `weft.chips` says, else 32">];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}
