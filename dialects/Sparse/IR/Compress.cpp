//===- Compress.cpp - Which numbers structures store ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Sparse/IR/Compress.h"

#include "dialects/Weft/IR/BitStream.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;
using namespace weft::sparse;

Value sparse::generateInto(OpBuilder &b, Location loc, Value init, GenerateElement element) {
  auto type = cast<RankedTensorType>(init.getType());
  int64_t rank = type.getRank();
  return linalg::GenericOp::create(
             b, loc, type, ValueRange(), init, b.getMultiDimIdentityMap(rank),
             SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
             [&](OpBuilder &b, Location loc, ValueRange) {
               SmallVector<Value> position;
               for (int64_t i = 0; i < rank; ++i)
                 position.push_back(linalg::IndexOp::create(b, loc, i));
               linalg::YieldOp::create(b, loc, element(b, loc, position));
             })
      .getResult(0);
}

Value sparse::generate(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes, Type elementType,
                       GenerateElement element) {
  return generateInto(b, loc, tensor::EmptyOp::create(b, loc, sizes, elementType), element);
}

/// `extents` with that of `axis` in groups of `m`, with `n` each.
static SmallVector<OpFoldResult> groupedExtents(OpBuilder &b, Location loc,
                                                ArrayRef<OpFoldResult> extents, unsigned axis,
                                                int64_t n, int64_t m) {
  SmallVector<OpFoldResult> grouped(extents);
  AffineExpr extent = b.getAffineSymbolExpr(0);
  grouped[axis] =
      evaluateExtents(b, loc, AffineMap::get(0, 1, extent.ceilDiv(m) * n), extents[axis]).front();
  return grouped;
}

//===----------------------------------------------------------------------===//
// Magnitudes
//===----------------------------------------------------------------------===//

Value sparse::magnitude(OpBuilder &b, Location loc, Value number) {
  auto floating = dyn_cast<FloatType>(number.getType());
  if (!floating)
    return math::AbsIOp::create(b, loc, number);
  Type type = b.getIntegerType(floating.getWidth());
  Value bits = arith::BitcastOp::create(b, loc, type, number);
  APInt mask = APInt::getSignedMaxValue(floating.getWidth());
  return arith::AndIOp::create(b, loc, bits,
                               arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, mask)));
}

Value sparse::magnitudes(OpBuilder &b, Location loc, Value numbers) {
  auto type = cast<RankedTensorType>(numbers.getType());
  return generate(b, loc, getExtents(b, loc, numbers),
                  b.getIntegerType(type.getElementTypeBitWidth()),
                  [&](OpBuilder &b, Location loc, ValueRange position) {
                    return magnitude(b, loc, tensor::ExtractOp::create(b, loc, numbers, position));
                  });
}

/// |x| in f64, where sums of blocks neither vanish nor, in practice, overflow.
static Value wideMagnitude(OpBuilder &b, Location loc, Value number) {
  FloatType f64 = b.getF64Type();
  if (auto floating = dyn_cast<FloatType>(number.getType()))
    return math::AbsFOp::create(
        b, loc, floating.isF64() ? number : Value(arith::ExtFOp::create(b, loc, f64, number)));
  return arith::UIToFPOp::create(b, loc, f64, magnitude(b, loc, number));
}

Value sparse::blockMagnitudes(OpBuilder &b, Location loc, Value numbers, ArrayRef<int64_t> block) {
  SmallVector<OpFoldResult> extents = getExtents(b, loc, numbers), grid(extents);
  for (auto [i, extent] : llvm::enumerate(block))
    grid = groupedExtents(b, loc, grid, i, 1, extent);
  int64_t count = 1;
  for (int64_t extent : block)
    count *= extent;
  return generate(b, loc, grid, b.getI64Type(), [&](OpBuilder &b, Location loc, ValueRange at) {
    IndexMath m{b, loc};
    Value zero = arith::ConstantOp::create(b, loc, b.getF64FloatAttr(0.0));
    auto loop = scf::ForOp::create(
        b, loc, m.constant(0), m.constant(count), m.constant(1), zero,
        [&](OpBuilder &b, Location loc, Value number, ValueRange sum) {
          IndexMath m{b, loc};
          SmallVector<Value> position(at.size());
          Value isInside;
          for (int64_t i = at.size() - 1; i >= 0; --i) {
            Value size = m.constant(block[i]),
                  extent = getValueOrCreateConstantIndexOp(b, loc, extents[i]);
            Value index = m.add(m.mul(at[i], size), m.rem(number, size));
            number = m.div(number, size);
            Value inside = m.cmp(arith::CmpIPredicate::slt, index, extent);
            isInside = isInside ? m.both(isInside, inside) : inside;
            position[i] = m.clamp(index, extent);
          }
          Value x = wideMagnitude(b, loc, tensor::ExtractOp::create(b, loc, numbers, position));
          if (isInside)
            x = m.select(isInside, x, zero);
          scf::YieldOp::create(b, loc, arith::AddFOp::create(b, loc, sum[0], x).getResult());
        });
    return magnitude(b, loc, loop.getResult(0));
  });
}

