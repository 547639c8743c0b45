//===- RouteKeys.cpp - What experts are chosen by -------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/Transforms/Choices.h"
#include "dialects/MoE/Transforms/Routing.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

bool moe::isSigmoid(linalg::GenericOp op) {
  auto quotient = yielded(op).getDefiningOp<arith::DivFOp>();
  if (!quotient || !matchPattern(quotient.getLhs(), m_OneFloat()))
    return false;
  auto sum = quotient.getRhs().getDefiningOp<arith::AddFOp>();
  if (!sum)
    return false;
  Value power = sum.getLhs();
  if (matchPattern(power, m_OneFloat()))
    power = sum.getRhs();
  else if (!matchPattern(sum.getRhs(), m_OneFloat()))
    return false;
  auto exp = power.getDefiningOp<math::ExpOp>();
  auto negation = exp ? exp.getOperand().getDefiningOp<arith::NegFOp>() : nullptr;
  return negation && negation.getOperand() == op.getBody()->getArgument(0);
}

Scores moe::matchScores(Value scores) {
  if (auto softmax = scores.getDefiningOp<linalg::SoftmaxOp>();
      softmax && softmax.getDimension() == 1)
    return {Score::Softmax, softmax.getInput()};
  if (auto generic = scores.getDefiningOp<linalg::GenericOp>();
      generic && generic.getNumDpsInputs() == 1 &&
      llvm::all_of(generic.getIndexingMapsArray(), [](AffineMap m) { return m.isIdentity(); }) &&
      isSigmoid(generic))
    return {Score::Sigmoid, generic.getDpsInputOperand(0)->get()};
  return {Score::Identity, scores};
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

namespace {
/// Matches keys [T, E] of which those of all but some of `count` groups are replaced by a number.
class GroupMatcher {
public:
  GroupMatcher(Value keys, int64_t count) : keys(keys), resolver(keys.getContext()) {
    Builder b(keys.getContext());
    int64_t size = typeOf(keys).getDimSize(1) / count;
    token = resolver.addDimOf(keys, 0);
    group = resolver.addDim(b.getIndexAttr(count));
    member = resolver.addDim(b.getIndexAttr(size));
    expert = group * size + member;
    groups.count = count;
  }
  bool match();

  RouteKeys::Groups groups;
  SmallVector<SortOp, 2> sorts;
  Value base; ///< all keys

private:
  std::optional<double> constantOf(Value scalar, linalg::GenericOp op);
  std::optional<double> evaluate(Value scalar, linalg::GenericOp op, ArrayRef<AffineExpr> at,
                                 double mark);
  bool matchMask(Value condition, linalg::GenericOp op, ArrayRef<AffineExpr> at, bool takesTrue);
  bool matchGroupScores(SortOp sort);

  Value keys;
  ElementResolver resolver;
  AffineExpr token, group, member, expert;
  ElementAccess own; ///< of a key
  std::optional<ChosenScatter> chosen;
};
} // namespace

std::optional<double> GroupMatcher::constantOf(Value scalar, linalg::GenericOp op) {
  FloatAttr number;
  if (matchPattern(scalar, m_Constant(&number)))
    return number.getValueAsDouble();
  auto argument = dyn_cast<BlockArgument>(scalar);
  if (!argument || argument.getOwner() != op.getBody() ||
      argument.getArgNumber() >= op.getNumDpsInputs())
    return std::nullopt;
  return splatOf(op.getDpsInputOperand(argument.getArgNumber())->get());
}

static std::optional<double> compare(arith::CmpIPredicate predicate, double x, double y) {
  if (predicate == arith::CmpIPredicate::eq)
    return x == y;
  if (predicate == arith::CmpIPredicate::ne)
    return x != y;
  return std::nullopt;
}

static std::optional<double> compare(arith::CmpFPredicate predicate, double x, double y) {
  using P = arith::CmpFPredicate;
  if (predicate == P::OEQ || predicate == P::UEQ)
    return x == y;
  if (predicate == P::ONE || predicate == P::UNE)
    return x != y;
  if (predicate == P::OGT)
    return x > y;
  return std::nullopt;
}

/// What a number that is made of one scattered element is, if this one is `mark`.
std::optional<double> GroupMatcher::evaluate(Value scalar, linalg::GenericOp op,
                                             ArrayRef<AffineExpr> at, double mark) {
  if (IntegerAttr whole; matchPattern(scalar, m_Constant(&whole)))
    return whole.getType().isInteger(1) ? whole.getValue().getZExtValue()
                                        : static_cast<double>(whole.getInt());
  if (FloatAttr real; matchPattern(scalar, m_Constant(&real)))
    return real.getValueAsDouble();
  if (auto argument = dyn_cast<BlockArgument>(scalar)) {
    std::optional<ElementAccess> input;
    if (argument.getOwner() == op.getBody() && argument.getArgNumber() < op.getNumDpsInputs())
      input = resolver.input(op, argument.getArgNumber(), at);
    if (!input)
      return std::nullopt;
    ElementAccess source = resolver.resolve(*input);
    if (source.tensor.getDefiningOp<ScatterOp>()) {
      if (!chosen || chosen->op != source.tensor.getDefiningOp())
        chosen = ChoiceMatcher{resolver, token, group, groups.count}.matchChosen(source);
      return chosen ? std::optional(mark) : std::nullopt;
    }
    auto inner = source.tensor.getDefiningOp<linalg::GenericOp>();
    return inner && inner->getNumResults() == 1 ? evaluate(yielded(inner), inner, source.at, mark)
                                                : std::nullopt;
  }
  Operation *def = scalar.getDefiningOp();
  SmallVector<double> operands;
  if (!isa<arith::ExtUIOp, arith::UIToFPOp, arith::CmpIOp, arith::CmpFOp, arith::XOrIOp>(def))
    return std::nullopt;
  for (Value operand : def->getOperands()) {
    std::optional<double> number = evaluate(operand, op, at, mark);
    if (!number)
      return std::nullopt;
    operands.push_back(*number);
  }
  if (auto cmp = dyn_cast<arith::CmpIOp>(def))
    return compare(cmp.getPredicate(), operands[0], operands[1]);
  if (auto cmp = dyn_cast<arith::CmpFOp>(def))
    return compare(cmp.getPredicate(), operands[0], operands[1]);
  if (isa<arith::XOrIOp>(def))
    return scalar.getType().isInteger(1) ? std::optional<double>(operands[0] != operands[1])
                                         : std::nullopt;
  return operands[0];
}

/// Whether `condition` is `takesTrue` for the groups that a sort chose, and for no others.
bool GroupMatcher::matchMask(Value condition, linalg::GenericOp op, ArrayRef<AffineExpr> at,
                             bool takesTrue) {
  chosen.reset();
  if (!evaluate(condition, op, at, 0) || !chosen)
    return false;
  std::optional<double> mark = splatOf(chosen->updates), other = splatOf(chosen->op.getInit());
  if (!mark || !other)
    return false;
  std::optional<double> isKept = evaluate(condition, op, at, *mark),
                        isOther = evaluate(condition, op, at, *other);
  return isKept && isOther && (*isKept != 0) == takesTrue && (*isOther != 0) != takesTrue;
}

/// What a sort orders groups by: the largest of their keys, or the sum of the two largest.
bool GroupMatcher::matchGroupScores(SortOp sort) {
  RankedTensorType type = typeOf(sort.getValues());
  if (!sort.getDescending() || type.getRank() != 2 || type.isDynamicDim(1) ||
      type.getDimSize(1) < 1 || type.getDimSize(1) > groups.count)
    return false;
  groups.keep = type.getDimSize(1);
  sorts.assign({sort});
  ElementAccess score = resolver.resolve({sort.getInput(), {token, group}});
  auto op = score.tensor.getDefiningOp<linalg::GenericOp>();
  if (!op || op.getNumDpsInputs() != 1 || op->getNumResults() != 1 || op.getNumLoops() != 3 ||
      op.getNumReductionLoops() != 1)
    return false;
  AffineMap input = op.getIndexingMapsArray()[0], result = op.getIndexingMapsArray()[1];
  if (!input.isPermutation() || !result.isProjectedPermutation())
    return false;
  auto termAt = [&](AffineExpr inner) {
    SmallVector<AffineExpr> loops(3, inner);
    for (auto [position, expr] : llvm::zip_equal(score.at, result.getResults()))
      loops[cast<AffineDimExpr>(expr).getPosition()] = position;
    ElementAccess term{op.getInputs()[0], {}};
    for (AffineExpr expr : input.getResults())
      term.at.push_back(expr.replaceDims(loops));
    return resolver.resolve(term);
  };
  std::optional<double> start = splatOf(op.getDpsInits()[0]);
  if (reducesBy<arith::MaximumFOp>(op)) {
    groups.by = GroupScore::Max;
    return start && *start == -INFINITY && termAt(member) == own;
  }
  if (!reducesBy<arith::AddFOp>(op) || !start || *start != 0)
    return false;
  groups.by = GroupScore::Top2Sum;
  AffineExpr place = resolver.addDim(IntegerAttr::get(IndexType::get(op.getContext()), 2));
  ElementAccess best = termAt(place);
  auto largest = best.tensor.getDefiningOp<SortOp>();
  if (!largest || best.tensor != largest.getValues() || !largest.getDescending() ||
      !best.isAt({token, group, place}) || largest.getDimension() != 2 ||
      typeOf(largest.getValues()).getDimSize(2) != 2)
    return false;
  sorts.push_back(largest);
  return resolver.resolve({largest.getInput(), {token, group, member}}) == own;
}

bool GroupMatcher::match() {
  ElementAccess key = resolver.resolve({keys, {token, expert}});
  auto op = key.tensor.getDefiningOp<linalg::GenericOp>();
  auto select = op && op->getNumResults() == 1 && !resolver.loops(op, key.at).empty()
                    ? yielded(op).getDefiningOp<arith::SelectOp>()
                    : arith::SelectOp();
  if (!select)
    return false;
  for (bool takesTrue : {false, true}) {
    Value kept = takesTrue ? select.getTrueValue() : select.getFalseValue();
    std::optional<double> fill =
        constantOf(takesTrue ? select.getFalseValue() : select.getTrueValue(), op);
    auto argument = dyn_cast<BlockArgument>(kept);
    if (!fill || !argument || argument.getOwner() != op.getBody() ||
        argument.getArgNumber() >= op.getNumDpsInputs())
      continue;
    std::optional<ElementAccess> element = resolver.input(op, argument.getArgNumber(), key.at);
    if (!element)
      continue;
    base = resolver.find(*element, {token, expert});
    own = resolver.resolve(*element);
    groups.others = *fill;
    if (base && base.getType() == keys.getType() &&
        matchMask(select.getCondition(), op, key.at, takesTrue) && matchGroupScores(chosen->sort))
      return true;
  }
  return false;
}

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

/// Takes the bias off keys [T, E].
static Value withoutBias(Value keys, Value &bias) {
  ElementResolver resolver(keys.getContext());
  AffineExpr token = resolver.addDimOf(keys, 0), expert = resolver.addDimOf(keys, 1);
  ElementAccess sum = resolver.resolve({keys, {token, expert}});
  auto op = sum.tensor.getDefiningOp<linalg::GenericOp>();
  auto add = op && op->getNumResults() == 1 && op.getNumDpsInputs() == 2
                 ? yielded(op).getDefiningOp<arith::AddFOp>()
                 : arith::AddFOp();
  if (!add || op.getBody()->getOperations().size() != 2 || !isa<BlockArgument>(add.getLhs()) ||
      !isa<BlockArgument>(add.getRhs()) || add.getLhs() == add.getRhs())
    return keys;
  for (unsigned i : {0u, 1u}) {
    std::optional<ElementAccess> score = resolver.input(op, i, sum.at),
                                 offset = resolver.input(op, 1 - i, sum.at);
    if (!score || !offset)
      return keys;
    Value scores = resolver.find(*score, {token, expert}), own = resolver.find(*offset, expert);
    if (!scores || scores.getType() != keys.getType() || !own || typeOf(own).getRank() != 1 ||
        typeOf(own).getDimSize(0) != typeOf(keys).getDimSize(1))
      continue;
    bias = own;
    return scores;
  }
  return keys;
}

RouteKeys moe::matchKeys(Value keys) {
  RouteKeys result;
  int64_t experts = typeOf(keys).getDimSize(1);
  for (int64_t count = 2; !result.groups && count <= experts / 2; ++count) {
    if (experts % count != 0)
      continue;
    GroupMatcher matcher(keys, count);
    if (!matcher.match())
      continue;
    result.groups = matcher.groups;
    result.sorts = matcher.sorts;
    keys = matcher.base;
  }
  result.scored = withoutBias(keys, result.bias);
  result.scores = matchScores(result.scored);
  return result;
}
