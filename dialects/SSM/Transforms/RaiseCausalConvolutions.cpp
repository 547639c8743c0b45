//===- RaiseCausalConvolutions.cpp - Padded convolutions are causal -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/Transforms/Factors.h"
#include "dialects/SSM/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/PatternMatch.h"

namespace weft::ssm {
#define GEN_PASS_DEF_RAISECAUSALCONVOLUTIONS
#include "dialects/SSM/Transforms/Passes.h.inc"
} // namespace weft::ssm

using namespace mlir;
using namespace weft::ssm;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Whether `op` convolves each channel of [B, C, T] with a filter of its own, padded by
/// all that it reaches back.
static bool isDepthwiseCausal(weft::ConvOp op) {
  // The filter is read as [C, W], which packed numbers are not reshaped to.
  if (op.hasPackedFilter())
    return false;
  RankedTensorType input = typeOf(op.getInput()), filter = typeOf(op.getFilter());
  if (op.getTransposed() || input.getRank() != 3 || !isa<FloatType>(input.getElementType()) ||
      filter.getElementType() != input.getElementType() ||
      typeOf(op.getInit()).getElementType() != input.getElementType())
    return false;
  auto channels = static_cast<int64_t>(op.getGroups());
  int64_t width = filter.getDimSize(2);
  if (filter.getDimSize(0) != channels || filter.getDimSize(1) != 1 ||
      input.getDimSize(1) != channels || ShapedType::isDynamic(width) || width < 1)
    return false;
  return op.getStrides()[0] == 1 && op.getPads()[1] >= 0 &&
         static_cast<__int128>(width - 1) * op.getDilations()[0] == op.getPads()[0];
}

/// The bias [C] that `init` repeats, or null and true for zeros.
static std::pair<Value, bool> matchBias(Value init) {
  if (isZeroTensor(init))
    return {Value(), true};
  auto op = init.getDefiningOp<linalg::GenericOp>();
  if (!op || op.getNumDpsInputs() != 1 || op.getNumLoops() != 3 || op.getNumParallelLoops() != 3 ||
      !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity() ||
      op.getBody()->getTerminator()->getOperand(0) != op.getBody()->getArgument(0))
    return {Value(), false};
  // [C], or [C, 1].
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  Value bias = op.getInputs()[0];
  if (map.getNumResults() == 0 || map.getResult(0) != getAffineDimExpr(1, op.getContext()))
    return {Value(), false};
  for (int64_t i = 1; i < typeOf(bias).getRank(); ++i)
    if (typeOf(bias).getDimSize(i) != 1)
      return {Value(), false};
  return {bias, true};
}

static Value collapseTo(OpBuilder &b, Location loc, Value value, int64_t rank) {
  int64_t from = typeOf(value).getRank();
  if (from == rank)
    return value;
  SmallVector<ReassociationIndices> groups(rank);
  for (int64_t i = 0; i < from; ++i)
    groups[std::min(i, rank - 1)].push_back(i);
  return tensor::CollapseShapeOp::create(b, loc, value, groups);
}

/// [B, C, T] as [B, T, C], or back.
static Value exchange(OpBuilder &b, Location loc, Value value) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, value);
  std::swap(sizes[1], sizes[2]);
  Value init = tensor::EmptyOp::create(b, loc, sizes, typeOf(value).getElementType());
  return linalg::TransposeOp::create(b, loc, value, init, ArrayRef<int64_t>{0, 2, 1})->getResult(0);
}

/// The value that has only the tokens that there are: the result, or all slices of it.
static bool findResults(weft::ConvOp op, SmallVector<Value> &results) {
  if (op.getPads()[1] == 0) {
    results.push_back(op.getResult());
    return true;
  }
  for (Operation *user : op->getUsers()) {
    auto slice = dyn_cast<tensor::ExtractSliceOp>(user);
    if (!slice || !slice.hasUnitStride() || slice.getType().getRank() != 3)
      return false;
    for (OpFoldResult offset : slice.getMixedOffsets())
      if (getConstantIntValue(offset) != 0)
        return false;
    if (!isWhole(slice.getMixedSizes()[2], op.getInput(), 2) ||
        !isWhole(slice.getMixedSizes()[1], op.getInput(), 1) ||
        slice.getType().getDimSize(0) != typeOf(op.getInput()).getDimSize(0) ||
        slice.getType().getDimSize(2) != typeOf(op.getInput()).getDimSize(2))
      return false;
    // The batch is whole: it is the init's, which is the result's.
    if (!isWhole(slice.getMixedSizes()[0], op.getResult(), 0))
      return false;
    results.push_back(slice.getResult());
  }
  return !results.empty();
}

static bool raiseConvolution(RewriterBase &b, weft::ConvOp op) {
  SmallVector<Value> results;
  if (!isDepthwiseCausal(op))
    return false;
  auto [bias, hasBias] = matchBias(op.getInit());
  if (!hasBias || !findResults(op, results))
    return false;
  Location loc = op.getLoc();
  b.setInsertionPointAfter(op);
  Value input = exchange(b, loc, op.getInput());
  SmallVector<ReassociationIndices> groups{{0}, {1, 2}};
  Value filter = tensor::CollapseShapeOp::create(b, loc, op.getFilter(), groups);
  if (bias)
    bias = collapseTo(b, loc, bias, 1);
  Value init = tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, input),
                                       typeOf(input).getElementType());
  auto conv = CausalConv1dOp::create(
      b, loc, TypeRange(init), input, filter, bias, /*state=*/Value(), /*offsets=*/Value(),
      /*sources=*/Value(), /*destinations=*/Value(), init, Activation::None, op.getDilations()[0],
      /*reverse=*/false);
  Value result = exchange(b, loc, conv.getResults()[0]);
  for (Value old : results) {
    Value replacement = result;
    if (old.getType() != result.getType())
      replacement = tensor::CastOp::create(b, loc, old.getType(), result);
    b.replaceAllUsesWith(old, replacement);
  }
  return true;
}

namespace {
struct RaiseCausalConvolutions
    : weft::ssm::impl::RaiseCausalConvolutionsBase<RaiseCausalConvolutions> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<weft::ConvOp> candidates;
    getOperation().walk([&](weft::ConvOp op) { candidates.push_back(op); });
    for (weft::ConvOp op : candidates)
      if (raiseConvolution(rewriter, op))
        ++raised;
  }
};
} // namespace
