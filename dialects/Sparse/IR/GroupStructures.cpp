//===- GroupStructures.cpp - As many numbers in each group ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Sparse/IR/Compress.h"
#include "dialects/Sparse/IR/Groups.h"
#include "dialects/Sparse/IR/Sparse.h"
#include "dialects/Sparse/IR/StructureMath.h"
#include "dialects/Weft/IR/BitStream.h"

using namespace mlir;
using namespace weft;
using namespace weft::sparse;

/// Groups with more numbers than these are searched by halves.
static constexpr int64_t kMostCompared = 8;

/// Where `target` is among the ascending codes at `position`, whose index along
/// `axis` is the first one, and the `n` - 1 behind it: a number below n, or -1.
static Value findInGroup(OpBuilder &b, Location loc, Value codes, ArrayRef<Value> position,
                         ArrayRef<OpFoldResult> dims, unsigned axis, int64_t n, unsigned bits,
                         Value target) {
  IndexMath m{b, loc};
  auto read = [&](OpBuilder &b, Location loc, Value i) {
    SmallVector<Value> at(position);
    at[axis] = IndexMath{b, loc}.add(position[axis], i);
    return readCode(b, loc, codes, at, dims, bits);
  };
  if (n > kMostCompared)
    return findAscending(b, loc, m.constant(0), m.constant(n), target, read);
  Value found = m.constant(-1);
  for (int64_t i = 0; i < n; ++i) {
    Value index = m.constant(i);
    Value isHere = m.cmp(arith::CmpIPredicate::eq, read(b, loc, index), target);
    found = m.select(isHere, index, found);
  }
  return found;
}

/// Whether the codes of each group of `n` along a dimension ascend and are below `m`.
/// `outer` and `inner` are the extents before and behind the dimension.
static LogicalResult verifyGroups(EmitError emitError, Attribute structure, StringRef what,
                                  const ConstantComponent &codes, int64_t outer, int64_t groups,
                                  int64_t inner, int64_t n, int64_t m, unsigned bits) {
  for (int64_t i = 0; i < outer * groups; ++i)
    for (int64_t j = 0; j < inner; ++j) {
      int64_t previous = -1;
      for (int64_t k = 0; k < n; ++k) {
        int64_t code = getConstantCode(codes, (i * n + k) * inner + j, bits);
        if (code >= m)
          return emitError() << structure << " has " << what << " " << code << " in a group of "
                             << m;
        if (code <= previous)
          return emitError() << structure << " has " << what << " " << code << " after " << previous
                             << ", but they ascend in a group";
        previous = code;
      }
    }
  return success();
}

//===----------------------------------------------------------------------===//
// NMAttr
//===----------------------------------------------------------------------===//

LogicalResult NMAttr::verify(EmitError emitError, int64_t n, int64_t m, int64_t) {
  if (m < 2 || m > 256)
    return emitError() << "groups have 2 to 256 numbers, got " << m;
  if (n < 1 || n > m)
    return emitError() << "groups of " << m << " store 1 to " << m << " numbers, got " << n;
  return success();
}

LogicalResult NMAttr::verifyStructure(EmitError emitError, ArrayRef<int64_t> shape) const {
  if (!normalizeAxis(getAxis(), shape.size()))
    return emitError() << Attribute(*this) << " has an axis that a tensor of rank " << shape.size()
                       << " has not";
  return success();
}

AffineMap NMAttr::getStoredShape(unsigned rank) const {
  ShapeSymbols s{getContext(), rank};
  SmallVector<AffineExpr> extents = s.extents();
  unsigned axis = *normalizeAxis(getAxis(), rank);
  extents[axis] = extents[axis].ceilDiv(getM()) * getN();
  return s.map(extents);
}

SmallVector<int64_t> NMAttr::getGroupExtents(unsigned rank) const {
  SmallVector<int64_t> extents(rank, 1);
  extents[*normalizeAxis(getAxis(), rank)] = getM();
  return extents;
}

SmallVector<FormatComponent> NMAttr::getStructureComponents(ShapedType type) const {
  return {getStreamComponent("indices", getStoredShape(type.getRank()), bitsBelow(getM()))};
}

