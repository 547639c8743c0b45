//===- Tiling.cpp - Tiles of operations by their loops --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Tiling.h"
#include "dialects/Weft/IR/IndexMath.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// What follows which loop
//===----------------------------------------------------------------------===//

TilingLoops::TilingLoops(Operation *op, unsigned count)
    : op(op), iterators(count, utils::IteratorType::parallel), operands(op->getNumOperands()),
      results(op->getNumResults()) {}

TilingLoops::TilingLoops(Operation *op, StringRef names) : TilingLoops(op, names.size()) {
  for (auto [i, letter] : llvm::enumerate(names))
    letters.push_back({letter, LoopDim(i)});
}

LoopDim TilingLoops::find(char letter) const {
  for (auto [name, dim] : letters)
    if (name == letter)
      return dim;
  if (!llvm::isLower(letter))
    return LoopDim();
  LoopDim dim = find(llvm::toUpper(letter));
  return LoopDim(dim.loop, dim.factor, dim.loop != LoopDim::kNone);
}

TilingLoops &TilingLoops::scale(char letter, char of, int64_t factor) {
  if (int64_t loop = find(of).loop; loop != LoopDim::kNone)
    letters.push_back({letter, LoopDim(loop, factor)});
  return *this;
}

TilingLoops &TilingLoops::cut(MutableOperandRange range, StringRef names) {
  return cut(range, llvm::map_to_vector(names, [&](char letter) { return find(letter); }));
}

TilingLoops &TilingLoops::cut(MutableOperandRange range, ArrayRef<LoopDim> dims) {
  for (OpOperand &operand : range)
    operands[operand.getOperandNumber()].assign(dims.begin(), dims.end());
  return *this;
}

TilingLoops &TilingLoops::give(unsigned result, ArrayRef<LoopDim> dims) {
  results[result].assign(dims.begin(), dims.end());
  return *this;
}

TilingLoops &TilingLoops::reduce(unsigned loop) {
  iterators[loop] = utils::IteratorType::reduction;
  return *this;
}

TilingLoops &TilingLoops::decode() {
  decodes = true;
  return *this;
}

const TilingLoops::Dims &TilingLoops::dimsOfResult(unsigned result) const {
  auto destinations = dyn_cast<DestinationStyleOpInterface>(op);
  return destinations ? operands[destinations.getDpsInitOperand(result)->getOperandNumber()]
                      : results[result];
}

/// The operand or result whose extents are those of a result.
static Value shapeOfResult(Operation *op, unsigned result) {
  auto destinations = dyn_cast<DestinationStyleOpInterface>(op);
  return destinations ? destinations.getDpsInitOperand(result)->get() : op->getResult(result);
}

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

/// Destinations come first: nothing is broadcast there.
SmallVector<TilingLoops::Follower> TilingLoops::getFollowers(unsigned loop) const {
  SmallVector<Follower> followers;
  auto add = [&](Value value, const Dims &dims) {
    for (auto [i, dim] : llvm::enumerate(dims))
      if (dim.loop == loop && !dim.isGrouped)
        followers.push_back({value, static_cast<int64_t>(i), dim.factor});
  };
  auto destinations = dyn_cast<DestinationStyleOpInterface>(op);
  auto addAll = [&](bool inits) {
    for (OpOperand &operand : op->getOpOperands())
      if ((destinations && destinations.isDpsInit(&operand)) == inits)
        add(operand.get(), operands[operand.getOperandNumber()]);
  };
  addAll(true);
  addAll(false);
  // A scaled dimension has to be divided.
  llvm::stable_sort(followers, [](const Follower &x, const Follower &y) {
    return (x.factor == 1) > (y.factor == 1);
  });
  return followers;
}