Value sparse::channelMagnitudes(OpBuilder &b, Location loc, Value numbers, unsigned axis) {
  SmallVector<OpFoldResult> extents = getExtents(b, loc, numbers);
  int64_t rank = extents.size();
  FloatType f64 = b.getF64Type();
  Value empty = tensor::EmptyOp::create(b, loc, extents[axis], f64);
  Value zero = arith::ConstantOp::create(b, loc, b.getF64FloatAttr(0.0));
  Value start = linalg::FillOp::create(b, loc, zero, empty).getResult(0);
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::reduction);
  iterators[axis] = utils::IteratorType::parallel;
  AffineMap result = AffineMap::get(rank, 0, b.getAffineDimExpr(axis), b.getContext());
  Value sums = linalg::GenericOp::create(
                   b, loc, start.getType(), numbers, start,
                   ArrayRef<AffineMap>{b.getMultiDimIdentityMap(rank), result}, iterators,
                   [&](OpBuilder &b, Location loc, ValueRange args) {
                     Value sum =
                         arith::AddFOp::create(b, loc, args[1], wideMagnitude(b, loc, args[0]));
                     linalg::YieldOp::create(b, loc, sum);
                   })
                   .getResult(0);
  return magnitudes(b, loc, sums);
}

//===----------------------------------------------------------------------===//
// The largest
//===----------------------------------------------------------------------===//

/// The element at `position` where `isInside`, which is so where its index along `axis`
/// is in the tensor; else 0.
static Value extractIf(OpBuilder &b, Location loc, Value isInside, Value tensor,
                       ArrayRef<Value> position, unsigned axis) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
  if (!type.isDynamicDim(axis) && type.getDimSize(axis) > 0) {
    IndexMath m{b, loc};
    SmallVector<Value> inside(position);
    inside[axis] = m.clamp(position[axis], m.dim(tensor, axis));
    return m.select(isInside, tensor::ExtractOp::create(b, loc, tensor, inside), zero);
  }
  // There can be nothing to read.
  auto read = scf::IfOp::create(
      b, loc, isInside,
      [&](OpBuilder &b, Location loc) {
        Value x = tensor::ExtractOp::create(b, loc, tensor, position);
        scf::YieldOp::create(b, loc, x);
      },
      [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, zero); });
  return read.getResult(0);
}

Value sparse::extractOrZero(OpBuilder &b, Location loc, Value tensor, ArrayRef<Value> position,
                            unsigned axis) {
  IndexMath m{b, loc};
  Value isInside = m.cmp(arith::CmpIPredicate::slt, position[axis], m.dim(tensor, axis));
  return extractIf(b, loc, isInside, tensor, position, axis);
}

Value sparse::extractUsed(OpBuilder &b, Location loc, Value tensor, ArrayRef<Value> position,
                          unsigned axis) {
  IndexMath m{b, loc};
  Value isUsed = m.cmp(arith::CmpIPredicate::sge, position[axis], m.constant(0));
  return extractIf(b, loc, isUsed, tensor, position, axis);
}

Value sparse::comesBefore(OpBuilder &b, Location loc, Value key, Value index, Value otherKey,
                          Value otherIndex) {
  IndexMath m{b, loc};
  Value isLarger = m.cmp(arith::CmpIPredicate::ugt, key, otherKey);
  Value isTied = m.both(m.cmp(arith::CmpIPredicate::eq, key, otherKey),
                        m.cmp(arith::CmpIPredicate::slt, index, otherIndex));
  return arith::OrIOp::create(b, loc, isLarger, isTied);
}

