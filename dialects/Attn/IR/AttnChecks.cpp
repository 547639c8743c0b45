//===- AttnChecks.cpp - What data of this dialect's operations must be ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Attn/IR/AttnChecks.h"

#include "dialects/Attn/IR/AttnScores.h"
#include "dialects/Weft/IR/OperandChecks.h"

using namespace mlir;
using namespace weft;
using namespace weft::attn;

using Predicate = arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

namespace {
/// What AttentionVerifier says of extents, of those that types do not tell.
class AttentionExtents {
public:
  AttentionExtents(ExtentChecks &calls, OpBuilder &b, const Attention &a)
      : b(b), a(a), calls(calls) {}
  void check();

private:
  /// The dimensions of `value` after `leading` ones are `letters`.
  void take(StringRef operand, Value value, StringRef letters, int64_t leading);
  /// What broadcasts to the letters; null stands for any extent.
  void takeBroadcast(StringRef operand, Value value, ArrayRef<OpFoldResult> four);
  OpFoldResult known(char letter) {
    auto it = extents.find(letter);
    return it == extents.end() ? OpFoldResult(b.getIndexAttr(1)) : it->second;
  }

  OpBuilder &b;
  const Attention &a;
  ExtentChecks &calls;
  llvm::SmallDenseMap<char, OpFoldResult> extents; ///< 'H' are the heads of keys
};
} // namespace

void AttentionExtents::take(StringRef operand, Value value, StringRef letters, int64_t leading) {
  bool isKeys = operand == "key" || operand == "value";
  for (auto [i, letter] : llvm::enumerate(letters)) {
    int64_t dim = i + leading;
    if (letter == 'b' && a.isRagged())
      continue;
    char name = letter == 'h' && isKeys ? 'H' : letter;
    auto [it, isNew] = extents.try_emplace(name, calls.extentOf(value, dim));
    if (!isNew)
      calls.requireEqual(operand, value, dim, it->second);
    else if (name == 'H' && extents.contains('h'))
      calls.requireDivisor(operand, value, dim, extents.lookup('h'));
  }
}

void AttentionExtents::takeBroadcast(StringRef operand, Value value, ArrayRef<OpFoldResult> four) {
  if (!value)
    return;
  auto shape = cast<RankedTensorType>(value.getType()).getShape();
  for (auto [i, extent, wanted] :
       llvm::enumerate(shape, four.take_back(static_cast<size_t>(shape.size()))))
    if (extent != 1 && wanted)
      calls.requireEqual(operand, value, i, wanted);
}

void AttentionExtents::check() {
  int64_t leading = a.isPartial ? 1 : 0;
  take("query", a.query, a.layout.query, 0);
  take("key", a.key, a.layout.key, 0);
  take("value", a.value, a.layout.value, 0);
  take("result", a.inits[0], a.layout.result, leading);
  if (a.inits.size() == 2) {
    int64_t at = 0, width = *findLetter(a.layout.result, 'e') + leading;
    for (int64_t i = 0, rank = cast<ShapedType>(a.inits[0].getType()).getRank(); i < rank; ++i)
      if (i != width)
        calls.requireEqual("log", a.inits[1], at++, calls.extentOf(a.inits[0], i));
  }
  OpFoldResult any, batch = a.isRagged() ? any : known('b'), heads = known('h');
  OpFoldResult keys = a.isPaged() ? any : known('t');
  OpFoldResult four[] = {batch, heads, known('s'), keys}, blocks[] = {batch, heads, any, any};
  takeBroadcast("bias", a.bias, four);
  takeBroadcast("mask", a.mask, four);
  takeBroadcast("block_mask", a.blockMask, blocks);
  calls.requireEqual("slopes", a.slopes, 0, heads);
  calls.requireEqual("sinks", a.sinks, 0, heads);
  if (batch) {
    calls.requireEqual("key_lengths", a.keyLengths, 0, batch);
    calls.requireEqual("starts", a.starts, 0, batch);
  }
}

static void checkExtents(ExtentChecks &calls, KVAppendOp op) {
  auto [rows, cache] = op.getLayout().split("->");
  for (auto [i, letter] : llvm::enumerate(rows))
    if (std::optional<int64_t> at = letter == 't' ? std::nullopt : findLetter(cache, letter))
      calls.requireEqual("rows", op.getRows(), i, calls.extentOf(op.getInits()[0], *at));
}

static void checkExtents(ExtentChecks &calls, KVEvictOp op) {
  Value scores = op.getScores(), kept = op.getInits()[0];
  for (int64_t i = 0; i < 2; ++i)
    calls.requireEqual("positions", kept, i, calls.extentOf(scores, i));
  for (auto [cache, init] : llvm::zip(op.getCaches(), op.getInits().drop_front()))
    for (int64_t i = 0, rank = cast<ShapedType>(cache.getType()).getRank(); i < rank; ++i) {
      if (i < 3)
        calls.requireEqual("cache", cache, i, calls.extentOf(scores, i));
      calls.requireEqual("result", init, i, calls.extentOf(i < 3 ? kept : cache, i));
    }
}

