//===- AttnTiling.cpp - Tiles of attention --------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The loops are the dimensions of the result but those of values and pieces.
// Tiles of queries keep all keys.
//
//===----------------------------------------------------------------------===//

#include "dialects/Attn/IR/AttnScores.h"
#include "dialects/Weft/IR/IndexMath.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;
using namespace weft::attn;

static Value sliceOf(OpBuilder &b, Location loc, Value tensor, ArrayRef<OpFoldResult> offsets,
                     ArrayRef<OpFoldResult> sizes, SmallVectorImpl<Operation *> &slices) {
  SmallVector<OpFoldResult> ones(offsets.size(), b.getIndexAttr(1));
  auto slice = tensor::ExtractSliceOp::create(b, loc, tensor, offsets, sizes, ones);
  slices.push_back(slice);
  return slice;
}

static SmallVector<Range> rangesOf(OpBuilder &b, ArrayRef<OpFoldResult> extents) {
  return llvm::map_to_vector(extents, [&](OpFoldResult extent) {
    return Range{b.getIndexAttr(0), extent, b.getIndexAttr(1)};
  });
}

//===----------------------------------------------------------------------===//
// Attend and partial
//===----------------------------------------------------------------------===//

namespace {
/// One tile of an attention.
class AttentionTile {
public:
  AttentionTile(OpBuilder &b, const Attention &a, ArrayRef<OpFoldResult> offsets,
                ArrayRef<OpFoldResult> sizes)
      : b(b), a(a), loc(a.op->getLoc()), offsets(offsets), sizes(sizes), letters(a.loops()) {}

  FailureOr<TilingResult> build();

private:
  /// The tile of a loop, if there is that loop.
  std::optional<std::pair<OpFoldResult, OpFoldResult>> tileOf(char letter) {
    auto *it = llvm::find(letters, letter);
    if (it == letters.end())
      return std::nullopt;
    return std::pair(offsets[it - letters.begin()], sizes[it - letters.begin()]);
  }
  bool isWhole(char letter);
  LogicalResult chooseKeyHeads();
  Value slice(Value tensor, StringRef letters, int64_t leading = 0, bool isKeys = false);
  Value sliceBroadcast(Value tensor, bool hasQueries);
  Value sliceVector(Value tensor, char letter);
  void shiftRegion(Region &region);

  OpBuilder &b;
  const Attention &a;
  Location loc;
  ArrayRef<OpFoldResult> offsets, sizes;
  SmallVector<char> letters;
  std::optional<std::pair<OpFoldResult, OpFoldResult>> keyHeads;
  SmallVector<Operation *> slices;
};
} // namespace

bool AttentionTile::isWhole(char letter) {
  auto tile = tileOf(letter);
  if (!tile)
    return true;
  return isConstantIntValue(tile->first, 0) &&
         isExtentOf(tile->second, a.query, *findLetter(a.layout.query, letter));
}

/// The heads of keys that belong to the tile's of queries.
LogicalResult AttentionTile::chooseKeyHeads() {
  auto tile = tileOf('h');
  if (!tile || !a.layout.key.contains('h') || isWhole('h'))
    return success();
  if (a.hasEqualHeads()) {
    keyHeads = tile;
    return success();
  }
  if (!isConstantIntValue(tile->second, 1))
    return failure();
  IndexMath m{b, loc};
  Value count = extentOf(m, a.key, *findLetter(a.layout.key, 'h'));
  Value groups =
      m.div(m.dim(a.query, *findLetter(a.layout.query, 'h')), m.max(count, m.constant(1)));
  Value head = getValueOrCreateConstantIndexOp(b, loc, tile->first);
  keyHeads = {OpFoldResult(m.div(head, m.max(groups, m.constant(1)))), b.getIndexAttr(1)};
  return success();
}

