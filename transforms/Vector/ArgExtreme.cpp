//===- ArgExtreme.cpp - Positions of extremes -----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Vector/ArgExtreme.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weft;

namespace {
/// How a number stands to another one.
enum class Order { Less, Equal, Greater, Unordered };

/// Two elements as far as a choice between them can see.
struct Pair {
  Order values, positions;
  bool isNaN = false, bestIsNaN = false; ///< the element's number; that of the best
};

/// Computes a choice for what it can see of two elements.
class Choice {
public:
  Choice(const ArgExtreme &reduction) {
    linalg::GenericOp op = reduction.op;
    number = op.getBody()->getArgument(0);
    best = op.getBody()->getArgument(1);
    bestPosition = op.getBody()->getArgument(2);
    position = reduction.position;
  }
  /// None if it does anything else than to compare.
  std::optional<bool> evaluate(Value condition, const Pair &pair);

private:
  std::optional<Order> orderOf(Value x, Value y, const Pair &pair) const;
  std::optional<bool> compare(arith::CmpIOp op, const Pair &pair);
  std::optional<bool> compare(arith::CmpFOp op, const Pair &pair) const;

  Value number, best, position, bestPosition;
  std::optional<bool> isSigned; ///< of the comparisons of numbers
};
} // namespace

std::optional<Order> Choice::orderOf(Value x, Value y, const Pair &pair) const {
  auto reversed = [](Order order) {
    return order == Order::Less ? Order::Greater : order == Order::Greater ? Order::Less : order;
  };
  if (x == y && (x == number || x == best))
    return (x == number ? pair.isNaN : pair.bestIsNaN) ? Order::Unordered : Order::Equal;
  if (x == number && y == best)
    return pair.values;
  if (x == best && y == number)
    return reversed(pair.values);
  if (x == position && y == bestPosition)
    return pair.positions;
  if (x == bestPosition && y == position)
    return reversed(pair.positions);
  return std::nullopt;
}

std::optional<bool> Choice::compare(arith::CmpIOp op, const Pair &pair) {
  std::optional<Order> order = orderOf(op.getLhs(), op.getRhs(), pair);
  if (!order)
    return std::nullopt;
  using Predicate = arith::CmpIPredicate;
  Predicate predicate = op.getPredicate();
  if (predicate == Predicate::eq || predicate == Predicate::ne)
    return (*order == Order::Equal) == (predicate == Predicate::eq);
  bool comparesSigned = predicate == Predicate::slt || predicate == Predicate::sle ||
                        predicate == Predicate::sgt || predicate == Predicate::sge;
  bool ofPositions = op.getLhs() == position || op.getRhs() == position;
  if (ofPositions ? !comparesSigned : isSigned.value_or(comparesSigned) != comparesSigned)
    return std::nullopt;
  if (!ofPositions)
    isSigned = comparesSigned;
  switch (predicate) {
  case Predicate::slt:
  case Predicate::ult:
    return *order == Order::Less;
  case Predicate::sle:
  case Predicate::ule:
    return *order != Order::Greater;
  case Predicate::sgt:
  case Predicate::ugt:
    return *order == Order::Greater;
  default:
    return *order != Order::Less;
  }
}

std::optional<bool> Choice::compare(arith::CmpFOp op, const Pair &pair) const {
  std::optional<Order> order = orderOf(op.getLhs(), op.getRhs(), pair);
  if (!order)
    return std::nullopt;
  APFloat one(1.0), two(2.0), nan = APFloat::getQNaN(one.getSemantics());
  const APFloat &x = *order == Order::Greater ? two : *order == Order::Unordered ? nan : one;
  return arith::applyCmpPredicate(op.getPredicate(), x, *order == Order::Less ? two : one);
}

std::optional<bool> Choice::evaluate(Value condition, const Pair &pair) {
  Operation *op = condition.getDefiningOp();
  APInt number;
  if (op && matchPattern(op, m_ConstantInt(&number)))
    return number.isOne();
  if (auto compared = dyn_cast_or_null<arith::CmpIOp>(op))
    return compare(compared, pair);
  if (auto compared = dyn_cast_or_null<arith::CmpFOp>(op))
    return compare(compared, pair);
  if (!isa_and_nonnull<arith::AndIOp, arith::OrIOp, arith::XOrIOp>(op))
    return std::nullopt;
  std::optional<bool> x = evaluate(op->getOperand(0), pair), y = evaluate(op->getOperand(1), pair);
  if (!x || !y)
    return std::nullopt;
  return isa<arith::AndIOp>(op) ? *x && *y : isa<arith::OrIOp>(op) ? *x || *y : *x != *y;
}