int64_t TilingLoops::getStaticExtent(unsigned loop) const {
  SmallVector<Follower> followers = getFollowers(loop);
  auto extentOf = [](const Follower &x) {
    int64_t extent = cast<ShapedType>(x.value.getType()).getDimSize(x.dim);
    return ShapedType::isDynamic(extent) ? extent : llvm::divideCeil(extent, x.factor);
  };
  auto destinations = dyn_cast<DestinationStyleOpInterface>(op);
  auto isInit = [&](const Follower &x) {
    return destinations && llvm::is_contained(destinations.getDpsInits(), x.value);
  };
  for (const Follower &x : followers)
    if (int64_t extent = extentOf(x); !ShapedType::isDynamic(extent) && (isInit(x) || extent != 1))
      return extent;
  bool isOne = llvm::all_of(followers, [&](const Follower &x) { return extentOf(x) == 1; });
  return isOne ? 1 : ShapedType::kDynamic;
}

OpFoldResult TilingLoops::getExtent(OpBuilder &b, unsigned loop) const {
  if (int64_t extent = getStaticExtent(loop); !ShapedType::isDynamic(extent))
    return b.getIndexAttr(extent);
  for (const Follower &x : getFollowers(loop)) {
    auto type = dyn_cast<RankedTensorType>(x.value.getType());
    if (!type || !type.isDynamicDim(x.dim))
      continue;
    OpFoldResult extent = tensor::getMixedSize(b, op->getLoc(), x.value, x.dim);
    if (x.factor == 1)
      return extent;
    return affine::makeComposedFoldedAffineApply(
        b, op->getLoc(), b.getAffineSymbolExpr(0).ceilDiv(x.factor), extent);
  }
  llvm_unreachable("a tensor has the extent of each loop");
}

SmallVector<Range> TilingLoops::getDomain(OpBuilder &b) const {
  return llvm::map_to_vector(llvm::seq(getCount()), [&](unsigned loop) {
    return Range{b.getIndexAttr(0), getExtent(b, loop), b.getIndexAttr(1)};
  });
}

/// Whether `size` was built as the extent of `x`, divided by `factor`.
static bool isQuotient(Value size, Value x, int64_t dim, int64_t factor) {
  if (!isa<RankedTensorType>(x.getType()))
    return false;
  if (factor == 1)
    return isExtentOf(size, x, dim);
  auto apply = size.getDefiningOp<affine::AffineApplyOp>();
  if (!apply || apply.getNumOperands() != 1)
    return false;
  MLIRContext *context = size.getContext();
  AffineExpr expr = apply.getAffineMap().getResult(0);
  return (expr == getAffineSymbolExpr(0, context).ceilDiv(factor) ||
          expr == getAffineDimExpr(0, context).ceilDiv(factor)) &&
         isExtentOf(apply.getOperand(0), x, dim);
}

bool TilingLoops::isWhole(unsigned loop, OpFoldResult offset, OpFoldResult size) const {
  if (!isConstantIntValue(offset, 0))
    return false;
  if (int64_t extent = getStaticExtent(loop); !ShapedType::isDynamic(extent))
    return isConstantIntValue(size, extent);
  auto value = dyn_cast<Value>(size);
  if (!value)
    return false;
  if (llvm::any_of(getFollowers(loop),
                   [&](const Follower &x) { return isQuotient(value, x.value, x.dim, x.factor); }))
    return true;
  for (OpResult result : op->getResults())
    for (auto [i, dim] : llvm::enumerate(dimsOfResult(result.getResultNumber())))
      if (dim.loop == loop && isQuotient(value, result, i, dim.factor))
        return true;
  return false;
}

bool TilingLoops::isWholeDim(Value value, int64_t dim, OpFoldResult offset,
                             OpFoldResult size) const {
  return isConstantIntValue(offset, 0) && isExtentOf(size, value, dim);
}

