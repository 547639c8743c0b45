//===- Choices.cpp - What chooses experts of a batch ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/Transforms/Choices.h"
#include "dialects/MoE/Transforms/ElementTerm.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

bool moe::isZeroTensor(Value value) {
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
  return matchPattern(value, m_AnyZeroFloat());
}

std::optional<double> moe::splatOf(Value tensor) {
  auto numberOf = [](Attribute number) -> std::optional<double> {
    if (auto real = dyn_cast_or_null<FloatAttr>(number))
      return real.getValueAsDouble();
    if (auto whole = dyn_cast_or_null<IntegerAttr>(number)) {
      bool isBit = whole.getType().isInteger(1); // true is 1
      return static_cast<double>(isBit ? whole.getValue().getZExtValue()
                                       : whole.getValue().getSExtValue());
    }
    return std::nullopt;
  };
  Attribute number;
  while (Operation *op = tensor.getDefiningOp()) {
    DenseElementsAttr splat;
    if (matchPattern(tensor, m_Constant(&splat)))
      return splat.isSplat() ? numberOf(splat.getSplatValue<Attribute>()) : std::nullopt;
    if (auto fill = dyn_cast<linalg::FillOp>(op))
      return matchPattern(fill.getInputs()[0], m_Constant(&number)) ? numberOf(number)
                                                                    : std::nullopt;
    if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op)) {
      tensor = op->getOperand(0);
      continue;
    }
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!generic || generic->getNumResults() != 1)
      return std::nullopt;
    if (matchPattern(yielded(generic), m_Constant(&number)))
      return numberOf(number);
    auto argument = dyn_cast<BlockArgument>(yielded(generic));
    if (!argument || argument.getArgNumber() >= generic.getNumDpsInputs() ||
        !isa<RankedTensorType>(
            generic.getDpsInputOperand(argument.getArgNumber())->get().getType()))
      return std::nullopt;
    tensor = generic.getDpsInputOperand(argument.getArgNumber())->get();
  }
  return std::nullopt;
}

Value moe::withoutFloatCasts(Value scalar) {
  while (isa_and_nonnull<arith::ExtFOp, arith::TruncFOp>(scalar.getDefiningOp()))
    scalar = scalar.getDefiningOp()->getOperand(0);
  return scalar;
}

Factors moe::factorsOf(ElementResolver &resolver, const ElementAccess &access) {
  ElementAccess value = withoutCasts(resolver, {access}).value_or(resolver.resolve(access));
  auto op = value.tensor.getDefiningOp<linalg::GenericOp>();
  if (!op || op.getNumDpsInputs() != 2 || op->getNumResults() != 1)
    return {};
  Block *body = op.getBody();
  Value product = withoutFloatCasts(yielded(op));
  if (auto sum = product.getDefiningOp<arith::AddFOp>()) {
    if (!isZeroTensor(op.getDpsInitOperand(0)->get()))
      return {};
    Value out = body->getArgument(2);
    product = sum.getLhs() == out ? sum.getRhs() : sum.getRhs() == out ? sum.getLhs() : Value();
  }
  auto multiply = product ? product.getDefiningOp<arith::MulFOp>() : arith::MulFOp();
  if (!multiply)
    return {};
  Factors factors;
  for (Value side : {multiply.getLhs(), multiply.getRhs()}) {
    auto argument = dyn_cast<BlockArgument>(withoutFloatCasts(side));
    std::optional<ElementAccess> input;
    if (argument && argument.getOwner() == body && argument.getArgNumber() < 2)
      input = resolver.input(op, argument.getArgNumber(), value.at);
    if (!input)
      return {};
    factors.push_back(*input);
  }
  return factors;
}

