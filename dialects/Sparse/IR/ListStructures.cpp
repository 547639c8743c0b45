//===- ListStructures.cpp - Lists of positions of one length --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Sparse/IR/Compress.h"
#include "dialects/Sparse/IR/Sparse.h"
#include "dialects/Sparse/IR/StructureMath.h"
#include "dialects/Weft/IR/BitStream.h"

using namespace mlir;
using namespace weft;
using namespace weft::sparse;

/// Whether positions `begin` to `end` of a list ascend below `extent`, but for the
/// largest integer at the end if `hasPadding`.
static LogicalResult verifyAscending(EmitError emitError, Attribute structure, StringRef what,
                                     const ConstantComponent &list, int64_t begin, int64_t end,
                                     int64_t extent, bool hasPadding) {
  int64_t padding = (int64_t(1) << list.type.getElementTypeBitWidth()) - 1, previous = -1;
  for (int64_t i = begin; i < end; ++i) {
    int64_t position = list.getInteger(i);
    if (hasPadding && position == padding) {
      previous = padding;
      continue;
    }
    if (position >= extent)
      return emitError() << structure << " has " << what << " " << position << " of " << extent;
    if (position <= previous)
      return emitError() << structure << " has " << what << " " << position << " after " << previous
                         << ", but they ascend";
    previous = position;
  }
  return success();
}

/// Positions (i64) as integers of the component's type; -1 is the largest.
static Value toListType(OpBuilder &b, Location loc, Value positions, IntegerType index) {
  return generate(b, loc, getExtents(b, loc, positions), index,
                  [&](OpBuilder &b, Location loc, ValueRange at) {
                    return Value(arith::TruncIOp::create(
                        b, loc, index, tensor::ExtractOp::create(b, loc, positions, at)));
                  });
}

//===----------------------------------------------------------------------===//
// ELLAttr
//===----------------------------------------------------------------------===//

LogicalResult ELLAttr::verify(EmitError emitError, int64_t width, IntegerType index) {
  if (width < 1 || width > int64_t(1) << 30)
    return emitError() << "rows store 1 to 2^30 numbers, got " << width;
  return verifyIndexType(emitError, index);
}

LogicalResult ELLAttr::verifyStructure(EmitError emitError, ArrayRef<int64_t> shape) const {
  if (failed(verifyRank(emitError, *this, shape.size(), 1)))
    return failure();
  return verifyIndex(emitError, *this, getIndex(), shape.back(), /*hasPadding=*/true);
}

AffineMap ELLAttr::getStoredShape(unsigned rank) const {
  ShapeSymbols s{getContext(), rank};
  SmallVector<AffineExpr> extents = s.extents();
  extents.back() = s.constant(getWidth());
  return s.map(extents);
}

SmallVector<int64_t> ELLAttr::getGroupExtents(unsigned rank) const {
  SmallVector<int64_t> extents(rank, 1);
  extents[rank - 1] = 0;
  return extents;
}

SmallVector<FormatComponent> ELLAttr::getStructureComponents(ShapedType type) const {
  return {{"columns", getIndex(), getStoredShape(type.getRank())}};
}

StoredPosition ELLAttr::locate(OpBuilder &b, Location loc, const PackedPosition &at) const {
  IndexMath m{b, loc};
  SmallVector<Value> position(at.position);
  Value column = position.back();
  Value index = findAscending(b, loc, m.constant(0), m.constant(getWidth()), column,
                              [&](OpBuilder &b, Location loc, Value i) {
                                SmallVector<Value> entry(position);
                                entry.back() = i;
                                return toIndex(b, loc, readInside(b, loc, at.components[0], entry));
                              });
  Found found = asFound(b, loc, index);
  position.back() = found.position;
  return {found.isStored, position};
}

StoredNumbers ELLAttr::compress(OpBuilder &b, Location loc, Value numbers, Value values) const {
  Value positions = largestPositions(b, loc, magnitudes(b, loc, numbers), getWidth());
  unsigned last = cast<ShapedType>(numbers.getType()).getRank() - 1;
  Type type = cast<ShapedType>(values.getType()).getElementType();
  Value stored = generate(b, loc, getExtents(b, loc, positions), type,
                          [&](OpBuilder &b, Location loc, ValueRange at) {
                            SmallVector<Value> position(at);
                            position[last] = extractIndex(b, loc, positions, at);
                            return extractUsed(b, loc, values, position, last);
                          });
  return {{toListType(b, loc, positions, getIndex())}, stored};
}

