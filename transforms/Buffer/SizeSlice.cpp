//===- SizeSlice.cpp - Sizes as functions of a function's arguments -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Buffer/SizeSlice.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/DenseMap.h"
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
    result = llvm::all_of(def->getOperands(), [&](Value operand) {
      return isFunctionOf(operand, isRoot, known);
    });
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
  Value wide = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, product.getHigh(), zero);
  Value low = arith::MinUIOp::create(builder, loc, product.getLow(), most);
  Value size = arith::SelectOp::create(builder, loc, wide, most, low);
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(), size);
}

Value weft::addSizes(OpBuilder &builder, Location loc, Value x, Value y) {
  Value sum = arith::AddIOp::create(builder, loc, x, y);
  Value most = arith::ConstantIndexOp::create(builder, loc, kMostBytes);
  return arith::MinUIOp::create(builder, loc, sum, most);
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
