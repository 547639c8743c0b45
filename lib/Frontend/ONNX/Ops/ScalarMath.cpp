//===- ScalarMath.cpp - Arithmetic on scalars inside of operations --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/ScalarMath.h"

#include "weft-runtime/module.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace weft::onnx;

static bool isFloating(Value x) { return isa<FloatType>(x.getType()); }

Value ScalarMath::index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
Value ScalarMath::extent(OpFoldResult extent) {
  return getValueOrCreateConstantIndexOp(b, loc, extent);
}

Value ScalarMath::add(Value x, Value y) {
  return isFloating(x) ? b.createOrFold<arith::AddFOp>(loc, x, y)
                       : b.createOrFold<arith::AddIOp>(loc, x, y);
}
Value ScalarMath::sub(Value x, Value y) {
  return isFloating(x) ? b.createOrFold<arith::SubFOp>(loc, x, y)
                       : b.createOrFold<arith::SubIOp>(loc, x, y);
}
Value ScalarMath::mul(Value x, Value y) {
  return isFloating(x) ? b.createOrFold<arith::MulFOp>(loc, x, y)
                       : b.createOrFold<arith::MulIOp>(loc, x, y);
}
Value ScalarMath::div(Value x, Value y) {
  return isFloating(x) ? b.createOrFold<arith::DivFOp>(loc, x, y)
                       : b.createOrFold<arith::DivSIOp>(loc, x, y);
}
Value ScalarMath::rem(Value x, Value y) { return b.createOrFold<arith::RemSIOp>(loc, x, y); }
Value ScalarMath::min(Value x, Value y) {
  return isFloating(x) ? b.createOrFold<arith::MinimumFOp>(loc, x, y)
                       : b.createOrFold<arith::MinSIOp>(loc, x, y);
}
Value ScalarMath::max(Value x, Value y) {
  return isFloating(x) ? b.createOrFold<arith::MaximumFOp>(loc, x, y)
                       : b.createOrFold<arith::MaxSIOp>(loc, x, y);
}
Value ScalarMath::floor(Value x) { return math::FloorOp::create(b, loc, x); }
Value ScalarMath::ceil(Value x) { return math::CeilOp::create(b, loc, x); }
Value ScalarMath::abs(Value x) {
  if (isFloating(x))
    return math::AbsFOp::create(b, loc, x);
  return max(x, sub(like(x, 0), x));
}

Value ScalarMath::less(Value x, Value y) {
  return isFloating(x) ? b.createOrFold<arith::CmpFOp>(loc, arith::CmpFPredicate::OLT, x, y)
                       : b.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, x, y);
}
Value ScalarMath::atMost(Value x, Value y) {
  return isFloating(x) ? b.createOrFold<arith::CmpFOp>(loc, arith::CmpFPredicate::OLE, x, y)
                       : b.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::sle, x, y);
}
Value ScalarMath::equal(Value x, Value y) {
  return isFloating(x) ? b.createOrFold<arith::CmpFOp>(loc, arith::CmpFPredicate::OEQ, x, y)
                       : b.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, x, y);
}
Value ScalarMath::both(Value x, Value y) { return b.createOrFold<arith::AndIOp>(loc, x, y); }
Value ScalarMath::either(Value x, Value y) { return b.createOrFold<arith::OrIOp>(loc, x, y); }
Value ScalarMath::negate(Value bit) {
  return b.createOrFold<arith::XOrIOp>(loc, bit, arith::ConstantIntOp::create(b, loc, 1, 1));
}
Value ScalarMath::select(Value condition, Value x, Value y) {
  return b.createOrFold<arith::SelectOp>(loc, condition, x, y);
}

Value ScalarMath::clamp(Value i, Value extent) {
  return max(min(i, sub(extent, index(1))), index(0));
}
Value ScalarMath::inRange(Value i, Value extent) {
  return both(atMost(index(0), i), less(i, extent));
}
Value ScalarMath::toFloat(Value index, Type type) {
  Value integer = b.createOrFold<arith::IndexCastOp>(loc, b.getI64Type(), index);
  return arith::SIToFPOp::create(b, loc, type, integer);
}
Value ScalarMath::toIndex(Value x) {
  constexpr double limit = 1 << 30;
  // The functions that prefer a number to NaN: conversions of NaN are undefined.
  x = arith::MaxNumFOp::create(b, loc, x, like(x, -limit));
  x = arith::MinNumFOp::create(b, loc, x, like(x, limit));
  Value integer = arith::FPToSIOp::create(b, loc, b.getI64Type(), x);
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), integer);
}
Value ScalarMath::read(Value tensor, ValueRange position) {
  return tensor::ExtractOp::create(b, loc, tensor, position);
}

TensorValue weft::onnx::generate(NodeContext &node, ElementType type, ArrayRef<OpFoldResult> dims,
                                 llvm::function_ref<Value(ScalarMath &, ArrayRef<Value>)> body) {
  int64_t rank = static_cast<int64_t>(dims.size());
  Value empty = makeEmpty(node, type, dims);
  auto generic = linalg::GenericOp::create(
      node.b, node.b.getLoc(), empty.getType(), ValueRange{}, empty,
      ArrayRef<AffineMap>{node.b.getMultiDimIdentityMap(rank)},
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
      [&](OpBuilder &b, Location loc, ValueRange) {
        ScalarMath m{b, loc};
        SmallVector<Value> at;
        for (int64_t i = 0; i < rank; ++i)
          at.push_back(linalg::IndexOp::create(b, loc, i));
        linalg::YieldOp::create(b, loc, body(m, at));
      });
  return makeValue(generic.getResult(0), type, dims);
}

