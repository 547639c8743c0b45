//===- MoEPlacement.cpp - Where experts are -------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"

#include "mlir/IR/PatternMatch.h"

#include <limits>

using namespace mlir;
using namespace weft;
using namespace weft::moe;

static bool isI32(RankedTensorType type, int64_t rank) {
  return type.getRank() == rank && type.getElementType().isInteger(32);
}

//===----------------------------------------------------------------------===//
// ExchangeOp
//===----------------------------------------------------------------------===//

LogicalResult ExchangeOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, b, shapes);
}

LogicalResult ExchangeOp::verify() {
  if (failed(verifyResults(*this)))
    return failure();
  RankedTensorType values = typeOf(getValues()), offsets = typeOf(getOffsets()),
                   received = typeOf(getReceived()), bounds = typeOf(getBounds());
  if (values.getRank() != 3 || received.getRank() != 3 ||
      values.getElementType() != received.getElementType() ||
      !compatible(values.getDimSize(0), received.getDimSize(0)) ||
      !compatible(values.getDimSize(2), received.getDimSize(2)))
    return emitOpError("expects values and an init of rank 3 that differ in rows only, got ")
           << values << " and " << received;
  if (!isI32(offsets, 2) || !compatible(offsets.getDimSize(0), values.getDimSize(0)) ||
      offsets.getDimSize(1) == 0)
    return emitOpError("expects offsets of i32 for each of ")
           << show(values.getDimSize(0)) << " ranks, one more than groups, got " << offsets;
  if (!isI32(bounds, 2) || failed(verifyCompatibleShape(bounds.getShape(), offsets.getShape())))
    return emitOpError("expects an init of type ") << offsets << " for offsets, got " << bounds;
  if (Value place = getPlace())
    if (RankedTensorType type = typeOf(place);
        !isI32(type, 1) ||
        (!offsets.isDynamicDim(1) && !compatible(type.getDimSize(0), offsets.getDimSize(1) - 1)))
      return emitOpError("expects a rank for each group as an i32, got ") << type;
  return success();
}

/// One rank that has all groups exchanges nothing.
LogicalResult ExchangeOp::canonicalize(ExchangeOp op, PatternRewriter &rewriter) {
  if (op.getPlace() || typeOf(op.getValues()).getDimSize(0) != 1)
    return rewriter.notifyMatchFailure(op, "has ranks to exchange with");
  if (op.getValues().getType() != op.getReceived().getType() ||
      !typeOf(op.getValues()).hasStaticShape() || !typeOf(op.getOffsets()).hasStaticShape() ||
      op.getOffsets().getType() != op.getBounds().getType())
    return rewriter.notifyMatchFailure(op, "has another number of rows");
  rewriter.replaceOp(op, {op.getValues(), op.getOffsets()});
  return success();
}

namespace {
/// Goes through the groups of a rank in the order in which it receives them.
class ExchangeReference {
public:
  ExchangeReference(OpBuilder &b, ExchangeOp op)
      : m(b, op.getLoc()), op(op), ranks(m.dim(op.getOffsets(), 0)),
        groups(m.sub(m.dim(op.getOffsets(), 1), m.constant(1))),
        sent(m.dim(op.getInverse() ? op.getInits()[0] : op.getValues(), 1)),
        received(m.dim(op.getInverse() ? op.getValues() : op.getInits()[0], 1)) {}
  SmallVector<Value> lower();

private:
  Value rankOf(Value group);
  /// First row of a group of a sender, and the number of its rows.
  std::pair<Value, Value> rowsOf(Value sender, Value group);
  Value copyRow(Value from, Value to, Value fromRank, Value fromRow, Value toRank, Value toRow);

  ReferenceBuilder m;
  ExchangeOp op;
  Value ranks, groups, sent, received;
};
} // namespace

Value ExchangeReference::rankOf(Value group) {
  if (Value place = op.getPlace())
    return m.toIndex(m.read(place, group));
  return m.div(m.mul(group, ranks), groups);
}

std::pair<Value, Value> ExchangeReference::rowsOf(Value sender, Value group) {
  auto at = [&](Value g) {
    Value offset = m.toIndex(m.read(op.getOffsets(), {sender, g}));
    return m.min(m.max(offset, m.constant(0)), sent);
  };
  Value first = at(group), end = at(m.add(group, m.constant(1)));
  return {first, m.max(m.sub(end, first), m.constant(0))};
}

