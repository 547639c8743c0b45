//===- CompressedStructures.cpp - As many numbers as there are ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Sparse/IR/Compress.h"
#include "dialects/Sparse/IR/Sparse.h"
#include "dialects/Sparse/IR/StructureMath.h"
#include "dialects/Weft/IR/BitStream.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/bit.h"

using namespace mlir;
using namespace weft;
using namespace weft::sparse;

/// Bits of a word of a bitmap.
static constexpr unsigned kWordBits = 64;

static IntegerType offsetType(MLIRContext *context) { return IntegerType::get(context, 32); }

//===----------------------------------------------------------------------===//
// CSR and CSC: lines of the last dimension, or of the one before it
//===----------------------------------------------------------------------===//

namespace {
/// What CSR and CSC have in common: lines, whose numbers follow each other.
struct Lines {
  Attribute structure;
  IntegerType index;
  bool delta, isTransposed;

  /// How many lines there are.
  AffineExpr count(const ShapeSymbols &s) const {
    AffineExpr outer = s.product(0, s.rank - (isTransposed ? 2 : 1));
    return isTransposed ? outer * s.extent(s.rank - 1) : outer;
  }
  /// The dimension along a line.
  unsigned along(unsigned rank) const { return rank - (isTransposed ? 2 : 1); }
  StringRef what() const { return isTransposed ? "row" : "column"; }

  LogicalResult verifyStructure(EmitError emitError, ArrayRef<int64_t> shape) const;
  SmallVector<FormatComponent> getComponents(ShapedType type) const;
  StoredPosition locate(OpBuilder &b, Location loc, const PackedPosition &at) const;
  StoredNumbers compress(OpBuilder &b, Location loc, Value numbers, Value values) const;
  LogicalResult verifyConstants(EmitError emitError, ShapedType type,
                                ArrayRef<ConstantComponent> components) const;
  /// The largest difference of positions.
  int64_t largestDelta() const { return (int64_t(1) << index.getWidth()) - 1; }
};
} // namespace

static Lines linesOf(CSRAttr a) { return {a, a.getIndex(), a.getDelta(), false}; }
static Lines linesOf(CSCAttr a) { return {a, a.getIndex(), a.getDelta(), true}; }

LogicalResult Lines::verifyStructure(EmitError emitError, ArrayRef<int64_t> shape) const {
  if (failed(verifyRank(emitError, structure, shape.size(), isTransposed ? 2 : 1)) ||
      failed(verifyCount(emitError, structure, shape)))
    return failure();
  return delta ? success() : verifyIndex(emitError, structure, index, shape[along(shape.size())]);
}

SmallVector<FormatComponent> Lines::getComponents(ShapedType type) const {
  ShapeSymbols s{structure.getContext(), unsigned(type.getRank())};
  return {{"offsets", offsetType(s.context), s.map(count(s) + 1)},
          {isTransposed ? "rows" : "columns", index, s.map(s.ofData())}};
}

/// The number of a line: that of all positions but the one along it.
static Value lineOf(OpBuilder &b, Location loc, const PackedPosition &at, bool isTransposed) {
  SmallVector<Value> position(at.position);
  SmallVector<OpFoldResult> dims(at.dims);
  if (isTransposed) {
    std::swap(position.end()[-1], position.end()[-2]);
    std::swap(dims.end()[-1], dims.end()[-2]);
  }
  position.pop_back();
  dims.pop_back();
  return linearize(b, loc, position, dims);
}

/// Where the sum of the differences up to a position is `target`, or -1.
static Value findSum(OpBuilder &b, Location loc, Value begin, Value end, Value target,
                     Value differences) {
  IndexMath m{b, loc};
  auto loop = scf::ForOp::create(
      b, loc, begin, end, m.constant(1), ValueRange{m.constant(0), m.constant(-1)},
      [&](OpBuilder &b, Location loc, Value i, ValueRange state) {
        IndexMath x{b, loc};
        Value difference = toIndex(b, loc, tensor::ExtractOp::create(b, loc, differences, i));
        Value sum = x.add(state[0], difference);
        Value isHere = x.cmp(arith::CmpIPredicate::eq, sum, target);
        scf::YieldOp::create(b, loc, ValueRange{sum, x.select(isHere, i, state[1])});
      });
  return loop.getResult(1);
}

