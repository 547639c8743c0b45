//===- CheckAttention.cpp - Fails calls with wrong offsets and pages ------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Attn/IR/AttnScores.h"
#include "dialects/Attn/Transforms/Passes.h"
#include "dialects/Weft/IR/ExtentChecks.h"
#include "dialects/Weft/IR/IndexMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

#include <limits>

namespace weft::attn {
#define GEN_PASS_DEF_CHECKATTENTION
#include "dialects/Attn/Transforms/Passes.h.inc"
} // namespace weft::attn

using namespace mlir;
using namespace weft;
using namespace weft::attn;

using Predicate = arith::CmpIPredicate;

/// The runtime's code for an index out of range.
static constexpr int32_t kOutOfRange = 11;

namespace {
/// Tests integers in a kernel, and lets the host fail with the first wrong one.
class Checker {
public:
  Checker(OpBuilder &b, Location loc) : b(b), loc(loc), m{b, loc} {}

  /// Offsets ascend within [0, rows].
  void checkOffsets(Value offsets, Value rows);
  /// Entries of the `table` that the first `lengths` keys of a sequence lie in, `size` in
  /// each, are below `pages`.
  void checkPages(Value table, Value lengths, Value pages, Value size);

private:
  using IsBad = llvm::function_ref<Value(IndexMath, Value, ValueRange)>;
  void check(Value numbers, IsBad isBad, Value bound, StringRef message);

  OpBuilder &b;
  Location loc;
  IndexMath m;
};
} // namespace

static Value toIndex(OpBuilder &b, Location loc, Value value) {
  return b.createOrFold<arith::IndexCastOp>(loc, b.getIndexType(), value);
}

/// Fails with `message`, in which "{0}" is the first number that `isBad` and "{1}" the bound.
void Checker::check(Value numbers, IsBad isBad, Value bound, StringRef message) {
  auto type = cast<RankedTensorType>(numbers.getType());
  int64_t rank = type.getRank();
  Type i64 = b.getI64Type();
  auto none = [&](OpBuilder &b) -> Value {
    return arith::ConstantIntOp::create(b, loc, std::numeric_limits<int64_t>::max(), 64);
  };
  Value empty = tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>{}, i64);
  Value init = linalg::FillOp::create(b, loc, none(b), empty).getResult(0);
  SmallVector<Value> extents;
  for (int64_t i = 0; i < rank; ++i)
    extents.push_back(m.dim(numbers, i));
  auto first = linalg::GenericOp::create(
      b, loc, init.getType(), numbers, init,
      ArrayRef<AffineMap>{b.getMultiDimIdentityMap(rank), AffineMap::get(rank, 0, b.getContext())},
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::reduction),
      [&](OpBuilder &b, Location loc, ValueRange args) {
        IndexMath inner{b, loc};
        SmallVector<Value> at;
        Value position = inner.constant(0);
        for (int64_t i = 0; i < rank; ++i) {
          at.push_back(linalg::IndexOp::create(b, loc, i));
          position = inner.add(inner.mul(position, extents[i]), at.back());
        }
        Value wrong = isBad(inner, toIndex(b, loc, args[0]), at);
        Value number = arith::IndexCastOp::create(b, loc, i64, position);
        Value found = inner.select(wrong, number, none(b));
        linalg::YieldOp::create(b, loc, arith::MinSIOp::create(b, loc, args[1], found).getResult());
      });
  Value position = tensor::ExtractOp::create(b, loc, first.getResult(0), ValueRange{});
  Value isWrong = m.cmp(Predicate::ne, position, none(b));
  auto guard = scf::IfOp::create(b, loc, isWrong, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard insertion(b);
  b.setInsertionPointToStart(guard.thenBlock());
  Value rest = toIndex(b, loc, position);
  SmallVector<Value> at(rank);
  for (int64_t i = rank - 1; i >= 0; --i) {
    Value extent = arith::MaxSIOp::create(b, loc, extents[i], m.constant(1));
    at[i] = m.rem(rest, extent);
    rest = m.div(rest, extent);
  }
  Value number = toIndex(b, loc, tensor::ExtractOp::create(b, loc, numbers, at));
  AssertOp::create(b, loc, arith::ConstantIntOp::create(b, loc, 0, 1), kOutOfRange, message,
                   ValueRange{number, bound});
}

