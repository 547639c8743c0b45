//===- MoERoute.cpp - Choosing experts for tokens -------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"
#include "dialects/Weft/IR/Compare.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

//===----------------------------------------------------------------------===//
// Verifier
//===----------------------------------------------------------------------===//

FloatType RouteOp::getComputeType() {
  MLIRContext *context = getContext();
  if (typeOf(getLogits()).getElementType().isF64())
    return Float64Type::get(context);
  return Float32Type::get(context);
}

LogicalResult RouteOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, b, shapes);
}

/// The operands that belong to one way of choosing only.
static LogicalResult verifySelection(RouteOp op) {
  Selection selection = op.getSelection();
  bool hasThreshold = selection == Selection::TopP || selection == Selection::Threshold;
  if (op.getThreshold().has_value() != hasThreshold)
    return op.emitOpError(hasThreshold ? "expects a threshold" : "has a threshold, which only ")
           << (hasThreshold ? "" : "top_p and threshold take");
  if (hasThreshold && !op.getThresholdAttr().getValue().isFinite())
    return op.emitOpError("expects a finite threshold");
  if (op.getIterations().has_value() != (selection == Selection::Sinkhorn))
    return op.emitOpError("expects iterations for sinkhorn, and for nothing else");
  if (op.getIterations() && (*op.getIterations() < 1 || *op.getIterations() > 1000))
    return op.emitOpError("expects 1 to 1000 iterations, got ") << *op.getIterations();
  if ((op.getCapacity() != nullptr) != (selection == Selection::ExpertChoice))
    return op.emitOpError("expects a capacity for expert_choice, and for nothing else");
  if ((op.getTable() != nullptr) != (selection == Selection::Table))
    return op.emitOpError("expects a table and tokens for table, and for nothing else");
  bool isTable = selection == Selection::Table;
  if (isTable && (op.getBias() || op.getGroups() || op.getByLogits()))
    return op.emitOpError("takes experts from a table, which has no keys");
  if (selection == Selection::ExpertChoice && op.getGroups())
    return op.emitOpError("lets experts choose, who have no groups");
  return success();
}

static LogicalResult verifyTable(RouteOp op, int64_t tokens, int64_t chosen) {
  RankedTensorType table = typeOf(op.getTable()), numbers = typeOf(op.getTokens());
  auto isNumber = [](Type type) { return type.isInteger(32) || type.isInteger(64); };
  if (table.getRank() != 2 || !isNumber(table.getElementType()) ||
      !compatible(table.getDimSize(1), chosen))
    return op.emitOpError("expects a table of rank 2 of i32 or i64 with ")
           << show(chosen) << " columns, got " << table;
  if (numbers.getRank() != 1 || !isNumber(numbers.getElementType()) ||
      !compatible(numbers.getDimSize(0), tokens))
    return op.emitOpError("expects ") << show(tokens) << " tokens of i32 or i64, got " << numbers;
  return success();
}

LogicalResult RouteOp::verify() {
  if (failed(verifyResults(*this)))
    return failure();
  RankedTensorType logits = typeOf(getLogits()), ids = typeOf(getIds()),
                   weights = typeOf(getWeights());
  if (logits.getRank() != 2 || !isa<FloatType>(logits.getElementType()))
    return emitOpError("expects logits of rank 2 of floats, got ") << logits;
  int64_t tokens = logits.getDimSize(0), experts = logits.getDimSize(1);
  if (experts == 0)
    return emitOpError("expects at least one expert");
  if (ids.getRank() != 2 || !ids.getElementType().isInteger(32) ||
      !compatible(ids.getDimSize(0), tokens))
    return emitOpError("expects numbers of experts of type tensor<")
           << show(tokens) << "xKxi32>, got " << ids;
  if (failed(verifyCompatibleShape(weights.getShape(), ids.getShape())) ||
      weights.getElementType() != getComputeType())
    return emitOpError("expects weights of the shape of the numbers and of ")
           << getComputeType() << ", got " << weights;
  int64_t slots = ids.getDimSize(1), shared = getShared();
  if (shared < 0 || (!ShapedType::isDynamic(slots) && shared > slots))
    return emitOpError("has ") << shared << " shared experts in " << show(slots) << " slots";
  int64_t chosen = ShapedType::isDynamic(slots) ? slots : slots - shared;
  if (getSelection() == Selection::ExpertChoice) {
    if (!compatible(chosen, experts))
      return emitOpError("expects a slot for each of ")
             << show(experts) << " experts, got " << show(chosen);
  } else if (getSelection() != Selection::Table && !ShapedType::isDynamic(chosen) &&
             !ShapedType::isDynamic(experts) && chosen > experts) {
    return emitOpError("chooses ") << chosen << " of " << experts << " experts";
  }
  if (failed(verifySelection(*this)))
    return failure();
  if (Value bias = getBias())
    if (RankedTensorType type = typeOf(bias); type.getRank() != 1 ||
                                              !isa<FloatType>(type.getElementType()) ||
                                              !compatible(type.getDimSize(0), experts))
      return emitOpError("expects a bias of ") << show(experts) << " floats, got " << type;
  if (getTable() && failed(verifyTable(*this, tokens, chosen)))
    return failure();
  if (GroupsAttr groups = getGroupsAttr(); groups && !ShapedType::isDynamic(experts)) {
    if (experts % groups.getCount() != 0)
      return emitOpError("has ") << experts << " experts in " << groups.getCount() << " groups";
    int64_t size = experts / groups.getCount();
    if (!ShapedType::isDynamic(chosen) && chosen > size * groups.getKeep())
      return emitOpError("chooses ")
             << chosen << " of " << size * groups.getKeep() << " experts in groups";
  } else if (groups) {
    return emitOpError("expects a static number of experts in groups");
  }
  for (double number : {getEpsilon().convertToDouble(), getScale().convertToDouble(),
                        getSharedWeight().convertToDouble()})
    if (!std::isfinite(number))
      return emitOpError("expects finite numbers");
  if (getEpsilon().isNegative())
    return emitOpError("expects an epsilon of at least 0");
  return success();
}

