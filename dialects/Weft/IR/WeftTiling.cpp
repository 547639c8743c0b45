//===- WeftTiling.cpp - Loops of tensor operations ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/IndexMath.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

static int64_t rankOf(Value value) { return cast<ShapedType>(value.getType()).getRank(); }

/// Loops `first` to `first + count - 1`, one a dimension.
static SmallVector<LoopDim> loopDims(int64_t first, int64_t count) {
  return llvm::to_vector_of<LoopDim>(llvm::seq<int64_t>(first, first + count));
}

/// `count` dimensions that follow no loop, then `rest`.
static SmallVector<LoopDim> afterWhole(int64_t count, ArrayRef<LoopDim> rest) {
  SmallVector<LoopDim> dims(count);
  llvm::append_range(dims, rest);
  return dims;
}

//===----------------------------------------------------------------------===//
// Moving rows, and scans
//===----------------------------------------------------------------------===//

TilingLoops GatherOp::getTilingLoops() {
  int64_t rank = rankOf(getInit()), rows = rankOf(getIndices()) - 1,
          batch = static_cast<int64_t>(getBatchDims());
  TilingLoops loops(*this, rank);
  SmallVector<LoopDim> data = loopDims(0, batch), indices = loopDims(0, rows);
  data.append(rankOf(getData()) - batch - (rank - rows), LoopDim());
  llvm::append_range(data, loopDims(rows, rank - rows));
  indices.push_back(LoopDim());
  return loops.cut(getInitMutable(), loopDims(0, rank))
      .cut(getDataMutable(), data)
      .cut(getIndicesMutable(), indices);
}

TilingLoops EmbedOp::getTilingLoops() {
  int64_t rank = rankOf(getInit()), rows = rankOf(getIds());
  TilingLoops loops(*this, rank);
  return loops.cut(getInitMutable(), loopDims(0, rank))
      .cut(getIdsMutable(), loopDims(0, rows))
      .cut(getTableMutable(), afterWhole(1, loopDims(rows, rank - rows)));
}

TilingLoops ScatterOp::getTilingLoops() {
  int64_t rows = rankOf(getIndices()) - 1, count = rankOf(getUpdates()) - rows;
  TilingLoops loops(*this, count);
  return loops.cut(getInitMutable(), afterWhole(rankOf(getInit()) - count, loopDims(0, count)))
      .cut(getUpdatesMutable(), afterWhole(rows, loopDims(0, count)));
}

TilingLoops ScanOp::getTilingLoops() {
  int64_t rank = rankOf(getInit()), along = static_cast<int64_t>(getDimension());
  TilingLoops loops(*this, rank - 1);
  SmallVector<LoopDim> dims = loopDims(0, rank - 1);
  dims.insert(dims.begin() + along, LoopDim());
  return loops.cut(getInitMutable(), dims).cut(getInputMutable(), dims);
}

//===----------------------------------------------------------------------===//
// Convolution
//===----------------------------------------------------------------------===//

TilingLoops ConvOp::getTilingLoops() {
  int64_t rank = rankOf(getInit()), count = getTransposed() ? 2 : rank;
  TilingLoops loops(*this, count);
  SmallVector<LoopDim> result = loopDims(0, count);
  result.resize(rank);
  SmallVector<LoopDim> filter(rank);
  filter[getTransposed() ? 1 : 0] = LoopDim(1);
  SmallVector<LoopDim> input(rank);
  input[0] = LoopDim(0);
  return loops.cut(getInitMutable(), result)
      .cut(getInputMutable(), input)
      .cut(getFilterMutable(), filter);
}

namespace {
/// One tile of a convolution.
class ConvolutionTile {
public:
  ConvolutionTile(ConvOp conv, OpBuilder &b, ArrayRef<OpFoldResult> offsets,
                  ArrayRef<OpFoldResult> sizes)
      : conv(conv), b(b), loc(conv.getLoc()), offsets(offsets), sizes(sizes),
        loops(conv.getTilingLoops()), groups(conv.getGroups()), pads(conv.getPads()) {}