static void checkExtents(ExtentChecks &calls, MergeOp op) {
  Value parts = op.getParts(), result = op.getInits()[0];
  int64_t rank = cast<ShapedType>(parts.getType()).getRank();
  for (int64_t i = 0; i < rank; ++i) {
    if (i < rank - 1)
      calls.requireEqual("logs", op.getLogs(), i, calls.extentOf(parts, i));
    if (i > 0)
      calls.requireEqual("result", result, i - 1, calls.extentOf(parts, i));
    if (i > 0 && i < rank - 1 && op.getInits().size() == 2)
      calls.requireEqual("log", op.getInits()[1], i - 1, calls.extentOf(parts, i));
  }
}

static void checkExtents(ExtentChecks &calls, LinearOp op) {
  Value q = op->getOperand(0), k = op->getOperand(1), v = op->getOperand(2);
  Value out = op.getInits()[0], state = op.getInits()[1], norm = op.getInits()[2];
  int64_t d = cast<ShapedType>(q.getType()).getRank() - 1, s = d - 1;
  auto same = [&](StringRef operand, Value value, int64_t dim, Value other, int64_t of) {
    calls.requireEqual(operand, value, dim, calls.extentOf(other, of));
  };
  for (int64_t i = 0; i < s; ++i)
    for (auto [name, value] : {std::pair<StringRef, Value>("key", k),
                               {"value", v},
                               {"result", out},
                               {"state", state},
                               {"norm", norm}})
      same(name, value, i, q, i);
  same("result", out, s, q, s);
  same("value", v, s, k, s);
  same("key", k, d, q, d);
  same("result", out, d, v, d);
  same("state", state, s, q, d);
  same("state", state, d, v, d);
  same("norm", norm, s, q, d);
  if (op.getCausal())
    same("key", k, s, q, s);
}

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

/// Whether pages are used, and none of `pages` pages. `isUsed` says whether entry i of the table
/// of a sequence is.
static void checkPages(OperandChecks &checks, Value table, ValueRange reads, OpFoldResult pages,
                       StringRef which,
                       llvm::function_ref<Value(IndexMath, Value sequence, Value i)> isUsed) {
  IndexMath m{checks.builder, checks.loc};
  Value bound = m.value(pages);
  checks.require("pages", table, reads, pages, "0 or more, less than # where " + which,
                 [&](IndexMath e, Value page, ValueRange at) {
                   Value low = e.cmp(Predicate::slt, page, e.constant(0));
                   Value high = e.cmp(Predicate::sge, page, bound);
                   Value outside = arith::OrIOp::create(e.b, e.loc, low, high);
                   return e.both(isUsed(e, at[0], at[1]), outside);
                 });
}

/// The extent that `letter` has.
static OpFoldResult extentOf(OperandChecks &checks, Value value, StringRef letters, char letter) {
  return checks.extents.extentOf(value, *findLetter(letters, letter));
}

static void checkIndices(OperandChecks &checks, const Attention &a) {
  IndexMath m{checks.builder, checks.loc};
  if (a.queryOffsets)
    checks.requireAscending("query_offsets", a.queryOffsets,
                            extentOf(checks, a.query, a.layout.query, 's'));
  OpFoldResult keys = extentOf(checks, a.key, a.layout.key, 't');
  if (a.keyOffsets)
    checks.requireAscending("key_offsets", a.keyOffsets, keys);
  if (a.isPaged()) {
    Value size = m.value(keys);
    checkPages(checks, a.pageTable, a.keyLengths, extentOf(checks, a.key, a.layout.key, 'p'),
               "'key_lengths' reaches", [&](IndexMath e, Value sequence, Value i) {
                 Value length = readMetadata(e.b, e.loc, a.keyLengths, sequence);
                 return e.cmp(Predicate::slt, e.mul(i, size), length);
               });
    keys = getAsOpFoldResult(m.mul(size, m.value(checks.extents.extentOf(a.pageTable, 1))));
  }
  checks.requireRange("key_lengths", a.keyLengths, LeastIndex::Zero, keys, /*isInclusive=*/true);
}

namespace {
/// Where the rows of a sequence go, as numbers of the cache's entries of that sequence.
struct AppendPlaces {
  KVAppendOp op;
  Value rows, capacity;

