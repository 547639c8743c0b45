//===- TileKernels.cpp - Tiles kernels by their schedule ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Tile/Passes.h"
#include "transforms/Tile/Schedule.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/TileUsingInterface.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Interfaces/TilingInterface.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace weft {
#define GEN_PASS_DEF_TILEKERNELS
#include "transforms/Tile/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

TilingInterface weft::getScheduledRoot(KernelOp kernel) {
  YieldOp yield = kernel.getYield();
  if (yield.getNumOperands() == 0)
    return {};
  // Reshapes of the result are no computation.
  auto definition = [](Value value) {
    Operation *op = value.getDefiningOp();
    while (isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
      op = op->getOperand(0).getDefiningOp();
    return op;
  };
  Operation *root = definition(yield.getOperand(0));
  if (!root || root->getParentOp() != kernel ||
      llvm::any_of(yield.getOperands(), [&](Value v) { return definition(v) != root; }))
    return {};
  return dyn_cast<TilingInterface>(root);
}

/// Fails where work items would not be independent of each other.
static LogicalResult verifyTiles(KernelOp kernel, ArrayRef<int64_t> tiles,
                                 ArrayRef<utils::IteratorType> loops) {
  if (tiles.size() > loops.size())
    return kernel.emitOpError("has a schedule of ")
           << tiles.size() << " parallel tile sizes for a root of " << loops.size() << " loops";
  for (auto [i, size] : llvm::enumerate(tiles))
    if (size != 0 && loops[i] != utils::IteratorType::parallel)
      return kernel.emitOpError("has a schedule that divides loop ")
             << i << " of its root into work items, which is not parallel";
  return success();
}

/// What reduces nothing, or makes an empty result, is what it starts from. Tiles of it would
/// have a size of 0, which linalg takes for "all of it".
static void replaceEmptyLoops(RewriterBase &rewriter, KernelOp kernel) {
  for (Operation &op : llvm::make_early_inc_range(kernel.getBody().front()))
    if (auto computation = dyn_cast<linalg::LinalgOp>(op))
      if (computation.hasPureTensorSemantics() &&
          llvm::is_contained(computation.getStaticLoopRanges(), 0))
        rewriter.replaceOp(computation, computation.getDpsInits());
}

namespace {
struct TileKernels : weft::impl::TileKernelsBase<TileKernels> {
  void runOnOperation() override {
    KernelOp kernel = getOperation();
    IRRewriter rewriter(&getContext());
    replaceEmptyLoops(rewriter, kernel);
    ScheduleAttr schedule = kernel.getScheduleAttr();
    TilingInterface root = getScheduledRoot(kernel);
    if (!schedule || !root ||
        llvm::all_of(schedule.getParallel(), [](int64_t size) { return size == 0; }))
      return;
    if (failed(verifyTiles(kernel, schedule.getParallel(), root.getLoopIteratorTypes())))
      return signalPassFailure();
    scf::SCFTilingOptions tiling;
    tiling.setLoopType(scf::SCFTilingOptions::LoopType::ForallOp);
    tiling.setTileSizes(getAsIndexOpFoldResult(&getContext(), schedule.getParallel()));
    scf::SCFTileAndFuseOptions options;
    options.setTilingOptions(tiling);
    rewriter.setInsertionPoint(root);
    FailureOr<scf::SCFTileAndFuseResult> tiled =
        scf::tileConsumerAndFuseProducersUsingSCF(rewriter, root, options);
    if (failed(tiled)) {
      kernel.emitOpError("cannot be tiled by its schedule");
      return signalPassFailure();
    }
    for (OpResult result : root->getResults())
      if (Value replacement = tiled->replacements.lookup(result))
        rewriter.replaceAllUsesWith(result, replacement);
    // A tile of an uninitialised tensor is one, too: the whole is not needed.
    RewritePatternSet patterns(&getContext());
    tensor::populateFoldTensorEmptyPatterns(patterns, /*foldSingleUseOnly=*/true);
    (void)applyPatternsGreedily(kernel, std::move(patterns));
    // Producers that live in the loop now.
    Block &body = kernel.getBody().front();
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
      if (isOpTriviallyDead(&op))
        rewriter.eraseOp(&op);
  }
};
} // namespace