StoredPosition Lines::locate(OpBuilder &b, Location loc, const PackedPosition &at) const {
  IndexMath m{b, loc};
  Value offsets = at.components[0], positions = at.components[1];
  Value line = lineOf(b, loc, at, isTransposed), stored = m.dim(positions, 0);
  auto offsetAt = [&](Value i) -> Value {
    return arith::MinSIOp::create(b, loc, toIndex(b, loc, readInside(b, loc, offsets, i)), stored);
  };
  Value begin = offsetAt(line), end = offsetAt(m.add(line, m.constant(1)));
  Value target = at.position[along(at.position.size())];
  Value index =
      delta ? findSum(b, loc, begin, end, target, positions)
            : findAscending(b, loc, begin, end, target, [&](OpBuilder &b, Location loc, Value i) {
                return toIndex(b, loc, tensor::ExtractOp::create(b, loc, positions, i));
              });
  Found found = asFound(b, loc, index);
  return {found.isStored, {found.position}};
}

/// The tensor with its last two dimensions exchanged.
static Value transposed(OpBuilder &b, Location loc, Value tensor) {
  SmallVector<OpFoldResult> sizes = getExtents(b, loc, tensor);
  std::swap(sizes.end()[-1], sizes.end()[-2]);
  return generate(b, loc, sizes, cast<ShapedType>(tensor.getType()).getElementType(),
                  [&](OpBuilder &b, Location loc, ValueRange at) {
                    SmallVector<Value> position(at);
                    std::swap(position.end()[-1], position.end()[-2]);
                    return Value(tensor::ExtractOp::create(b, loc, tensor, position));
                  });
}

/// The elements of `values` at row-major numbers.
static Value gathered(OpBuilder &b, Location loc, Value values, Value positions) {
  Value flat = flatten(b, loc, values);
  return generate(b, loc, getExtents(b, loc, positions),
                  cast<ShapedType>(values.getType()).getElementType(),
                  [&](OpBuilder &b, Location loc, ValueRange at) {
                    Value from = extractIndex(b, loc, positions, at);
                    return Value(tensor::ExtractOp::create(b, loc, flat, from));
                  });
}

/// How many of the ascending `positions` are below `bound`, as i32.
static Value countBelow(OpBuilder &b, Location loc, Value positions, Value bound) {
  IndexMath m{b, loc};
  Value count = lowerBound(
      b, loc, m.constant(0), m.dim(positions, 0), bound,
      [&](OpBuilder &b, Location loc, Value i) { return extractIndex(b, loc, positions, i); });
  return arith::IndexCastOp::create(b, loc, b.getI32Type(), count);
}

StoredNumbers Lines::compress(OpBuilder &b, Location loc, Value numbers, Value values) const {
  Value keys = magnitudes(b, loc, numbers);
  if (isTransposed) {
    keys = transposed(b, loc, keys);
    values = transposed(b, loc, values);
  }
  SmallVector<OpFoldResult> extents = getExtents(b, loc, keys);
  Value columns = getValueOrCreateConstantIndexOp(b, loc, extents.back());
  if (delta) {
    // So many zeros are stored that differences fit.
    Type type = cast<ShapedType>(keys.getType()).getElementType();
    Value given = keys;
    keys = generate(b, loc, extents, type, [&](OpBuilder &b, Location loc, ValueRange at) {
      IndexMath m{b, loc};
      Value rest = m.rem(at.back(), m.constant(largestDelta()));
      Value isNeeded = m.both(m.cmp(arith::CmpIPredicate::eq, rest, m.constant(0)),
                              m.cmp(arith::CmpIPredicate::sgt, at.back(), m.constant(0)));
      Value one = arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, 1));
      return m.select(isNeeded, one, tensor::ExtractOp::create(b, loc, given, at));
    });
  }
  Value positions = nonZeroPositions(b, loc, keys);
  auto type = cast<RankedTensorType>(numbers.getType());
  ShapeSymbols s{b.getContext(), unsigned(type.getRank())};
  SmallVector<OpFoldResult> size =
      evaluateExtents(b, loc, s.map(count(s) + 1), getExtents(b, loc, numbers));
  Value offsets = generate(b, loc, size, offsetType(b.getContext()),
                           [&](OpBuilder &b, Location loc, ValueRange at) {
                             Value bound = IndexMath{b, loc}.mul(at[0], columns);
                             return countBelow(b, loc, positions, bound);
                           });
  Value list = generate(
      b, loc, getExtents(b, loc, positions), index, [&](OpBuilder &b, Location loc, ValueRange at) {
        IndexMath m{b, loc};
        Value position = extractIndex(b, loc, positions, at);
        Value column = m.rem(position, columns);
        if (delta) {
          Value zero = m.constant(0);
          Value before = arith::MaxSIOp::create(b, loc, m.sub(at[0], m.constant(1)), zero);
          Value previous = extractIndex(b, loc, positions, before);
          Value difference = m.sub(position, previous);
          // The first of all, or of its line.
          Value isFirst =
              arith::OrIOp::create(b, loc, m.cmp(arith::CmpIPredicate::eq, at[0], zero),
                                   m.cmp(arith::CmpIPredicate::slt, column, difference));
          column = m.select(isFirst, column, difference);
        }
        return Value(arith::IndexCastOp::create(b, loc, index, column));
      });
  return {{offsets, list}, gathered(b, loc, values, positions)};
}