/// A component of the indices of a scatter at (token, at): the tensor that it is read of
/// there, or null and what it is in `known`.
Value ChoiceMatcher::indexComponent(Value indices, AffineExpr at, int64_t component,
                                    AffineExpr &known) {
  auto op = indices.getDefiningOp<linalg::GenericOp>();
  if (!op || typeOf(indices).getRank() != 3)
    return {};
  SmallVector<AffineExpr> position{token, at, resolver.constant(component)};
  SmallVector<AffineExpr> loops = resolver.loops(op, position);
  if (loops.empty())
    return {};
  Value value = yielded(op);
  while (Operation *def = value.getDefiningOp()) {
    auto select = dyn_cast<arith::SelectOp>(def);
    if (!select) {
      if (!isa<arith::IndexCastOp>(def))
        break;
      value = def->getOperand(0);
      continue;
    }
    auto compare = select.getCondition().getDefiningOp<arith::CmpIOp>();
    if (!compare || compare.getPredicate() != arith::CmpIPredicate::eq)
      return {};
    auto lhs = resolver.index(compare.getLhs(), loops),
         rhs = resolver.index(compare.getRhs(), loops);
    if (!lhs || !rhs || !isa<AffineConstantExpr>(*lhs) || !isa<AffineConstantExpr>(*rhs))
      return {};
    value = *lhs == *rhs ? select.getTrueValue() : select.getFalseValue();
  }
  if (std::optional<AffineExpr> index = resolver.index(value, loops)) {
    known = *index;
    return {};
  }
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != op.getBody() ||
      argument.getArgNumber() >= op.getNumDpsInputs())
    return {};
  std::optional<ElementAccess> input = resolver.input(op, argument.getArgNumber(), position);
  return input ? resolver.find(*input, {token, at}) : Value();
}

std::optional<ChosenScatter> ChoiceMatcher::matchChosen(const ElementAccess &element) {
  ElementAccess base = resolver.resolve(element);
  auto scatter = base.tensor.getDefiningOp<ScatterOp>();
  if (!scatter || !base.isAt({token, slot}))
    return std::nullopt;
  Block &combiner = scatter.getCombiner().front();
  RankedTensorType indices = typeOf(scatter.getIndices()), updates = typeOf(scatter.getUpdates());
  if (combiner.getOperations().size() != 1 ||
      combiner.getTerminator()->getOperand(0) != combiner.getArgument(1) ||
      indices.getRank() != 3 || indices.getDimSize(2) != 2 || updates.getRank() != 2 ||
      updates.isDynamicDim(1))
    return std::nullopt;
  AffineExpr at = resolver.addDim(
                 IntegerAttr::get(IndexType::get(scatter.getContext()), updates.getDimSize(1))),
             row, other;
  if (indexComponent(scatter.getIndices(), at, 0, row) || row != token)
    return std::nullopt;
  Value ids = indexComponent(scatter.getIndices(), at, 1, other);
  if (!ids)
    return std::nullopt;
  ElementAccess chosen = resolver.resolve({ids, {token, at}});
  auto sort = chosen.tensor.getDefiningOp<SortOp>();
  Value values = resolver.find({scatter.getUpdates(), {token, at}}, {token, at});
  if (!sort || sort.getDimension() != 1 || !values || chosen.tensor != sort.getIndices())
    return std::nullopt;
  return ChosenScatter{scatter, sort, ids, values};
}

std::optional<Choice> ChoiceMatcher::matchScatter(const ElementAccess &gate) {
  std::optional<ChosenScatter> chosen = matchChosen(gate);
  if (!chosen || !isZeroTensor(chosen->op.getInit()))
    return std::nullopt;
  return Choice{chosen->ids, chosen->updates};
}

/// Whether a number is 1 where `condition` holds, else 0; `condition` is set.
static bool isIndicator(Value value, Value &condition) {
  if (auto select = value.getDefiningOp<arith::SelectOp>()) {
    condition = select.getCondition();
    return matchPattern(select.getTrueValue(), m_OneFloat()) &&
           matchPattern(select.getFalseValue(), m_AnyZeroFloat());
  }
  auto convert = value.getDefiningOp<arith::UIToFPOp>();
  if (!convert || !convert.getIn().getType().isInteger(1))
    return false;
  condition = convert.getIn();
  return true;
}

