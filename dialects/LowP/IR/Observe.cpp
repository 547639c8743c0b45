//===- Observe.cpp - Statistics of numbers --------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/IR/Blocks.h"
#include "dialects/LowP/IR/Lanes.h"
#include "dialects/LowP/IR/LowP.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;
using namespace weft::lowp;

/// The type that statistics of numbers of type `type` are computed in.
static FloatType getWideType(Type type) {
  return type.isF64() ? cast<FloatType>(type) : FloatType(Float32Type::get(type.getContext()));
}

//===----------------------------------------------------------------------===//
// ObserveOp
//===----------------------------------------------------------------------===//

LogicalResult ObserveOp::verify() {
  RankedTensorType numbers = getNumbers().getType();
  if (!isa<FloatType>(numbers.getElementType()))
    return emitOpError("observes floats, got ") << numbers;
  auto emitError = [&] { return emitOpError(); };
  if (failed(verifyBlock(emitError, getBlock())) ||
      failed(verifyBlockOf(emitError, getBlock(), numbers.getShape())))
    return failure();
  auto wanted =
      getBlockTensorType(getBlock(), numbers.getShape(), getWideType(numbers.getElementType()));
  if (getType() != wanted)
    return emitOpError("has a result of type ") << getType() << ", expected " << wanted;
  return success();
}

LogicalResult ObserveOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(evaluateExtents(
      b, getLoc(), getBlockMap(getContext(), getBlock(), getNumbers().getType().getRank()),
      getExtents(b, getLoc(), getNumbers())));
  return success();
}

FailureOr<SmallVector<Value>> ObserveOp::lowerToReference(OpBuilder &b) {
  FloatType wide = getWideType(getNumbers().getType().getElementType());
  const llvm::fltSemantics &semantics = wide.getFloatSemantics();
  Statistic which = getStatistic();
  APFloat initial = which == Statistic::Min   ? APFloat::getInf(semantics)
                    : which == Statistic::Max ? APFloat::getInf(semantics, /*Negative=*/true)
                                              : APFloat::getZero(semantics);
  Value result = reduceBlocks(b, getLoc(), getNumbers(), getBlock(), b.getFloatAttr(wide, initial),
                              [&](OpBuilder &b, Location loc, Value number, Value before) -> Value {
                                Value x = Lanes{b, loc, wide}.convert(number, wide);
                                switch (which) {
                                case Statistic::Min:
                                  return arith::MinimumFOp::create(b, loc, x, before);
                                case Statistic::Max:
                                  return arith::MaximumFOp::create(b, loc, x, before);
                                case Statistic::AbsMax:
                                  return arith::MaximumFOp::create(
                                      b, loc, math::AbsFOp::create(b, loc, x), before);
                                case Statistic::SumOfSquares:
                                  x = arith::MulFOp::create(b, loc, x, x);
                                  break;
                                case Statistic::Sum:
                                  break;
                                }
                                return arith::AddFOp::create(b, loc, before, x);
                              });
  return SmallVector<Value>{result};
}

/// Blocks of rows that are broken off by the shape alone are tiled: the loops are the blocks.
TilingLoops ObserveOp::getTilingLoops() {
  int64_t rank = getType().getRank();
  ArrayRef<int64_t> block = getBlock();
  bool isFlat = block.empty() || isFlatBlock(block, getNumbers().getType().getRank());
  TilingLoops loops(*this, isFlat ? 0 : rank);
  if (isFlat)
    return loops.give(0, SmallVector<LoopDim>(rank));
  SmallVector<LoopDim> numbers, result;
  for (int64_t i = 0; i < rank; ++i) {
    numbers.push_back(block[i] == 0 ? LoopDim() : LoopDim(i, block[i]));
    result.push_back(LoopDim(i));
  }
  return loops.cut(getNumbersMutable(), numbers).give(0, result);
}

/// The tile of a static number of blocks may be of a dynamic number of positions.
FailureOr<TilingResult> ObserveOp::getTiledImplementation(OpBuilder &b,
                                                          ArrayRef<OpFoldResult> offsets,
                                                          ArrayRef<OpFoldResult> sizes) {
  TilingLoops loops = getTilingLoops();
  SmallVector<Operation *> built;
  FailureOr<Value> numbers = loops.cutOperand(b, getNumbersMutable(), offsets, sizes, built);
  SmallVector<OpFoldResult> from, extents;
  if (failed(numbers) || failed(loops.getResultTile(b, 0, offsets, sizes, from, extents)))
    return failure();
  Type element = getType().getElementType();
  auto type = getBlockTensorType(getBlock(), cast<RankedTensorType>(numbers->getType()).getShape(),
                                 element);
  auto tile = ObserveOp::create(b, getLoc(), type, getStatistic(), *numbers, getBlock());
  tile->setDiscardableAttrs(getOperation()->getDiscardableAttrDictionary());
  SmallVector<int64_t> shape;
  SmallVector<Value> dynamic;
  dispatchIndexOpFoldResults(extents, dynamic, shape);
  Value result = tile;
  if (auto wanted = RankedTensorType::get(shape, element); wanted != type)
    result = tensor::CastOp::create(b, getLoc(), wanted, result);
  return TilingResult{{tile}, {result}, built};
}