/// Whether offsets ascend from 0 to `stored`.
static LogicalResult verifyOffsets(EmitError emitError, Attribute structure,
                                   const ConstantComponent &offsets, int64_t stored) {
  int64_t previous = 0, count = offsets.type.getDimSize(0);
  for (int64_t i = 0; i < count; ++i) {
    int64_t offset = offsets.getInteger(i);
    if (i == 0 && offset != 0)
      return emitError() << structure << " has offsets from " << offset << " on, not from 0";
    if (offset < previous)
      return emitError() << structure << " has offset " << offset << " after " << previous
                         << ", but they never descend";
    previous = offset;
  }
  if (!ShapedType::isDynamic(stored) && previous != stored)
    return emitError() << structure << " has offsets up to " << previous << " for " << stored
                       << " stored numbers";
  return success();
}

LogicalResult Lines::verifyConstants(EmitError emitError, ShapedType type,
                                     ArrayRef<ConstantComponent> components) const {
  const ConstantComponent &offsets = components[0], &positions = components[1];
  if (!offsets.bytes || !type.hasStaticShape())
    return success();
  if (failed(verifyOffsets(emitError, structure, offsets, positions.type.getDimSize(0))))
    return failure();
  if (!positions.bytes)
    return success();
  int64_t extent = type.getDimSize(along(type.getRank()));
  for (int64_t line = 0; line + 1 < offsets.type.getDimSize(0); ++line) {
    int64_t previous = -1;
    for (int64_t i = offsets.getInteger(line), end = offsets.getInteger(line + 1); i < end; ++i) {
      int64_t position = positions.getInteger(i);
      if (delta && previous >= 0)
        position += previous;
      if (position >= extent)
        return emitError() << structure << " has " << what() << " " << position << " of " << extent;
      if (position <= previous)
        return emitError() << structure << " has " << what() << " " << position << " after "
                           << previous << ", but they ascend";
      previous = position;
    }
  }
  return success();
}

// What CSR and CSC answer alike.
#define WEFT_SPARSE_LINES(Structure)                                                               \
  LogicalResult Structure::verify(EmitError emitError, IntegerType index, bool) {                  \
    return verifyIndexType(emitError, index);                                                      \
  }                                                                                                \
  LogicalResult Structure::verifyStructure(EmitError emitError, ArrayRef<int64_t> shape) const {   \
    return linesOf(*this).verifyStructure(emitError, shape);                                       \
  }                                                                                                \
  AffineMap Structure::getStoredShape(unsigned rank) const {                                       \
    ShapeSymbols s{getContext(), rank};                                                            \
    return s.map(s.ofData());                                                                      \
  }                                                                                                \
  SmallVector<FormatComponent> Structure::getStructureComponents(ShapedType type) const {          \
    return linesOf(*this).getComponents(type);                                                     \
  }                                                                                                \
  StoredPosition Structure::locate(OpBuilder &b, Location loc, const PackedPosition &at) const {   \
    return linesOf(*this).locate(b, loc, at);                                                      \
  }                                                                                                \
  StoredNumbers Structure::compress(OpBuilder &b, Location loc, Value numbers, Value values)       \
      const {                                                                                      \
    return linesOf(*this).compress(b, loc, numbers, values);                                       \
  }                                                                                                \
  LogicalResult Structure::verifyConstants(EmitError emitError, ShapedType type,                   \
                                           ArrayRef<ConstantComponent> components) const {         \
    return linesOf(*this).verifyConstants(emitError, type, components);                            \
  }

WEFT_SPARSE_LINES(CSRAttr)
WEFT_SPARSE_LINES(CSCAttr)
#undef WEFT_SPARSE_LINES

//===----------------------------------------------------------------------===//
// COOAttr
//===----------------------------------------------------------------------===//

LogicalResult COOAttr::verify(EmitError emitError, IntegerType index) {
  return verifyIndexType(emitError, index);
}

