//===- AttnCacheOps.cpp - Caches of keys and values -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Attn/IR/AttnScores.h"
#include "dialects/Weft/IR/IndexMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace weft;
using namespace weft::attn;

using Predicate = arith::CmpIPredicate;

static bool isEmpty(Value tensor) {
  return llvm::is_contained(cast<RankedTensorType>(tensor.getType()).getShape(), 0);
}

static SmallVector<Value>
buildLoop(OpBuilder &b, Location loc, Value begin, Value end, ValueRange start,
          llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  auto forOp = scf::ForOp::create(b, loc, begin, end, one, start);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(forOp.getBody());
  scf::YieldOp::create(b, loc, body(forOp.getInductionVar(), forOp.getRegionIterArgs()));
  return SmallVector<Value>(forOp.getResults());
}

static bool isIntegers(Type type, int64_t rank) {
  auto tensor = cast<RankedTensorType>(type);
  return tensor.getRank() == rank && isPositionType(tensor.getElementType());
}

//===----------------------------------------------------------------------===//
// Append
//===----------------------------------------------------------------------===//

static bool hasLetters(StringRef letters, StringRef allowed, StringRef required) {
  for (auto [i, letter] : llvm::enumerate(letters))
    if (!allowed.contains(letter) || letters.drop_front(i + 1).contains(letter))
      return false;
  return llvm::all_of(required, [&](char letter) { return letters.contains(letter); });
}

LogicalResult KVAppendOp::verify() {
  if (getInits().size() != 1)
    return emitOpError("has ") << getInits().size() << " caches, expected one";
  auto [rows, cache] = getLayout().split("->");
  StringRef sequences = getPageTable() ? "p" : "b";
  if (!hasLetters(rows, getRowOffsets() ? "htd" : "bhtd", "td") ||
      !hasLetters(cache, (sequences + "htd").str(), getPageTable() ? "ptd" : "td") ||
      rows.contains('h') != cache.contains('h') ||
      (!getPageTable() && !getRowOffsets() && rows.contains('b') != cache.contains('b')))
    return emitOpError("has layout \"")
           << getLayout() << "\", expected letters as in \"bhtd->bhtd\"";
  auto rowsType = cast<RankedTensorType>(getRows().getType());
  auto cacheType = cast<RankedTensorType>(getInits()[0].getType());
  if (rowsType.getRank() != static_cast<int64_t>(rows.size()) ||
      cacheType.getRank() != static_cast<int64_t>(cache.size()))
    return emitOpError("has rows ")
           << rowsType << " and a cache " << cacheType << ", which are not of the layout's ranks";
  if (rowsType.getElementType() != cacheType.getElementType())
    return emitOpError("has rows ") << rowsType << " for a cache " << cacheType;
  for (auto [i, letter] : llvm::enumerate(rows)) {
    std::optional<int64_t> at = letter == 't' ? std::nullopt : findLetter(cache, letter);
    if (at && !rowsType.isDynamicDim(i) && !cacheType.isDynamicDim(*at) &&
        rowsType.getDimSize(i) != cacheType.getDimSize(*at))
      return emitOpError("has extents ")
             << rowsType.getDimSize(i) << " and " << cacheType.getDimSize(*at) << " of "
             << StringRef(&letter, 1);
  }
  for (auto [value, rank] :
       {std::pair(getStarts(), 1), {getLengths(), 1}, {getRowOffsets(), 1}, {getPageTable(), 2}})
    if (value && !isIntegers(value.getType(), rank))
      return emitOpError("has an operand ")
             << value.getType() << ", expected integers of rank " << rank;
  return success();
}

namespace {
/// Writes rows one after the other; heads are independent.
class AppendReference {
public:
  AppendReference(OpBuilder &b, KVAppendOp op)
      : b(b), op(op), loc(op.getLoc()), m{b, loc}, rows(op.getLayout().split("->").first),
        cache(op.getLayout().split("->").second) {}