/// Null if nothing has the extent.
OpFoldResult TilingLoops::extentOf(OpBuilder &b, Value value, int64_t dim, LoopDim follows) const {
  auto type = cast<ShapedType>(value.getType());
  if (!type.isDynamicDim(dim))
    return b.getIndexAttr(type.getDimSize(dim));
  if (isa<PackedType>(type))
    return follows.loop != LoopDim::kNone && follows.factor == 1 && !follows.isGrouped
               ? getExtent(b, follows.loop)
               : OpFoldResult();
  if (value.getDefiningOp() != op)
    return tensor::getMixedSize(b, op->getLoc(), value, dim);
  ReifiedRankedShapedTypeDims shapes;
  if (failed(reifyResultShapes(b, op, shapes)))
    return {};
  return shapes[cast<OpResult>(value).getResultNumber()][dim];
}

//===----------------------------------------------------------------------===//
// Slices
//===----------------------------------------------------------------------===//

/// The position that a tile of one position of a loop has among those that group them.
static OpFoldResult getGroup(OpBuilder &b, Location loc, OpFoldResult offset, OpFoldResult groups,
                             OpFoldResult extent) {
  std::optional<int64_t> count = getConstantIntValue(groups), of = getConstantIntValue(extent);
  if (count && of && *count > 0 && *of % *count == 0 && *of > 0)
    return affine::makeComposedFoldedAffineApply(
        b, loc, b.getAffineDimExpr(0).floorDiv(*of / *count), offset);
  IndexMath m{b, loc};
  Value one = m.constant(1);
  Value members = m.max(m.div(m.value(extent), m.max(m.value(groups), one)), one);
  return m.div(m.value(offset), members);
}

/// Whether a dimension that groups a loop may have fewer positions.
bool TilingLoops::isShared(Value value, int64_t dim, unsigned loop) const {
  int64_t extent = cast<ShapedType>(value.getType()).getDimSize(dim);
  return ShapedType::isDynamic(extent) || extent != getStaticExtent(loop);
}

/// The slice of `value` that a tile of loops takes.
LogicalResult TilingLoops::cutDims(OpBuilder &b, Value value, ArrayRef<LoopDim> dims,
                                   ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes,
                                   SmallVectorImpl<OpFoldResult> &from,
                                   SmallVectorImpl<OpFoldResult> &extents) const {
  Location loc = op->getLoc();
  auto type = cast<ShapedType>(value.getType());
  if (static_cast<int64_t>(dims.size()) != type.getRank())
    return failure();
  for (auto [i, dim] : llvm::enumerate(dims)) {
    bool follows = dim.loop != LoopDim::kNone && type.getDimSize(i) != 1;
    if (follows && dim.factor == 1 && !(dim.isGrouped && isShared(value, i, dim.loop))) {
      from.push_back(offsets[dim.loop]);
      extents.push_back(sizes[dim.loop]);
      continue;
    }
    OpFoldResult extent = extentOf(b, value, i, dim);
    if (!extent)
      return failure();
    from.push_back(b.getIndexAttr(0));
    extents.push_back(extent);
    if (!follows || isWhole(dim.loop, offsets[dim.loop], sizes[dim.loop]))
      continue;
    OpFoldResult offset = offsets[dim.loop], size = sizes[dim.loop];
    if (dim.isGrouped) {
      if (!isConstantIntValue(size, 1))
        return failure();
      from.back() = getGroup(b, loc, offset, extent, getExtent(b, dim.loop));
      extents.back() = size;
      continue;
    }
    AffineExpr d0 = b.getAffineDimExpr(0), d1 = b.getAffineDimExpr(1),
               s0 = b.getAffineSymbolExpr(0);
    from.back() = affine::makeComposedFoldedAffineApply(b, loc, d0 * dim.factor, offset);
    std::optional<int64_t> length = getConstantIntValue(extent);
    bool isExact = length && *length % dim.factor == 0;
    extents.back() =
        isExact ? affine::makeComposedFoldedAffineApply(b, loc, d0 * dim.factor, size)
                : affine::makeComposedFoldedAffineMin(
                      b, loc, AffineMap::get(2, 1, {d0 * dim.factor, s0 - d1}, b.getContext()),
                      {size, from.back(), extent});
  }
  return success();
}

