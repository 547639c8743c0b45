//===- RouteReference.cpp - What moe.route means --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/RouteReference.h"
#include "dialects/Weft/IR/Compare.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

Value RouteReference::scoreOf(Value logits) {
  auto wide = m.empty(tensor::getMixedSizes(m.b, m.loc, logits), compute);
  Score score = op.getScore();
  Value numbers = m.map(logits, wide, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
    ReferenceBuilder e(b, loc);
    Value x = e.convert(args[0], compute), one = e.number(compute, 1);
    auto exp = [&](Value y) -> Value { return math::ExpOp::create(b, loc, y); };
    if (score == Score::Sigmoid)
      return arith::DivFOp::create(
          b, loc, one, arith::AddFOp::create(b, loc, one, exp(arith::NegFOp::create(b, loc, x))));
    if (score == Score::SqrtSoftplus) {
      // max(x, 0) + log(1 + exp(-|x|)) does not overflow.
      Value small = exp(arith::NegFOp::create(b, loc, math::AbsFOp::create(b, loc, x)));
      Value positive = arith::MaximumFOp::create(b, loc, x, e.number(compute, 0));
      return math::SqrtOp::create(
          b, loc, arith::AddFOp::create(b, loc, positive, math::Log1pOp::create(b, loc, small)));
    }
    return x;
  });
  if (score != Score::Softmax)
    return numbers;
  auto type = typeOf(numbers);
  return linalg::SoftmaxOp::create(m.b, m.loc, type, numbers, wide,
                                   static_cast<uint64_t>(type.getRank() - 1))
      .getResult()
      .front();
}

Value RouteReference::keyOf(Value logits, Value scores) {
  if (!op.getByLogits() && !op.getBias())
    return scores;
  Value bias = op.getBias(), base = op.getByLogits() ? logits : scores;
  int64_t rank = typeOf(logits).getRank();
  AffineMap all = m.b.getMultiDimIdentityMap(rank),
            column = AffineMap::get(rank, 0, m.b.getAffineDimExpr(rank - 1));
  SmallVector<AffineMap> maps{all};
  SmallVector<Value> inputs{base};
  if (bias) {
    maps.push_back(column);
    inputs.push_back(bias);
  }
  maps.push_back(all);
  Value init = m.empty(tensor::getMixedSizes(m.b, m.loc, logits), compute);
  SmallVector<utils::IteratorType> parallel(rank, utils::IteratorType::parallel);
  return linalg::GenericOp::create(m.b, m.loc, init.getType(), inputs, init, maps, parallel,
                                   [&](OpBuilder &b, Location loc, ValueRange args) {
                                     ReferenceBuilder e(b, loc);
                                     Value key = e.convert(args[0], compute);
                                     if (bias)
                                       key = arith::AddFOp::create(b, loc, key,
                                                                   e.convert(args[1], compute));
                                     linalg::YieldOp::create(b, loc, key);
                                   })
      .getResult(0);
}

Value RouteReference::isBefore(Place x, Place y) {
  Value before = createComesBefore(m.b, m.loc, x.key, y.key, /*descending=*/true, false);
  Value after = createComesBefore(m.b, m.loc, y.key, x.key, /*descending=*/true, false);
  Value tied = m.negate(m.either(before, after));
  return m.either(before, m.both(tied, m.less(x.id, y.id)));
}

std::pair<RouteReference::Place, Value>
RouteReference::next(Value count, Value isFirst, Place last, llvm::function_ref<Value(Value)> keyAt,
                     llvm::function_ref<Value(Value)> counts) {
  Value none = m.constant(-1);
  SmallVector<Value> best =
      m.loop(m.constant(0), count, {m.number(compute, 0), none}, [&](Value i, ValueRange carried) {
        Place candidate{keyAt(i), i}, bestSoFar{carried[0], carried[1]};
        Value open = m.either(isFirst, isBefore(last, candidate));
        if (Value counted = counts(i))
          open = m.both(open, counted);
        Value better = m.either(m.less(bestSoFar.id, m.constant(0)),
                                createComesBefore(m.b, m.loc, candidate.key, bestSoFar.key,
                                                  /*descending=*/true, false));
        Value take = m.both(open, better);
        return SmallVector<Value>{m.select(take, candidate.key, bestSoFar.key),
                                  m.select(take, candidate.id, bestSoFar.id)};
      });
  return {Place{best[0], best[1]}, m.cmp(arith::CmpIPredicate::sge, best[1], m.constant(0))};
}