LogicalResult COOAttr::verifyStructure(EmitError emitError, ArrayRef<int64_t> shape) const {
  if (failed(verifyRank(emitError, *this, shape.size(), 2)) ||
      failed(verifyCount(emitError, *this, shape)))
    return failure();
  int64_t rows = countStatic(shape.drop_back()).value_or(ShapedType::kDynamic);
  return failure(failed(verifyIndex(emitError, *this, getIndex(), rows)) ||
                 failed(verifyIndex(emitError, *this, getIndex(), shape.back())));
}

AffineMap COOAttr::getStoredShape(unsigned rank) const {
  ShapeSymbols s{getContext(), rank};
  return s.map(s.ofData());
}

SmallVector<FormatComponent> COOAttr::getStructureComponents(ShapedType type) const {
  AffineMap shape = getStoredShape(type.getRank());
  return {{"rows", getIndex(), shape}, {"columns", getIndex(), shape}};
}

StoredPosition COOAttr::locate(OpBuilder &b, Location loc, const PackedPosition &at) const {
  IndexMath m{b, loc};
  Value rows = at.components[0], columns = at.components[1];
  Value extent = getValueOrCreateConstantIndexOp(b, loc, at.dims.back());
  Value stored = arith::MinSIOp::create(b, loc, m.dim(rows, 0), m.dim(columns, 0));
  Value index =
      findAscending(b, loc, m.constant(0), stored, linearize(b, loc, at.position, at.dims),
                    [&](OpBuilder &b, Location loc, Value i) {
                      IndexMath x{b, loc};
                      Value row = toIndex(b, loc, tensor::ExtractOp::create(b, loc, rows, i));
                      Value column = toIndex(b, loc, tensor::ExtractOp::create(b, loc, columns, i));
                      return x.add(x.mul(row, extent), column);
                    });
  Found found = asFound(b, loc, index);
  return {found.isStored, {found.position}};
}

StoredNumbers COOAttr::compress(OpBuilder &b, Location loc, Value numbers, Value values) const {
  Value positions = nonZeroPositions(b, loc, magnitudes(b, loc, numbers));
  Value extent = getValueOrCreateConstantIndexOp(b, loc, getExtents(b, loc, numbers).back());
  auto list = [&](bool isRow) {
    return generate(b, loc, getExtents(b, loc, positions), getIndex(),
                    [&](OpBuilder &b, Location loc, ValueRange at) {
                      IndexMath m{b, loc};
                      Value position = extractIndex(b, loc, positions, at);
                      Value x = isRow ? m.div(position, extent) : m.rem(position, extent);
                      return Value(arith::IndexCastOp::create(b, loc, getIndex(), x));
                    });
  };
  Value rows = list(/*isRow=*/true), columns = list(/*isRow=*/false);
  return {{rows, columns}, gathered(b, loc, values, positions)};
}