void Checker::checkOffsets(Value offsets, Value rows) {
  check(
      offsets,
      [&](IndexMath e, Value offset, ValueRange at) -> Value {
        Value before = e.sub(at[0], e.constant(1));
        before = arith::MaxSIOp::create(e.b, e.loc, before, e.constant(0));
        Value last = toIndex(e.b, e.loc, tensor::ExtractOp::create(e.b, e.loc, offsets, before));
        Value outside =
            arith::OrIOp::create(e.b, e.loc, e.cmp(Predicate::slt, offset, e.constant(0)),
                                 e.cmp(Predicate::sgt, offset, rows));
        return arith::OrIOp::create(e.b, e.loc, outside, e.cmp(Predicate::slt, offset, last));
      },
      rows, "offset {0} of a sequence is out of order or beyond {1} rows");
}

void Checker::checkPages(Value table, Value lengths, Value pages, Value size) {
  check(
      table,
      [&](IndexMath e, Value page, ValueRange at) -> Value {
        Value length = readMetadata(e.b, e.loc, lengths, at[0]);
        Value isUsed = e.cmp(Predicate::slt, e.mul(at[1], size), length);
        Value outside = arith::OrIOp::create(e.b, e.loc, e.cmp(Predicate::slt, page, e.constant(0)),
                                             e.cmp(Predicate::sge, page, pages));
        return e.both(isUsed, outside);
      },
      pages, "page {0} is none of {1} pages");
}

/// The extent that `letter` has in a tensor or packed tensor.
static Value extentOf(IndexMath m, Value tensor, StringRef letters, char letter) {
  int64_t at = *findLetter(letters, letter);
  int64_t extent = cast<ShapedType>(tensor.getType()).getDimSize(at);
  return ShapedType::isDynamic(extent) ? m.dim(tensor, at) : m.constant(extent);
}

static void checkAttention(OpBuilder &b, const Attention &a) {
  Location loc = a.op->getLoc();
  Checker checker(b, loc);
  IndexMath m{b, loc};
  if (a.queryOffsets)
    checker.checkOffsets(a.queryOffsets, extentOf(m, a.query, a.layout.query, 's'));
  if (a.keyOffsets)
    checker.checkOffsets(a.keyOffsets, extentOf(m, a.key, a.layout.key, 't'));
  if (a.pageTable)
    checker.checkPages(a.pageTable, a.keyLengths, extentOf(m, a.key, a.layout.key, 'p'),
                       extentOf(m, a.key, a.layout.key, 't'));
}

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

namespace {
/// What AttentionVerifier says of extents, of those that types do not tell.
class AttentionExtents {
public:
  AttentionExtents(OpBuilder &b, const Attention &a) : b(b), a(a), calls(b, a.op->getLoc()) {}
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
  ExtentChecks calls;
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

namespace {
struct CheckAttention : attn::impl::CheckAttentionBase<CheckAttention> {
  void runOnOperation() override {
    getOperation()->walk([](Operation *op) {
      OpBuilder b(op);
      if (isa<AttendOp, PartialOp>(op)) {
        Attention a = Attention::of(op);
        AttentionExtents(b, a).check();
        checkAttention(b, a);
      }
      ExtentChecks calls(b, op->getLoc());
      llvm::TypeSwitch<Operation *>(op).Case<KVAppendOp, KVEvictOp, LinearOp, MergeOp>(
          [&](auto op) { checkExtents(calls, op); });
      auto append = dyn_cast<KVAppendOp>(op);
      if (append && append.getRowOffsets())
        Checker(b, op->getLoc())
            .checkOffsets(append.getRowOffsets(),
                          extentOf(IndexMath{b, op->getLoc()}, append.getRows(),
                                   append.getLayout().split("->").first, 't'));
    });
  }
};
} // namespace
