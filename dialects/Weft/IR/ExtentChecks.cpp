//===- ExtentChecks.cpp - Extents that only calls know --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/ExtentChecks.h"

#include "dialects/Weft/IR/IndexMath.h"
#include "dialects/Weft/IR/Weft.h"
#include "weft-runtime/module.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

using namespace mlir;
using namespace weft;

/// The argument of an entry that is the extent of another one, as `weft.dims` says it.
static Value findSymbol(Value value, int64_t dim) {
  auto argument = dyn_cast<BlockArgument>(value);
  auto function = argument ? dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp()) : nullptr;
  if (!function || argument.getOwner() != &function.getBody().front())
    return {};
  auto dims =
      function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), WeftDialect::dimsAttrName);
  auto name = dims && dim < int64_t(dims.size()) ? dyn_cast<StringAttr>(dims[dim]) : StringAttr();
  for (BlockArgument other : function.getArguments())
    if (name && other.getType().isIndex() &&
        function.getArgAttr(other.getArgNumber(), WeftDialect::symbolAttrName) == name)
      return other;
  return {};
}

OpFoldResult ExtentChecks::extentOf(Value value, int64_t dim) {
  for (;;) {
    if (int64_t extent = cast<ShapedType>(value.getType()).getDimSize(dim);
        !ShapedType::isDynamic(extent))
      return b.getIndexAttr(extent);
    Operation *def = value.getDefiningOp();
    if (auto empty = dyn_cast_if_present<tensor::EmptyOp>(def))
      return empty.getMixedSizes()[dim];
    if (auto change = dyn_cast_if_present<tensor::CastOp>(def);
        change && isa<RankedTensorType>(change.getSource().getType()))
      value = change.getSource();
    else if (auto op = dyn_cast_if_present<DestinationStyleOpInterface>(def);
             op && isa<RankedTensorType>(value.getType()))
      value = op.getTiedOpOperand(cast<OpResult>(value))->get();
    else
      break;
  }
  Value &extent = known[{value, dim}];
  if (!extent)
    extent = findSymbol(value, dim);
  if (!extent)
    extent = b.createOrFold<tensor::DimOp>(loc, value, dim);
  return extent;
}

OpFoldResult ExtentChecks::derive(OpFoldResult extent, int64_t factor, int64_t divisor,
                                  int64_t addend) {
  if (std::optional<int64_t> number = getConstantIntValue(extent))
    return b.getIndexAttr(*number * factor / divisor + addend);
  IndexMath m{b, loc};
  Value result = cast<Value>(extent);
  if (factor != 1)
    result = m.mul(result, factor);
  if (divisor != 1)
    result = m.div(result, divisor);
  return addend == 0 ? result : m.add(result, m.constant(addend));
}

void ExtentChecks::require(StringRef operand, OpFoldResult have, int64_t dim, OpFoldResult expected,
                           StringRef relation, Holds holds) {
  if (isEqualConstantIntOrValue(have, expected))
    return;
  isUsed = true;
  Value x = getValueOrCreateConstantIndexOp(b, loc, have);
  Value y = getValueOrCreateConstantIndexOp(b, loc, expected);
  std::string message = ("'" + operand + "' has an extent of {0} in dimension " + Twine(dim) +
                         ", expected " + relation + "{1}")
                            .str();
  AssertOp::create(b, loc, holds(x, y), static_cast<uint32_t>(WEFT_INVALID_ARGUMENT), message,
                   ValueRange{x, y});
}

void ExtentChecks::requireEqual(StringRef operand, Value value, int64_t dim,
                                OpFoldResult expected) {
  if (value)
    requireEqual(operand, extentOf(value, dim), dim, expected);
}

void ExtentChecks::requireEqual(StringRef operand, OpFoldResult have, int64_t dim,
                                OpFoldResult expected) {
  require(operand, have, dim, expected, "", [&](Value x, Value y) {
    return IndexMath{b, loc}.cmp(arith::CmpIPredicate::eq, x, y);
  });
}

void ExtentChecks::requireAtLeast(StringRef operand, Value value, int64_t dim, OpFoldResult least) {
  if (value)
    require(operand, extentOf(value, dim), dim, least, "at least ", [&](Value x, Value y) {
      return IndexMath{b, loc}.cmp(arith::CmpIPredicate::sge, x, y);
    });
}

void ExtentChecks::requireDivisor(StringRef operand, Value value, int64_t dim,
                                  OpFoldResult multiple) {
  std::optional<int64_t> x, y;
  if (!value || ((x = getConstantIntValue(extentOf(value, dim))) &&
                 (y = getConstantIntValue(multiple)) && *x != 0 && *y % *x == 0))
    return;
  require(operand, extentOf(value, dim), dim, multiple, "a divisor of ", [&](Value x, Value y) {
    // 0 divides 0 only.
    IndexMath m{b, loc};
    Value whole = m.mul(m.div(y, m.max(x, m.constant(1))), x);
    return m.cmp(arith::CmpIPredicate::eq, whole, y);
  });
}

OpFoldResult ExtentChecks::requireRelated(StringRef operand, Value value, int64_t dim,
                                          OpFoldResult other) {
  IndexMath m{b, loc};
  auto divides = [&](Value x, Value y) {
    Value whole = m.mul(m.div(y, m.max(x, m.constant(1))), x);
    return m.cmp(arith::CmpIPredicate::eq, whole, y);
  };
  require(operand, extentOf(value, dim), dim, other, "a divisor or a multiple of ",
          [&](Value x, Value y) -> Value {
            return arith::OrIOp::create(b, loc, divides(x, y), divides(y, x));
          });
  return m.max(m.value(extentOf(value, dim)), m.value(other));
}

void ExtentChecks::requireShape(StringRef operand, Value value, Value other) {
  if (value)
    for (int64_t i = 0, rank = cast<ShapedType>(value.getType()).getRank(); i < rank; ++i)
      requireEqual(operand, value, i, extentOf(other, i));
}