  Value lower();

private:
  Value appendHead(Value target, Value head);
  Value appendRow(Value target, Value head, Value sequence, Value row, Value within);
  Value extent(Value tensor, StringRef letters, char letter) {
    std::optional<int64_t> at = findLetter(letters, letter);
    return at ? m.dim(tensor, *at) : m.constant(1);
  }

  OpBuilder &b;
  KVAppendOp op;
  Location loc;
  IndexMath m;
  StringRef rows, cache;
};
} // namespace

/// `row` of the rows, which is number `within` of its sequence. What has no place is
/// written as what is there.
Value AppendReference::appendRow(Value target, Value head, Value sequence, Value row,
                                 Value within) {
  Value zero = m.constant(0), size = extent(target, cache, 't'), position = within;
  if (op.getStarts())
    position = m.add(position, readMetadata(b, loc, op.getStarts(), sequence));
  Value capacity = size;
  if (op.getPageTable())
    capacity = m.mul(size, m.dim(op.getPageTable(), 1));
  Value valid = m.cmp(Predicate::sge, position, zero);
  // A table without columns has no place, and no remainder.
  Value divisor = arith::MaxSIOp::create(b, loc, capacity, m.constant(1));
  if (op.getCircular())
    position = m.rem(position, divisor);
  valid = m.both(valid, m.cmp(Predicate::slt, position, capacity));
  if (op.getLengths())
    valid = m.both(valid,
                   m.cmp(Predicate::slt, within, readMetadata(b, loc, op.getLengths(), sequence)));
  position = m.clamp(position, divisor);
  Value place = sequence, entry = position;
  if (op.getPageTable()) {
    Value page = readMetadata(b, loc, op.getPageTable(), {sequence, m.div(position, size)});
    Value pages = extent(target, cache, 'p');
    valid = m.both(valid,
                   m.both(m.cmp(Predicate::sge, page, zero), m.cmp(Predicate::slt, page, pages)));
    place = m.clamp(page, pages);
    entry = m.rem(position, size);
  } else if (cache.contains('b')) {
    Value batch = extent(target, cache, 'b');
    valid = m.both(valid, m.cmp(Predicate::slt, sequence, batch));
    place = m.clamp(sequence, batch);
  }
  return buildLoop(
      b, loc, zero, extent(op.getRows(), rows, 'd'), target, [&](Value d, ValueRange args) {
        auto indices = [&](StringRef letters, Value batch, Value head, Value t) {
          return llvm::map_to_vector(letters, [&](char letter) {
            return letter == 'h' ? head : letter == 't' ? t : letter == 'd' ? d : batch;
          });
        };
        Value fresh =
            tensor::ExtractOp::create(b, loc, op.getRows(), indices(rows, sequence, head, row));
        // The target has one head.
        SmallVector<Value> to = indices(cache, place, zero, entry);
        Value old = tensor::ExtractOp::create(b, loc, args[0], to);
        Value next = m.select(valid, fresh, old);
        return SmallVector<Value>{tensor::InsertOp::create(b, loc, next, args[0], to)};
      })[0];
}

Value AppendReference::appendHead(Value target, Value head) {
  Value zero = m.constant(0), one = m.constant(1);
  Value sequences = extent(op.getRows(), rows, 'b'), count = extent(op.getRows(), rows, 't');
  if (op.getRowOffsets())
    sequences = m.sub(m.dim(op.getRowOffsets(), 0), one);
  auto cacheType = cast<RankedTensorType>(target.getType());
  if (Value some = isNotEmpty(m, target, llvm::to_vector(llvm::seq(cacheType.getRank()))))
    sequences = m.select(some, sequences, zero);
  return buildLoop(b, loc, zero, sequences, target, [&](Value sequence, ValueRange args) {
    Value begin = zero, end = count;
    if (op.getRowOffsets()) {
      auto limit = [&](Value i) -> Value {
        Value offset = readMetadata(b, loc, op.getRowOffsets(), i);
        return arith::MinSIOp::create(b, loc, arith::MaxSIOp::create(b, loc, offset, zero), count);
      };
      begin = limit(sequence);
      end = limit(m.add(sequence, one));
    }
    return buildLoop(b, loc, begin, end, args[0], [&](Value row, ValueRange args) {
      return SmallVector<Value>{appendRow(args[0], head, sequence, row, m.sub(row, begin))};
    });
  })[0];
}