/// Whether a tile has not all of an operand.
bool TilingLoops::cuts(OpOperand &operand, ArrayRef<OpFoldResult> offsets,
                       ArrayRef<OpFoldResult> sizes) const {
  return llvm::any_of(operands[operand.getOperandNumber()], [&](const LoopDim &dim) {
    return dim.loop != LoopDim::kNone && !isWhole(dim.loop, offsets[dim.loop], sizes[dim.loop]);
  });
}

FailureOr<Value> TilingLoops::decodeOperand(OpBuilder &b, OpOperand &operand,
                                            ArrayRef<OpFoldResult> offsets,
                                            ArrayRef<OpFoldResult> sizes) const {
  auto type = cast<PackedType>(operand.get().getType());
  ArrayRef<LoopDim> dims = operands[operand.getOperandNumber()];
  SmallVector<OpFoldResult> from, extents, whole;
  if (failed(cutDims(b, operand.get(), dims, offsets, sizes, from, extents)))
    return failure();
  for (auto [i, dim] : llvm::enumerate(dims))
    whole.push_back(extentOf(b, operand.get(), i, dim));
  Value empty = tensor::EmptyOp::create(b, op->getLoc(), extents, type.getElementType());
  return type.getFormat().decodeTile(b, op->getLoc(), type,
                                     takeApart(b, op->getLoc(), operand.get()), whole, from, empty);
}

FailureOr<Value> TilingLoops::cutOperand(OpBuilder &b, OpOperand &operand,
                                         ArrayRef<OpFoldResult> offsets,
                                         ArrayRef<OpFoldResult> sizes,
                                         SmallVectorImpl<Operation *> &built) const {
  ArrayRef<LoopDim> dims = operands[operand.getOperandNumber()];
  if (llvm::all_of(dims, [](const LoopDim &dim) { return dim.loop == LoopDim::kNone; }))
    return operand.get();
  SmallVector<OpFoldResult> from, extents;
  if (failed(cutDims(b, operand.get(), dims, offsets, sizes, from, extents)))
    return failure();
  SmallVector<OpFoldResult> ones(from.size(), b.getIndexAttr(1));
  auto slice = tensor::ExtractSliceOp::create(b, op->getLoc(), operand.get(), from, extents, ones);
  built.push_back(slice);
  return slice.getResult();
}

FailureOr<SmallVector<Value>> TilingLoops::cutOperands(OpBuilder &b, ArrayRef<OpFoldResult> offsets,
                                                       ArrayRef<OpFoldResult> sizes,
                                                       SmallVectorImpl<Operation *> &built) const {
  bool decodesAll = false;
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<PackedType>(operand.get().getType());
    if (!type || !cuts(operand, offsets, sizes))
      continue;
    if (!decodes)
      return failure();
    // Numbers that are decoded stay in their basis, which no type says then: that of the
    // other operands must not either.
    decodesAll |= llvm::any_of(llvm::seq<unsigned>(type.getRank()),
                               [&](unsigned i) { return bool(type.getFormat().getBasis(i)); });
  }
  SmallVector<Value> slices;
  for (OpOperand &operand : op->getOpOperands()) {
    FailureOr<Value> slice = operand.get();
    if (!isa<PackedType>(operand.get().getType()))
      slice = cutOperand(b, operand, offsets, sizes, built);
    else if (decodesAll || cuts(operand, offsets, sizes))
      slice = decodeOperand(b, operand, offsets, sizes);
    if (failed(slice))
      return failure();
    slices.push_back(*slice);
  }
  return slices;
}

//===----------------------------------------------------------------------===//
// TilingInterface
//===----------------------------------------------------------------------===//