Value ExchangeReference::copyRow(Value from, Value to, Value fromRank, Value fromRow, Value toRank,
                                 Value toRow) {
  return m.loop(m.constant(0), m.dim(from, 2), to, [&](Value h, ValueRange carried) {
    Value element = m.read(from, {fromRank, fromRow, h});
    return SmallVector<Value>{m.write(element, carried[0], {toRank, toRow, h})};
  })[0];
}

SmallVector<Value> ExchangeReference::lower() {
  Value zero = m.constant(0), one = m.constant(1);
  auto inits = op.getInits();
  bool isInverse = op.getInverse();
  return m.loop(zero, ranks, inits, [&](Value rank, ValueRange outs) {
    // The second result starts at 0; sent back, it is what was given.
    Value bounds =
        m.write(isInverse ? m.read(op.getOffsets(), {rank, zero}) : m.number(m.b.getI32Type(), 0),
                outs[1], {rank, zero});
    SmallVector<Value> done =
        m.loop(zero, groups, {outs[0], bounds, zero}, [&](Value group, ValueRange carried) {
          Value isHere = m.cmp(arith::CmpIPredicate::eq, rankOf(group), rank);
          Value senders = m.select(isHere, ranks, zero);
          SmallVector<Value> rows =
              m.loop(zero, senders, {carried[0], carried[2]}, [&](Value sender, ValueRange c) {
                auto [first, count] = rowsOf(sender, group);
                Value fits = m.min(count, m.max(m.sub(received, c[1]), zero));
                Value next = m.loop(zero, fits, c[0], [&, first = first](Value i, ValueRange out) {
                  Value own = m.add(first, i), there = m.add(c[1], i);
                  return SmallVector<Value>{
                      isInverse ? copyRow(op.getValues(), out[0], rank, there, sender, own)
                                : copyRow(op.getValues(), out[0], sender, own, rank, there)};
                })[0];
                return SmallVector<Value>{next, m.add(c[1], fits)};
              });
          Value after = m.add(group, one);
          Value bound = isInverse ? m.read(op.getOffsets(), {rank, after}) : m.toI32(rows[1]);
          return SmallVector<Value>{rows[0], m.write(bound, carried[1], {rank, after}), rows[1]};
        });
    return SmallVector<Value>{done[0], done[1]};
  });
}

FailureOr<SmallVector<Value>> ExchangeOp::lowerToReference(OpBuilder &b) {
  return ExchangeReference(b, *this).lower();
}

//===----------------------------------------------------------------------===//
// ResidencyOp
//===----------------------------------------------------------------------===//

LogicalResult ResidencyOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, b, shapes);
}

LogicalResult ResidencyOp::verify() {
  if (failed(verifyResults(*this)))
    return failure();
  RankedTensorType slots = typeOf(getSlots());
  if (!isI32(typeOf(getIds()), 2))
    return emitOpError("expects numbers of experts of rank 2 of i32, got ") << typeOf(getIds());
  if (!isI32(slots, 1))
    return emitOpError("expects slots of rank 1 of i32, got ") << slots;
  if (!isI32(typeOf(getPlace()), 1))
    return emitOpError("expects a place of rank 1 of i32, got ") << typeOf(getPlace());
  for (Value other : {Value(getStamps()), getInits()[1], getInits()[2], getInits()[3]})
    if (RankedTensorType type = typeOf(other);
        !isI32(type, 1) || !compatible(type.getDimSize(0), slots.getDimSize(0)))
      return emitOpError("expects stamps and inits of ")
             << show(slots.getDimSize(0)) << " slots of i32, got " << type;
  return success();
}

namespace {
/// Marks what is wanted, keeps what of it is there, then fetches the rest.
class ResidencyReference {
public:
  ResidencyReference(OpBuilder &b, ResidencyOp op)
      : m(b, op.getLoc()), op(op), count(m.dim(op.getSlots(), 0)),
        experts(m.dim(op.getInits()[0], 0)) {}
  SmallVector<Value> lower();

private:
  /// i8 [E]: which experts are wanted.
  Value wanted();
  Value now();
  /// The stamp of a slot, all of them earlier where they come to the end of i32.
  Value stampOf(Value slot);
  /// The slot that was used least recently, before `time`; -1 if all are in use.
  Value oldest(Value stamps, Value time);
  Value isSet(Value marks, Value i) {
    Value mark = m.read(marks, i);
    return m.cmp(arith::CmpIPredicate::ne, mark, m.number(mark.getType(), 0));
  }

