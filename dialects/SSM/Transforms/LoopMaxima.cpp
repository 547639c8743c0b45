//===- LoopMaxima.cpp - Running maxima of a loop --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/Transforms/LoopRaiser.h"
#include "dialects/Weft/IR/IndexMath.h"

using namespace mlir;
using namespace weft::ssm;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The maxima before each token and after the last one, of an exclusive scan of one more
/// position: pairs (a, b) are the function max(s + a, b).
bool LoopRaiser::raiseMaximum(Recurrence r) {
  Location loc = loop.getLoc();
  RankedTensorType state = typeOf(r.state);
  Type element = state.getElementType();
  std::optional<Factors> added =
      lifter.liftFactors(r.factor->get(), r.sum.getMatchingIndexingMap(r.factor));
  std::optional<Factors> terms =
      lifter.liftFactors(r.term->get(), r.maximum.getMatchingIndexingMap(r.term));
  if (!added || !terms)
    return false;
  SmallVector<int64_t> every;
  for (int64_t i = 0; i <= rank; ++i)
    every.push_back(i);
  bool reverse = lifter.isReversed();
  weft::IndexMath index{b, loc};
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  Value tokens = getValueOrCreateConstantIndexOp(b, loc, lifter.tokens());
  OpFoldResult more = getAsOpFoldResult(index.add(tokens, index.constant(1)));
  if (std::optional<int64_t> count = getConstantIntValue(lifter.tokens()))
    more = b.getIndexAttr(*count + 1);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, whole), extended = sizes,
                            strides(rank + 1, one), offsets(rank + 1, zero);
  extended[0] = more;
  Value empty = tensor::EmptyOp::create(b, loc, extended, element);
  // The position that nothing comes after: last, or first.
  if (reverse)
    offsets[0] = one;
  auto number = [&](APFloat x) -> Value {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(element, x));
  };
  const llvm::fltSemantics &kind = cast<FloatType>(element).getFloatSemantics();
  Value identity[] = {number(APFloat::getZero(kind)), number(APFloat::getInf(kind, true))};
  SmallVector<Value> inputs;
  for (auto [factors, neutral] : llvm::zip_equal(ArrayRef<Factors>{*added, *terms}, identity)) {
    Value filled = linalg::FillOp::create(b, loc, neutral, empty).getResult(0);
    inputs.push_back(tensor::InsertSliceOp::create(b, loc, multiply(b, loc, factors, whole, every),
                                                   filled, offsets, sizes, strides));
  }
  Value inits[] = {empty, empty};
  auto scan = ScanRegionOp::create(b, loc, TypeRange(ValueRange(inits)), inputs, identity, inits,
                                   /*dimension=*/0, /*exclusive=*/true, reverse);
  {
    OpBuilder::InsertionGuard guard(b);
    Block *body = b.createBlock(&scan.getCombiner(), {}, SmallVector<Type>(4, element),
                                SmallVector<Location>(4, loc));
    ValueRange x = body->getArguments();
    Value sum = arith::AddFOp::create(b, loc, x[0], x[2]);
    Value moved = arith::AddFOp::create(b, loc, x[1], x[2]);
    Value most = arith::MaximumFOp::create(b, loc, moved, x[3]);
    YieldOp::create(b, loc, ValueRange{sum, most});
  }
  AffineMap own = b.getMultiDimIdentityMap(rank + 1);
  SmallVector<AffineMap> maps{own.dropResult(0), own, own, own};
  SmallVector<utils::IteratorType> loops(rank + 1, utils::IteratorType::parallel);
  Value states = linalg::GenericOp::create(
                     b, loc, empty.getType(),
                     ValueRange{loop.getInitArgs()[r.index], scan.getResult(0), scan.getResult(1)},
                     empty, maps, loops,
                     [](OpBuilder &b, Location loc, ValueRange x) {
                       Value moved = arith::AddFOp::create(b, loc, x[0], x[1]);
                       Value most = arith::MaximumFOp::create(b, loc, moved, x[2]);
                       linalg::YieldOp::create(b, loc, most);
                     })
                     .getResult(0);
  auto rows = [&](OpFoldResult from) {
    SmallVector<OpFoldResult> at(rank + 1, zero);
    at[0] = from;
    return Value(tensor::ExtractSliceOp::create(b, loc, states, at, sizes, strides));
  };
  lifter.set(r.state, {rows(reverse ? one : zero), true});
  lifter.set(r.next, {rows(reverse ? zero : one), true});
  SmallVector<OpFoldResult> last(rank + 1, zero), lastSizes = sizes;
  last[0] = reverse ? zero : lifter.tokens();
  lastSizes[0] = one;
  results[r.index] =
      tensor::ExtractSliceOp::create(b, loc, state, states, last, lastSizes, strides);
  return true;
}
