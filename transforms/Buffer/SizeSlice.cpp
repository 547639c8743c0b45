//===- SizeSlice.cpp - Sizes as functions of a function's arguments -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Buffer/SizeSlice.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

/// Values that are shared are looked at once: chains of sums would double the
/// work with every step.
static bool isFunctionOf(Value value, llvm::function_ref<bool(Value)> isRoot,
                         DenseMap<Value, bool> &known) {
  if (auto it = known.find(value); it != known.end())
    return it->second;
  bool result = isRoot(value);
  Operation *def = value.getDefiningOp();
  if (!result && def && isPure(def) && def->getNumRegions() == 0)
    result = llvm::all_of(def->getOperands(),
                          [&](Value operand) { return isFunctionOf(operand, isRoot, known); });
  known[value] = result;
  return result;
}

bool weft::isFunctionOf(Value value, llvm::function_ref<bool(Value)> isRoot) {
  DenseMap<Value, bool> known;
  return ::isFunctionOf(value, isRoot, known);
}

/// The most bytes that sizes are computed to: no machine has them, and sums of
/// several do not overflow.
static constexpr int64_t kMostBytes = int64_t(1) << 56;

Value weft::multiplySizes(OpBuilder &builder, Location loc, Value x, Value y) {
  Type i64 = builder.getI64Type();
  x = arith::IndexCastOp::create(builder, loc, i64, x);
  y = arith::IndexCastOp::create(builder, loc, i64, y);
  auto product = arith::MulUIExtendedOp::create(builder, loc, x, y);
  Value zero = arith::ConstantIntOp::create(builder, loc, 0, 64);
  Value most = arith::ConstantIntOp::create(builder, loc, kMostBytes, 64);
  Value wide =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, product.getHigh(), zero);
  Value low = arith::MinUIOp::create(builder, loc, product.getLow(), most);
  Value size = arith::SelectOp::create(builder, loc, wide, most, low);
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(), size);
}

Value weft::addSizes(OpBuilder &builder, Location loc, Value x, Value y) {
  Value sum = arith::AddIOp::create(builder, loc, x, y);
  Value most = arith::ConstantIndexOp::create(builder, loc, kMostBytes);
  return arith::MinUIOp::create(builder, loc, sum, most);
}

int64_t weft::multiplyBytes(int64_t x, int64_t y) {
  int64_t product;
  if (__builtin_mul_overflow(x, y, &product))
    return kMostBytes;
  return std::min(product, kMostBytes);
}