LogicalResult COOAttr::verifyConstants(EmitError emitError, ShapedType type,
                                       ArrayRef<ConstantComponent> components) const {
  const ConstantComponent &rows = components[0], &columns = components[1];
  if (!rows.bytes || !columns.bytes || !type.hasStaticShape())
    return success();
  if (rows.type != columns.type)
    return emitError() << Attribute(*this) << " has rows " << rows.type << " and columns "
                       << columns.type;
  int64_t rowCount = *countStatic(type.getShape().drop_back()), extent = type.getShape().back();
  int64_t previous = -1;
  for (int64_t i = 0; i < rows.type.getDimSize(0); ++i) {
    int64_t row = rows.getInteger(i), column = columns.getInteger(i);
    if (row >= rowCount)
      return emitError() << Attribute(*this) << " has row " << row << " of " << rowCount;
    if (column >= extent)
      return emitError() << Attribute(*this) << " has column " << column << " of " << extent;
    int64_t position = row * extent + column;
    if (position <= previous)
      return emitError() << Attribute(*this) << " has row " << row << ", column " << column
                         << " out of order";
    previous = position;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// BitmapAttr
//===----------------------------------------------------------------------===//

LogicalResult BitmapAttr::verifyStructure(EmitError emitError, ArrayRef<int64_t> shape) const {
  if (failed(verifyRank(emitError, *this, shape.size(), 1)))
    return failure();
  return verifyCount(emitError, *this, shape);
}

AffineMap BitmapAttr::getStoredShape(unsigned rank) const {
  ShapeSymbols s{getContext(), rank};
  return s.map(s.ofData());
}

/// The extents of the words.
static AffineMap getWordMap(MLIRContext *context, unsigned rank) {
  ShapeSymbols s{context, rank};
  SmallVector<AffineExpr> extents = s.extents();
  extents.back() = extents.back().ceilDiv(kWordBits);
  return s.map(extents);
}

SmallVector<FormatComponent> BitmapAttr::getStructureComponents(ShapedType type) const {
  AffineMap words = getWordMap(getContext(), type.getRank());
  return {{"words", IntegerType::get(getContext(), kWordBits), words},
          {"offsets", offsetType(getContext()), words}};
}

StoredPosition BitmapAttr::locate(OpBuilder &b, Location loc, const PackedPosition &at) const {
  IndexMath m{b, loc};
  Value bits = m.constant(kWordBits);
  SmallVector<Value> position(at.position);
  position.back() = m.div(at.position.back(), bits);
  Value bit = arith::IndexCastOp::create(b, loc, b.getI64Type(), m.rem(at.position.back(), bits));
  Value word = readInside(b, loc, at.components[0], position);
  Value one = arith::ConstantIntOp::create(b, loc, 1, kWordBits);
  Value mask = arith::ShLIOp::create(b, loc, one, bit);
  Value zero = arith::ConstantIntOp::create(b, loc, 0, kWordBits);
  Value isStored = m.cmp(arith::CmpIPredicate::ne, m.both(word, mask), zero);
  Value below = math::CtPopOp::create(b, loc, m.both(word, m.sub(mask, one)));
  Value offset = toIndex(b, loc, readInside(b, loc, at.components[1], position));
  return {isStored, {m.add(offset, toIndex(b, loc, below))}};
}

StoredNumbers BitmapAttr::compress(OpBuilder &b, Location loc, Value numbers, Value values) const {
  Value keys = magnitudes(b, loc, numbers), positions = nonZeroPositions(b, loc, keys);
  SmallVector<OpFoldResult> extents = getExtents(b, loc, numbers);
  SmallVector<OpFoldResult> sizes =
      evaluateExtents(b, loc, getWordMap(b.getContext(), extents.size()), extents);
  unsigned last = extents.size() - 1;
  Type i64 = b.getI64Type();
  Value words = generate(b, loc, sizes, i64, [&](OpBuilder &b, Location loc, ValueRange at) {
    IndexMath outer{b, loc};
    Value first = outer.mul(at[last], outer.constant(kWordBits));
    auto loop = scf::ForOp::create(
        b, loc, outer.constant(0), outer.constant(kWordBits), outer.constant(1),
        Value(arith::ConstantIntOp::create(b, loc, 0, kWordBits)),
        [&](OpBuilder &b, Location loc, Value i, ValueRange word) {
          IndexMath m{b, loc};
          SmallVector<Value> position(at);
          position[last] = m.add(first, i);
          Value key = extractOrZero(b, loc, keys, position, last);
          Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(key.getType()));
          Value bit =
              arith::ExtUIOp::create(b, loc, i64, m.cmp(arith::CmpIPredicate::ne, key, zero));
          Value shift = arith::IndexCastOp::create(b, loc, i64, i);
          bit = arith::ShLIOp::create(b, loc, bit, shift);
          scf::YieldOp::create(b, loc, arith::OrIOp::create(b, loc, word[0], bit).getResult());
        });
    return loop.getResult(0);
  });
  Value offsets = generate(
      b, loc, sizes, offsetType(b.getContext()), [&](OpBuilder &b, Location loc, ValueRange at) {
        SmallVector<Value> position(at);
        IndexMath m{b, loc};
        position[last] = m.mul(at[last], m.constant(kWordBits));
        return countBelow(b, loc, positions, linearize(b, loc, position, extents));
      });
  return {{words, offsets}, gathered(b, loc, values, positions)};
}

LogicalResult BitmapAttr::verifyConstants(EmitError emitError, ShapedType type,
                                          ArrayRef<ConstantComponent> components) const {
  const ConstantComponent &words = components[0], &offsets = components[1];
  if (!words.bytes || !type.hasStaticShape())
    return success();
  int64_t columns = type.getShape().back();
  int64_t inRow = llvm::divideCeil(columns, kWordBits), stored = 0;
  uint64_t last =
      columns % kWordBits == 0 ? ~uint64_t(0) : (uint64_t(1) << (columns % kWordBits)) - 1;
  for (int64_t i = 0; i < words.type.getNumElements(); ++i) {
    uint64_t word = words.getInteger(i);
    if (i % inRow == inRow - 1 && (word & ~last) != 0)
      return emitError() << Attribute(*this) << " has bits behind column " << columns - 1
                         << " in word " << i;
    if (offsets.bytes && int64_t(offsets.getInteger(i)) != stored)
      return emitError() << Attribute(*this) << " has offset " << offsets.getInteger(i)
                         << " of word " << i << ", where " << stored << " numbers are before";
    stored += llvm::popcount(word);
  }
  return success();
}