/// Whether each element is one of the n largest of its group (i8), in extents that are
/// filled up to whole groups.
static Value isLargest(OpBuilder &b, Location loc, Value keys, int64_t n, int64_t m,
                       unsigned axis) {
  SmallVector<OpFoldResult> sizes = groupedExtents(b, loc, getExtents(b, loc, keys), axis, m, m);
  return generate(b, loc, sizes, b.getI8Type(), [&](OpBuilder &b, Location loc, ValueRange at) {
    IndexMath outer{b, loc};
    Value key = extractOrZero(b, loc, keys, SmallVector<Value>(at), axis);
    Value here = outer.rem(at[axis], outer.constant(m)), first = outer.sub(at[axis], here);
    auto rank = scf::ForOp::create(
        b, loc, outer.constant(0), outer.constant(m), outer.constant(1), outer.constant(0),
        [&](OpBuilder &b, Location loc, Value i, ValueRange before) {
          IndexMath x{b, loc};
          SmallVector<Value> position(at);
          position[axis] = x.add(first, i);
          Value other = extractOrZero(b, loc, keys, position, axis);
          Value isBefore = comesBefore(b, loc, other, i, key, here);
          scf::YieldOp::create(b, loc,
                               x.add(before[0], x.select(isBefore, x.constant(1), x.constant(0))));
        });
    Value kept = outer.cmp(arith::CmpIPredicate::slt, rank.getResult(0), outer.constant(n));
    return Value(arith::ExtUIOp::create(b, loc, b.getI8Type(), kept));
  });
}

Value sparse::largestInGroups(OpBuilder &b, Location loc, Value keys, int64_t n, int64_t m,
                              unsigned axis) {
  Value kept = isLargest(b, loc, keys, n, m, axis);
  SmallVector<OpFoldResult> sizes = groupedExtents(b, loc, getExtents(b, loc, keys), axis, n, m);
  return generate(b, loc, sizes, b.getI64Type(), [&](OpBuilder &b, Location loc, ValueRange at) {
    IndexMath outer{b, loc};
    Value count = outer.constant(n);
    Value wanted = outer.rem(at[axis], count);
    Value first = outer.mul(outer.div(at[axis], count), outer.constant(m));
    auto loop = scf::ForOp::create(
        b, loc, outer.constant(0), outer.constant(m), outer.constant(1),
        ValueRange{outer.constant(0), outer.constant(0)},
        [&](OpBuilder &b, Location loc, Value i, ValueRange state) {
          IndexMath x{b, loc};
          SmallVector<Value> position(at);
          position[axis] = x.add(first, i);
          Value flag = tensor::ExtractOp::create(b, loc, kept, position);
          Value zero = arith::ConstantIntOp::create(b, loc, 0, 8);
          Value isKept = x.cmp(arith::CmpIPredicate::ne, flag, zero);
          Value isWanted = x.both(isKept, x.cmp(arith::CmpIPredicate::eq, state[0], wanted));
          Value step = x.select(isKept, x.constant(1), x.constant(0));
          scf::YieldOp::create(b, loc,
                               ValueRange{x.add(state[0], step), x.select(isWanted, i, state[1])});
        });
    return Value(arith::IndexCastOp::create(b, loc, b.getI64Type(), loop.getResult(1)));
  });
}

