//===- LowerMatrixProducts.cpp - Matrix products for one chip -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/LowerMatrixProducts.h"
#include "targets/GPU/DeviceFunction.h"
#include "targets/GPU/DistributeContraction.h"
#include "targets/GPU/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace weft {
#define GEN_PASS_DEF_LOWERMATRIXPRODUCTS
#include "targets/GPU/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::gpu;

static LogicalResult lower(RewriterBase &b, linalg::GenericOp op, mlir::gpu::GPUFuncOp function,
                           MatrixInstruction instruction) {
  std::optional<weft::Contraction> contraction = weft::Contraction::match(op);
  auto size = function.getKnownBlockSize();
  if (!contraction || !size)
    return op.emitOpError("is no matrix product of a block of threads");
  Grid grid{function.getArgument(0), (*size)[0]};
  LogicalResult done = instruction == MatrixInstruction::None
                           ? distributeContraction(b, *contraction, grid, kScalarTile)
                           : distributeMatrixContraction(b, *contraction, grid, instruction);
  return succeeded(done) ? done : op.emitOpError("cannot be computed by matrix instructions");
}

LogicalResult weft::gpu::lowerMatrixProducts(mlir::gpu::GPUModuleOp module,
                                             MatrixInstruction instruction) {
  IRRewriter rewriter(module.getContext());
  for (auto function : module.getOps<mlir::gpu::GPUFuncOp>()) {
    SmallVector<linalg::GenericOp> products;
    function.walk([&](linalg::GenericOp op) { products.push_back(op); });
    for (linalg::GenericOp op : products)
      if (failed(lower(rewriter, op, function, instruction)))
        return failure();
    if (products.empty())
      continue;
    shareTemporaries(rewriter, function);
    useExtents(rewriter, function);
  }
  return success();
}

namespace {
struct LowerMatrixProducts : weft::impl::LowerMatrixProductsBase<LowerMatrixProducts> {
  using LowerMatrixProductsBase::LowerMatrixProductsBase;

  void runOnOperation() override {
    if (failed(lowerMatrixProducts(getOperation(), instruction)))
      signalPassFailure();
  }
};
} // namespace