TensorValue weft::onnx::accumulate(
    NodeContext &node, ElementType type, ArrayRef<OpFoldResult> dims, ArrayRef<OpFoldResult> inner,
    Value initial,
    llvm::function_ref<Value(ScalarMath &, ArrayRef<Value>, ArrayRef<Value>, Value)> body) {
  int64_t rank = static_cast<int64_t>(dims.size()), depth = static_cast<int64_t>(inner.size());
  TensorValue start = makeFilled(node, type, dims, initial);
  // Never read: it gives the reduction loops their extents.
  Value window = tensor::EmptyOp::create(node.b, node.b.getLoc(), inner, node.b.getI8Type());
  SmallVector<AffineExpr> outer, reduced;
  for (int64_t i = 0; i < rank + depth; ++i)
    (i < rank ? outer : reduced).push_back(node.b.getAffineDimExpr(i));
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  iterators.append(depth, utils::IteratorType::reduction);
  auto generic = linalg::GenericOp::create(
      node.b, node.b.getLoc(), start.value.getType(), window, start.value,
      ArrayRef<AffineMap>{AffineMap::get(rank + depth, 0, reduced, node.context()),
                          AffineMap::get(rank + depth, 0, outer, node.context())},
      iterators, [&](OpBuilder &b, Location loc, ValueRange args) {
        ScalarMath m{b, loc};
        SmallVector<Value> at;
        for (int64_t i = 0; i < rank + depth; ++i)
          at.push_back(linalg::IndexOp::create(b, loc, i));
        ArrayRef<Value> all(at);
        linalg::YieldOp::create(b, loc,
                                body(m, all.take_front(rank), all.drop_front(rank), args[1]));
      });
  return makeValue(generic.getResult(0), type, dims);
}

void weft::onnx::assertInRange(NodeContext &node, const TensorValue &x, OpFoldResult low,
                               OpFoldResult high, StringRef what) {
  TensorValue flat = reshape(node, x, {node.dims.product(x.dims)});
  // The position of the first element out of range, or that behind the last one.
  constexpr int64_t none = INT64_MAX;
  TensorValue first =
      reduce(node, flat, {0}, false, ElementType::Int64,
             makeIntScalar(node.b, node.b.getLoc(), node.b.getI64Type(), none),
             [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
               ScalarMath m{b, loc};
               Value element = castScalar(b, loc, args[0], x.elementType, ElementType::Int64);
               Value value = arith::IndexCastOp::create(b, loc, b.getIndexType(), element);
               Value good = m.both(m.atMost(m.extent(low), value), m.less(value, m.extent(high)));
               Value position = arith::IndexCastOp::create(b, loc, b.getI64Type(),
                                                           linalg::IndexOp::create(b, loc, 0));
               return m.min(args[1],
                            m.select(good, makeIntScalar(b, loc, b.getI64Type(), none), position));
             });
  Value position = extractScalar(node, first);
  Value limit = makeIntScalar(node.b, node.b.getLoc(), node.b.getI64Type(), none);
  Value good =
      arith::CmpIOp::create(node.b, node.b.getLoc(), arith::CmpIPredicate::eq, position, limit);
  buildAssert(node, good, WEFT_OUT_OF_RANGE,
              llvm::formatv("{0} at position {{0} is not below {{1}", what).str(),
              {node.dims.fromInteger(position), high});
}

static LogicalResult requireCompared(NodeContext &node, OpFoldResult x, OpFoldResult y,
                                     arith::CmpIPredicate predicate, StringRef message) {
  auto a = DimBuilder::constantOf(x), c = DimBuilder::constantOf(y);
  if (DimBuilder::same(x, y))
    return success();
  if (a && c) {
    bool holds = predicate == arith::CmpIPredicate::eq ? *a == *c : *a <= *c;
    if (holds)
      return success();
    std::string text = message.str();
    auto put = [&](StringRef mark, int64_t value) {
      if (size_t at = text.find(mark.str()); at != std::string::npos)
        text.replace(at, mark.size(), std::to_string(value));
    };
    put("{0}", *a);
    put("{1}", *c);
    return node.error(text);
  }
  Value condition =
      node.b.createOrFold<arith::CmpIOp>(predicate, node.dims.value(x), node.dims.value(y));
  buildAssert(node, condition, WEFT_INVALID_ARGUMENT, message, {x, y});
  return success();
}

LogicalResult weft::onnx::requireEqual(NodeContext &node, OpFoldResult x, OpFoldResult y,
                                       StringRef message) {
  return requireCompared(node, x, y, arith::CmpIPredicate::eq, message);
}

LogicalResult weft::onnx::requireAtMost(NodeContext &node, OpFoldResult x, OpFoldResult y,
                                        StringRef message) {
  return requireCompared(node, x, y, arith::CmpIPredicate::sle, message);
}

FailureOr<TensorValue> weft::onnx::withLength(NodeContext &node, const TensorValue &x,
                                              int64_t count, StringRef what) {
  if (x.rank() != 1)
    return node.error("has " + what + " of rank " + Twine(x.rank()) + ", expected 1");
  if (x.staticDim(0) == count)
    return x;
  OpFoldResult wanted = node.dims.constant(count);
  if (failed(requireEqual(node, x.dims[0], wanted, "has {0} " + what.str() + ", expected {1}")))
    return failure();
  TensorValue result = x;
  result.dims[0] = wanted;
  result.value = tensor::CastOp::create(
      node.b, node.b.getLoc(), tensorType(node.context(), x.elementType, wanted), node.value(x));
  return result;
}
