//===- MoECombine.cpp - Adding up what experts gave -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

LogicalResult CombineOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, b, shapes);
}

LogicalResult CombineOp::verify() {
  if (failed(verifyResults(*this)))
    return failure();
  RankedTensorType values = typeOf(getValues()), positions = typeOf(getPositions()),
                   result = typeOf(getResult());
  if (values.getRank() != 2 || !isa<FloatType>(values.getElementType()))
    return emitOpError("expects values of rank 2 of floats, got ") << values;
  if (positions.getRank() != 2 || !positions.getElementType().isInteger(32))
    return emitOpError("expects positions of rank 2 of i32, got ") << positions;
  if (result.getRank() != 2 || !isa<FloatType>(result.getElementType()) ||
      !compatible(result.getDimSize(0), positions.getDimSize(0)) ||
      !compatible(result.getDimSize(1), values.getDimSize(1)))
    return emitOpError("expects an init of ")
           << show(positions.getDimSize(0)) << " x " << show(values.getDimSize(1))
           << " floats, got " << result;
  if (Value weights = getWeights())
    if (RankedTensorType type = typeOf(weights);
        !isa<FloatType>(type.getElementType()) ||
        failed(verifyCompatibleShape(type.getShape(), positions.getShape())))
      return emitOpError("expects weights of floats of the shape of the positions, got ") << type;
  return success();
}

FailureOr<SmallVector<Value>> CombineOp::lowerToReference(OpBuilder &b) {
  ReferenceBuilder m(b, getLoc());
  RankedTensorType type = typeOf(getResult());
  if (llvm::is_contained(type.getShape(), 0) || typeOf(getValues()).getDimSize(0) == 0)
    return SmallVector<Value>{getInit()};
  FloatType sumType = type.getElementType().isF64() ? cast<FloatType>(b.getF64Type())
                                                    : cast<FloatType>(b.getF32Type());
  Value extent = m.dim(getValues(), 0), slots = m.dim(getPositions(), 1);
  return m.parallel(
      m.size(getInit(), 0), getInit(),
      [&](ValueRange at) {
        return SmallVector<ReferenceBuilder::Slice>{m.rowOf(getInit(), at[0])};
      },
      [&](ValueRange at, ValueRange parts) {
        bool isWide = type.getElementType() == sumType;
        Value sum = parts[0];
        auto convert = [&](Value from, Value into) {
          Type element = typeOf(into).getElementType();
          return m.map(from, into, [&](OpBuilder &b, Location loc, ValueRange args) {
            return ReferenceBuilder(b, loc).convert(args[0], element);
          });
        };
        if (!isWide)
          sum = convert(sum, m.empty(m.size(getInit(), 1), sumType));
        sum = m.loop(m.constant(0), slots, sum, [&](Value j, ValueRange carried) {
          Value position = m.toIndex(m.read(getPositions(), {at[0], j}));
          return m.branch(
              m.within(position, extent),
              [&] {
                Value row = m.extract(getValues(), m.rowOf(getValues(), position));
                Value weight =
                    getWeights() ? m.convert(m.read(getWeights(), {at[0], j}), sumType) : Value();
                return SmallVector<Value>{
                    m.map(row, carried[0], [&](OpBuilder &b, Location loc, ValueRange args) {
                      Value x = ReferenceBuilder(b, loc).convert(args[0], sumType);
                      if (weight)
                        x = arith::MulFOp::create(b, loc, weight, x);
                      return Value(arith::AddFOp::create(b, loc, args[1], x));
                    })};
              },
              [&] { return SmallVector<Value>(carried); });
        })[0];
        return SmallVector<Value>{isWide ? sum : convert(sum, parts[0])};
      });
}

//===----------------------------------------------------------------------===//
// Tiling: over tokens and columns
//===----------------------------------------------------------------------===//

SmallVector<utils::IteratorType> CombineOp::getLoopIteratorTypes() {
  return {utils::IteratorType::parallel, utils::IteratorType::parallel};
}

SmallVector<Range> CombineOp::getIterationDomain(OpBuilder &b) {
  SmallVector<Range> ranges;
  for (OpFoldResult size : tensor::getMixedSizes(b, getLoc(), getInit()))
    ranges.push_back({b.getIndexAttr(0), size, b.getIndexAttr(1)});
  return ranges;
}

FailureOr<TilingResult> CombineOp::getTiledImplementation(OpBuilder &b,
                                                          ArrayRef<OpFoldResult> offsets,
                                                          ArrayRef<OpFoldResult> sizes) {
  ReferenceBuilder m(b, getLoc());
  SmallVector<OpFoldResult> ones(2, b.getIndexAttr(1));
  SmallVector<Operation *> slices;
  auto cut = [&](Value whole, bool rows, bool columns) -> Value {
    SmallVector<OpFoldResult> from{b.getIndexAttr(0), b.getIndexAttr(0)},
        extents = tensor::getMixedSizes(b, getLoc(), whole);
    for (auto [i, isCut] : llvm::enumerate(ArrayRef<bool>{rows, columns}))
      if (isCut) {
        from[i] = offsets[i];
        extents[i] = sizes[i];
      }
    auto slice = tensor::ExtractSliceOp::create(b, getLoc(), whole, from, extents, ones);
    slices.push_back(slice);
    return slice;
  };
  Value values = cut(getValues(), false, true), positions = cut(getPositions(), true, false);
  Value weights = getWeights() ? cut(getWeights(), true, false) : Value();
  Value init = cut(getInit(), true, true);
  auto tile = CombineOp::create(b, getLoc(), init.getType(), values, positions, weights, init);
  return TilingResult{{tile}, {tile.getResult()}, slices};
}

LogicalResult CombineOp::getResultTilePosition(OpBuilder &, unsigned,
                                               ArrayRef<OpFoldResult> offsets,
                                               ArrayRef<OpFoldResult> sizes,
                                               SmallVector<OpFoldResult> &resultOffsets,
                                               SmallVector<OpFoldResult> &resultSizes) {
  resultOffsets.assign(offsets.begin(), offsets.end());
  resultSizes.assign(sizes.begin(), sizes.end());
  return success();
}

FailureOr<TilingResult> CombineOp::generateResultTileValue(OpBuilder &b, unsigned,
                                                           ArrayRef<OpFoldResult> offsets,
                                                           ArrayRef<OpFoldResult> sizes) {
  return getTiledImplementation(b, offsets, sizes);
}
