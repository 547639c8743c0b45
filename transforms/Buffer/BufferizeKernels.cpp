//===- BufferizeKernels.cpp - Turns the tensors of kernels into memory ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Buffer/Boundary.h"
#include "transforms/Buffer/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

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
    bufferization::MaterializeInDestinationOp::create(rewriter, loc, /*result=*/Type(), value, out,
                                                      /*restrict=*/true, /*writable=*/true);
  rewriter.modifyOpInPlace(yield, [&] { yield.getValuesMutable().clear(); });
  kernel.setFunctionType(rewriter.getFunctionType(types, {}));
}

/// Whether every element of the mask of a write is true.
static bool writesAllLanes(vector::TransferWriteOp write) {
  if (!write.getMask())
    return true;
  auto mask = write.getMask().getDefiningOp<vector::ConstantMaskOp>();
  return mask && mask.isAllOnesMask();
}

/// Upstream takes a write at the origin for one of the whole tensor, of which nothing has to be
/// copied, if the first extents of the tensor are no larger than those of the vector. That is
/// wrong for vectors of a lower rank and where a mask leaves elements out. An origin that is
/// no constant before the clean-up keeps these from being taken for such.
static void hideOrigins(KernelOp kernel, RewriterBase &rewriter) {
  kernel->walk([&](vector::TransferWriteOp write) {
    bool coversRank = write.getVectorType().getRank() == write.getShapedType().getRank();
    if (!write.hasPureTensorSemantics() || (coversRank && writesAllLanes(write)) ||
        write.getIndices().empty() || getConstantIntValue(write.getIndices().front()) != 0)
      return;
    rewriter.setInsertionPoint(write);
    Value zero = write.getIndices().front();
    zero = arith::AddIOp::create(rewriter, write.getLoc(), zero, zero);
    rewriter.modifyOpInPlace(write, [&] { write.getIndicesMutable().slice(0, 1).assign(zero); });
  });
}

/// Whether a loop carries tensors.
static bool carriesTensors(scf::ForOp loop) {
  return llvm::any_of(loop.getResultTypes(), llvm::IsaPred<TensorType>);
}

/// Makes a loop compute each of the carried tensors `positions` into the memory of
/// the value before it, by a copy from where the iteration computed it.
static void copyBack(scf::ForOp loop, ArrayRef<unsigned> positions, RewriterBase &rewriter) {
  auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
  Location loc = yield.getLoc();
  rewriter.setInsertionPoint(yield);
  SmallVector<Value> values;
  for (unsigned i : positions) {
    Value value = yield.getOperand(i);
    // Another carried tensor is overwritten below: it is kept beforehand.
    if (auto argument = dyn_cast<BlockArgument>(value);
        argument && argument.getOwner() == loop.getBody())
      value = bufferization::AllocTensorOp::create(
          rewriter, loc, cast<RankedTensorType>(value.getType()), ValueRange(), /*copy=*/value);
    values.push_back(value);
  }
  for (auto [i, value] : llvm::zip(positions, values)) {
    Value copied =
        linalg::CopyOp::create(rewriter, loc, value, loop.getRegionIterArg(i)).getResult(0);
    rewriter.modifyOpInPlace(yield, [&] { yield->setOperand(i, copied); });
  }
}

/// Gives two places to what loops carry and cannot compute in place: a kernel
/// allocates nothing while it runs, so that the memory of a carried tensor is
/// one buffer for all iterations.
static LogicalResult fixCarriedBuffers(KernelOp kernel,
                                       bufferization::OneShotBufferizationOptions options,
                                       RewriterBase &rewriter) {
  options.allowReturnAllocsFromLoops = true; // what the analysis is to find
  DenseSet<Operation *> done;
  while (true) {
    SmallVector<scf::ForOp> loops; // inner ones first: the outer depend on them
    kernel->walk([&](scf::ForOp loop) {
      if (carriesTensors(loop) && !done.contains(loop))
        loops.push_back(loop);
    });
    if (loops.empty())
      return success();
    bufferization::OneShotAnalysisState state(kernel, options);
    if (failed(bufferization::analyzeOp(kernel, state)))
      return failure();
    bool changed = false;
    for (scf::ForOp loop : loops) {
      done.insert(loop);
      auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
      SmallVector<unsigned> positions;
      for (auto [i, value] : llvm::enumerate(yield.getOperands()))
        if (isa<TensorType>(value.getType()) &&
            !state.areEquivalentBufferizedValues(value, loop.getRegionIterArg(i)))
          positions.push_back(static_cast<unsigned>(i));
      if (positions.empty())
        continue;
      copyBack(loop, positions, rewriter);
      changed = true;
      break; // the analysis of the loops around it is out of date
    }
    if (!changed)
      return success();
  }
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
      hideOrigins(kernel, rewriter);
      if (failed(fixCarriedBuffers(kernel, options, rewriter)))
        return signalPassFailure();
      bufferization::BufferizationState state;
      if (failed(bufferization::runOneShotBufferize(kernel, options, state)))
        return signalPassFailure();
    }
  }
};
} // namespace
