//===- MoEPlan.cpp - Sorting what tokens chose by expert ------------------===//
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

LogicalResult PlanOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, b, shapes);
}

LogicalResult PlanOp::verify() {
  if (failed(verifyResults(*this)))
    return failure();
  RankedTensorType ids = typeOf(getIds()), offsets = typeOf(getOffsets()),
                   slots = typeOf(getSlots()), positions = typeOf(getPositions());
  if (ids.getRank() != 2 || !ids.getElementType().isInteger(32))
    return emitOpError("expects numbers of experts of rank 2 of i32, got ") << ids;
  if (offsets.getRank() != 1 || !offsets.getElementType().isInteger(32) ||
      offsets.getDimSize(0) == 0)
    return emitOpError("expects offsets of rank 1 of i32, one more than groups, got ") << offsets;
  if (slots.getRank() != 1 || !slots.getElementType().isInteger(32))
    return emitOpError("expects slots of rank 1 of i32, got ") << slots;
  if (positions.getElementType() != ids.getElementType() ||
      failed(verifyCompatibleShape(positions.getShape(), ids.getShape())))
    return emitOpError("expects positions of type ") << ids << ", got " << positions;
  if (getAlign() < 1 || getAlign() > (1 << 20))
    return emitOpError("expects an alignment of 1 to 2^20, got ") << getAlign();
  if (getPadded() && !getCapacity())
    return emitOpError("pads groups to a capacity, but has none");
  if (getPadded() && getAlign() != 1)
    return emitOpError("pads groups to a capacity and to an alignment");
  if ((getDrop() == Drop::Least) != (getWeights() != nullptr))
    return emitOpError("expects weights to drop the least, and for nothing else");
  if (getWeights() && !getCapacity())
    return emitOpError("drops the least of groups without a capacity");
  if (Value weights = getWeights())
    if (RankedTensorType type = typeOf(weights);
        !isa<FloatType>(type.getElementType()) ||
        failed(verifyCompatibleShape(type.getShape(), ids.getShape())))
      return emitOpError("expects weights of floats of the shape of the numbers, got ") << type;
  if (Value place = getPlace())
    if (RankedTensorType type = typeOf(place);
        type.getRank() != 1 || !type.getElementType().isInteger(32))
      return emitOpError("expects a place for each expert as an i32, got ") << type;
  if (ids.hasStaticShape() && !slots.isDynamicDim(0) && !getCapacity() &&
      slots.getDimSize(0) < ids.getNumElements())
    return emitOpError("has ") << slots.getDimSize(0) << " positions for " << ids.getNumElements()
                               << " slots";
  return success();
}

namespace {
/// Counts the slots of each group, adds the counts up, and places the slots.
class PlanReference {
public:
  PlanReference(OpBuilder &b, PlanOp op)
      : m(b, op.getLoc()), op(op), tokens(m.dim(op.getIds(), 0)), width(m.dim(op.getIds(), 1)),
        count(m.mul(tokens, width)), groups(m.sub(m.dim(op.getInits()[0], 0), m.constant(1))) {
    if (op.getCapacity())
      capacity = m.max(op.getCapacity(), m.constant(0));
  }
  SmallVector<Value> lower();

private:
  /// Token and number of the i-th slot in the order in which experts take them.
  SmallVector<Value> slotAt(Value i);
  /// The group of a slot; one of no group is -1.
  Value groupOf(ValueRange slot);
  /// Whether fewer than `capacity` slots of the group weigh more.
  Value isAmongHeaviest(Value i, ValueRange slot, Value group);

  ReferenceBuilder m;
  PlanOp op;
  Value tokens, width, count, groups, capacity;
};
} // namespace

SmallVector<Value> PlanReference::slotAt(Value i) {
  if (op.getSlotMajor())
    return {m.rem(i, tokens), m.div(i, tokens)};
  return {m.div(i, width), m.rem(i, width)};
}

Value PlanReference::groupOf(ValueRange slot) {
  Value group = m.toIndex(m.read(op.getIds(), slot)), none = m.constant(-1);
  if (Value place = op.getPlace()) {
    Value experts = m.dim(place, 0), id = group;
    group = m.branch(
        m.within(id, experts), [&] { return SmallVector<Value>{m.toIndex(m.read(place, id))}; },
        [&] { return SmallVector<Value>{none}; })[0];
  }
  return m.select(m.within(group, groups), group, none);
}