//===----------------------------------------------------------------------===//
// HistogramOp
//===----------------------------------------------------------------------===//

LogicalResult HistogramOp::verify() {
  Type element = getNumbers().getType().getElementType();
  if (!isa<FloatType>(element))
    return emitOpError("counts floats, got ") << getNumbers().getType();
  if (getLow().getType() != getWideType(element))
    return emitOpError("has bounds of type ")
           << getLow().getType() << ", expected " << getWideType(element);
  RankedTensorType result = getType();
  if (result.getRank() != 1 || !result.getElementType().isInteger(32) || result.isDynamicDim(0) ||
      result.getDimSize(0) < 1)
    return emitOpError("has counts of type ")
           << result << ", expected at least one i32, a static number of them";
  return success();
}

LogicalResult HistogramOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back({b.getIndexAttr(getType().getDimSize(0))});
  return success();
}

/// Each bin tests all numbers: bins are independent, and nothing is written where
/// another may be.
FailureOr<SmallVector<Value>> HistogramOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  int64_t bins = getType().getDimSize(0), rank = getNumbers().getType().getRank();
  FloatType wide = cast<FloatType>(getLow().getType());
  Lanes scalar{b, loc, wide};
  Value low = getLow(), high = getHigh();
  Value width = arith::DivFOp::create(b, loc, arith::SubFOp::create(b, loc, high, low),
                                      scalar.number(wide, double(bins)));
  auto bound = [&](const Lanes &l, Value bin) -> Value {
    Value i = arith::UIToFPOp::create(l.b, loc, wide,
                                      arith::IndexCastOp::create(l.b, loc, l.b.getI64Type(), bin));
    return arith::AddFOp::create(l.b, loc, low, arith::MulFOp::create(l.b, loc, i, width));
  };
  Value empty = tensor::EmptyOp::create(b, loc, {bins}, b.getI32Type());
  Value zero = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0));
  Value counts = linalg::FillOp::create(b, loc, zero, empty).getResult(0);
  SmallVector<AffineExpr> elements;
  for (int64_t i = 0; i < rank; ++i)
    elements.push_back(b.getAffineDimExpr(i + 1));
  SmallVector<utils::IteratorType> iterators(rank + 1, utils::IteratorType::reduction);
  iterators.front() = utils::IteratorType::parallel;
  auto generic = linalg::GenericOp::create(
      b, loc, empty.getType(), getNumbers(), counts,
      ArrayRef{AffineMap::get(rank + 1, 0, elements, b.getContext()),
               AffineMap::get(rank + 1, 0, b.getAffineDimExpr(0), b.getContext())},
      iterators, [&](OpBuilder &b, Location loc, ValueRange args) {
        Lanes l{b, loc, wide};
        using P = arith::CmpFPredicate;
        auto cmp = [&](P p, Value x, Value y) -> Value {
          return arith::CmpFOp::create(b, loc, p, x, y);
        };
        Value bin = linalg::IndexOp::create(b, loc, 0);
        Value one = arith::ConstantIndexOp::create(b, loc, 1);
        Value next = arith::AddIOp::create(b, loc, bin, one);
        Value x = l.convert(args[0], wide);
        Value isLast = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, next,
                                             arith::ConstantIndexOp::create(b, loc, bins));
        Value isBelow = l.select(isLast, cmp(P::OLE, x, high), cmp(P::OLT, x, bound(l, next)));
        Value isAbove = cmp(P::OGE, x, bound(l, bin));
        Value is = arith::AndIOp::create(b, loc, isAbove, isBelow);
        is = arith::AndIOp::create(b, loc, is, cmp(P::OLT, low, high));
        Value count = arith::ExtUIOp::create(b, loc, b.getI32Type(), is);
        linalg::YieldOp::create(b, loc, arith::AddIOp::create(b, loc, args[1], count).getResult());
      });
  return SmallVector<Value>{generic.getResult(0)};
}