FailureOr<TilingResult> TilingLoops::tile(OpBuilder &b, ArrayRef<OpFoldResult> offsets,
                                          ArrayRef<OpFoldResult> sizes) const {
  SmallVector<Operation *> built;
  FailureOr<SmallVector<Value>> slices = cutOperands(b, offsets, sizes, built);
  if (failed(slices))
    return failure();
  SmallVector<Type> types;
  auto destinations = dyn_cast<DestinationStyleOpInterface>(op);
  for (OpResult result : op->getResults()) {
    unsigned number = result.getResultNumber();
    if (destinations) {
      types.push_back(
          (*slices)[destinations.getDpsInitOperand(number)->getOperandNumber()].getType());
      continue;
    }
    SmallVector<OpFoldResult> from, extents;
    if (failed(getResultTile(b, number, offsets, sizes, from, extents)))
      return failure();
    SmallVector<int64_t> shape;
    SmallVector<Value> dynamic;
    dispatchIndexOpFoldResults(extents, dynamic, shape);
    types.push_back(
        RankedTensorType::get(shape, cast<RankedTensorType>(result.getType()).getElementType()));
  }
  Operation *tile = mlir::clone(b, op, types, *slices);
  return TilingResult{{tile}, SmallVector<Value>(tile->getResults()), built};
}

LogicalResult TilingLoops::getResultTile(OpBuilder &b, unsigned result,
                                         ArrayRef<OpFoldResult> offsets,
                                         ArrayRef<OpFoldResult> sizes,
                                         SmallVectorImpl<OpFoldResult> &resultOffsets,
                                         SmallVectorImpl<OpFoldResult> &resultSizes) const {
  resultOffsets.clear();
  resultSizes.clear();
  return cutDims(b, shapeOfResult(op, result), dimsOfResult(result), offsets, sizes, resultOffsets,
                 resultSizes);
}

LogicalResult TilingLoops::getTileOfResult(OpBuilder &b, unsigned result,
                                           ArrayRef<OpFoldResult> resultOffsets,
                                           ArrayRef<OpFoldResult> resultSizes,
                                           SmallVectorImpl<OpFoldResult> &offsets,
                                           SmallVectorImpl<OpFoldResult> &sizes) const {
  SmallVector<Range> domain = getDomain(b);
  offsets.clear();
  sizes.clear();
  for (const Range &range : domain) {
    offsets.push_back(range.offset);
    sizes.push_back(range.size);
  }
  Value shape = shapeOfResult(op, result), own = op->getResult(result);
  for (auto [i, dim] : llvm::enumerate(dimsOfResult(result))) {
    OpFoldResult offset = resultOffsets[i], size = resultSizes[i];
    if (dim.loop != LoopDim::kNone && dim.factor == 1) {
      offsets[dim.loop] = offset;
      sizes[dim.loop] = size;
      continue;
    }
    if (isWholeDim(shape, i, offset, size) || isWholeDim(own, i, offset, size))
      continue;
    std::optional<int64_t> from = getConstantIntValue(offset), count = getConstantIntValue(size);
    if (dim.loop == LoopDim::kNone || !from || !count || *from % dim.factor || *count % dim.factor)
      return failure();
    offsets[dim.loop] = b.getIndexAttr(*from / dim.factor);
    sizes[dim.loop] = b.getIndexAttr(*count / dim.factor);
  }
  return success();
}

FailureOr<TilingResult> weft::generateResultTile(TilingInterface op, OpBuilder &b, unsigned result,
                                                 ArrayRef<OpFoldResult> offsets,
                                                 ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> loopOffsets, loopSizes;
  if (failed(op.getIterationDomainTileFromResultTile(b, result, offsets, sizes, loopOffsets,
                                                     loopSizes)))
    return failure();
  FailureOr<TilingResult> tile = op.getTiledImplementation(b, loopOffsets, loopSizes);
  if (failed(tile))
    return failure();
  tile->tiledValues = {tile->tiledValues[result]};
  return tile;
}