Value AttentionTile::slice(Value tensor, StringRef letters, int64_t leading, bool isKeys) {
  SmallVector<OpFoldResult> from, extents;
  bool isCut = false;
  for (int64_t i = 0; i < leading + static_cast<int64_t>(letters.size()); ++i) {
    auto tile = i < leading                             ? std::nullopt
                : isKeys && letters[i - leading] == 'h' ? keyHeads
                                                        : tileOf(letters[i - leading]);
    isCut |= tile.has_value();
    from.push_back(tile ? tile->first : b.getIndexAttr(0));
    extents.push_back(tile ? tile->second : getExtents(b, loc, tensor)[i]);
  }
  return isCut ? sliceOf(b, loc, tensor, from, extents, slices) : tensor;
}

/// A tile of what broadcasts to [b, h, s, t].
Value AttentionTile::sliceBroadcast(Value tensor, bool hasQueries) {
  if (!tensor)
    return tensor;
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<OpFoldResult> from, extents;
  StringRef four = "bhst";
  for (auto [i, letter] : llvm::enumerate(four.take_back(type.getRank()))) {
    auto tile = letter == 's' && !hasQueries ? std::nullopt : tileOf(letter);
    if (!tile || type.getDimSize(i) == 1)
      tile = {b.getIndexAttr(0), tensor::getMixedSize(b, loc, tensor, i)};
    from.push_back(tile->first);
    extents.push_back(tile->second);
  }
  return sliceOf(b, loc, tensor, from, extents, slices);
}

Value AttentionTile::sliceVector(Value tensor, char letter) {
  auto tile = tileOf(letter);
  if (!tensor || !tile)
    return tensor;
  return sliceOf(b, loc, tensor, tile->first, tile->second, slices);
}

/// The region of a tile gets positions in the whole.
void AttentionTile::shiftRegion(Region &region) {
  if (region.empty())
    return;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&region.front());
  for (auto [i, letter] : llvm::enumerate(StringRef("bhs"))) {
    auto tile = tileOf(letter);
    if (!tile || isConstantIntValue(tile->first, 0))
      continue;
    Value argument = region.getArgument(1 + i);
    Value begin = getValueOrCreateConstantIndexOp(b, loc, tile->first);
    Value whole = arith::AddIOp::create(b, loc, argument, begin);
    argument.replaceAllUsesExcept(whole, whole.getDefiningOp());
  }
}

FailureOr<TilingResult> AttentionTile::build() {
  // A row of ragged queries finds its sequence by its number.
  if (a.isRagged() && !isWhole('s'))
    return failure();
  if (failed(chooseKeyHeads()))
    return failure();
  auto isPacked = llvm::IsaPred<PackedType>;
  bool cutsKeys = keyHeads || (a.layout.key.contains('b') && tileOf('b'));
  if (cutsKeys && (isPacked(a.key.getType()) || isPacked(a.value.getType())))
    return failure();
  auto tile = [&](auto op) -> Operation * {
    Operation *copy = b.clone(*op);
    auto tiled = cast<decltype(op)>(copy);
    auto set = [&](MutableOperandRange range, Value value) {
      if (value)
        range.assign(value);
    };
    tiled.getQueryMutable().set(slice(a.query, a.layout.query));
    if (cutsKeys) {
      tiled.getKeyMutable().set(slice(a.key, a.layout.key, 0, /*isKeys=*/true));
      tiled.getValueMutable().set(slice(a.value, a.layout.value, 0, /*isKeys=*/true));
    }
    set(tiled.getBiasMutable(), sliceBroadcast(a.bias, true));
    set(tiled.getMaskMutable(), sliceBroadcast(a.mask, true));
    set(tiled.getBlockMaskMutable(), sliceBroadcast(a.blockMask, false));
    set(tiled.getSlopesMutable(), sliceVector(a.slopes, 'h'));
    set(tiled.getSinksMutable(), sliceVector(a.sinks, 'h'));
    set(tiled.getKeyLengthsMutable(), sliceVector(a.keyLengths, 'b'));
    set(tiled.getStartsMutable(), sliceVector(a.starts, 'b'));
    if (a.pageTable && tileOf('b')) {
      auto [from, count] = *tileOf('b');
      OpFoldResult width = tensor::getMixedSize(b, loc, a.pageTable, 1);
      set(tiled.getPageTableMutable(),
          sliceOf(b, loc, a.pageTable, {from, b.getIndexAttr(0)}, {count, width}, slices));
    }
    if (auto queries = tileOf('s');
        queries && dependsOnPosition(a) && !isConstantIntValue(queries->first, 0)) {
      Value offset = getValueOrCreateConstantIndexOp(b, loc, queries->first);
      if (a.offset)
        offset = arith::AddIOp::create(b, loc, a.offset, offset);
      set(tiled.getOffsetMutable(), offset);
    }
    int64_t leading = a.isPartial ? 1 : 0;
    std::string logLetters;
    for (char letter : a.layout.result)
      if (letter != 'e')
        logLetters += letter;
    SmallVector<Value> inits;
    for (auto [i, init] : llvm::enumerate(a.inits))
      inits.push_back(slice(init, i == 0 ? a.layout.result : StringRef(logLetters), leading));
    tiled.getInitsMutable().assign(inits);
    for (auto [result, init] : llvm::zip(tiled->getResults(), inits))
      result.setType(init.getType());
    for (Region &region : tiled.getScore())
      shiftRegion(region);
    // The slices were built after it.
    copy->moveBefore(b.getInsertionBlock(), b.getInsertionPoint());
    return copy;
  };
  Operation *tiled;
  if (auto attend = dyn_cast<AttendOp>(a.op))
    tiled = tile(attend);
  else
    tiled = tile(cast<PartialOp>(a.op));
  return TilingResult{{tiled}, SmallVector<Value>(tiled->getResults()), slices};
}