/// Whether `condition` says which of two elements is better, by all that there is to
/// see of two.
static bool isTotalOrder(const ArgExtreme &reduction, Value condition, bool hasNaN) {
  Choice choice(reduction);
  SmallVector<Pair> numbers{
      {Order::Less, Order::Less}, {Order::Equal, Order::Less}, {Order::Greater, Order::Less}};
  if (hasNaN)
    numbers.append({{Order::Unordered, Order::Less, true, false},
                    {Order::Unordered, Order::Less, false, true},
                    {Order::Unordered, Order::Less, true, true}});
  std::optional<bool> findsMax = choice.evaluate(condition, numbers[2]),
                      findsFirst = choice.evaluate(condition, numbers[1]);
  if (!findsMax || !findsFirst)
    return false;
  for (Pair pair : numbers)
    for (Order positions : {Order::Less, Order::Greater}) {
      pair.positions = positions;
      bool expected;
      if (pair.isNaN != pair.bestIsNaN)
        expected = pair.isNaN;
      else if (pair.values == Order::Less || pair.values == Order::Greater)
        expected = (pair.values == Order::Greater) == *findsMax;
      else
        expected = (positions == Order::Less) == *findsFirst;
      if (choice.evaluate(condition, pair) != expected)
        return false;
    }
  return true;
}

std::optional<ArgExtreme> ArgExtreme::match(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 2 || op.getNumReductionLoops() != 1)
    return std::nullopt;
  Block *body = op.getBody();
  auto yield = cast<linalg::YieldOp>(body->getTerminator());
  auto value = yield.getOperand(0).getDefiningOp<arith::SelectOp>(),
       chosen = yield.getOperand(1).getDefiningOp<arith::SelectOp>();
  if (!value || !chosen || value.getCondition() != chosen.getCondition() ||
      value.getTrueValue() != body->getArgument(0) ||
      value.getFalseValue() != body->getArgument(1) ||
      chosen.getFalseValue() != body->getArgument(2))
    return std::nullopt;
  auto cast = chosen.getTrueValue().getDefiningOp<arith::IndexCastOp>();
  auto index = cast ? cast.getIn().getDefiningOp<linalg::IndexOp>() : linalg::IndexOp();
  if (!index || index.getDim() + 1 != op.getNumLoops())
    return std::nullopt;
  ArgExtreme result{op, chosen.getTrueValue()};
  bool isFloat = isa<FloatType>(body->getArgument(0).getType());
  if (!isTotalOrder(result, value.getCondition(), isFloat))
    return std::nullopt;
  return result;
}

SmallVector<Value> ArgExtreme::combine(OpBuilder &b, ValueRange x, ValueRange y) const {
  linalg::GenericOp generic = op;
  Block *body = generic.getBody();
  auto shape = cast<VectorType>(x[0].getType()).getShape();
  IRMapping mapping;
  mapping.map(body->getArgument(0), x[0]);
  mapping.map(position, x[1]);
  mapping.map(body->getArgument(1), y[0]);
  mapping.map(body->getArgument(2), y[1]);
  for (Operation &inner : body->without_terminator()) {
    if (isa<linalg::IndexOp>(inner) || inner.getResult(0) == position)
      continue;
    auto type = VectorType::get(shape, inner.getResult(0).getType());
    TypedAttr number;
    if (matchPattern(&inner, m_Constant(&number))) {
      Attribute element = number;
      mapping.map(inner.getResult(0),
                  Value(arith::ConstantOp::create(b, inner.getLoc(),
                                                  DenseElementsAttr::get(type, element))));
      continue;
    }
    SmallVector<Value> operands;
    for (Value operand : inner.getOperands())
      operands.push_back(mapping.lookup(operand));
    OperationState state(inner.getLoc(), inner.getName().getStringRef(), operands, type,
                         inner.getAttrs());
    mapping.map(inner.getResult(0), b.create(state)->getResult(0));
  }
  Operation *yield = body->getTerminator();
  return {mapping.lookup(yield->getOperand(0)), mapping.lookup(yield->getOperand(1))};
}