Value RouteReference::keptGroups(Value keys) {
  GroupsAttr groups = op.getGroupsAttr();
  if (!groups)
    return {};
  Value count = m.constant(groups.getCount()), size = m.div(experts, count);
  Value lowest = arith::ConstantOp::create(
      m.b, m.loc,
      m.b.getFloatAttr(compute, APFloat::getInf(compute.getFloatSemantics(), /*Negative=*/true)));
  // The two largest keys of each group; NaN is the largest.
  auto before = [&](Value x, Value y) {
    return createComesBefore(m.b, m.loc, x, y, /*descending=*/true, false);
  };
  Value init = m.empty(OpFoldResult(m.b.getIndexAttr(groups.getCount())), compute);
  Value scores = m.loop(m.constant(0), count, init, [&](Value g, ValueRange carried) {
    SmallVector<Value> two =
        m.loop(m.constant(0), size, {lowest, lowest}, [&](Value i, ValueRange best) {
          Value key = m.read(keys, m.add(m.mul(g, size), i));
          Value first = before(key, best[0]), second = before(key, best[1]);
          return SmallVector<Value>{m.select(first, key, best[0]),
                                    m.select(first, best[0], m.select(second, key, best[1]))};
        });
    Value score = two[0];
    if (groups.getBy() == GroupScore::Top2Sum) {
      Value sum = arith::AddFOp::create(m.b, m.loc, two[0], two[1]);
      // A group of one expert has no second best.
      score = m.select(m.less(m.constant(1), size), sum, two[0]);
    }
    return SmallVector<Value>{m.write(score, carried[0], g)};
  })[0];
  Type i8 = m.b.getI8Type();
  Value kept = m.empty(OpFoldResult(m.b.getIndexAttr(groups.getCount())), i8);
  return m.loop(m.constant(0), count, kept, [&](Value g, ValueRange carried) {
    Place own{m.read(scores, g), g};
    Value better = m.loop(m.constant(0), count, m.constant(0), [&](Value other, ValueRange sum) {
      Value earlier = isBefore(Place{m.read(scores, other), other}, own);
      return SmallVector<Value>{m.add(sum[0], m.select(earlier, m.constant(1), m.constant(0)))};
    })[0];
    Value keep = m.less(better, m.constant(groups.getKeep()));
    return SmallVector<Value>{m.write(arith::ExtUIOp::create(m.b, m.loc, i8, keep), carried[0], g)};
  })[0];
}

