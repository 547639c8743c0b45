//===- FoldUnitExtents.cpp - Reads reduced tensors without unit extents ---===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Fuse/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace weft {
#define GEN_PASS_DEF_FOLDUNITEXTENTS
#include "transforms/Fuse/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// The dimensions of an expansion's result that only have extent 1, if these are
/// all it adds.
static std::optional<llvm::SmallDenseSet<int64_t>> addedUnitDimensions(tensor::ExpandShapeOp op) {
  llvm::SmallDenseSet<int64_t> added;
  ArrayRef<int64_t> shape = op.getResultType().getShape();
  if (op.getSrcType().getRank() == 0) {
    for (int64_t i = 0; i < static_cast<int64_t>(shape.size()); ++i)
      added.insert(i);
    return added;
  }
  for (ArrayRef<int64_t> group : op.getReassociationIndices()) {
    // The one dimension that stays: the first that is not 1, or just the first.
    const int64_t *kept = llvm::find_if(group, [&](int64_t i) { return shape[i] != 1; });
    if (kept == group.end())
      kept = group.begin();
    for (int64_t i : group)
      if (i != *kept) {
        if (shape[i] != 1)
          return std::nullopt;
        added.insert(i);
      }
  }
  return added;
}

static bool isElementwise(linalg::GenericOp op) {
  return op.hasPureTensorSemantics() && op.getNumResults() == 1 && op.getNumDpsInits() == 1 &&
         op.getNumLoops() == op.getNumParallelLoops() &&
         op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity();
}

namespace {
/// An elementwise operation that reads an expanded tensor reads its source.
struct ReadWithoutExpansion : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::GenericOp op, PatternRewriter &rewriter) const override {
    if (!isElementwise(op))
      return rewriter.notifyMatchFailure(op, "is not elementwise");
    for (OpOperand *operand : op.getDpsInputOperands()) {
      auto expand = operand->get().getDefiningOp<tensor::ExpandShapeOp>();
      if (!expand)
        continue;
      auto added = addedUnitDimensions(expand);
      if (!added || added->empty())
        continue;
      AffineMap map = op.getMatchingIndexingMap(operand);
      SmallVector<AffineExpr> exprs;
      for (auto [i, expr] : llvm::enumerate(map.getResults()))
        if (!added->contains(static_cast<int64_t>(i)))
          exprs.push_back(expr);
      SmallVector<AffineMap> maps = op.getIndexingMapsArray();
      maps[operand->getOperandNumber()] =
          AffineMap::get(map.getNumDims(), 0, exprs, rewriter.getContext());
      rewriter.modifyOpInPlace(op, [&] {
        operand->set(expand.getSrc());
        op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
      });
      return success();
    }
    return rewriter.notifyMatchFailure(op, "reads no tensor expanded by unit extents");
  }
};

/// An elementwise operation computes its result without a unit extent that one
/// of its computed operands does not have; the result is expanded.
struct ComputeWithoutUnitExtents : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::GenericOp op, PatternRewriter &rewriter) const override {
    if (!isElementwise(op) || op.hasIndexSemantics())
      return rewriter.notifyMatchFailure(op, "is not elementwise or depends on positions");
    auto empty = op.getDpsInitOperand(0)->get().getDefiningOp<tensor::EmptyOp>();
    if (!empty || op.payloadUsesValueFromOperand(op.getDpsInitOperand(0)))
      return rewriter.notifyMatchFailure(op, "has a destination with contents");
    auto type = cast<RankedTensorType>(op.getResult(0).getType());
    unsigned rank = static_cast<unsigned>(type.getRank());
    // Loops of one iteration that a computed operand lacks and no operand needs.
    SmallVector<bool> dropped(rank, false);
    for (unsigned loop = 0; loop < rank; ++loop) {
      if (type.getDimSize(loop) != 1)
        continue;
      bool lacks = false, needs = false;
      for (OpOperand *operand : op.getDpsInputOperands()) {
        AffineMap map = op.getMatchingIndexingMap(operand);
        bool uses = map.isFunctionOfDim(loop);
        needs |= uses;
        lacks |= !uses && map.getNumResults() < rank &&
                 isa_and_nonnull<linalg::LinalgOp, ContractOp>(operand->get().getDefiningOp());
      }
      dropped[loop] = lacks && !needs;
    }
    if (!llvm::is_contained(dropped, true))
      return rewriter.notifyMatchFailure(op, "has no unit extent to drop");

    // The loops that stay, renumbered; dropped ones are 0 and appear nowhere.
    SmallVector<AffineExpr> renumbered;
    SmallVector<OpFoldResult> sizes, allSizes = empty.getMixedSizes();
    SmallVector<ReassociationIndices> groups;
    ReassociationIndices leading;
    for (unsigned loop = 0; loop < rank; ++loop) {
      if (dropped[loop]) {
        renumbered.push_back(rewriter.getAffineConstantExpr(0));
        (groups.empty() ? leading : groups.back()).push_back(loop);
        continue;
      }
      renumbered.push_back(rewriter.getAffineDimExpr(sizes.size()));
      sizes.push_back(allSizes[loop]);
      groups.emplace_back(groups.empty() ? leading : ReassociationIndices());
      groups.back().push_back(loop);
    }
    unsigned kept = static_cast<unsigned>(sizes.size());
    SmallVector<AffineMap> maps;
    for (AffineMap map : op.getIndexingMapsArray())
      maps.push_back(map.replaceDimsAndSymbols(renumbered, {}, kept, 0));
    maps.back() = rewriter.getMultiDimIdentityMap(kept);
    Location loc = op.getLoc();
    Value init = tensor::EmptyOp::create(rewriter, loc, sizes, type.getElementType());
    SmallVector<utils::IteratorType> iterators(kept, utils::IteratorType::parallel);
    auto smaller = linalg::GenericOp::create(rewriter, loc, init.getType(), op.getInputs(), init,
                                             maps, iterators);
    rewriter.inlineRegionBefore(op.getRegion(), smaller.getRegion(), smaller.getRegion().begin());
    rewriter.replaceOpWithNewOp<tensor::ExpandShapeOp>(op, type, smaller.getResult(0), groups,
                                                       allSizes);
    return success();
  }
};

struct FoldUnitExtents : weft::impl::FoldUnitExtentsBase<FoldUnitExtents> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ReadWithoutExpansion, ComputeWithoutUnitExtents>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