Value PlanReference::isAmongHeaviest(Value i, ValueRange slot, Value group) {
  // NaN is the least, so that weights have an order.
  auto weightOf = [&](ValueRange slot) -> Value {
    Value weight = m.read(op.getWeights(), slot);
    auto type = cast<FloatType>(weight.getType());
    Value least = arith::ConstantOp::create(
        m.b, m.loc, m.b.getFloatAttr(type, APFloat::getInf(type.getFloatSemantics(), true)));
    Value isNaN = arith::CmpFOp::create(m.b, m.loc, arith::CmpFPredicate::UNO, weight, weight);
    return m.select(isNaN, least, weight);
  };
  Value weight = weightOf(slot), zero = m.constant(0);
  Value heavier = m.loop(zero, count, zero, [&](Value j, ValueRange sum) {
    SmallVector<Value> other = slotAt(j);
    Value otherWeight = weightOf(other);
    using P = arith::CmpFPredicate;
    Value more = arith::CmpFOp::create(m.b, m.loc, P::OGT, otherWeight, weight);
    Value tied =
        m.negate(m.either(more, arith::CmpFOp::create(m.b, m.loc, P::OLT, otherWeight, weight)));
    Value first = m.either(more, m.both(tied, m.less(j, i)));
    Value same = m.cmp(arith::CmpIPredicate::eq, groupOf(other), group);
    return SmallVector<Value>{m.add(sum[0], m.select(m.both(same, first), m.constant(1), zero))};
  })[0];
  return m.less(heavier, capacity);
}

SmallVector<Value> PlanReference::lower() {
  Value zero = m.constant(0), one = m.constant(1);
  Type i32 = m.b.getI32Type();
  Value none = m.number(i32, -1);
  auto inits = op.getInits();
  Value slotsExtent = m.dim(inits[1], 0);
  // The number of each slot among those of its group, -1 for those left out.
  Value counts = m.fill(m.empty(OpFoldResult(groups), i32), m.number(i32, 0));
  SmallVector<Value> counted =
      m.loop(zero, count, {inits[2], counts}, [&](Value i, ValueRange carried) {
        SmallVector<Value> slot = slotAt(i);
        Value group = groupOf(slot);
        Value isPlaced = m.cmp(arith::CmpIPredicate::sge, group, zero);
        return m.branch(
            isPlaced,
            [&] {
              Value local = m.toIndex(m.read(carried[1], group));
              Value fits = m.bit(true);
              if (op.getWeights())
                fits = isAmongHeaviest(i, slot, group);
              else if (capacity)
                fits = m.less(local, capacity);
              Value next = m.add(local, m.select(fits, one, zero));
              return SmallVector<Value>{
                  m.write(m.select(fits, m.toI32(local), none), carried[0], slot),
                  m.write(m.toI32(next), carried[1], group)};
            },
            [&] {
              return SmallVector<Value>{m.write(none, carried[0], slot), carried[1]};
            });
      });
  Value locals = counted[0];
  Value offsets = m.write(m.number(i32, 0), inits[0], zero);
  offsets = m.loop(zero, groups, {offsets, zero}, [&](Value g, ValueRange carried) {
    Value size = m.toIndex(m.read(counted[1], g));
    if (op.getPadded())
      size = m.min(capacity, slotsExtent);
    else if (int64_t align = op.getAlign(); align != 1)
      size = m.mul(m.div(m.add(size, m.constant(align - 1)), m.constant(align)), m.constant(align));
    // Never beyond the positions that there are.
    Value end = m.min(m.add(carried[1], size), slotsExtent);
    return SmallVector<Value>{m.write(m.toI32(end), carried[0], m.add(g, one)), end};
  })[0];
  Value slots = m.fill(inits[1], none);
  SmallVector<Value> placed =
      m.loop(zero, count, {slots, locals}, [&](Value i, ValueRange carried) {
        SmallVector<Value> slot = slotAt(i);
        Value local = m.toIndex(m.read(carried[1], slot));
        return m.branch(
            m.cmp(arith::CmpIPredicate::sge, local, zero),
            [&] {
              Value group = groupOf(slot);
              Value position = m.add(m.toIndex(m.read(offsets, group)), local);
              return m.branch(
                  m.less(position, m.toIndex(m.read(offsets, m.add(group, one)))),
                  [&] {
                    Value number = m.add(m.mul(slot[0], width), slot[1]);
                    return SmallVector<Value>{m.write(m.toI32(number), carried[0], position),
                                              m.write(m.toI32(position), carried[1], slot)};
                  },
                  [&] {
                    return SmallVector<Value>{carried[0], m.write(none, carried[1], slot)};
                  });
            },
            [&] { return SmallVector<Value>(carried); });
      });
  return {offsets, placed[0], placed[1]};
}

FailureOr<SmallVector<Value>> PlanOp::lowerToReference(OpBuilder &b) {
  return PlanReference(b, *this).lower();
}
