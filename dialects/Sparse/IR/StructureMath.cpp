//===- StructureMath.cpp - What structures are read and checked with ------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Sparse/IR/StructureMath.h"

#include "dialects/Weft/IR/BitStream.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weft;
using namespace weft::sparse;

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

SmallVector<AffineExpr> ShapeSymbols::extents() const {
  SmallVector<AffineExpr> all;
  for (unsigned i = 0; i < rank; ++i)
    all.push_back(extent(i));
  return all;
}

AffineExpr ShapeSymbols::product(unsigned begin, unsigned end) const {
  AffineExpr product = constant(1);
  for (unsigned i = begin; i < end; ++i)
    product = product * extent(i);
  return product;
}

std::optional<int64_t> sparse::countStatic(ArrayRef<int64_t> extents) {
  int64_t product = 1;
  for (int64_t extent : extents) {
    if (ShapedType::isDynamic(extent))
      return std::nullopt;
    product *= extent;
  }
  return product;
}

LogicalResult sparse::verifyRank(EmitError emitError, Attribute structure, size_t rank,
                                 size_t least) {
  if (rank >= least)
    return success();
  return emitError() << structure << " is of tensors of rank " << least << " or more, got rank "
                     << rank;
}

LogicalResult sparse::verifyCount(EmitError emitError, Attribute structure,
                                  ArrayRef<int64_t> shape) {
  std::optional<int64_t> count = countStatic(shape);
  if (!count || *count <= INT32_MAX)
    return success();
  return emitError() << structure << " counts at most 2^31 - 1 numbers, the tensor has " << *count;
}

LogicalResult sparse::verifyIndex(EmitError emitError, Attribute structure, IntegerType index,
                                  int64_t extent, bool hasPadding) {
  if (ShapedType::isDynamic(extent)) {
    if (index.getWidth() == 32)
      return success();
    return emitError() << structure << " is of a dynamic extent, which needs i32";
  }
  int64_t most = (int64_t(1) << index.getWidth()) - hasPadding;
  if (extent <= most)
    return success();
  return emitError() << structure << " has positions below " << most << ", the extent is "
                     << extent;
}

LogicalResult sparse::verifyIndexType(EmitError emitError, IntegerType index) {
  if (index.isSignless() && llvm::is_contained({8u, 16u, 32u}, index.getWidth()))
    return success();
  return emitError() << "positions are i8, i16 or i32, got " << index;
}

std::optional<unsigned> sparse::normalizeAxis(int64_t axis, size_t rank) {
  int64_t dimension = axis < 0 ? axis + int64_t(rank) : axis;
  if (dimension < 0 || dimension >= int64_t(rank))
    return std::nullopt;
  return dimension;
}

unsigned sparse::bitsBelow(int64_t count) {
  return std::max<unsigned>(1, llvm::Log2_64_Ceil(count));
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

Value sparse::toIndex(OpBuilder &b, Location loc, Value integer) {
  return arith::IndexCastUIOp::create(b, loc, b.getIndexType(), integer);
}

Value sparse::readCode(OpBuilder &b, Location loc, Value component, ArrayRef<Value> position,
                       ArrayRef<OpFoldResult> dims, unsigned bits) {
  return toIndex(b, loc,
                 sharesBytes(bits)
                     ? readStream(b, loc, component, linearize(b, loc, position, dims), bits)
                     : readInside(b, loc, component, position));
}

/// How often an interval must be halved until it is empty.
static Value countHalvings(OpBuilder &b, Location loc, Value length) {
  IndexMath m{b, loc};
  Value bits = arith::IndexCastOp::create(b, loc, b.getI64Type(), length);
  Value leading = math::CountLeadingZerosOp::create(b, loc, bits);
  return m.sub(m.constant(64), arith::IndexCastOp::create(b, loc, b.getIndexType(), leading));
}

namespace {
struct SearchResult {
  Value bound, found;
};
} // namespace

/// Halves [begin, end), which may be empty or reversed. Intervals that are empty
/// before the last step stay so, and what is read for them is inside of [begin, end).
static SearchResult search(OpBuilder &b, Location loc, Value begin, Value end, Value target,
                           ReadIndex read) {
  IndexMath outer{b, loc};
  Value zero = outer.constant(0), none = outer.constant(-1);
  Value length = arith::MaxSIOp::create(b, loc, outer.sub(end, begin), zero);
  auto loop = scf::ForOp::create(
      b, loc, zero, countHalvings(b, loc, length), outer.constant(1),
      ValueRange{begin, length, none}, [&](OpBuilder &b, Location loc, Value, ValueRange state) {
        IndexMath m{b, loc};
        Value low = state[0], left = state[1], one = m.constant(1);
        Value half = arith::ShRUIOp::create(b, loc, left, one);
        Value middle = arith::MinSIOp::create(b, loc, m.add(low, half), m.sub(end, one));
        Value value = read(b, loc, middle);
        Value isOpen = m.cmp(arith::CmpIPredicate::sgt, left, m.constant(0));
        Value isHere = m.both(isOpen, m.cmp(arith::CmpIPredicate::eq, value, target));
        Value isAbove = m.both(isOpen, m.cmp(arith::CmpIPredicate::slt, value, target));
        Value rest = m.sub(m.sub(left, half), one);
        scf::YieldOp::create(b, loc,
                             ValueRange{m.select(isAbove, m.add(middle, one), low),
                                        m.select(isAbove, rest, half),
                                        m.select(isHere, middle, state[2])});
      });
  return {loop.getResult(0), loop.getResult(2)};
}

Value sparse::findAscending(OpBuilder &b, Location loc, Value begin, Value end, Value target,
                            ReadIndex read) {
  return search(b, loc, begin, end, target, read).found;
}

Value sparse::lowerBound(OpBuilder &b, Location loc, Value begin, Value end, Value target,
                         ReadIndex read) {
  return search(b, loc, begin, end, target, read).bound;
}

Found sparse::asFound(OpBuilder &b, Location loc, Value index) {
  IndexMath m{b, loc};
  Value zero = m.constant(0);
  return {m.cmp(arith::CmpIPredicate::sge, index, zero),
          arith::MaxSIOp::create(b, loc, index, zero)};
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

uint64_t sparse::getConstantCode(const ConstantComponent &component, int64_t i, unsigned bits) {
  if (!sharesBytes(bits))
    return component.getInteger(i);
  uint64_t code = 0;
  for (unsigned bit = 0; bit < bits; ++bit) {
    int64_t at = i * bits + bit;
    code |= uint64_t((*component.bytes)[at / 8] >> (at % 8) & 1) << bit;
  }
  return code;
}