StoredPosition NMAttr::locate(OpBuilder &b, Location loc, const PackedPosition &at) const {
  IndexMath m{b, loc};
  unsigned rank = at.position.size(), axis = *normalizeAxis(getAxis(), rank);
  SmallVector<OpFoldResult> dims = evaluateExtents(b, loc, getStoredShape(rank), at.dims);
  Value size = m.constant(getM());
  SmallVector<Value> position(at.position);
  position[axis] = m.mul(m.div(at.position[axis], size), m.constant(getN()));
  Found found = asFound(b, loc,
                        findInGroup(b, loc, at.components[0], position, dims, axis, getN(),
                                    bitsBelow(getM()), m.rem(at.position[axis], size)));
  position[axis] = m.add(position[axis], found.position);
  return {found.isStored, position};
}

StoredNumbers NMAttr::compress(OpBuilder &b, Location loc, Value numbers, Value values) const {
  unsigned axis = *normalizeAxis(getAxis(), cast<ShapedType>(numbers.getType()).getRank());
  Value indices = largestInGroups(b, loc, magnitudes(b, loc, numbers), getN(), getM(), axis);
  Type type = cast<ShapedType>(values.getType()).getElementType();
  Value stored = generate(
      b, loc, getExtents(b, loc, indices), type, [&](OpBuilder &b, Location loc, ValueRange at) {
        IndexMath m{b, loc};
        SmallVector<Value> position(at);
        Value group = m.div(at[axis], m.constant(getN()));
        position[axis] = m.add(m.mul(group, m.constant(getM())), extractIndex(b, loc, indices, at));
        return extractOrZero(b, loc, values, position, axis);
      });
  return {{packCodes(b, loc, indices, bitsBelow(getM()))}, stored};
}

LogicalResult NMAttr::verifyConstants(EmitError emitError, ShapedType type,
                                      ArrayRef<ConstantComponent> components) const {
  if (!components[0].bytes || !type.hasStaticShape())
    return success();
  ArrayRef<int64_t> shape = type.getShape();
  unsigned axis = *normalizeAxis(getAxis(), shape.size());
  return verifyGroups(emitError, *this, "index", components[0],
                      *countStatic(shape.take_front(axis)), llvm::divideCeil(shape[axis], getM()),
                      *countStatic(shape.drop_front(axis + 1)), getN(), getM(), bitsBelow(getM()));
}

//===----------------------------------------------------------------------===//
// VNMAttr
//===----------------------------------------------------------------------===//

LogicalResult VNMAttr::verify(EmitError emitError, int64_t v, int64_t n, int64_t m) {
  if (v < 1 || v > 1 << 20)
    return emitError() << "blocks have 1 to 2^20 rows, got " << v;
  if (m < kChosen || m > 256)
    return emitError() << "blocks have 4 to 256 columns, got " << m;
  if (n < 1 || n > kChosen)
    return emitError() << "1 to 4 numbers of 4 are stored, got " << n;
  return success();
}

LogicalResult VNMAttr::verifyStructure(EmitError emitError, ArrayRef<int64_t> shape) const {
  return verifyRank(emitError, *this, shape.size(), 2);
}

AffineMap VNMAttr::getStoredShape(unsigned rank) const {
  ShapeSymbols s{getContext(), rank};
  SmallVector<AffineExpr> extents = s.extents();
  extents.back() = extents.back().ceilDiv(getM()) * getN();
  return s.map(extents);
}

SmallVector<int64_t> VNMAttr::getGroupExtents(unsigned rank) const {
  SmallVector<int64_t> extents(rank, 1);
  extents[rank - 2] = getV();
  extents[rank - 1] = getM();
  return extents;
}

AffineMap sparse::getChosenMap(VNMAttr structure, unsigned rank) {
  ShapeSymbols s{structure.getContext(), rank};
  SmallVector<AffineExpr> extents = s.extents();
  extents[rank - 2] = extents[rank - 2].ceilDiv(structure.getV());
  extents[rank - 1] = extents[rank - 1].ceilDiv(structure.getM()) * kChosen;
  return s.map(extents);
}

SmallVector<FormatComponent> VNMAttr::getStructureComponents(ShapedType type) const {
  unsigned rank = type.getRank();
  return {getStreamComponent("columns", getChosenMap(*this, rank), bitsBelow(getM())),
          getStreamComponent("indices", getStoredShape(rank), kChosenBits)};
}

