//===- AttnReference.cpp - Softmax attention row by row -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An online softmax (arXiv 1805.02867, 2112.05682): rows of queries are independent; along the
// keys of one, the largest score, the sum of exponentials relative to it and the
// weighted sum of values are carried. No score is stored.
//
//===----------------------------------------------------------------------===//

#include "dialects/Attn/IR/AttnScores.h"
#include "dialects/Weft/IR/NumberReader.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weft;
using namespace weft::attn;

namespace {
/// What is carried along the keys: the largest score, the sum of exponentials and
/// the sum of values [e].
struct Softmax {
  Value largest, sum, values;
};

/// Keys [begin, end) of a row, counted within the sequence, which begins at row `base`
/// of keys and values.
struct KeyRange {
  Value begin, end, base;
};

struct Slice {
  SmallVector<OpFoldResult> offsets, sizes;
};

class RowAttention {
public:
  RowAttention(OpBuilder &b, const Attention &a)
      : b(b), a(a), loc(a.op->getLoc()), m{b, loc}, type(a.computeType()), keys(b, loc, a.key),
        values(b, loc, a.value) {}

  SmallVector<Value> lower();

private:
  Value extent(Value tensor, StringRef letters, char letter);
  Value at(Value tensor, StringRef letters, const NumberReader &reader, const KeyRange &range,
           Value t, Value last);
  void enterRow(ArrayRef<Value> ivs);
  void findSequence(Value row);
  KeyRange keyRange(Value piece);
  Value productOf(const KeyRange &range, Value t);
  Softmax step(const KeyRange &range, Value t, Softmax carried);
  Softmax start();
  Softmax attend(const KeyRange &range);
  Value writeRow(const Softmax &softmax, Value row);
  Value logOf(const Softmax &softmax);
  Value number(double value) {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, value));
  }
  Value infinity(bool isNegative) {
    return arith::ConstantOp::create(
        b, loc, b.getFloatAttr(type, APFloat::getInf(type.getFloatSemantics(), isNegative)));
  }
  Value toCompute(Value value) { return convertNumber(b, loc, value, type); }
  Value fromCompute(Value value, Type to) { return convertNumber(b, loc, value, to); }
  Value isEqual(Value x, Value y) {
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, x, y);
  }

  OpBuilder &b;
  const Attention &a;
  Location loc;
  IndexMath m;
  FloatType type;
  NumberReader keys, values;
  Value scale, keyCount, querySize, valueSize, pieces;
  // Of the row at hand: the sequence, whether there is one, the head, the row in the
  // query, the row within the sequence and its position among the keys.
  Value batch, exists, head, keyHead, row, local, position;
};
} // namespace

Value RowAttention::extent(Value tensor, StringRef letters, char letter) {
  std::optional<int64_t> at = findLetter(letters, letter);
  return at ? extentOf(m, tensor, *at) : m.constant(1);
}

/// An element of keys or values.
Value RowAttention::at(Value tensor, StringRef letters, const NumberReader &reader,
                       const KeyRange &range, Value t, Value last) {
  Value page, within = m.add(range.base, t);
  if (a.isPaged()) {
    Value size = extent(tensor, letters, 't');
    Value entry = m.div(t, size);
    page = m.clamp(readMetadata(b, loc, a.pageTable, {batch, entry}), extent(tensor, letters, 'p'));
    within = m.rem(t, size);
  }
  SmallVector<Value> indices;
  for (char letter : letters)
    switch (letter) {
    case 'b':
      indices.push_back(a.isRagged() ? m.clamp(batch, extent(tensor, letters, 'b')) : batch);
      break;
    case 'h':
      indices.push_back(keyHead);
      break;
    case 'p':
      indices.push_back(page);
      break;
    case 't':
      indices.push_back(within);
      break;
    default:
      indices.push_back(last);
    }
  return toCompute(reader.read(b, loc, indices));
}