//===----------------------------------------------------------------------===//
// Reference
//===----------------------------------------------------------------------===//

namespace {
/// Builds the reference of one route: scores and keys of a row of logits, or of all
/// where rows depend on each other, then the choice for each row.
class RouteReference {
public:
  RouteReference(OpBuilder &b, RouteOp op)
      : m(b, op.getLoc()), op(op), compute(op.getComputeType()), experts(m.dim(op.getLogits(), 1)),
        slots(m.dim(op.getIds(), 1)) {
    slots = m.dim(op.getInits()[0], 1);
    chosen =
        op.getShared() ? m.max(m.sub(slots, m.constant(op.getShared())), m.constant(0)) : slots;
  }
  SmallVector<Value> lower();

private:
  /// A position in the order of keys: `key`, and `id` among equal ones.
  struct Place {
    Value key, id;
  };
  Value scoreOf(Value logits);
  Value keyOf(Value logits, Value scores);
  Value scaleByColumns(Value keys);
  Value chooseByExperts(Value keys);
  /// Which groups are kept: a tensor<?xi8>, null without groups.
  Value keptGroups(Value keys);
  /// Whether `x` comes before `y` in the order of choice.
  Value isBefore(Place x, Place y);
  /// The best of `count` positions after `last` (of those, `isFirst` aside), and
  /// whether there is one.
  std::pair<Place, Value> next(Value count, Value isFirst, Place last,
                               llvm::function_ref<Value(Value)> keyAt,
                               llvm::function_ref<Value(Value)> counts);
  SmallVector<Value> chooseByOrder(Value scores, Value keys, ValueRange row);
  SmallVector<Value> takeMarked(Value scores, Value marks, ValueRange row);
  SmallVector<Value> takeListed(Value scores, Value t, ValueRange row);
  /// Normalized and scaled weights, and the shared experts.
  SmallVector<Value> finish(ValueRange row);

  ReferenceBuilder m;
  RouteOp op;
  FloatType compute;
  Value experts, slots, chosen;
};
} // namespace

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