  FailureOr<TilingResult> build();

private:
  using Slice = std::pair<SmallVector<OpFoldResult>, SmallVector<OpFoldResult>>;
  /// All of a tensor or of what is packed, whose extents are static.
  Slice whole(Value value);
  LogicalResult cutOutputs(Slice &input, Slice &filter);
  void cutWindows(int64_t i, Slice &input);
  Value take(Value value, const Slice &slice);
  OpFoldResult apply(AffineExpr expr, ArrayRef<OpFoldResult> operands) {
    return affine::makeComposedFoldedAffineApply(b, loc, expr, operands);
  }

  ConvOp conv;
  OpBuilder &b;
  Location loc;
  ArrayRef<OpFoldResult> offsets, sizes;
  TilingLoops loops;
  int64_t groups;
  SmallVector<int64_t> pads;
  /// What is missing of windows at the ends of the input, if there can be anything.
  SmallVector<OpFoldResult> before, after;
  bool isPadded = false;
  SmallVector<Operation *> built;
};
} // namespace

ConvolutionTile::Slice ConvolutionTile::whole(Value value) {
  auto type = cast<ShapedType>(value.getType());
  SmallVector<OpFoldResult> extents = isa<RankedTensorType>(type)
                                          ? tensor::getMixedSizes(b, loc, value)
                                          : getAsIndexOpFoldResult(b.getContext(), type.getShape());
  return {SmallVector<OpFoldResult>(extents.size(), b.getIndexAttr(0)), extents};
}

/// The channels and filters of the tile's outputs, which have to be of one group or to be
/// whole groups, whose number is static.
LogicalResult ConvolutionTile::cutOutputs(Slice &input, Slice &filter) {
  OpFoldResult first = offsets[1], count = sizes[1];
  if (loops.isWhole(1, first, count))
    return success();
  int64_t outputs = conv.getTransposed() ? 1 : 0;
  if (groups == 1) {
    filter.first[outputs] = first;
    filter.second[outputs] = count;
    return success();
  }
  auto type = cast<RankedTensorType>(conv.getInit().getType());
  std::optional<int64_t> number = getConstantIntValue(count);
  if (!number || type.isDynamicDim(1))
    return failure();
  int64_t perGroup = type.getDimSize(1) / groups;
  if (*number != 1 && perGroup != 1)
    return failure();
  AffineExpr d0 = b.getAffineDimExpr(0), s0 = b.getAffineSymbolExpr(0);
  OpFoldResult group = apply(d0.floorDiv(perGroup), first);
  // A group has as many channels of the input.
  OpFoldResult channels = apply(s0.floorDiv(groups), input.second[1]);
  Value firstChannel = IndexMath{b, loc}.mul(getValueOrCreateConstantIndexOp(b, loc, group),
                                             getValueOrCreateConstantIndexOp(b, loc, channels));
  input.first[1] = getAsOpFoldResult(firstChannel);
  input.second[1] = apply(s0 * *number, channels);
  if (conv.getTransposed()) {
    filter.first[0] = input.first[1];
    filter.second[0] = input.second[1];
    filter.first[1] = apply(d0 % perGroup, first);
    filter.second[1] = b.getIndexAttr(1);
  } else {
    filter.first[0] = first;
    filter.second[0] = count;
  }
  groups = *number;
  return success();
}

