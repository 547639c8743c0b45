//===- DimBuilder.cpp - Index arithmetic on extents -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weft/Frontend/ONNX.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weft::onnx;

OpFoldResult DimBuilder::constant(int64_t value) { return b.getIndexAttr(value); }

std::optional<int64_t> DimBuilder::constantOf(OpFoldResult x) { return getConstantIntValue(x); }

bool DimBuilder::same(OpFoldResult x, OpFoldResult y) { return isEqualConstantIntOrValue(x, y); }

Value DimBuilder::value(OpFoldResult x) {
  return getValueOrCreateConstantIndexOp(b, b.getLoc(), x);
}

/// Constants are attributes.
OpFoldResult DimBuilder::simplify(Value value) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return b.getIndexAttr(*constant);
  return value;
}

OpFoldResult DimBuilder::cached(Kind kind, ArrayRef<OpFoldResult> operands,
                                llvm::function_ref<Value()> build) {
  Key key;
  key.first = kind;
  for (OpFoldResult operand : operands)
    key.second.push_back(operand.getOpaqueValue());
  // Operands of commutative operations are sorted in the key alone: addresses
  // differ from run to run, the IR must not.
  if (llvm::is_contained({Add, Mul, Min, Max, Equal}, kind))
    llvm::sort(key.second);
  for (auto &scope : scopes)
    if (auto it = scope.find(key); it != scope.end())
      return it->second;
  OpFoldResult result = simplify(build());
  if (auto value = dyn_cast<Value>(result))
    scopes.back()[key] = value;
  return result;
}

/// Folds an operation of constants unless it overflows.
#define WEFT_FOLD(BUILTIN)                                                                         \
  if (auto cx = constantOf(x), cy = constantOf(y); cx && cy) {                                     \
    int64_t folded;                                                                                \
    if (!BUILTIN(*cx, *cy, &folded))                                                               \
      return constant(folded);                                                                     \
  }

/// Commutative operations have constants last.
static void order(OpFoldResult &x, OpFoldResult &y) {
  if (isa<Attribute>(x))
    std::swap(x, y);
}

OpFoldResult DimBuilder::add(OpFoldResult x, OpFoldResult y) {
  WEFT_FOLD(__builtin_add_overflow)
  if (constantOf(x) == 0)
    return y;
  if (constantOf(y) == 0)
    return x;
  order(x, y);
  return cached(Add, {x, y}, [&] { return b.createOrFold<arith::AddIOp>(value(x), value(y)); });
}

OpFoldResult DimBuilder::sub(OpFoldResult x, OpFoldResult y) {
  WEFT_FOLD(__builtin_sub_overflow)
  if (constantOf(y) == 0)
    return x;
  if (same(x, y))
    return constant(0);
  return cached(Sub, {x, y}, [&] { return b.createOrFold<arith::SubIOp>(value(x), value(y)); });
}

OpFoldResult DimBuilder::mul(OpFoldResult x, OpFoldResult y) {
  WEFT_FOLD(__builtin_mul_overflow)
  if (constantOf(x) == 1)
    return y;
  if (constantOf(y) == 1)
    return x;
  order(x, y);
  return cached(Mul, {x, y}, [&] { return b.createOrFold<arith::MulIOp>(value(x), value(y)); });
}

OpFoldResult DimBuilder::floorDiv(OpFoldResult x, OpFoldResult y) {
  auto cx = constantOf(x), cy = constantOf(y);
  if (cx && cy && *cy > 0)
    return constant(llvm::divideFloorSigned(*cx, *cy));
  if (cy == 1)
    return x;
  return cached(FloorDiv, {x, y},
                [&] { return b.createOrFold<arith::FloorDivSIOp>(value(x), value(y)); });
}

OpFoldResult DimBuilder::ceilDiv(OpFoldResult x, OpFoldResult y) {
  auto cx = constantOf(x), cy = constantOf(y);
  if (cx && cy && *cy > 0)
    return constant(llvm::divideCeilSigned(*cx, *cy));
  if (cy == 1)
    return x;
  return cached(CeilDiv, {x, y},
                [&] { return b.createOrFold<arith::CeilDivSIOp>(value(x), value(y)); });
}

OpFoldResult DimBuilder::truncDiv(OpFoldResult x, OpFoldResult y) {
  auto cx = constantOf(x), cy = constantOf(y);
  if (cx && cy && *cy != 0 && !(*cx == INT64_MIN && *cy == -1))
    return constant(*cx / *cy);
  if (cy == 1)
    return x;
  return cached(TruncDiv, {x, y},
                [&] { return b.createOrFold<arith::DivSIOp>(value(x), value(y)); });
}

OpFoldResult DimBuilder::rem(OpFoldResult x, OpFoldResult y) {
  auto cx = constantOf(x), cy = constantOf(y);
  if (cx && cy && *cy != 0 && *cy != -1)
    return constant(*cx % *cy);
  return cached(Rem, {x, y}, [&] { return b.createOrFold<arith::RemSIOp>(value(x), value(y)); });
}

OpFoldResult DimBuilder::min(OpFoldResult x, OpFoldResult y) {
  if (auto cx = constantOf(x), cy = constantOf(y); cx && cy)
    return constant(std::min(*cx, *cy));
  if (same(x, y))
    return x;
  order(x, y);
  return cached(Min, {x, y}, [&] { return b.createOrFold<arith::MinSIOp>(value(x), value(y)); });
}

OpFoldResult DimBuilder::max(OpFoldResult x, OpFoldResult y) {
  if (auto cx = constantOf(x), cy = constantOf(y); cx && cy)
    return constant(std::max(*cx, *cy));
  if (same(x, y))
    return x;
  order(x, y);
  return cached(Max, {x, y}, [&] { return b.createOrFold<arith::MaxSIOp>(value(x), value(y)); });
}

OpFoldResult DimBuilder::equal(OpFoldResult x, OpFoldResult y) {
  if (auto cx = constantOf(x), cy = constantOf(y); cx && cy)
    return constant(*cx == *cy);
  if (same(x, y))
    return constant(1);
  order(x, y);
  return cached(Equal, {x, y}, [&]() -> Value {
    Value bit = b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, value(x), value(y));
    return b.createOrFold<arith::IndexCastUIOp>(b.getIndexType(), bit);
  });
}

OpFoldResult DimBuilder::less(OpFoldResult x, OpFoldResult y) {
  if (auto cx = constantOf(x), cy = constantOf(y); cx && cy)
    return constant(*cx < *cy);
  if (same(x, y))
    return constant(0);
  return cached(Less, {x, y}, [&]() -> Value {
    Value bit = b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::slt, value(x), value(y));
    return b.createOrFold<arith::IndexCastUIOp>(b.getIndexType(), bit);
  });
}

OpFoldResult DimBuilder::select(OpFoldResult condition, OpFoldResult x, OpFoldResult y) {
  if (auto c = constantOf(condition))
    return *c ? x : y;
  if (same(x, y))
    return x;
  return cached(Select, {condition, x, y}, [&]() -> Value {
    Value bit = b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::ne, value(condition),
                                              value(constant(0)));
    return b.createOrFold<arith::SelectOp>(bit, value(x), value(y));
  });
}

OpFoldResult DimBuilder::product(ArrayRef<OpFoldResult> values) {
  OpFoldResult result = constant(1);
  for (OpFoldResult factor : values)
    result = mul(result, factor);
  return result;
}

OpFoldResult DimBuilder::fromInteger(Value integer) {
  return cached(Cast, {OpFoldResult(integer)},
                [&] { return b.createOrFold<arith::IndexCastOp>(b.getIndexType(), integer); });
}