LogicalResult ELLAttr::verifyConstants(EmitError emitError, ShapedType type,
                                       ArrayRef<ConstantComponent> components) const {
  std::optional<int64_t> rows = countStatic(type.getShape().drop_back());
  int64_t extent = type.getShape().back();
  if (!components[0].bytes || !rows || ShapedType::isDynamic(extent))
    return success();
  for (int64_t row = 0; row < *rows; ++row)
    if (failed(verifyAscending(emitError, *this, "column", components[0], row * getWidth(),
                               (row + 1) * getWidth(), extent, /*hasPadding=*/true)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// ChannelsAttr
//===----------------------------------------------------------------------===//

LogicalResult ChannelsAttr::verify(EmitError emitError, int64_t, IntegerType index, int64_t count) {
  if (count < 0 || count > int64_t(1) << 30)
    return emitError() << "1 to 2^30 channels are stored, got " << count;
  return verifyIndexType(emitError, index);
}

LogicalResult ChannelsAttr::verifyStructure(EmitError emitError, ArrayRef<int64_t> shape) const {
  std::optional<unsigned> axis = normalizeAxis(getAxis(), shape.size());
  if (!axis)
    return emitError() << Attribute(*this) << " has an axis that a tensor of rank " << shape.size()
                       << " has not";
  return verifyIndex(emitError, *this, getIndex(), shape[*axis], /*hasPadding=*/getCount() != 0);
}

AffineMap ChannelsAttr::getStoredShape(unsigned rank) const {
  ShapeSymbols s{getContext(), rank};
  SmallVector<AffineExpr> extents = s.extents();
  unsigned axis = *normalizeAxis(getAxis(), rank);
  if (getCount() != 0) {
    extents[axis] = s.constant(getCount());
    return s.map(extents);
  }
  extents.erase(extents.begin() + axis);
  extents.insert(extents.begin(), s.ofData());
  return s.map(extents);
}

SmallVector<FormatComponent> ChannelsAttr::getStructureComponents(ShapedType type) const {
  ShapeSymbols s{getContext(), unsigned(type.getRank())};
  return {{"channels", getIndex(), s.map(getCount() != 0 ? s.constant(getCount()) : s.ofData())}};
}

StoredPosition ChannelsAttr::locate(OpBuilder &b, Location loc, const PackedPosition &at) const {
  IndexMath m{b, loc};
  unsigned axis = *normalizeAxis(getAxis(), at.position.size());
  Value channels = at.components[0];
  Value index =
      findAscending(b, loc, m.constant(0), m.dim(channels, 0), at.position[axis],
                    [&](OpBuilder &b, Location loc, Value i) {
                      return toIndex(b, loc, tensor::ExtractOp::create(b, loc, channels, i));
                    });
  Found found = asFound(b, loc, index);
  SmallVector<Value> position(at.position);
  if (getCount() != 0) {
    position[axis] = found.position;
    return {found.isStored, position};
  }
  position.erase(position.begin() + axis);
  position.insert(position.begin(), found.position);
  return {found.isStored, position};
}

StoredNumbers ChannelsAttr::compress(OpBuilder &b, Location loc, Value numbers,
                                     Value values) const {
  int64_t rank = cast<ShapedType>(numbers.getType()).getRank();
  unsigned axis = *normalizeAxis(getAxis(), rank);
  SmallVector<OpFoldResult> extents = getExtents(b, loc, numbers);
  Value keys = channelMagnitudes(b, loc, numbers, axis);
  Value positions =
      getCount() != 0 ? largestPositions(b, loc, keys, getCount()) : nonZeroPositions(b, loc, keys);
  Type type = cast<ShapedType>(values.getType()).getElementType();
  SmallVector<OpFoldResult> sizes(extents);
  unsigned storedAxis = getCount() != 0 ? axis : 0;
  sizes.erase(sizes.begin() + axis);
  sizes.insert(sizes.begin() + storedAxis, getExtents(b, loc, positions).front());
  Value stored = generate(b, loc, sizes, type, [&](OpBuilder &b, Location loc, ValueRange at) {
    SmallVector<Value> position(at);
    Value channel = extractIndex(b, loc, positions, at[storedAxis]);
    position.erase(position.begin() + storedAxis);
    position.insert(position.begin() + axis, channel);
    return extractUsed(b, loc, values, position, axis);
  });
  return {{toListType(b, loc, positions, getIndex())}, stored};
}

LogicalResult ChannelsAttr::verifyConstants(EmitError emitError, ShapedType type,
                                            ArrayRef<ConstantComponent> components) const {
  int64_t extent = type.getDimSize(*normalizeAxis(getAxis(), type.getRank()));
  if (!components[0].bytes || ShapedType::isDynamic(extent))
    return success();
  return verifyAscending(emitError, *this, "channel", components[0], 0,
                         components[0].type.getDimSize(0), extent, getCount() != 0);
}