/// An integer of arith or affine, without poison: what it computes from `x`.
static std::optional<int64_t> evaluate(Operation *op, ArrayRef<int64_t> x) {
  auto u = [&](size_t i) { return static_cast<uint64_t>(x[i]); };
  using Result = std::optional<int64_t>;
  using std::nullopt;
  auto wrapped = [](uint64_t y) -> Result { return static_cast<int64_t>(y); };
  auto affine = [&](AffineMap map, bool isMax) -> Result {
    Builder b(op->getContext());
    SmallVector<Attribute> numbers, results;
    for (int64_t value : x)
      numbers.push_back(b.getIndexAttr(value));
    if (failed(map.constantFold(numbers, results)))
      return nullopt;
    Result best;
    for (Attribute attribute : results) {
      int64_t value = cast<IntegerAttr>(attribute).getInt();
      best = !best ? value : isMax ? std::max(*best, value) : std::min(*best, value);
    }
    return best;
  };
  return TypeSwitch<Operation *, Result>(op)
      .Case([&](arith::AddIOp) { return wrapped(u(0) + u(1)); })
      .Case([&](arith::SubIOp) { return wrapped(u(0) - u(1)); })
      .Case([&](arith::MulIOp) { return wrapped(u(0) * u(1)); })
      .Case([&](arith::AndIOp) { return wrapped(u(0) & u(1)); })
      .Case([&](arith::OrIOp) { return wrapped(u(0) | u(1)); })
      .Case([&](arith::MaxSIOp) -> Result { return std::max(x[0], x[1]); })
      .Case([&](arith::MinSIOp) -> Result { return std::min(x[0], x[1]); })
      .Case([&](arith::MaxUIOp) { return wrapped(std::max(u(0), u(1))); })
      .Case([&](arith::MinUIOp) { return wrapped(std::min(u(0), u(1))); })
      .Case<arith::DivSIOp, arith::DivUIOp>(
          [&](auto) -> Result { return x[1] > 0 && x[0] >= 0 ? Result(x[0] / x[1]) : nullopt; })
      .Case<arith::CeilDivSIOp, arith::CeilDivUIOp>([&](auto) -> Result {
        return x[1] > 0 && x[0] >= 0 ? Result(x[0] / x[1] + (x[0] % x[1] != 0)) : nullopt;
      })
      .Case([&](arith::FloorDivSIOp) -> Result {
        return x[1] > 0 ? Result(llvm::divideFloorSigned(x[0], x[1])) : nullopt;
      })
      .Case<arith::RemSIOp, arith::RemUIOp>(
          [&](auto) -> Result { return x[1] > 0 && x[0] >= 0 ? Result(x[0] % x[1]) : nullopt; })
      .Case<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtUIOp, arith::ExtSIOp>(
          [&](auto) -> Result { return x[0]; })
      .Case([&](arith::CmpIOp compare) -> Result {
        return arith::applyCmpPredicate(compare.getPredicate(), APInt(64, u(0)), APInt(64, u(1)));
      })
      .Case([&](arith::SelectOp) -> Result { return x[0] ? x[1] : x[2]; })
      .Case([&](affine::AffineApplyOp apply) { return affine(apply.getMap(), false); })
      .Case([&](affine::AffineMinOp min) { return affine(min.getMap(), false); })
      .Case([&](affine::AffineMaxOp max) { return affine(max.getMap(), true); })
      .Default([](Operation *) { return nullopt; });
}

static int64_t evaluateWith(Value value, llvm::function_ref<std::optional<int64_t>(Value)> assume,
                            int64_t unknown, DenseMap<Value, int64_t> &known) {
  if (auto it = known.find(value); it != known.end())
    return it->second;
  std::optional<int64_t> result = assume(value);
  if (!result)
    result = getConstantIntValue(value);
  if (Operation *def = value.getDefiningOp(); !result && def) {
    SmallVector<int64_t> operands;
    for (Value operand : def->getOperands())
      operands.push_back(evaluateWith(operand, assume, unknown, known));
    if (isa<arith::MulUIExtendedOp>(def)) {
      auto product = static_cast<unsigned __int128>(static_cast<uint64_t>(operands[0])) *
                     static_cast<uint64_t>(operands[1]);
      known[def->getResult(0)] = static_cast<int64_t>(product);
      known[def->getResult(1)] = static_cast<int64_t>(product >> 64);
      return known[value];
    }
    result = evaluate(def, operands);
  }
  return known[value] = result.value_or(unknown);
}

int64_t weft::evaluateWith(Value value, llvm::function_ref<std::optional<int64_t>(Value)> assume,
                           int64_t unknown) {
  DenseMap<Value, int64_t> known;
  return ::evaluateWith(value, assume, unknown, known);
}

std::optional<int64_t> weft::staticFactor(MemRefType type) {
  int64_t factor = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  for (int64_t extent : type.getShape())
    if (!ShapedType::isDynamic(extent) && __builtin_mul_overflow(factor, extent, &factor))
      return std::nullopt;
  return factor <= kMostBytes ? std::optional<int64_t>(factor) : std::nullopt;
}

Value weft::cloneFunctionOf(OpBuilder &builder, Value value, IRMapping &mapping) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Operation *def = value.getDefiningOp();
  for (Value operand : def->getOperands())
    cloneFunctionOf(builder, operand, mapping);
  builder.clone(*def, mapping);
  return mapping.lookup(value);
}