  /// How many rows of a sequence count.
  Value count(IndexMath e, Value sequence) {
    Value count = rows, zero = e.constant(0);
    auto at = [&](Value i) { return readMetadata(e.b, e.loc, op.getRowOffsets(), i); };
    if (op.getRowOffsets())
      count = e.sub(at(e.add(sequence, e.constant(1))), at(sequence));
    if (op.getLengths())
      count = e.min(count, readMetadata(e.b, e.loc, op.getLengths(), sequence));
    return e.max(count, zero);
  }
  /// The first entry that is written.
  Value begin(IndexMath e, Value sequence) {
    Value start =
        op.getStarts() ? readMetadata(e.b, e.loc, op.getStarts(), sequence) : e.constant(0);
    return op.getCircular() ? e.rem(start, e.max(capacity, e.constant(1))) : start;
  }
};
} // namespace

/// Whether any of `count` entries from `begin` on lies in the `size` from `from` on.
static Value overlaps(IndexMath e, Value begin, Value count, Value from, Value size) {
  Value isBefore = e.cmp(Predicate::slt, begin, e.add(from, size));
  Value isBehind = e.cmp(Predicate::sgt, e.add(begin, count), from);
  return e.both(isBefore, isBehind);
}

static void checkIndices(OperandChecks &checks, KVAppendOp op) {
  IndexMath m{checks.builder, checks.loc};
  auto [rows, cache] = op.getLayout().split("->");
  OpFoldResult rowCount = extentOf(checks, op.getRows(), rows, 't');
  OpFoldResult size = extentOf(checks, op.getInits()[0], cache, 't'), capacity = size;
  if (op.getPageTable())
    capacity = getAsOpFoldResult(
        m.mul(m.value(size), m.value(checks.extents.extentOf(op.getPageTable(), 1))));
  checks.requireAscending("row_offsets", op.getRowOffsets(), rowCount);
  checks.requireRange("lengths", op.getLengths(), LeastIndex::Zero, rowCount,
                      /*isInclusive=*/true);
  AppendPlaces places{op, m.value(rowCount), m.value(capacity)};
  SmallVector<Value> reads;
  for (Value value : {op.getRowOffsets(), op.getLengths(), op.getStarts(), op.getRows()})
    if (value)
      reads.push_back(value);
  if (op.getCircular())
    checks.require("starts", op.getStarts(), {}, {}, "0 or more",
                   [&](IndexMath e, Value start, ValueRange) {
                     return e.cmp(Predicate::slt, start, e.constant(0));
                   });
  else
    checks.require("starts", op.getStarts(), reads, capacity,
                   "0 or more, with the rows behind it at most #",
                   [&](IndexMath e, Value start, ValueRange at) -> Value {
                     Value end = e.add(start, places.count(e, at[0]));
                     Value low = e.cmp(Predicate::slt, start, e.constant(0));
                     Value high = e.cmp(Predicate::sgt, end, places.capacity);
                     return arith::OrIOp::create(e.b, e.loc, low, high);
                   });
  if (!op.getPageTable())
    return;
  checkPages(checks, op.getPageTable(), reads, extentOf(checks, op.getInits()[0], cache, 'p'),
             "rows are written", [&](IndexMath e, Value sequence, Value i) -> Value {
               Value page = m.value(size), from = e.mul(i, page);
               Value begin = places.begin(e, sequence), count = places.count(e, sequence);
               Value used = overlaps(e, begin, count, from, page);
               if (!op.getCircular())
                 return used;
               // What wraps around is written at the front.
               Value again = overlaps(e, e.sub(begin, places.capacity), count, from, page);
               return arith::OrIOp::create(e.b, e.loc, used, again);
             });
}

static void checkIndices(OperandChecks &checks, KVEvictOp op) {
  checks.requireRange("lengths", op.getLengths(), LeastIndex::Zero,
                      checks.extents.extentOf(op.getScores(), 2), /*isInclusive=*/true);
}

static void checkIndices(OperandChecks &, LinearOp) {}
static void checkIndices(OperandChecks &, MergeOp) {}

namespace {
template <typename OpTy>
struct AttendChecks : OperandCheckInterface::ExternalModel<AttendChecks<OpTy>, OpTy> {
  void buildChecks(Operation *op, OperandChecks &checks) const {
    Attention a = Attention::of(op);
    AttentionExtents(checks.extents, checks.builder, a).check();
    checkIndices(checks, a);
  }
};

template <typename OpTy> struct Checks : OperandCheckInterface::ExternalModel<Checks<OpTy>, OpTy> {
  void buildChecks(Operation *op, OperandChecks &checks) const {
    checkExtents(checks.extents, cast<OpTy>(op));
    checkIndices(checks, cast<OpTy>(op));
  }
};
} // namespace

void attn::attachOperandChecks(MLIRContext *context) {
  AttendOp::attachInterface<AttendChecks<AttendOp>>(*context);
  PartialOp::attachInterface<AttendChecks<PartialOp>>(*context);
  KVAppendOp::attachInterface<Checks<KVAppendOp>>(*context);
  KVEvictOp::attachInterface<Checks<KVEvictOp>>(*context);
  LinearOp::attachInterface<Checks<LinearOp>>(*context);
  MergeOp::attachInterface<Checks<MergeOp>>(*context);
}