/// Sinkhorn's algorithm. Sums are taken in the order of rows and columns.
Value RouteReference::scaleByColumns(Value keys) {
  Value tokens = m.dim(keys, 0), zero = m.number(compute, 0), one = m.number(compute, 1),
        epsilon = m.number(compute, 1e-8);
  auto sizes = tensor::getMixedSizes(m.b, m.loc, keys);
  auto count = [&](Value extent) -> Value {
    Value whole = arith::IndexCastOp::create(m.b, m.loc, m.b.getI64Type(), extent);
    return arith::SIToFPOp::create(m.b, m.loc, compute, whole);
  };
  // exp(key - largest of the row)
  Value lowest = arith::ConstantOp::create(
      m.b, m.loc,
      m.b.getFloatAttr(compute, APFloat::getInf(compute.getFloatSemantics(), /*Negative=*/true)));
  AffineMap all = m.b.getMultiDimIdentityMap(2),
            row = AffineMap::get(2, 0, m.b.getAffineDimExpr(0));
  using utils::IteratorType;
  Value largest = linalg::GenericOp::create(
                      m.b, m.loc, RankedTensorType::get({typeOf(keys).getDimSize(0)}, compute),
                      keys, m.fill(m.empty(sizes[0], compute), lowest), {all, row},
                      {IteratorType::parallel, IteratorType::reduction},
                      [&](OpBuilder &b, Location loc, ValueRange args) {
                        linalg::YieldOp::create(
                            b, loc, Value(arith::MaximumFOp::create(b, loc, args[0], args[1])));
                      })
                      .getResult(0);
  Value matrix = linalg::GenericOp::create(
                     m.b, m.loc, RankedTensorType::get(typeOf(keys).getShape(), compute),
                     ValueRange{keys, largest}, m.empty(sizes, compute), {all, row, all},
                     {IteratorType::parallel, IteratorType::parallel},
                     [&](OpBuilder &b, Location loc, ValueRange args) {
                       Value x = arith::SubFOp::create(b, loc, args[0], args[1]);
                       linalg::YieldOp::create(b, loc, Value(math::ExpOp::create(b, loc, x)));
                     })
                     .getResult(0);
  // d[i] = 1 / (extent * (sum_j other[j] * x + epsilon)), along rows or columns
  auto scale = [&](Value extent, Value other, Value otherExtent, Value into, bool rows) {
    return m.loop(m.constant(0), extent, into, [&](Value i, ValueRange carried) {
      Value sum = m.loop(m.constant(0), otherExtent, zero, [&](Value j, ValueRange s) {
        Value x = m.read(matrix, rows ? ValueRange{i, j} : ValueRange{j, i});
        Value product = arith::MulFOp::create(m.b, m.loc, x, m.read(other, j));
        return SmallVector<Value>{arith::AddFOp::create(m.b, m.loc, s[0], product)};
      })[0];
      sum = arith::AddFOp::create(m.b, m.loc, sum, epsilon);
      Value d = arith::DivFOp::create(m.b, m.loc, one,
                                      arith::MulFOp::create(m.b, m.loc, count(extent), sum));
      return SmallVector<Value>{m.write(d, carried[0], i)};
    })[0];
  };
  Value rowScale = m.empty(sizes[0], compute);
  Value columnScale = m.fill(m.empty(sizes[1], compute), one);
  SmallVector<Value> scales =
      m.loop(m.constant(0), m.constant(*op.getIterations()), {rowScale, columnScale},
             [&](Value, ValueRange carried) {
               Value d0 = scale(tokens, carried[1], experts, carried[0], /*rows=*/true);
               Value d1 = scale(experts, d0, tokens, carried[1], /*rows=*/false);
               return SmallVector<Value>{d0, d1};
             });
  AffineMap column = AffineMap::get(2, 0, m.b.getAffineDimExpr(1));
  return linalg::GenericOp::create(
             m.b, m.loc, matrix.getType(), ValueRange{matrix, scales[0], scales[1]},
             m.empty(sizes, compute), {all, row, column, all},
             {IteratorType::parallel, IteratorType::parallel},
             [&](OpBuilder &b, Location loc, ValueRange args) {
               Value x = arith::MulFOp::create(b, loc, args[1], args[0]);
               linalg::YieldOp::create(b, loc, Value(arith::MulFOp::create(b, loc, x, args[2])));
             })
      .getResult(0);
}

/// Which tokens each expert takes: i8 [E, T].
Value RouteReference::chooseByExperts(Value keys) {
  Type i8 = m.b.getI8Type();
  Value tokens = m.dim(keys, 0), zero = m.constant(0);
  Value marks = m.empty({m.size(keys, 1), m.size(keys, 0)}, i8);
  Value capacity = m.min(m.max(op.getCapacity(), zero), tokens);
  return m.parallel(
      OpFoldResult(experts), marks,
      [&](ValueRange at) { return SmallVector<ReferenceBuilder::Slice>{m.rowOf(marks, at[0])}; },
      [&](ValueRange at, ValueRange parts) {
        Value row = m.fill(parts[0], m.number(i8, 0));
        auto keyAt = [&](Value t) { return m.read(keys, {t, at[0]}); };
        return SmallVector<Value>{
            m.loop(zero, capacity, {row, m.number(compute, 0), m.constant(-1)},
                   [&](Value j, ValueRange carried) {
                     Value isFirst = m.cmp(arith::CmpIPredicate::eq, j, zero);
                     auto [place, found] = next(tokens, isFirst, {carried[1], carried[2]}, keyAt,
                                                [](Value) { return Value(); });
                     // There are at least `capacity` tokens.
                     Value t = m.max(place.id, zero);
                     return SmallVector<Value>{m.write(m.number(i8, 1), carried[0], t), place.key,
                                               place.id};
                   })
                .front()};
      })[0];
}