SmallVector<Value> RouteReference::chooseByOrder(Value scores, Value keys, ValueRange row) {
  Value kept = keptGroups(keys), zero = m.constant(0);
  Value size = kept ? m.div(experts, m.constant(op.getGroups()->getCount())) : Value();
  FloatAttr fill = kept ? op.getGroups()->getOthers() : FloatAttr();
  Value others = fill ? m.number(compute, fill.getValueAsDouble()) : Value();
  Selection selection = op.getSelection();
  Value threshold =
      op.getThreshold() ? m.number(compute, op.getThreshold()->convertToDouble()) : Value();
  SmallVector<Value> carried{row[0],         row[1],      m.number(compute, 0),
                             m.constant(-1), m.bit(true), m.number(compute, 0)};
  SmallVector<Value> done = m.loop(zero, chosen, carried, [&](Value j, ValueRange c) {
    Value isFirst = m.cmp(arith::CmpIPredicate::eq, j, zero);
    auto isKept = [&](Value e) {
      Value mark = m.read(kept, m.div(e, size));
      return m.cmp(arith::CmpIPredicate::ne, mark, m.number(mark.getType(), 0));
    };
    auto [place, found] = next(
        experts, isFirst, {c[2], c[3]},
        [&](Value e) {
          Value key = m.read(keys, e);
          return others ? m.select(isKept(e), key, others) : key;
        },
        [&](Value e) { return kept && !others ? isKept(e) : Value(); });
    Value goesOn = m.both(c[4], found), sum = c[5];
    using P = arith::CmpFPredicate;
    if (selection == Selection::TopP)
      goesOn = m.both(goesOn, arith::CmpFOp::create(m.b, m.loc, P::OLT, sum, threshold));
    if (selection == Selection::Threshold)
      goesOn = m.both(goesOn, arith::CmpFOp::create(m.b, m.loc, P::OGE, place.key, threshold));
    SmallVector<Value> taken = m.branch(
        goesOn,
        [&] {
          Value weight = m.read(scores, place.id);
          return SmallVector<Value>{m.write(m.toI32(place.id), c[0], j), m.write(weight, c[1], j),
                                    arith::AddFOp::create(m.b, m.loc, sum, weight)};
        },
        [&] {
          return SmallVector<Value>{c[0], c[1], sum};
        });
    return SmallVector<Value>{taken[0], taken[1], place.key, place.id, goesOn, taken[2]};
  });
  return {done[0], done[1]};
}

/// The experts that chose the token, in ascending order.
SmallVector<Value> RouteReference::takeMarked(Value scores, Value marks, ValueRange row) {
  SmallVector<Value> done =
      m.loop(m.constant(0), experts, {row[0], row[1], m.constant(0)}, [&](Value e, ValueRange c) {
        Value mark = m.read(marks, e);
        Value take = m.both(m.cmp(arith::CmpIPredicate::ne, mark, m.number(mark.getType(), 0)),
                            m.less(c[2], chosen));
        return m.branch(
            take,
            [&] {
              return SmallVector<Value>{m.write(m.toI32(e), c[0], c[2]),
                                        m.write(m.read(scores, e), c[1], c[2]),
                                        m.add(c[2], m.constant(1))};
            },
            [&] { return SmallVector<Value>(c); });
      });
  return {done[0], done[1]};
}

/// The experts that the table has for the token.
SmallVector<Value> RouteReference::takeListed(Value scores, Value t, ValueRange row) {
  Value table = op.getTable(), extent = m.dim(table, 0), zero = m.constant(0);
  Value token = m.toIndex(m.read(op.getTokens(), t));
  Value exists = m.less(zero, extent);
  Value count = m.select(exists, m.min(chosen, m.dim(table, 1)), zero);
  return m.loop(zero, count, row, [&](Value j, ValueRange c) {
    Value id = m.toIndex(m.read(table, {m.clamp(token, extent), j}));
    return m.branch(
        m.within(id, experts),
        [&] {
          return SmallVector<Value>{m.write(m.toI32(id), c[0], j),
                                    m.write(m.read(scores, id), c[1], j)};
        },
        [&] { return SmallVector<Value>(c); });
  });
}