static SmallVector<Range> iterationDomain(OpBuilder &b, Operation *op) {
  Attention a = Attention::of(op);
  SmallVector<OpFoldResult> extents = tensor::getMixedSizes(b, op->getLoc(), a.inits[0]);
  extents.erase(extents.begin() + *findLetter(a.layout.result, 'e') + (a.isPartial ? 1 : 0));
  if (a.isPartial)
    extents.erase(extents.begin());
  return rangesOf(b, extents);
}

static void resultTile(OpBuilder &b, Operation *op, unsigned number, ArrayRef<OpFoldResult> offsets,
                       ArrayRef<OpFoldResult> sizes, SmallVectorImpl<OpFoldResult> &resultOffsets,
                       SmallVectorImpl<OpFoldResult> &resultSizes) {
  Attention a = Attention::of(op);
  resultOffsets.assign(offsets.begin(), offsets.end());
  resultSizes.assign(sizes.begin(), sizes.end());
  auto insertWhole = [&](int64_t at, int64_t dim) {
    resultOffsets.insert(resultOffsets.begin() + at, b.getIndexAttr(0));
    resultSizes.insert(resultSizes.begin() + at,
                       tensor::getMixedSize(b, op->getLoc(), a.inits[number], dim));
  };
  int64_t leading = a.isPartial ? 1 : 0, last = *findLetter(a.layout.result, 'e');
  if (number == 0)
    insertWhole(last, last + leading);
  if (a.isPartial)
    insertWhole(0, 0);
}

/// The tile of the loops that gives this tile of a result, which has to have all of what is no
/// loop.
static FailureOr<TilingResult> generateTile(OpBuilder &b, Operation *op, unsigned number,
                                            ArrayRef<OpFoldResult> offsets,
                                            ArrayRef<OpFoldResult> sizes) {
  Attention a = Attention::of(op);
  SmallVector<OpFoldResult> loopOffsets(offsets), loopSizes(sizes);
  SmallVector<int64_t> others;
  if (number == 0)
    others.push_back(*findLetter(a.layout.result, 'e') + (a.isPartial ? 1 : 0));
  if (a.isPartial)
    others.push_back(0);
  for (int64_t dim : others) {
    OpFoldResult extent = tensor::getMixedSize(b, op->getLoc(), a.inits[number], dim);
    if (!isConstantIntValue(offsets[dim], 0) || !isEqualConstantIntOrValue(sizes[dim], extent))
      return failure();
    loopOffsets.erase(loopOffsets.begin() + dim);
    loopSizes.erase(loopSizes.begin() + dim);
  }
  FailureOr<TilingResult> tile = AttentionTile(b, a, loopOffsets, loopSizes).build();
  if (succeeded(tile))
    tile->tiledValues = {tile->tiledValues[number]};
  return tile;
}