/// The sequence of a ragged row: the last one that begins at or before it.
void RowAttention::findSequence(Value queryRow) {
  using Predicate = arith::CmpIPredicate;
  Value zero = m.constant(0), one = m.constant(1);
  Value entries = m.dim(a.queryOffsets, 0);
  auto loop = scf::ForOp::create(
      b, loc, zero, entries, one, ValueRange{zero},
      [&](OpBuilder &b, Location loc, Value i, ValueRange args) {
        IndexMath m{b, loc};
        Value begin = readMetadata(b, loc, a.queryOffsets, i);
        Value counts = m.cmp(Predicate::sle, begin, queryRow);
        scf::YieldOp::create(b, loc, m.select(counts, m.add(args[0], m.constant(1)), args[0]));
      });
  batch = m.sub(loop.getResult(0), one);
  Value begin = readMetadata(b, loc, a.queryOffsets, batch);
  Value end = readMetadata(b, loc, a.queryOffsets, m.add(batch, one));
  exists = m.both(m.cmp(Predicate::sge, batch, zero), m.both(m.cmp(Predicate::sle, begin, queryRow),
                                                             m.cmp(Predicate::slt, queryRow, end)));
  batch = arith::MaxSIOp::create(b, loc, batch, zero);
  local = m.sub(queryRow, begin);
}

void RowAttention::enterRow(ArrayRef<Value> ivs) {
  batch = head = row = m.constant(0);
  for (auto [letter, iv] : llvm::zip(a.loops(), ivs))
    (letter == 'b' ? batch : letter == 'h' ? head : row) = iv;
  local = row;
  exists = Value();
  if (a.isRagged())
    findSequence(row);
  position = queryPosition(b, loc, a, batch, local);
  // Heads of keys, where there are any.
  Value one = m.constant(1);
  Value keyHeads = arith::MaxSIOp::create(b, loc, extent(a.key, a.layout.key, 'h'), one);
  Value heads = extent(a.query, a.layout.query, 'h');
  Value groups = arith::MaxSIOp::create(b, loc, m.div(heads, keyHeads), one);
  keyHead = m.clamp(m.div(head, groups), keyHeads);
}

/// The keys that the row can see. A piece (null: there is one) has its share.
KeyRange RowAttention::keyRange(Value piece) {
  auto min = [&](Value x, Value y) -> Value { return arith::MinSIOp::create(b, loc, x, y); };
  auto max = [&](Value x, Value y) -> Value { return arith::MaxSIOp::create(b, loc, x, y); };
  Value zero = m.constant(0);
  KeyRange range{zero, keyCount, zero};
  if (a.keyOffsets) {
    Value begin = readMetadata(b, loc, a.keyOffsets, batch);
    Value end = readMetadata(b, loc, a.keyOffsets, m.add(batch, m.constant(1)));
    range.base = min(max(begin, zero), keyCount);
    range.end = m.sub(max(min(end, keyCount), range.base), range.base);
  }
  Value total = range.end;
  if (a.keyLengths)
    range.end = min(range.end, readMetadata(b, loc, a.keyLengths, batch));
  if (a.causal)
    range.end = min(range.end, m.add(position, m.constant(1)));
  if (a.window && a.globals <= 0) {
    auto [left, right] = *a.window;
    if (left >= 0)
      range.begin = max(zero, m.sub(position, m.constant(left)));
    if (right >= 0)
      range.end = min(range.end, m.add(position, m.constant(right + 1)));
  }
  if (piece) {
    Value size = arith::CeilDivSIOp::create(b, loc, total, pieces);
    Value first = m.mul(piece, size);
    range.begin = max(range.begin, first);
    range.end = min(range.end, m.add(first, size));
  }
  // Nothing is read of tensors that are empty.
  for (auto [tensor, letters] : {std::pair(a.key, a.layout.key), {a.value, a.layout.value}})
    for (auto [i, letter] : llvm::enumerate(letters))
      if (letter == 'b' || letter == 'h' || letter == 'p')
        if (Value extent = extentOf(m, tensor, i); !matchPattern(extent, m_NonZero()))
          range.end = m.select(m.cmp(arith::CmpIPredicate::sgt, extent, zero), range.end, zero);
  if (exists)
    range.end = m.select(exists, range.end, zero);
  return range;
}

/// The product of the row and a key.
Value RowAttention::productOf(const KeyRange &range, Value t) {
  SmallVector<Value> query;
  int64_t dim = *findLetter(a.layout.query, 'd');
  for (char letter : a.layout.query)
    query.push_back(letter == 'b' ? batch : letter == 'h' ? head : row);
  auto loop = scf::ForOp::create(b, loc, m.constant(0), querySize, m.constant(1), number(0));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  query[dim] = loop.getInductionVar();
  Value x = toCompute(tensor::ExtractOp::create(b, loc, a.query, query));
  Value y = at(a.key, a.layout.key, keys, range, t, loop.getInductionVar());
  Value product = arith::MulFOp::create(b, loc, x, y);
  Value sum = arith::AddFOp::create(b, loc, loop.getRegionIterArg(0), product,
                                    arith::FastMathFlags::reassoc);
  scf::YieldOp::create(b, loc, sum);
  return loop.getResult(0);
}