SmallVector<Value> RouteReference::finish(ValueRange row) {
  Value ids = row[0], weights = row[1], zero = m.constant(0);
  auto isTaken = [&](Value j) {
    return m.cmp(arith::CmpIPredicate::sge, m.toIndex(m.read(ids, j)), zero);
  };
  Normalization normalize = op.getNormalize();
  Value none = m.number(compute, 0);
  Value largest, divisor;
  auto exponential = [&](Value x) -> Value {
    return math::ExpOp::create(m.b, m.loc, arith::SubFOp::create(m.b, m.loc, x, largest));
  };
  if (normalize == Normalization::Softmax) {
    Value lowest = arith::ConstantOp::create(
        m.b, m.loc,
        m.b.getFloatAttr(compute, APFloat::getInf(compute.getFloatSemantics(), /*Negative=*/true)));
    largest = m.loop(zero, chosen, lowest, [&](Value j, ValueRange c) {
      Value x = arith::MaximumFOp::create(m.b, m.loc, c[0], m.read(weights, j));
      return SmallVector<Value>{m.select(isTaken(j), x, c[0])};
    })[0];
  }
  if (normalize != Normalization::None) {
    divisor = m.loop(zero, chosen, none, [&](Value j, ValueRange c) {
      Value x = m.read(weights, j);
      if (normalize == Normalization::Softmax)
        x = exponential(x);
      return SmallVector<Value>{
          m.select(isTaken(j), arith::AddFOp::create(m.b, m.loc, c[0], x), c[0])};
    })[0];
    if (double epsilon = op.getEpsilon().convertToDouble(); epsilon > 0) {
      if (normalize == Normalization::Sum)
        divisor = arith::MaximumFOp::create(m.b, m.loc, divisor, m.number(compute, epsilon));
      if (normalize == Normalization::SumPlus)
        divisor = arith::AddFOp::create(m.b, m.loc, divisor, m.number(compute, epsilon));
    }
  }
  double scale = op.getScale().convertToDouble();
  if (normalize != Normalization::None || scale != 1)
    weights = m.loop(zero, chosen, weights, [&](Value j, ValueRange c) {
      Value x = m.read(c[0], j);
      if (normalize == Normalization::Softmax)
        x = exponential(x);
      if (divisor)
        x = arith::DivFOp::create(m.b, m.loc, x, divisor);
      if (scale != 1)
        x = arith::MulFOp::create(m.b, m.loc, x, m.number(compute, scale));
      return SmallVector<Value>{m.write(m.select(isTaken(j), x, none), c[0], j)};
    })[0];
  if (!op.getShared())
    return {ids, weights};
  Value weight = m.number(compute, op.getSharedWeight().convertToDouble());
  return m.loop(chosen, slots, {ids, weights}, [&](Value j, ValueRange c) {
    Value id = m.add(experts, m.sub(j, chosen));
    return SmallVector<Value>{m.write(m.toI32(id), c[0], j), m.write(weight, c[1], j)};
  });
}

SmallVector<Value> RouteReference::lower() {
  Value logits = op.getLogits();
  auto inits = op.getInits();
  // MLIR takes no slice of an empty dimension, and there is nothing to compute.
  if (llvm::is_contained(typeOf(inits[0]).getShape(), 0))
    return SmallVector<Value>(inits);
  Value scores, keys, marks;
  if (!op.isByRow()) {
    scores = scoreOf(logits);
    keys = keyOf(logits, scores);
    if (op.getSelection() == Selection::Sinkhorn)
      keys = scaleByColumns(keys);
    else
      marks = chooseByExperts(keys);
  }
  return m.parallel(
      m.size(inits[0], 0), inits,
      [&](ValueRange at) {
        return SmallVector<ReferenceBuilder::Slice>{m.rowOf(inits[0], at[0]),
                                                    m.rowOf(inits[1], at[0])};
      },
      [&](ValueRange at, ValueRange parts) {
        auto rowOf = [&](Value matrix) { return m.extract(matrix, m.rowOf(matrix, at[0])); };
        SmallVector<Value> row{m.fill(parts[0], m.number(m.b.getI32Type(), -1)),
                               m.fill(parts[1], m.number(compute, 0))};
        Value logitsRow = rowOf(logits);
        Value rowScores = scores ? rowOf(scores) : scoreOf(logitsRow);
        Value rowKeys = keys ? rowOf(keys) : keyOf(logitsRow, rowScores);
        if (op.getSelection() == Selection::Table)
          row = takeListed(rowScores, at[0], row);
        else if (marks)
          row = takeMarked(rowScores,
                           m.extract(marks, {{m.b.getIndexAttr(0), at[0]},
                                             {m.size(marks, 0), m.b.getIndexAttr(1)},
                                             RankedTensorType::get({typeOf(marks).getDimSize(0)},
                                                                   m.b.getI8Type())}),
                           row);
        else
          row = chooseByOrder(rowScores, rowKeys, row);
        return finish(row);
      });
}