Value AppendReference::lower() {
  Value init = op.getInits()[0];
  if (isEmpty(init) || isEmpty(op.getRows()))
    return init;
  std::optional<int64_t> heads = findLetter(cache, 'h');
  if (!heads)
    return appendHead(init, m.constant(0));
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, init);
  int64_t rank = sizes.size();
  auto forall = scf::ForallOp::create(b, loc, ArrayRef<OpFoldResult>{sizes[*heads]}, init,
                                      /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(forall.getBody());
  Value head = forall.getInductionVar(0), arg = forall.getRegionIterArgs()[0];
  SmallVector<OpFoldResult> offsets(rank, b.getIndexAttr(0)), ones(rank, b.getIndexAttr(1));
  offsets[*heads] = head;
  sizes[*heads] = b.getIndexAttr(1);
  Value target = tensor::ExtractSliceOp::create(b, loc, arg, offsets, sizes, ones);
  Value written = appendHead(target, head);
  b.setInsertionPointToEnd(forall.getTerminator().getBody());
  tensor::ParallelInsertSliceOp::create(b, loc, written, arg, offsets, sizes, ones);
  return forall.getResult(0);
}

FailureOr<SmallVector<Value>> KVAppendOp::lowerToReference(OpBuilder &b) {
  return SmallVector<Value>{AppendReference(b, *this).lower()};
}

//===----------------------------------------------------------------------===//
// Evict
//===----------------------------------------------------------------------===//

LogicalResult KVEvictOp::verify() {
  auto scores = cast<RankedTensorType>(getScores().getType());
  if (scores.getRank() != 3 || !isa<FloatType>(scores.getElementType()))
    return emitOpError("has scores ") << scores << ", expected floats [b, h, t]";
  int64_t sinks = getSinks(), recent = getRecent();
  if (sinks < 0 || recent < 0)
    return emitOpError("has ") << sinks << " sinks and " << recent << " recent entries";
  if (getInits().size() != getCaches().size() + 1)
    return emitOpError("has ") << getCaches().size() << " caches and " << getInits().size()
                               << " results, expected positions and one for each cache";
  auto kept = cast<RankedTensorType>(getInits()[0].getType());
  if (kept.getRank() != 3 || !kept.getElementType().isInteger(32) ||
      failed(verifyCompatibleShape(kept.getShape().drop_back(), scores.getShape().drop_back())))
    return emitOpError("has positions ")
           << kept << " of scores " << scores << ", expected i32 [b, h, m]";
  for (auto [cache, init] : llvm::zip(getCaches(), getInits().drop_front())) {
    auto from = cast<RankedTensorType>(cache.getType());
    auto to = cast<RankedTensorType>(init.getType());
    auto fits = [&](RankedTensorType type, RankedTensorType of) {
      return type.getRank() >= 3 &&
             succeeded(verifyCompatibleShape(type.getShape().take_front(3), of.getShape()));
    };
    if (!fits(from, scores) || !fits(to, kept) || from.getElementType() != to.getElementType() ||
        failed(verifyCompatibleShape(from.getShape().drop_front(3), to.getShape().drop_front(3))))
      return emitOpError("has a cache ")
             << from << " and a result " << to << " that do not fit the scores and positions";
  }
  if (getLengths() && !isIntegers(getLengths().getType(), 1))
    return emitOpError("has lengths ")
           << getLengths().getType() << ", expected a vector of integers";
  return success();
}

