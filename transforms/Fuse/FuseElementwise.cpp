//===- FuseElementwise.cpp - Merges elementwise operations ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "transforms/Fuse/Passes.h"

namespace weft {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "transforms/Fuse/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Whether the body of `op` reads other tensors by position: such an operation
/// is not worth repeating for each element of its consumer. Decoding elements
/// that share bytes (`weft-convert-packed`) is, where each is decoded once.
static bool readsByPosition(Operation *op, bool once) {
  return op
      ->walk([&](tensor::ExtractOp read) {
        auto type = read.getTensor().getType();
        bool isBytes = type.getRank() == 1 && type.getElementType().isInteger(8);
        return isBytes && once ? WalkResult::advance() : WalkResult::interrupt();
      })
      .wasInterrupted();
}

/// Larger bodies are no faster and take long to compile: to merge an operation
/// clones the body, and LLVM's schedulers and register allocators take more than
/// linear time for one block.
static constexpr int64_t kMaxBodyOperations = 512;

static int64_t countOperations(Operation *op) {
  int64_t count = 0;
  op->walk([&](Operation *) { ++count; });
  return count;
}

namespace {
struct FuseElementwise : weft::impl::FuseElementwiseBase<FuseElementwise> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    linalg::populateElementwiseOpsFusionPatterns(patterns, [](OpOperand *operand) {
      Operation *producer = operand->get().getDefiningOp();
      if (!producer || producer->getBlock() != operand->getOwner()->getBlock())
        return false;
      auto consumer = dyn_cast<linalg::LinalgOp>(operand->getOwner());
      if (readsByPosition(producer,
                          consumer && consumer.getMatchingIndexingMap(operand).isPermutation()))
        return false;
      // Into a reduction a producer would be computed once for each element
      // reduced, which is as often as before; into a contraction, more often.
      if (!consumer || consumer.getNumReductionLoops() > 0)
        return false;
      if (!producer->hasOneUse() && !isa<linalg::FillOp>(producer))
        return false;
      return countOperations(producer) + countOperations(consumer) <= kMaxBodyOperations;
    });
    linalg::GenericOp::getCanonicalizationPatterns(patterns, &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