Softmax RowAttention::step(const KeyRange &range, Value t, Softmax carried) {
  Value scaled = arith::MulFOp::create(b, loc, productOf(range, t), scale);
  ScorePosition where{batch, head, row, t};
  ScoreOperands operands = readScoreOperands(b, loc, a, where);
  Value score = buildScore(b, loc, a, scaled, where, position, operands);
  Value largest = arith::MaximumFOp::create(b, loc, carried.largest, score);
  // As long as nothing is visible the largest score is minus infinity.
  Value shift = m.select(isEqual(largest, infinity(true)), number(0), largest);
  auto exp = [&](Value x) -> Value {
    return math::ExpOp::create(b, loc, arith::SubFOp::create(b, loc, x, shift));
  };
  Value correction = exp(carried.largest), weight = exp(score);
  Value sum =
      arith::AddFOp::create(b, loc, arith::MulFOp::create(b, loc, carried.sum, correction), weight);
  auto loop = scf::ForOp::create(b, loc, m.constant(0), valueSize, m.constant(1), carried.values);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value e = loop.getInductionVar(), values = loop.getRegionIterArg(0);
  Value before =
      arith::MulFOp::create(b, loc, tensor::ExtractOp::create(b, loc, values, e), correction);
  Value added =
      arith::MulFOp::create(b, loc, weight, at(a.value, a.layout.value, this->values, range, t, e));
  Value next = arith::AddFOp::create(b, loc, before, added);
  scf::YieldOp::create(b, loc, tensor::InsertOp::create(b, loc, next, values, e).getResult());
  return {largest, sum, loop.getResult(0)};
}

/// Before the first key: a sink counts as a key without a value.
Softmax RowAttention::start() {
  Value zero = number(0);
  Softmax softmax{infinity(true), zero, Value()};
  if (a.sinks) {
    softmax.largest = toCompute(tensor::ExtractOp::create(b, loc, a.sinks, head));
    // A sink of minus infinity is none.
    softmax.sum = m.select(isEqual(softmax.largest, infinity(true)), zero, number(1));
  }
  SmallVector<OpFoldResult> sizes{OpFoldResult(getAsOpFoldResult(valueSize))};
  Value empty = tensor::EmptyOp::create(b, loc, sizes, type);
  auto loop = scf::ForOp::create(b, loc, m.constant(0), valueSize, m.constant(1), empty);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value filled =
      tensor::InsertOp::create(b, loc, zero, loop.getRegionIterArg(0), loop.getInductionVar());
  scf::YieldOp::create(b, loc, filled);
  softmax.values = loop.getResult(0);
  return softmax;
}

/// The weighted mean of values, into `out` [e].
Value RowAttention::writeRow(const Softmax &softmax, Value out) {
  Value zero = number(0), keep;
  if (a.emptyRows == EmptyRows::Zero)
    keep = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNE, softmax.sum, zero);
  else if (a.emptyRows == EmptyRows::MaskNaN)
    keep = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, softmax.sum, zero);
  else // The sum of no products is 0.
    keep = m.cmp(arith::CmpIPredicate::sgt, keyCount, m.constant(0));
  auto loop = scf::ForOp::create(b, loc, m.constant(0), valueSize, m.constant(1), out);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value e = loop.getInductionVar();
  Value mean = arith::DivFOp::create(b, loc, tensor::ExtractOp::create(b, loc, softmax.values, e),
                                     softmax.sum);
  if (keep)
    mean = m.select(keep, mean, zero);
  Value element = fromCompute(mean, getElementTypeOrSelf(out.getType()));
  Value written = tensor::InsertOp::create(b, loc, element, loop.getRegionIterArg(0), e);
  scf::YieldOp::create(b, loc, written);
  return loop.getResult(0);
}

Value RowAttention::logOf(const Softmax &softmax) {
  Value log = math::LogOp::create(b, loc, softmax.sum);
  Value shift = m.select(isEqual(softmax.largest, infinity(true)), number(0), softmax.largest);
  return arith::AddFOp::create(b, loc, shift, log);
}