namespace {
/// The entries of one head.
class EvictReference {
public:
  EvictReference(OpBuilder &b, KVEvictOp op) : b(b), op(op), loc(op.getLoc()), m{b, loc} {}

  SmallVector<Value> lower();

private:
  /// What is kept of a head: positions [m], then entries [m, ...].
  SmallVector<Value> keepEntries(ValueRange outs, Value room);
  Value isKept(Value t, Value room);
  Value isProtected(Value t) {
    Value first = m.cmp(Predicate::slt, t, m.constant(op.getSinks()));
    Value last = m.cmp(Predicate::sge, t, m.sub(length, m.constant(op.getRecent())));
    return arith::OrIOp::create(b, loc, first, last);
  }
  Value scoreOf(Value t) {
    Value score = tensor::ExtractOp::create(b, loc, op.getScores(), {batch, head, t});
    auto type = cast<FloatType>(score.getType());
    Value least = arith::ConstantOp::create(
        b, loc, b.getFloatAttr(type, APFloat::getInf(type.getFloatSemantics(), true)));
    Value isNaN = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, score, score);
    return m.select(isNaN, least, score);
  }

  OpBuilder &b;
  KVEvictOp op;
  Location loc;
  IndexMath m;
  Value batch, head, length;
  SmallVector<Value> caches; ///< those that have elements
};
} // namespace

/// Whether fewer entries than there is room for come before entry t.
Value EvictReference::isKept(Value t, Value room) {
  Value zero = m.constant(0), one = m.constant(1);
  Value score = scoreOf(t), isFirst = isProtected(t);
  Value before = buildLoop(b, loc, zero, length, zero, [&](Value other, ValueRange args) {
    Value otherScore = scoreOf(other), otherIsFirst = isProtected(other);
    Value greater = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, otherScore, score);
    Value same = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, otherScore, score);
    Value earlier = m.cmp(Predicate::slt, other, t);
    Value byScore = arith::OrIOp::create(b, loc, greater, m.both(same, earlier));
    // Both protected: the earlier one; one of them: that one.
    Value sameKind = m.cmp(Predicate::eq, otherIsFirst, isFirst);
    Value within = m.select(isFirst, earlier, byScore);
    Value wins = m.select(sameKind, within, otherIsFirst);
    return SmallVector<Value>{m.add(args[0], m.select(wins, one, zero))};
  })[0];
  return m.cmp(Predicate::slt, before, room);
}

SmallVector<Value> EvictReference::keepEntries(ValueRange outs, Value room) {
  Value zero = m.constant(0), one = m.constant(1);
  Type i32 = b.getI32Type();
  Value none = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(-1));
  SmallVector<Value> carried(outs);
  carried[0] = buildLoop(b, loc, zero, room, carried[0], [&](Value i, ValueRange args) {
    return SmallVector<Value>{tensor::InsertOp::create(b, loc, none, args[0], i)};
  })[0];
  carried.push_back(zero); // how many are kept
  Value end = m.select(m.cmp(Predicate::sgt, room, zero), length, zero);
  SmallVector<Value> results = buildLoop(b, loc, zero, end, carried, [&](Value t, ValueRange args) {
    Value keep = isKept(t, room), to = m.clamp(args.back(), room);
    auto put = [&](Value fresh, Value target, ValueRange at) -> Value {
      Value old = tensor::ExtractOp::create(b, loc, target, at);
      return tensor::InsertOp::create(b, loc, m.select(keep, fresh, old), target, at);
    };
    SmallVector<Value> next{put(arith::IndexCastOp::create(b, loc, i32, t), args[0], to)};
    for (auto [cache, target] : llvm::zip(caches, args.drop_front().drop_back())) {
      SmallVector<Value> lows, highs, steps;
      for (int64_t i = 1; i < cast<RankedTensorType>(target.getType()).getRank(); ++i) {
        lows.push_back(zero);
        highs.push_back(m.dim(target, i));
        steps.push_back(one);
      }
      auto move = [&](OpBuilder &, Location, ValueRange ivs, ValueRange inner) {
        SmallVector<Value> from{batch, head, t}, at{to};
        llvm::append_range(from, ivs);
        llvm::append_range(at, ivs);
        Value fresh = tensor::ExtractOp::create(b, loc, cache, from);
        return put(fresh, inner[0], at);
      };
      if (lows.empty()) {
        next.push_back(move(b, loc, {}, target));
        continue;
      }
      scf::LoopNest nest = scf::buildLoopNest(
          b, loc, lows, highs, steps, target,
          [&](OpBuilder &nested, Location at, ValueRange ivs, ValueRange inner) {
            OpBuilder::InsertionGuard guard(b);
            b.setInsertionPoint(nested.getInsertionBlock(), nested.getInsertionPoint());
            return scf::ValueVector{move(b, at, ivs, inner)};
          });
      next.push_back(nest.results[0]);
    }
    next.push_back(m.add(args.back(), m.select(keep, one, zero)));
    return next;
  });
  results.pop_back();
  return results;
}