/// The part of spatial dimension `i` that the windows of the tile see.
void ConvolutionTile::cutWindows(int64_t i, Slice &input) {
  int64_t spatial = static_cast<int64_t>(pads.size()) / 2;
  OpFoldResult first = offsets[2 + i], count = sizes[2 + i];
  if (loops.isWhole(2 + i, first, count))
    return;
  int64_t stride = conv.getStrides()[i], dilation = conv.getDilations()[i];
  OpFoldResult kernel = whole(conv.getFilter()).second[2 + i], extent = input.second[2 + i];
  AffineExpr d0 = b.getAffineDimExpr(0), d1 = b.getAffineDimExpr(1), d2 = b.getAffineDimExpr(2),
             s0 = b.getAffineSymbolExpr(0);
  OpFoldResult begin = apply(d0 * stride - pads[i], first);
  AffineExpr length = (d0 - 1) * stride + (s0 - 1) * dilation + 1;
  bool staysInside = pads[i] <= 0 && pads[spatial + i] <= 0;
  if (std::optional<int64_t> k = getConstantIntValue(kernel); staysInside && k && *k > 0) {
    input.first[2 + i] = begin;
    input.second[2 + i] = apply(length, {count, kernel});
  } else {
    auto limit = [&](bool isMax, ArrayRef<AffineExpr> exprs, ArrayRef<OpFoldResult> operands,
                     unsigned dims, unsigned symbols) {
      AffineMap map = AffineMap::get(dims, symbols, exprs, b.getContext());
      return isMax ? affine::makeComposedFoldedAffineMax(b, loc, map, operands)
                   : affine::makeComposedFoldedAffineMin(b, loc, map, operands);
    };
    AffineExpr zero = b.getAffineConstantExpr(0);
    OpFoldResult total = limit(true, {length, zero}, {count, kernel}, 1, 1);
    // [from, to) is what the input has of [begin, begin + total).
    OpFoldResult from =
        limit(false, {d0, s0}, {limit(true, {d0, zero}, begin, 1, 0), extent}, 1, 1);
    OpFoldResult to = limit(
        true, {d0, d1}, {limit(false, {d0 + d1, s0}, {begin, total, extent}, 2, 1), from}, 2, 0);
    OpFoldResult low = limit(false, {d0, d1}, {limit(true, {-d0, zero}, begin, 1, 0), total}, 2, 0);
    input.first[2 + i] = from;
    input.second[2 + i] = apply(d0 - d1, {to, from});
    before[2 + i] = low;
    after[2 + i] = apply(d0 - d1 - d2, {total, low, input.second[2 + i]});
    isPadded = true;
  }
  pads[i] = pads[spatial + i] = 0;
}

Value ConvolutionTile::take(Value value, const Slice &slice) {
  SmallVector<OpFoldResult> ones(slice.first.size(), b.getIndexAttr(1));
  auto tile = tensor::ExtractSliceOp::create(b, loc, value, slice.first, slice.second, ones);
  built.push_back(tile);
  return tile;
}

FailureOr<TilingResult> ConvolutionTile::build() {
  Slice input = whole(conv.getInput()), filter = whole(conv.getFilter());
  int64_t rank = rankOf(conv.getInput());
  before.assign(rank, b.getIndexAttr(0));
  after.assign(rank, b.getIndexAttr(0));
  input.first[0] = offsets[0];
  input.second[0] = sizes[0];
  if (failed(cutOutputs(input, filter)))
    return failure();
  for (int64_t i = 0; !conv.getTransposed() && i < rank - 2; ++i)
    cutWindows(i, input);
  Value image = take(conv.getInput(), input), weights = conv.getFilter();
  if (isPadded) {
    Type element = getElementTypeOrSelf(image.getType());
    Value zero = arith::ConstantOp::create(b, loc, cast<TypedAttr>(b.getZeroAttr(element)));
    image = tensor::PadOp::create(b, loc, Type(), image, before, after, zero);
  }
  if (!conv.hasPackedFilter()) {
    weights = take(weights, filter);
  } else if (!loops.isWhole(1, offsets[1], sizes[1])) {
    auto type = cast<PackedType>(weights.getType());
    Value empty = tensor::EmptyOp::create(b, loc, filter.second, type.getElementType());
    weights = type.getFormat().decodeTile(b, loc, type, takeApart(b, loc, weights),
                                          whole(weights).second, filter.first, empty);
  }
  FailureOr<Value> init = loops.cutOperand(b, conv.getInitMutable(), offsets, sizes, built);
  if (failed(init))
    return failure();
  Operation *tile = mlir::clone(b, conv, init->getType(), {image, weights, *init});
  auto tiled = cast<ConvOp>(tile);
  tiled.setPads(pads);
  tiled.setGroups(groups);
  return TilingResult{{tile}, {tiled.getResult()}, built};
}

FailureOr<TilingResult> ConvOp::getTiledImplementation(OpBuilder &b, ArrayRef<OpFoldResult> offsets,
                                                       ArrayRef<OpFoldResult> sizes) {
  return ConvolutionTile(*this, b, offsets, sizes).build();
}