StoredPosition VNMAttr::locate(OpBuilder &b, Location loc, const PackedPosition &at) const {
  IndexMath m{b, loc};
  unsigned rank = at.position.size(), last = rank - 1;
  Value column = at.position[last], size = m.constant(getM());
  Value group = m.div(column, size);

  SmallVector<OpFoldResult> dims = evaluateExtents(b, loc, getChosenMap(*this, rank), at.dims);
  SmallVector<Value> position(at.position);
  position[rank - 2] = m.div(at.position[rank - 2], m.constant(getV()));
  position[last] = m.mul(group, m.constant(kChosen));
  Value chosen = findInGroup(b, loc, at.components[0], position, dims, last, kChosen,
                             bitsBelow(getM()), m.rem(column, size));

  // No index is the -1 of a column that is not chosen.
  dims = evaluateExtents(b, loc, getStoredShape(rank), at.dims);
  position.assign(at.position.begin(), at.position.end());
  position[last] = m.mul(group, m.constant(getN()));
  Found found = asFound(
      b, loc,
      findInGroup(b, loc, at.components[1], position, dims, last, getN(), kChosenBits, chosen));
  position[last] = m.add(position[last], found.position);
  return {found.isStored, position};
}

StoredNumbers VNMAttr::compress(OpBuilder &b, Location loc, Value numbers, Value values) const {
  auto type = cast<RankedTensorType>(numbers.getType());
  unsigned rank = type.getRank(), last = rank - 1;
  SmallVector<int64_t> block(rank, 1);
  block[rank - 2] = getV();
  Value columns =
      largestInGroups(b, loc, blockMagnitudes(b, loc, numbers, block), kChosen, getM(), last);
  Value keys = magnitudes(b, loc, numbers);
  // The column at place `place` of the chosen ones.
  auto columnOf = [&](OpBuilder &b, Location loc, ValueRange at, Value place) {
    IndexMath m{b, loc};
    SmallVector<Value> position(at);
    position[rank - 2] = m.div(at[rank - 2], m.constant(getV()));
    position[last] = place;
    Value group = m.div(place, m.constant(kChosen));
    return m.add(m.mul(group, m.constant(getM())), extractIndex(b, loc, columns, position));
  };
  auto read = [&](OpBuilder &b, Location loc, Value from, ValueRange at, Value place) {
    SmallVector<Value> position(at);
    position[last] = columnOf(b, loc, at, place);
    return extractOrZero(b, loc, from, position, last);
  };
  SmallVector<OpFoldResult> sizes = getExtents(b, loc, numbers);
  sizes.back() = getExtents(b, loc, columns).back();
  Value chosen = generate(
      b, loc, sizes, cast<ShapedType>(keys.getType()).getElementType(),
      [&](OpBuilder &b, Location loc, ValueRange at) { return read(b, loc, keys, at, at[last]); });
  Value indices = largestInGroups(b, loc, chosen, getN(), kChosen, last);
  Value stored = generate(
      b, loc, getExtents(b, loc, indices), cast<ShapedType>(values.getType()).getElementType(),
      [&](OpBuilder &b, Location loc, ValueRange at) {
        IndexMath m{b, loc};
        Value group = m.div(at[last], m.constant(getN()));
        Value place = m.add(m.mul(group, m.constant(kChosen)), extractIndex(b, loc, indices, at));
        return read(b, loc, values, at, place);
      });
  return {{packCodes(b, loc, columns, bitsBelow(getM())), packCodes(b, loc, indices, kChosenBits)},
          stored};
}

LogicalResult VNMAttr::verifyConstants(EmitError emitError, ShapedType type,
                                       ArrayRef<ConstantComponent> components) const {
  if (!type.hasStaticShape())
    return success();
  ArrayRef<int64_t> shape = type.getShape();
  int64_t batch = *countStatic(shape.drop_back(2)), rows = shape.end()[-2];
  int64_t groups = llvm::divideCeil(shape.back(), getM());
  if (components[0].bytes && failed(verifyGroups(emitError, *this, "column", components[0],
                                                 batch * llvm::divideCeil(rows, getV()), groups, 1,
                                                 kChosen, getM(), bitsBelow(getM()))))
    return failure();
  if (!components[1].bytes)
    return success();
  return verifyGroups(emitError, *this, "index", components[1], batch * rows, groups, 1, getN(),
                      kChosen, kChosenBits);
}