SmallVector<Value> EvictReference::lower() {
  SmallVector<Value> results(op.getInits()), inits{results[0]};
  // MLIR takes no slice of what has no elements.
  if (isEmpty(results[0]))
    return results;
  for (auto [cache, init] : llvm::zip(op.getCaches(), op.getInits().drop_front()))
    if (!isEmpty(init)) {
      caches.push_back(cache);
      inits.push_back(init);
    }
  SmallVector<OpFoldResult> extents = tensor::getMixedSizes(b, loc, op.getScores());
  Value total = m.dim(op.getScores(), 2), room = m.dim(inits[0], 2);
  extents.pop_back();
  auto forall = scf::ForallOp::create(b, loc, extents, inits, /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(forall.getBody());
  batch = forall.getInductionVar(0);
  head = forall.getInductionVar(1);
  length = total;
  if (op.getLengths())
    length = arith::MinSIOp::create(b, loc, total, readMetadata(b, loc, op.getLengths(), batch));
  SmallVector<SmallVector<OpFoldResult>> offsets, sizes;
  SmallVector<Value> parts;
  for (auto [arg, init] : llvm::zip(forall.getRegionIterArgs(), inits)) {
    auto type = cast<RankedTensorType>(init.getType());
    sizes.push_back(tensor::getMixedSizes(b, loc, init));
    sizes.back()[0] = sizes.back()[1] = b.getIndexAttr(1);
    offsets.push_back(SmallVector<OpFoldResult>(type.getRank(), b.getIndexAttr(0)));
    offsets.back()[0] = batch;
    offsets.back()[1] = head;
    SmallVector<OpFoldResult> ones(type.getRank(), b.getIndexAttr(1));
    auto part = RankedTensorType::get(type.getShape().drop_front(2), type.getElementType());
    parts.push_back(
        tensor::ExtractSliceOp::create(b, loc, part, arg, offsets.back(), sizes.back(), ones));
  }
  SmallVector<Value> kept = keepEntries(parts, room);
  b.setInsertionPointToEnd(forall.getTerminator().getBody());
  for (auto [i, value, arg] : llvm::enumerate(kept, forall.getRegionIterArgs())) {
    SmallVector<OpFoldResult> ones(sizes[i].size(), b.getIndexAttr(1));
    tensor::ParallelInsertSliceOp::create(b, loc, value, arg, offsets[i], sizes[i], ones);
  }
  unsigned next = 0;
  for (Value &result : results)
    if (!isEmpty(result))
      result = forall.getResult(next++);
  return results;
}

FailureOr<SmallVector<Value>> KVEvictOp::lowerToReference(OpBuilder &b) {
  return EvictReference(b, *this).lower();
}