std::optional<OneHot> ChoiceMatcher::matchOneHot(const ElementAccess &access) {
  ElementAccess mask = resolver.resolve(access);
  auto op = mask.tensor.getDefiningOp<linalg::GenericOp>();
  Value condition;
  if (!op || op->getNumResults() != 1 || !mask.isAt({token, slot}) ||
      !isIndicator(yielded(op), condition))
    return std::nullopt;
  SmallVector<AffineExpr> loops = resolver.loops(op, mask.at);
  auto equal = condition.getDefiningOp<arith::CmpIOp>();
  if (loops.empty() || !equal || equal.getPredicate() != arith::CmpIPredicate::eq)
    return std::nullopt;
  for (auto [number, expert] :
       {std::pair(equal.getLhs(), equal.getRhs()), std::pair(equal.getRhs(), equal.getLhs())}) {
    std::optional<AffineExpr> at = resolver.index(expert, loops);
    if (!at || *at != slot)
      continue;
    // Numbers below 0 count from the end.
    if (auto wrap = number.getDefiningOp<arith::SelectOp>()) {
      auto add = wrap.getTrueValue().getDefiningOp<arith::AddIOp>();
      APInt extent;
      if (!add || add.getLhs() != wrap.getFalseValue() ||
          !matchPattern(add.getRhs(), m_ConstantInt(&extent)) || extent != experts)
        return std::nullopt;
      number = wrap.getFalseValue();
    }
    if (auto cast = number.getDefiningOp<arith::IndexCastOp>())
      number = cast.getIn();
    auto argument = dyn_cast<BlockArgument>(number);
    if (!argument || argument.getOwner() != op.getBody() ||
        argument.getArgNumber() >= op.getNumDpsInputs())
      return std::nullopt;
    std::optional<ElementAccess> input = resolver.input(op, argument.getArgNumber(), mask.at);
    if (!input)
      return std::nullopt;
    Value ids = resolver.find(*input, {token, resolver.constant(0)});
    if (!ids)
      ids = resolver.find(*input, token);
    if (!ids || (typeOf(ids).getRank() == 2 && typeOf(ids).getDimSize(1) != 1))
      return std::nullopt;
    return OneHot{mask, ids};
  }
  return std::nullopt;
}

/// Whether `value` is `x` where `condition` holds, else `y`.
static bool isSelect(Value value, Value condition, Value x, Value y) {
  auto select = value.getDefiningOp<arith::SelectOp>();
  return select && select.getCondition() == condition && select.getTrueValue() == x &&
         select.getFalseValue() == y;
}

Value ChoiceMatcher::argMaxOf(Value ids) {
  SmallVector<AffineExpr> at{token};
  if (typeOf(ids).getRank() == 2)
    at.push_back(resolver.constant(0));
  ElementAccess base = resolver.resolve({ids, at});
  if (auto sort = base.tensor.getDefiningOp<SortOp>())
    return base.tensor == sort.getIndices() && sort.getDescending() && sort.getDimension() == 1
               ? sort.getInput()
               : Value();
  auto op = base.tensor.getDefiningOp<linalg::GenericOp>();
  if (!op || op->getNumResults() != 2 || base.tensor != op->getResult(1) ||
      op.getNumDpsInputs() != 1 || op.getNumLoops() != 2 || op.getNumReductionLoops() != 1 ||
      !op.getIndexingMapsArray()[0].isIdentity() || !base.isAt(token) ||
      op.getIteratorTypesArray()[1] != utils::IteratorType::reduction)
    return {};
  Block *body = op.getBody();
  Value in = body->getArgument(0), best = body->getArgument(1), where = body->getArgument(2);
  auto select = body->getTerminator()->getOperand(0).getDefiningOp<arith::SelectOp>();
  auto place = body->getTerminator()->getOperand(1).getDefiningOp<arith::SelectOp>();
  if (!select || !place || !isSelect(select, place.getCondition(), in, best) ||
      place.getFalseValue() != where)
    return {};
  // Larger, or equal at a lower position; anything else is a comparison of NaN.
  bool larger = false, lower = false;
  for (Operation &inner : body->without_terminator()) {
    if (auto compare = dyn_cast<arith::CmpFOp>(inner)) {
      arith::CmpFPredicate kind = compare.getPredicate();
      larger |= kind == arith::CmpFPredicate::OGT && compare.getLhs() == in;
      if (kind == arith::CmpFPredicate::OLT || kind == arith::CmpFPredicate::OLE ||
          kind == arith::CmpFPredicate::OGE)
        return {};
    } else if (auto compare = dyn_cast<arith::CmpIOp>(inner)) {
      if (compare.getPredicate() != arith::CmpIPredicate::slt ||
          compare.getLhs() != place.getTrueValue() || compare.getRhs() != where)
        return {};
      lower = true;
    } else if (!isa<linalg::IndexOp, arith::IndexCastOp, arith::AndIOp, arith::OrIOp,
                    arith::SelectOp>(inner)) {
      return {};
    }
  }
  return larger && lower ? op.getInputs()[0] : Value();
}
