//===- RaiseSoftmax.cpp - Softmax that was written out --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Attn/Transforms/Conversions.h"
#include "dialects/Attn/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

namespace weft::attn {
#define GEN_PASS_DEF_RAISESOFTMAX
#include "dialects/Attn/Transforms/Passes.h.inc"
} // namespace weft::attn

using namespace mlir;
using namespace weft;
using namespace weft::attn;

/// An elementwise operation whose body is one OpTy of its inputs, in their order, and whose first
/// input has the positions of the result. Numbers may be converted around it.
template <typename OpTy> static linalg::GenericOp matchBody(Value value, unsigned inputs) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  if (!op || op->getNumResults() != 1 || op.getNumDpsInputs() != inputs ||
      op.getNumReductionLoops() != 0 || !op.getIndexingMapsArray().front().isIdentity() ||
      !op.getIndexingMapsArray().back().isIdentity())
    return {};
  auto inner = dyn_cast_or_null<OpTy>(soleOperation(op));
  if (!inner)
    return {};
  for (unsigned i = 0; i < inputs; ++i)
    if (withoutConversions(inner->getOperand(i)) != op.getBody()->getArgument(i))
      return {};
  return op;
}

/// What a reduction by OpTy over the last dimension, from an initial value that `isInitial`
/// accepts, is of.
template <typename OpTy>
static Value matchReduction(Value value, llvm::function_ref<bool(Value)> isInitial) {
  // Before it was rounded.
  if (Value wide = matchConversion(value))
    value = wide;
  auto op = value.getDefiningOp<linalg::GenericOp>();
  if (!op || op->getNumResults() != 1 || op.getNumDpsInputs() != 1 ||
      op.getNumReductionLoops() != 1)
    return {};
  unsigned last = op.getNumLoops() - 1;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  auto inner = dyn_cast_or_null<OpTy>(soleOperation(op));
  auto fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  if (!inner || !fill || !isInitial(fill.getInputs()[0]) || !maps[0].isIdentity() ||
      op.getIteratorTypesArray()[last] != utils::IteratorType::reduction ||
      maps[1] != maps[0].dropResult(last))
    return {};
  Value lhs = withoutConversions(inner->getOperand(0)),
        rhs = withoutConversions(inner->getOperand(1));
  if (!isa<BlockArgument>(lhs) || !isa<BlockArgument>(rhs) || lhs == rhs)
    return {};
  return op.getInputs()[0];
}

/// The tensor of rows that the second input of `op` has for each element, without a last
/// dimension of 1.
static Value rowsOf(linalg::GenericOp op) {
  Value value = op.getInputs()[1];
  AffineMap map = op.getIndexingMapsArray()[1];
  unsigned last = op.getNumLoops() - 1;
  AffineMap rows = AffineMap::getMultiDimIdentityMap(last + 1, op.getContext()).dropResult(last);
  if (map == rows)
    return value;
  auto expand = value.getDefiningOp<tensor::ExpandShapeOp>();
  bool keeps = map.getNumResults() == last + 1 && map.dropResult(last) == rows &&
               map.getResult(last) == getAffineConstantExpr(0, op.getContext());
  if (!expand || !keeps || expand.getSrcType().getRank() != static_cast<int64_t>(last))
    return {};
  // Where extents of 1 are next to each other, groups do not tell which of them is the new one.
  RankedTensorType source = expand.getSrcType();
  if (source.hasStaticShape() && expand.getResultType().getShape().drop_back() == source.getShape())
    return expand.getSrc();
  // The last group has the dimension, every other one dimension of the source.
  for (auto [i, group] : llvm::enumerate(expand.getReassociationIndices()))
    if (group.size() != (i + 1 == last ? 2u : 1u))
      return {};
  return expand.getSrc();
}

/// The scores of which `quotient` is the softmax over their last dimension.
static Value matchSoftmax(linalg::GenericOp quotient) {
  Type element = cast<RankedTensorType>(quotient.getResult(0).getType()).getElementType();
  if (!matchBody<arith::DivFOp>(quotient.getResult(0), 2) || quotient.getNumLoops() < 2 ||
      !(element.isF32() || element.isF64() || element.isF16() || element.isBF16()))
    return {};
  auto exponential = matchBody<math::ExpOp>(quotient.getInputs()[0], 1);
  Value sums = rowsOf(quotient);
  auto isZero = [](Value v) { return matchPattern(v, m_AnyZeroFloat()); };
  if (!exponential || !sums ||
      matchReduction<arith::AddFOp>(sums, isZero) != exponential.getResult(0))
    return {};
  auto difference = matchBody<arith::SubFOp>(exponential.getInputs()[0], 2);
  Value largest = difference ? rowsOf(difference) : Value();
  auto isLeast = [](Value v) { return matchPattern(v, m_NegInfFloat()); };
  if (!largest || matchReduction<arith::MaximumFOp>(largest, isLeast) != difference.getInputs()[0])
    return {};
  return difference.getInputs()[0];
}

namespace {
struct RaiseSoftmax : weft::attn::impl::RaiseSoftmaxBase<RaiseSoftmax> {
  void runOnOperation() override {
    SmallVector<linalg::GenericOp> candidates;
    getOperation()->walk([&](linalg::GenericOp op) {
      if (op->getNumResults() == 1)
        candidates.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::GenericOp op : candidates) {
      Value scores = matchSoftmax(op);
      if (!scores)
        continue;
      // Narrow floats were rounded after each step: the softmax is computed in float32.
      rewriter.setInsertionPoint(op);
      Type element = getElementTypeOrSelf(op.getResult(0).getType());
      Type wide = element.getIntOrFloatBitWidth() < 32 ? rewriter.getF32Type() : element;
      Value input = attn::convert(rewriter, op.getLoc(), scores, wide), init = op.getDpsInits()[0];
      if (wide != element)
        init = tensor::EmptyOp::create(rewriter, op.getLoc(),
                                       tensor::getMixedSizes(rewriter, op.getLoc(), input), wide);
      auto softmax =
          linalg::SoftmaxOp::create(rewriter, op.getLoc(), TypeRange(init.getType()), input, init,
                                    rewriter.getI64IntegerAttr(op.getNumLoops() - 1));
      rewriter.replaceOp(op, attn::convert(rewriter, op.getLoc(), softmax->getResult(0), element));
      ++numRaised;
    }
  }
};
} // namespace