#define WEFT_ATTENTION_TILING(Op)                                                                  \
  SmallVector<utils::IteratorType> Op::getLoopIteratorTypes() {                                    \
    return SmallVector<utils::IteratorType>(Attention::of(*this).loops().size(),                   \
                                            utils::IteratorType::parallel);                        \
  }                                                                                                \
  SmallVector<Range> Op::getIterationDomain(OpBuilder &b) { return iterationDomain(b, *this); }    \
  FailureOr<TilingResult> Op::getTiledImplementation(OpBuilder &b, ArrayRef<OpFoldResult> offsets, \
                                                     ArrayRef<OpFoldResult> sizes) {               \
    return AttentionTile(b, Attention::of(*this), offsets, sizes).build();                         \
  }                                                                                                \
  LogicalResult Op::getResultTilePosition(                                                         \
      OpBuilder &b, unsigned number, ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes, \
      SmallVector<OpFoldResult> &resultOffsets, SmallVector<OpFoldResult> &resultSizes) {          \
    resultTile(b, *this, number, offsets, sizes, resultOffsets, resultSizes);                      \
    return success();                                                                              \
  }                                                                                                \
  FailureOr<TilingResult> Op::generateResultTileValue(OpBuilder &b, unsigned number,               \
                                                      ArrayRef<OpFoldResult> offsets,              \
                                                      ArrayRef<OpFoldResult> sizes) {              \
    return generateTile(b, *this, number, offsets, sizes);                                         \
  }

WEFT_ATTENTION_TILING(AttendOp)
WEFT_ATTENTION_TILING(PartialOp)

#undef WEFT_ATTENTION_TILING

//===----------------------------------------------------------------------===//
// Tiles that are slices of operands alone
//===----------------------------------------------------------------------===//

static SmallVector<LoopDim> leadingLoops(TilingLoops &loops, Value operand) {
  auto dims = llvm::to_vector_of<LoopDim>(llvm::seq<int64_t>(0, loops.getCount()));
  dims.resize(cast<RankedTensorType>(operand.getType()).getRank());
  return dims;
}

weft::TilingLoops MergeOp::getTilingLoops() {
  auto type = cast<RankedTensorType>(getInits()[0].getType());
  // All tiles of e would give the logarithms.
  TilingLoops loops(*this, type.getRank() - (getInits().size() == 2 ? 1 : 0));
  for (OpOperand &init : getInitsMutable())
    loops.cut(init, leadingLoops(loops, init.get()));
  for (OpOperand *part : {&getPartsMutable(), &getLogsMutable()}) {
    auto dims = llvm::to_vector_of<LoopDim>(llvm::seq<int64_t>(0, loops.getCount()));
    dims.insert(dims.begin(), LoopDim());
    dims.resize(cast<RankedTensorType>(part->get().getType()).getRank());
    loops.cut(*part, dims);
  }
  return loops;
}

weft::TilingLoops LinearOp::getTilingLoops() {
  auto type = cast<RankedTensorType>(getQuery().getType());
  TilingLoops loops(*this, type.getRank() - 2);
  for (OpOperand &operand : getOperation()->getOpOperands())
    loops.cut(operand, leadingLoops(loops, operand.get()));
  return loops;
}

weft::TilingLoops KVEvictOp::getTilingLoops() {
  TilingLoops loops(*this, "BH");
  loops.cut(getLengthsMutable(), "B").cut(getScoresMutable(), "BHT");
  for (MutableOperandRange range : {getCachesMutable(), getInitsMutable()})
    for (OpOperand &operand : range)
      loops.cut(operand, leadingLoops(loops, operand.get()));
  return loops;
}
