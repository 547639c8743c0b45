//===- RaiseSegmentSums.cpp - Masked running sums become ssm.segsum -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/Transforms/Factors.h"
#include "dialects/SSM/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace weft::ssm {
#define GEN_PASS_DEF_RAISESEGMENTSUMS
#include "dialects/SSM/Transforms/Passes.h.inc"
} // namespace weft::ssm

using namespace mlir;
using namespace weft::ssm;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Whether `value` is a constant [Q, Q] of booleans: of `strict`, set exactly where the
/// row is below the diagonal; else also on it; `inverted`: the others are set.
static bool isLowerTriangle(Value value, bool strict, bool inverted) {
  DenseIntElementsAttr mask;
  if (!matchPattern(value, m_Constant(&mask)))
    return false;
  auto type = cast<ShapedType>(mask.getType());
  if (type.getRank() != 2 || type.getDimSize(0) != type.getDimSize(1))
    return false;
  int64_t size = type.getDimSize(0), at = 0;
  for (const APInt &element : mask.getValues<APInt>()) {
    int64_t row = at / size, column = at % size;
    bool lower = strict ? row > column : row >= column;
    if (!element.isZero() != (lower != inverted))
      return false;
    ++at;
  }
  return true;
}

/// A scalar constant, or a tensor of one number.
static std::optional<APFloat> numberOf(Value value) {
  DenseFPElementsAttr constant;
  if (matchPattern(value, m_Constant(&constant)) && constant.isSplat())
    return constant.getSplatValue<APFloat>();
  return std::nullopt;
}

/// What `value` has where a lower triangle of its last two dimensions is, if it is a
/// number that `accepts` elsewhere.
static Value matchMasked(Value value, bool strict,
                         llvm::function_ref<bool(const APFloat &)> accepts) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  if (!op || op.getNumDpsInputs() != 3 || op.getNumLoops() != op.getNumParallelLoops() ||
      !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity())
    return {};
  Block *body = op.getBody();
  auto select = body->getTerminator()->getOperand(0).getDefiningOp<arith::SelectOp>();
  if (!select)
    return {};
  auto test = select.getCondition().getDefiningOp<arith::CmpIOp>();
  if (!test || test.getPredicate() != arith::CmpIPredicate::ne ||
      test.getLhs() != body->getArgument(0) || !matchPattern(test.getRhs(), m_Zero()) ||
      !llvm::hasNItems(*body, 3))
    return {};
  int64_t rank = op.getNumLoops();
  AffineMap mask = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  AffineExpr row = getAffineDimExpr(rank - 2, op.getContext()),
             column = getAffineDimExpr(rank - 1, op.getContext());
  if (mask.getResults() != ArrayRef{row, column})
    return {};
  // The values, and the number elsewhere, in any order.
  for (unsigned values : {1u, 2u}) {
    bool chosen = select.getTrueValue() == body->getArgument(values);
    if (!chosen && select.getFalseValue() != body->getArgument(values))
      continue;
    Value other = chosen ? select.getFalseValue() : select.getTrueValue();
    std::optional<APFloat> number = numberOf(op.getInputs()[3 - values]);
    if (other == body->getArgument(3 - values) && number && accepts(*number) &&
        op.getMatchingIndexingMap(op.getDpsInputOperand(values)).isIdentity() &&
        isLowerTriangle(op.getInputs()[0], strict, /*inverted=*/!chosen))
      return op.getInputs()[values];
  }
  return {};
}

/// The tensor [..., Q] of which `value` repeats each element along a new last dimension.
static Value matchRepeated(Value value) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  if (!op || op.getNumDpsInputs() != 1 || op.getNumLoops() != op.getNumParallelLoops() ||
      !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity() ||
      op.getBody()->getTerminator()->getOperand(0) != op.getBody()->getArgument(0))
    return {};
  Value input = op.getInputs()[0];
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  unsigned rank = op.getNumLoops();
  for (unsigned i = 0; i + 1 < rank; ++i)
    if (i >= map.getNumResults() || map.getResult(i) != getAffineDimExpr(i, op.getContext()))
      return {};
  if (map.getNumResults() == rank - 1)
    return input;
  // Or a last dimension of extent 1, which was made for it.
  auto expand = input.getDefiningOp<tensor::ExpandShapeOp>();
  if (!expand || typeOf(expand.getSrc()).getRank() != static_cast<int64_t>(rank) - 1 ||
      expand.getReassociationIndices().back().size() != 2 || typeOf(input).getShape().back() != 1)
    return {};
  return expand.getSrc();
}

namespace {
struct RaiseSegmentSum : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::GenericOp op, PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 1 || !isElementwiseOf(op, math::ExpOp::getOperationName(), 1) ||
        !op.getIndexingMapsArray()[0].isIdentity())
      return rewriter.notifyMatchFailure(op, "is no exponential");
    RankedTensorType type = typeOf(op.getResult(0));
    Value sums = matchMasked(op.getInputs()[0], /*strict=*/false,
                             [](const APFloat &x) { return x.isInfinity() && x.isNegative(); });
    auto scan = sums ? sums.getDefiningOp<weft::ScanOp>() : nullptr;
    if (!scan || scan.getKind() != weft::ScanKind::Sum || scan.getExclusive() ||
        scan.getReverse() || static_cast<int64_t>(scan.getDimension()) != type.getRank() - 2)
      return rewriter.notifyMatchFailure(op, "is not of masked sums over rows");
    Value repeated =
        matchMasked(scan.getInput(), /*strict=*/true, [](const APFloat &x) { return x.isZero(); });
    Value decay = repeated ? matchRepeated(repeated) : nullptr;
    bool computes = type.getElementType().isF32() || type.getElementType().isF64();
    if (!decay || !computes)
      return rewriter.notifyMatchFailure(op, "does not sum what is below the diagonal");
    rewriter.replaceOpWithNewOp<SegsumOp>(op, type, decay, op.getDpsInits());
    return success();
  }
};

struct RaiseSegmentSums : weft::ssm::impl::RaiseSegmentSumsBase<RaiseSegmentSums> {
  void runOnOperation() override {
    SmallVector<linalg::GenericOp> candidates;
    getOperation().walk([&](linalg::GenericOp op) { candidates.push_back(op); });
    RewritePatternSet patterns(&getContext());
    patterns.add<RaiseSegmentSum>(&getContext());
    FrozenRewritePatternSet frozen(std::move(patterns));
    for (linalg::GenericOp op : candidates) {
      bool changed = false;
      (void)applyOpPatternsGreedily(op.getOperation(), frozen, {}, &changed);
      raised += changed;
    }
  }
};
} // namespace