/// The attention of the row at hand to the keys of `range`.
Softmax RowAttention::attend(const KeyRange &range) {
  Softmax first = start();
  auto keys = scf::ForOp::create(b, loc, range.begin, range.end, m.constant(1),
                                 ValueRange{first.largest, first.sum, first.values});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(keys.getBody());
  ValueRange args = keys.getRegionIterArgs();
  Softmax next = step(range, keys.getInductionVar(), {args[0], args[1], args[2]});
  scf::YieldOp::create(b, loc, ValueRange{next.largest, next.sum, next.values});
  return {keys.getResult(0), keys.getResult(1), keys.getResult(2)};
}

static bool isEmpty(Value tensor) {
  return llvm::is_contained(cast<RankedTensorType>(tensor.getType()).getShape(), 0);
}

SmallVector<Value> RowAttention::lower() {
  // MLIR takes no slice of what has no elements.
  SmallVector<Value> outs;
  for (Value init : a.inits)
    if (!isEmpty(init))
      outs.push_back(init);
  if (outs.empty())
    return SmallVector<Value>(a.inits);
  Value result = a.inits[0];
  int64_t leading = a.isPartial ? 1 : 0;
  int64_t last = *findLetter(a.layout.result, 'e') + leading;
  int64_t rank = cast<RankedTensorType>(result.getType()).getRank();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, result);
  scale = scaleOf(b, loc, a);
  querySize = extent(a.query, a.layout.query, 'd');
  keyCount = extent(a.key, a.layout.key, 't');
  if (a.isPaged())
    keyCount = m.mul(keyCount, m.dim(a.pageTable, 1));
  valueSize = getValueOrCreateConstantIndexOp(b, loc, sizes[last]);
  if (a.isPartial)
    pieces = m.dim(result, 0);

  SmallVector<OpFoldResult> extents = sizes;
  extents.erase(extents.begin() + last);
  auto forall = scf::ForallOp::create(b, loc, extents, outs, /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(forall.getBody());
  SmallVector<Value> ivs(forall.getInductionVars());
  enterRow(ArrayRef(ivs).drop_front(leading));
  Softmax softmax = attend(keyRange(a.isPartial ? ivs[0] : Value()));

  SmallVector<OpFoldResult> offsets = getAsOpFoldResult(ivs), ones(rank, b.getIndexAttr(1));
  SmallVector<std::pair<Value, Slice>> writes;
  ArrayRef<BlockArgument> args = forall.getRegionIterArgs();
  if (!isEmpty(result)) {
    Slice slice{offsets, ones};
    slice.offsets.insert(slice.offsets.begin() + last, b.getIndexAttr(0));
    slice.sizes[last] = sizes[last];
    auto whole = cast<RankedTensorType>(result.getType());
    auto rowType = RankedTensorType::get({whole.getDimSize(last)}, whole.getElementType());
    Value out = tensor::ExtractSliceOp::create(b, loc, rowType, args.front(), slice.offsets,
                                               slice.sizes, ones);
    writes.push_back({writeRow(softmax, out), slice});
  }
  ones.pop_back();
  if (a.inits.size() == 2) {
    Slice slice{offsets, ones};
    auto cell = RankedTensorType::get(SmallVector<int64_t>(rank - 1, 1), type);
    Value out = tensor::ExtractSliceOp::create(b, loc, cell, args.back(), offsets, ones, ones);
    SmallVector<Value> zeros(rank - 1, m.constant(0));
    writes.push_back({tensor::InsertOp::create(b, loc, logOf(softmax), out, zeros), slice});
  }
  b.setInsertionPointToEnd(forall.getTerminator().getBody());
  for (auto [write, arg] : llvm::zip_equal(writes, args)) {
    auto &[value, slice] = write;
    SmallVector<OpFoldResult> strides(slice.sizes.size(), b.getIndexAttr(1));
    tensor::ParallelInsertSliceOp::create(b, loc, value, arg, slice.offsets, slice.sizes, strides);
  }
  SmallVector<Value> results(a.inits);
  unsigned next = 0;
  for (Value &value : results)
    if (!isEmpty(value))
      value = forall.getResult(next++);
  return results;
}

FailureOr<SmallVector<Value>> AttendOp::lowerToReference(OpBuilder &b) {
  Attention a = Attention::of(*this);
  return RowAttention(b, a).lower();
}

FailureOr<SmallVector<Value>> PartialOp::lowerToReference(OpBuilder &b) {
  Attention a = Attention::of(*this);
  return RowAttention(b, a).lower();
}