SmallVector<Value> RouteReference::chooseByOrder(Value scores, Value keys, ValueRange row) {
  Value kept = keptGroups(keys), zero = m.constant(0);
  Value size = kept ? m.div(experts, m.constant(op.getGroups()->getCount())) : Value();
  Selection selection = op.getSelection();
  Value threshold =
      op.getThreshold() ? m.number(compute, op.getThreshold()->convertToDouble()) : Value();
  SmallVector<Value> carried{row[0],         row[1],      m.number(compute, 0),
                             m.constant(-1), m.bit(true), m.number(compute, 0)};
  SmallVector<Value> done = m.loop(zero, chosen, carried, [&](Value j, ValueRange c) {
    Value isFirst = m.cmp(arith::CmpIPredicate::eq, j, zero);
    auto [place, found] = next(
        experts, isFirst, {c[2], c[3]}, [&](Value e) { return m.read(keys, e); },
        [&](Value e) -> Value {
          if (!kept)
            return {};
          Value mark = m.read(kept, m.div(e, size));
          return m.cmp(arith::CmpIPredicate::ne, mark, m.number(mark.getType(), 0));
        });
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
    if (double epsilon = op.getEpsilon().convertToDouble();
        epsilon > 0 && normalize == Normalization::Sum)
      divisor = arith::MaximumFOp::create(m.b, m.loc, divisor, m.number(compute, epsilon));
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

FailureOr<SmallVector<Value>> RouteOp::lowerToReference(OpBuilder &b) {
  return RouteReference(b, *this).lower();
}

//===----------------------------------------------------------------------===//
// Tiling: over tokens, where they are routed independently
//===----------------------------------------------------------------------===//

SmallVector<utils::IteratorType> RouteOp::getLoopIteratorTypes() {
  return {isByRow() ? utils::IteratorType::parallel : utils::IteratorType::reduction};
}

SmallVector<Range> RouteOp::getIterationDomain(OpBuilder &b) {
  return {
      {b.getIndexAttr(0), tensor::getMixedSize(b, getLoc(), getInits()[0], 0), b.getIndexAttr(1)}};
}

/// Rows `offset` to `offset + size - 1` of a tensor.
static Value sliceRows(OpBuilder &b, Location loc, Value tensor, OpFoldResult offset,
                       OpFoldResult size) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, tensor),
                            offsets(sizes.size(), b.getIndexAttr(0)),
                            ones(sizes.size(), b.getIndexAttr(1));
  offsets[0] = offset;
  sizes[0] = size;
  return tensor::ExtractSliceOp::create(b, loc, tensor, offsets, sizes, ones);
}

FailureOr<TilingResult> RouteOp::getTiledImplementation(OpBuilder &b,
                                                        ArrayRef<OpFoldResult> offsets,
                                                        ArrayRef<OpFoldResult> sizes) {
  if (!isByRow())
    return failure();
  IRMapping mapping;
  SmallVector<Operation *> slices;
  auto cut = [&](Value whole) {
    Value slice = sliceRows(b, getLoc(), whole, offsets[0], sizes[0]);
    mapping.map(whole, slice);
    slices.push_back(slice.getDefiningOp());
  };
  SmallVector<Value> operands(getOperands());
  SmallVector<Type> types;
  for (OpOperand &operand : getOperation()->getOpOperands()) {
    Value whole = operand.get();
    bool hasTokens = whole == getLogits() || whole == getTokens() || isDpsInit(&operand);
    if (!hasTokens)
      continue;
    cut(whole);
    operands[operand.getOperandNumber()] = slices.back()->getResult(0);
    if (isDpsInit(&operand))
      types.push_back(slices.back()->getResult(0).getType());
  }
  Operation *tile = mlir::clone(b, getOperation(), types, operands);
  return TilingResult{{tile}, SmallVector<Value>(tile->getResults()), slices};
}

LogicalResult RouteOp::getResultTilePosition(OpBuilder &b, unsigned number,
                                             ArrayRef<OpFoldResult> offsets,
                                             ArrayRef<OpFoldResult> sizes,
                                             SmallVector<OpFoldResult> &resultOffsets,
                                             SmallVector<OpFoldResult> &resultSizes) {
  resultOffsets = {offsets[0], b.getIndexAttr(0)};
  resultSizes = {sizes[0], tensor::getMixedSize(b, getLoc(), getInits()[number], 1)};
  return success();
}

FailureOr<TilingResult> RouteOp::generateResultTileValue(OpBuilder &b, unsigned number,
                                                         ArrayRef<OpFoldResult> offsets,
                                                         ArrayRef<OpFoldResult> sizes) {
  FailureOr<TilingResult> tile = getTiledImplementation(b, offsets[0], sizes[0]);
  if (failed(tile))
    return failure();
  return TilingResult{tile->tiledOps, {tile->tiledValues[number]}, tile->generatedSlices};
}
