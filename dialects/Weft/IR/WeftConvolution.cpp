//===- WeftConvolution.cpp - Convolutions as contractions -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

/// Whether a packed tensor can be seen as one of another shape: codes in row-major
/// order, and nothing beside them.
static bool isReshapable(PackedType type) {
  auto format = dyn_cast<LeafFormatAttr>(type.getFormat());
  return format && format.getScales().empty() && !format.getStructure() && !format.getPack() &&
         format.getElem().getNumbersPerCode() == 1 && type.getComponentTypes().size() == 1;
}

bool ConvOp::isContraction() {
  auto input = cast<RankedTensorType>(getInput().getType());
  ShapedType filter = getFilterType();
  if (getTransposed() || (hasPackedFilter() && !isReshapable(cast<PackedType>(filter))) ||
      ShapedType::isDynamicShape(filter.getShape().drop_front(2)))
    return false;
  // Splitting channels into groups needs their number.
  return getGroups() == 1 ||
         !(input.isDynamicDim(1) || filter.isDynamicDim(0) || filter.isDynamicDim(1));
}

//===----------------------------------------------------------------------===//
// Im2colOp
//===----------------------------------------------------------------------===//

LogicalResult Im2colOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType());
  auto result = cast<RankedTensorType>(getInit().getType());
  int64_t spatial = input.getRank() - 2;
  if (spatial < 1)
    return emitOpError("expects an input of rank >= 3, got ") << input.getRank();
  if (result.getRank() != 4)
    return emitOpError("expects an init of rank 4, got ") << result.getRank();
  auto count = static_cast<size_t>(spatial);
  if (getKernel().size() != count || getStrides().size() != count ||
      getDilations().size() != count || getPads().size() != 2 * count ||
      getExtents().size() != count)
    return emitOpError("expects ") << spatial << " kernel extents, strides, dilations and output "
                                   << "extents and " << 2 * spatial << " pads";
  int64_t window = 1;
  for (size_t i = 0; i < count; ++i) {
    if (getKernel()[i] < 0 || getStrides()[i] < 1 || getDilations()[i] < 1)
      return emitOpError("expects kernel extents that are not negative, and "
                         "positive strides and "
                         "dilations");
    if (__builtin_mul_overflow(window, getKernel()[i], &window))
      return emitOpError("has a kernel that is too large");
  }
  if (result.getElementType() != input.getElementType() || getResult().getType() != result)
    return emitOpError("input, init and result differ in type");
  auto differ = [](int64_t a, int64_t b) {
    return !ShapedType::isDynamic(a) && !ShapedType::isDynamic(b) && a != b;
  };
  if (differ(input.getDimSize(0), result.getDimSize(0)))
    return emitOpError("has input and init of different batch");
  int64_t channels = input.getDimSize(1), groups = result.getDimSize(1),
          rows = result.getDimSize(2);
  if (!ShapedType::isDynamic(channels) && !ShapedType::isDynamic(groups) &&
      !ShapedType::isDynamic(rows)) {
    int64_t total = 0, expected = 0;
    if (__builtin_mul_overflow(groups, rows, &total) ||
        __builtin_mul_overflow(channels, window, &expected) || total != expected)
      return emitOpError("has ") << channels << " channels and a kernel of " << window
                                 << " positions, but an init of " << groups << " x " << rows
                                 << " rows";
  }
  return success();
}

LogicalResult Im2colOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, getLoc(), getInit()));
  return success();
}

SmallVector<utils::IteratorType> Im2colOp::getLoopIteratorTypes() {
  return SmallVector<utils::IteratorType>(4, utils::IteratorType::parallel);
}

SmallVector<Range> Im2colOp::getIterationDomain(OpBuilder &b) {
  SmallVector<Range> ranges;
  for (OpFoldResult size : tensor::getMixedSizes(b, getLoc(), getInit()))
    ranges.push_back({b.getIndexAttr(0), size, b.getIndexAttr(1)});
  return ranges;
}

/// A tile keeps all rows: batch and groups select a part of the input, columns
/// move the offset.
FailureOr<TilingResult> Im2colOp::getTiledImplementation(OpBuilder &b,
                                                         ArrayRef<OpFoldResult> offsets,
                                                         ArrayRef<OpFoldResult> sizes) {
  Location loc = getLoc();
  if (!isConstantIntValue(offsets[2], 0))
    return failure();
  auto d = [&](unsigned i) { return getAffineDimExpr(i, getContext()); };
  // A tile takes whole groups of channels.
  std::optional<int64_t> channels =
      getConstantIntValue(tensor::getMixedSize(b, loc, getInput(), 1));
  std::optional<int64_t> groups = getConstantIntValue(tensor::getMixedSize(b, loc, getInit(), 1));
  if (groups != 1 && (!groups || !channels || *groups == 0))
    return failure();
  int64_t rank = cast<RankedTensorType>(getInput().getType()).getRank();
  SmallVector<OpFoldResult> from(rank, b.getIndexAttr(0)), extent(rank),
      step(rank, b.getIndexAttr(1));
  for (int64_t i = 0; i < rank; ++i)
    extent[i] = tensor::getMixedSize(b, loc, getInput(), i);
  from[0] = offsets[0];
  extent[0] = sizes[0];
  if (groups != 1) {
    AffineExpr perGroup = d(0) * (*channels / *groups);
    from[1] = affine::makeComposedFoldedAffineApply(b, loc, perGroup, {offsets[1]});
    extent[1] = affine::makeComposedFoldedAffineApply(b, loc, perGroup, {sizes[1]});
  }
  auto input = tensor::ExtractSliceOp::create(b, loc, getInput(), from, extent, step);
  SmallVector<OpFoldResult> ones(4, b.getIndexAttr(1));
  auto init = tensor::ExtractSliceOp::create(b, loc, getInit(), offsets, sizes, ones);
  OpFoldResult column = affine::makeComposedFoldedAffineApply(
      b, loc, d(0) + d(1), {OpFoldResult(getOffset()), offsets[3]});
  auto tile = Im2colOp::create(b, loc, init.getType(), input,
                               getValueOrCreateConstantIndexOp(b, loc, column), getExtents(), init,
                               getKernel(), getStrides(), getDilations(), getPads());
  return TilingResult{{tile}, {tile.getResult()}, {input, init}};
}

LogicalResult Im2colOp::getResultTilePosition(OpBuilder &, unsigned, ArrayRef<OpFoldResult> offsets,
                                              ArrayRef<OpFoldResult> sizes,
                                              SmallVector<OpFoldResult> &resultOffsets,
                                              SmallVector<OpFoldResult> &resultSizes) {
  resultOffsets.assign(offsets.begin(), offsets.end());
  resultSizes.assign(sizes.begin(), sizes.end());
  return success();
}

FailureOr<TilingResult> Im2colOp::generateResultTileValue(OpBuilder &b, unsigned,
                                                          ArrayRef<OpFoldResult> offsets,
                                                          ArrayRef<OpFoldResult> sizes) {
  return getTiledImplementation(b, offsets, sizes);
}