  ReferenceBuilder m;
  ResidencyOp op;
  Value count, experts, beyond;
};
} // namespace

Value ResidencyReference::wanted() {
  Type i8 = m.b.getI8Type();
  Value zero = m.constant(0), ids = op.getIds();
  Value marks = m.fill(m.empty(m.size(op.getInits()[0], 0), i8), m.number(i8, 0));
  return m.loop(zero, m.dim(ids, 0), marks, [&](Value t, ValueRange outer) {
    return m.loop(zero, m.dim(ids, 1), outer, [&](Value j, ValueRange carried) {
      Value id = m.toIndex(m.read(ids, {t, j}));
      return m.branch(
          m.within(id, experts),
          [&] { return SmallVector<Value>{m.write(m.number(i8, 1), carried[0], id)}; },
          [&] { return SmallVector<Value>(carried); });
    });
  })[0];
}

Value ResidencyReference::now() {
  Value largest = m.loop(m.constant(0), count, m.constant(0), [&](Value s, ValueRange carried) {
    return SmallVector<Value>{m.max(carried[0], m.toIndex(m.read(op.getStamps(), s)))};
  })[0];
  Value next = m.add(largest, m.constant(1));
  beyond = m.max(m.constant(0), m.sub(next, m.constant(std::numeric_limits<int32_t>::max())));
  return m.sub(next, beyond);
}

Value ResidencyReference::stampOf(Value slot) {
  Value stamp = m.read(op.getStamps(), slot);
  Value earlier = m.toI32(m.max(m.constant(0), m.sub(m.toIndex(stamp), beyond)));
  return m.select(m.cmp(arith::CmpIPredicate::sgt, beyond, m.constant(0)), earlier, stamp);
}

Value ResidencyReference::oldest(Value stamps, Value time) {
  Value none = m.constant(-1);
  return m.loop(m.constant(0), count, {none, time}, [&](Value s, ValueRange carried) {
    Value stamp = m.toIndex(m.read(stamps, s)), isOlder = m.less(stamp, carried[1]);
    return SmallVector<Value>{m.select(isOlder, s, carried[0]),
                              m.select(isOlder, stamp, carried[1])};
  })[0];
}

SmallVector<Value> ResidencyReference::lower() {
  Value zero = m.constant(0), time = now(), marks = wanted();
  Value none = m.number(m.b.getI32Type(), -1);
  auto inits = op.getInits();
  SmallVector<Value> start{m.fill(inits[0], none), m.fill(inits[1], none), inits[2], inits[3]};
  // What is there: its place, and a new stamp if it is wanted.
  SmallVector<Value> kept = m.loop(zero, count, start, [&](Value s, ValueRange c) {
    Value raw = m.read(op.getSlots(), s), expert = m.toIndex(raw), stamp = stampOf(s);
    SmallVector<Value> placed = m.branch(
        m.within(expert, experts),
        [&] {
          Value next = m.select(isSet(marks, expert), m.toI32(time), stamp);
          return SmallVector<Value>{m.write(m.toI32(s), c[0], expert), next};
        },
        [&] {
          return SmallVector<Value>{c[0], stamp};
        });
    return SmallVector<Value>{placed[0], c[1], m.write(raw, c[2], s), m.write(placed[1], c[3], s)};
  });
  return m.loop(zero, experts, kept, [&](Value expert, ValueRange c) {
    Value isAbsent = m.less(m.toIndex(m.read(c[0], expert)), zero);
    return m.branch(
        m.both(isAbsent, isSet(marks, expert)),
        [&] {
          Value slot = oldest(c[3], time);
          return m.branch(
              m.cmp(arith::CmpIPredicate::sge, slot, zero),
              [&] {
                Value before = m.toIndex(m.read(c[2], slot));
                Value place = m.branch(
                    m.within(before, experts),
                    [&] { return SmallVector<Value>{m.write(none, c[0], before)}; },
                    [&] { return SmallVector<Value>{c[0]}; })[0];
                Value number = m.toI32(expert);
                return SmallVector<Value>{m.write(m.toI32(slot), place, expert),
                                          m.write(number, c[1], slot), m.write(number, c[2], slot),
                                          m.write(m.toI32(time), c[3], slot)};
              },
              [&] { return SmallVector<Value>(c); });
        },
        [&] { return SmallVector<Value>(c); });
  });
}

FailureOr<SmallVector<Value>> ResidencyOp::lowerToReference(OpBuilder &b) {
  return ResidencyReference(b, *this).lower();
}
