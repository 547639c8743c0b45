//===- BufferizeKernels.cpp - Turns the tensors of kernels into memory ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Buffer/Boundary.h"
#include "transforms/Buffer/Passes.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace weft {
#define GEN_PASS_DEF_BUFFERIZEKERNELS
#include "transforms/Buffer/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Makes the arguments memrefs, and the yielded values stores into the outs.
static void convertBoundary(KernelOp kernel, RewriterBase &rewriter) {
  Block &body = kernel.getBody().front();
  YieldOp yield = kernel.getYield();
  size_t firstOut = body.getNumArguments() - static_cast<size_t>(kernel.getOuts());
  Location loc = kernel.getLoc();
  SmallVector<Type> types = convertArgumentsToMemRefs(
      body, rewriter, [&](BlockArgument argument) { return argument.getArgNumber() >= firstOut; });
  rewriter.setInsertionPoint(yield);
  for (auto [value, out] : llvm::zip(yield.getValues(), kernel.getOutArguments()))
    bufferization::MaterializeInDestinationOp::create(
        rewriter, loc, /*result=*/Type(), value, out, /*restrict=*/true, /*writable=*/true);
  rewriter.modifyOpInPlace(yield, [&] { yield.getValuesMutable().clear(); });
  kernel.setFunctionType(rewriter.getFunctionType(types, {}));
}

namespace {
struct BufferizeKernels : weft::impl::BufferizeKernelsBase<BufferizeKernels> {
  void runOnOperation() override {
    bufferization::OneShotBufferizationOptions options;
    options.setFunctionBoundaryTypeConversion(bufferization::LayoutMapOption::IdentityLayoutMap);
    IRRewriter rewriter(&getContext());
    for (KernelOp kernel : getOperation().getOps<KernelOp>()) {
      if (kernel.getYield().getNumOperands() == 0 && kernel.getOuts() != 0)
        continue; // on memory already
      convertBoundary(kernel, rewriter);
      bufferization::BufferizationState state;
      if (failed(bufferization::runOneShotBufferize(kernel, options, state)))
        return signalPassFailure();
    }
  }
};
} // namespace
