//===- TileKernels.cpp - Tiles kernels by their schedule ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Tile/Contraction.h"
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

/// Takes the reduced loops of `contraction` in pieces, each with the part of its factors
/// that is computed in the kernel; what it accumulates into is carried.
static LogicalResult tileReduction(RewriterBase &rewriter, linalg::GenericOp contraction,
                                   ArrayRef<int64_t> tiles) {
  scf::SCFTilingOptions tiling;
  tiling.setTileSizes(getAsIndexOpFoldResult(rewriter.getContext(), tiles));
  scf::SCFTileAndFuseOptions options;
  options.setTilingOptions(tiling);
  options.setFusionControlFn(
      [](tensor::ExtractSliceOp, OpResult producer,
         bool isDestination) -> std::optional<scf::SCFTileAndFuseOptions::ControlFnResult> {
        auto op = dyn_cast<linalg::GenericOp>(producer.getOwner());
        if (isDestination || !op || op.getNumReductionLoops() != 0)
          return std::nullopt;
        return scf::SCFTileAndFuseOptions::ControlFnResult{};
      });
  rewriter.setInsertionPoint(contraction);
  FailureOr<scf::SCFTileAndFuseResult> tiled = scf::tileConsumerAndFuseProducersUsingSCF(
      rewriter, cast<TilingInterface>(contraction.getOperation()), options);
  if (failed(tiled))
    return failure();
  rewriter.replaceOp(contraction, tiled->replacements.lookup(contraction.getResult(0)));
  return success();
}

/// Takes the reduced loops of the kernel's contraction in pieces of `tiles`.
static LogicalResult tileReductions(RewriterBase &rewriter, KernelOp kernel,
                                    ArrayRef<int64_t> tiles) {
  if (llvm::all_of(tiles, [](int64_t size) { return size == 0; }))
    return success();
  SmallVector<Contraction> contractions;
  bool hasItems =
      llvm::any_of(kernel.getScheduleAttr().getParallel(), [](int64_t size) { return size != 0; });
  kernel->walk([&](linalg::GenericOp op) {
    // The whole of what work items compute tiles of lives on in extents.
    if (hasItems && op->getParentOp() == kernel)
      return;
    if (std::optional<Contraction> contraction = Contraction::match(op))
      contractions.push_back(*contraction);
  });
  if (contractions.size() != 1 || contractions.front().op.getNumLoops() != tiles.size())
    return kernel.emitOpError("has a schedule of ")
           << tiles.size() << " reduction tile sizes and no contraction of as many loops";
  for (auto [i, size] : llvm::enumerate(tiles))
    if (size != 0 && !llvm::is_contained(contractions.front().k, i))
      return kernel.emitOpError("has a schedule that takes loop ")
             << i << " of its contraction in pieces, which is not reduced";
  if (failed(tileReduction(rewriter, contractions.front().op, tiles)))
    return kernel.emitOpError("cannot be tiled by its schedule");
  return success();
}

/// Makes the kernel's root a loop over work items of `tiles`, each with what it reads that
/// is computed in the kernel.
static LogicalResult tileItems(RewriterBase &rewriter, KernelOp kernel, TilingInterface root,
                               ArrayRef<int64_t> tiles) {
  if (llvm::all_of(tiles, [](int64_t size) { return size == 0; }))
    return success();
  if (failed(verifyTiles(kernel, tiles, root.getLoopIteratorTypes())))
    return failure();
  scf::SCFTilingOptions tiling;
  tiling.setLoopType(scf::SCFTilingOptions::LoopType::ForallOp);
  tiling.setTileSizes(getAsIndexOpFoldResult(rewriter.getContext(), tiles));
  scf::SCFTileAndFuseOptions options;
  options.setTilingOptions(tiling);
  rewriter.setInsertionPoint(root);
  FailureOr<scf::SCFTileAndFuseResult> tiled =
      scf::tileConsumerAndFuseProducersUsingSCF(rewriter, root, options);
  if (failed(tiled))
    return kernel.emitOpError("cannot be tiled by its schedule");
  for (OpResult result : root->getResults())
    if (Value replacement = tiled->replacements.lookup(result))
      rewriter.replaceAllUsesWith(result, replacement);
  return success();
}

static void eraseDead(RewriterBase &rewriter, Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op))
      rewriter.eraseOp(&op);
}

namespace {
struct TileKernels : weft::impl::TileKernelsBase<TileKernels> {
  void runOnOperation() override {
    KernelOp kernel = getOperation();
    IRRewriter rewriter(&getContext());
    replaceEmptyLoops(rewriter, kernel);
    ScheduleAttr schedule = kernel.getScheduleAttr();
    TilingInterface root = getScheduledRoot(kernel);
    if (!schedule || !root)
      return;
    if (failed(tileItems(rewriter, kernel, root, schedule.getParallel())))
      return signalPassFailure();
    // The whole of producers that live in the loop now.
    eraseDead(rewriter, kernel.getBody().front());
    if (failed(tileReductions(rewriter, kernel, schedule.getReduction())))
      return signalPassFailure();
    // A tile of an uninitialised tensor is one, too: the whole is not needed.
    RewritePatternSet patterns(&getContext());
    tensor::populateFoldTensorEmptyPatterns(patterns, /*foldSingleUseOnly=*/true);
    (void)applyPatternsGreedily(kernel, std::move(patterns));
    eraseDead(rewriter, kernel.getBody().front());
  }
};
} // namespace