Value sparse::largestPositions(OpBuilder &b, Location loc, Value keys, int64_t count) {
  // At least `count` keys in each row.
  SmallVector<OpFoldResult> sizes = getExtents(b, loc, keys);
  int64_t rank = sizes.size();
  unsigned last = rank - 1;
  Type keyType = cast<RankedTensorType>(keys.getType()).getElementType();
  auto extent = getConstantIntValue(sizes.back());
  if (!extent || *extent < count) {
    SmallVector<OpFoldResult> padded(sizes);
    padded.back() = extent ? OpFoldResult(b.getIndexAttr(count))
                           : OpFoldResult(arith::MaxSIOp::create(
                                 b, loc, getValueOrCreateConstantIndexOp(b, loc, sizes.back()),
                                 arith::ConstantIndexOp::create(b, loc, count)));
    Value short_ = keys;
    keys = generate(b, loc, padded, keyType, [&](OpBuilder &b, Location loc, ValueRange at) {
      return extractOrZero(b, loc, short_, SmallVector<Value>(at), last);
    });
  }
  sizes.back() = b.getIndexAttr(count);
  Type i64 = b.getI64Type();
  auto sort = [&](Value input, bool descending) {
    Type element = cast<RankedTensorType>(input.getType()).getElementType();
    Value values = tensor::EmptyOp::create(b, loc, sizes, element);
    Value indices = tensor::EmptyOp::create(b, loc, sizes, i64);
    return SortOp::create(b, loc, values.getType(), indices.getType(), input, values, indices,
                          b.getI64IntegerAttr(last), descending ? b.getUnitAttr() : UnitAttr(),
                          b.getUnitAttr());
  };
  SortOp largest = sort(keys, /*descending=*/true);
  // As an unsigned integer, -1 is behind all positions.
  Value used = generate(b, loc, sizes, i64, [&](OpBuilder &b, Location loc, ValueRange at) {
    IndexMath m{b, loc};
    Value key = tensor::ExtractOp::create(b, loc, largest.getValues(), at);
    Value position = tensor::ExtractOp::create(b, loc, largest.getIndices(), at);
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(keyType));
    return m.select(m.cmp(arith::CmpIPredicate::eq, key, zero),
                    arith::ConstantIntOp::create(b, loc, -1, 64), position);
  });
  return sort(used, /*descending=*/false).getValues();
}

//===----------------------------------------------------------------------===//
// Positions and codes
//===----------------------------------------------------------------------===//

Value sparse::extractIndex(OpBuilder &b, Location loc, Value tensor, ValueRange position) {
  return arith::IndexCastOp::create(b, loc, b.getIndexType(),
                                    tensor::ExtractOp::create(b, loc, tensor, position));
}

Value sparse::nonZeroPositions(OpBuilder &b, Location loc, Value tensor) {
  Value flat = flatten(b, loc, tensor);
  Type i64 = b.getI64Type();
  auto type = RankedTensorType::get({ShapedType::kDynamic}, i64);
  if (cast<RankedTensorType>(flat.getType()).getDimSize(0) == 0) {
    Value zero = arith::ConstantIndexOp::create(b, loc, 0);
    return tensor::EmptyOp::create(b, loc, type, zero);
  }
  SmallVector<OpFoldResult> sizes = {b.getIndexAttr(1), getExtents(b, loc, flat).front()};
  Value indices = tensor::EmptyOp::create(b, loc, sizes, i64);
  Value count = tensor::EmptyOp::create(b, loc, ArrayRef<OpFoldResult>(), i64);
  auto found = NonZeroOp::create(b, loc, indices.getType(), count.getType(), flat, indices, count);
  Value number = tensor::ExtractOp::create(b, loc, found.getCount(), ValueRange());
  Value length = arith::IndexCastOp::create(b, loc, b.getIndexType(), number);
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  return tensor::ExtractSliceOp::create(
      b, loc, type, found.getIndices(), ArrayRef<OpFoldResult>{zero, zero},
      ArrayRef<OpFoldResult>{one, OpFoldResult(length)}, ArrayRef<OpFoldResult>{one, one});
}

Value sparse::packCodes(OpBuilder &b, Location loc, Value codes, unsigned bits) {
  Type codeType = getCodeType(b.getContext(), bits);
  auto codeAt = [&](OpBuilder &b, Location loc, Value tensor, ValueRange at) -> Value {
    return arith::TruncIOp::create(b, loc, codeType, tensor::ExtractOp::create(b, loc, tensor, at));
  };
  if (!sharesBytes(bits))
    return generate(
        b, loc, getExtents(b, loc, codes), codeType,
        [&](OpBuilder &b, Location loc, ValueRange at) { return codeAt(b, loc, codes, at); });
  Value flat = flatten(b, loc, codes);
  OpFoldResult count = getExtents(b, loc, flat).front();
  AffineExpr n = b.getAffineSymbolExpr(0);
  OpFoldResult size =
      evaluateExtents(b, loc, AffineMap::get(0, 1, (n * bits).ceilDiv(8)), count).front();
  return writeStream(b, loc, size, bits, count, [&](OpBuilder &b, Location loc, Value at) {
    return codeAt(b, loc, flat, at);
  });
}
