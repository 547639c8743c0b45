//===- IndexMaterializer.cpp - Index expressions as values ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Model/IndexMaterializer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;
using Kind = IndexAtom::Kind;

static constexpr unsigned kMostCost = 100000;

unsigned IndexMaterializer::costOf(Value value) {
  Operation *def = value.getDefiningOp();
  if (!def || getConstantIntValue(value))
    return 0;
  if (auto it = costs.find(value); it != costs.end())
    return it->second;
  unsigned cost = 0;
  if (isa<tensor::DimOp>(def)) {
    cost = kCostOfExtent;
  } else if (isa<arith::ArithDialect>(def->getDialect())) {
    // Conditions as numbers are conditions.
    cost = isa<arith::IndexCastUIOp>(def) ? 0 : 1;
    for (Value operand : def->getOperands())
      cost = std::min(cost + costOf(operand), kMostCost);
  }
  costs[value] = cost;
  return cost;
}

bool IndexMaterializer::isVisible(Value value) {
  return value.getParentRegion()->isAncestor(builder.getInsertionBlock()->getParent());
}

Value IndexMaterializer::find(IndexExpr expr, Type type) {
  for (Table &table : llvm::reverse(scopes)) {
    if (Value known = table.values.lookup({expr, type}))
      return known;
    if (table.isOpaque)
      return {};
  }
  return {};
}

void IndexMaterializer::offer(Value value) {
  if (!value.getType().isIndex() && !value.getType().isInteger(1))
    return;
  IndexExpr expr = shapes.of(value);
  if (!find(expr, value.getType()))
    scopes.back().values[{expr, value.getType()}] = value;
}

Value IndexMaterializer::simplest(Value value, Operation *user) {
  IndexExpr expr = shapes.of(value);
  if (getConstantIntValue(value))
    return value;
  builder.setInsertionPoint(user);
  location = user->getLoc();
  unsigned cost = costOf(value);
  if (expr->constant())
    return build(expr, value.getType());
  if (const IndexAtom *atom = expr->atom(); atom && atom->kind == Kind::Value)
    if (atom->value.getType() == value.getType() && isVisible(atom->value))
      return atom->value;
  Value known = find(expr, value.getType());
  if (known == value && cost <= expr->cost)
    return value;
  if (known && known != value && costOf(known) <= expr->cost)
    return known;
  bool isSimpler = expr->cost < cost;
  if (!isSimpler)
    return known && costOf(known) <= cost ? known : value;
  Value built = build(expr, value.getType());
  return built ? built : value;
}

Value IndexMaterializer::build(IndexExpr expr, Type type) {
  Value known = find(expr, type);
  if (known && !expr->constant() && costOf(known) <= expr->cost)
    return known;
  Value result = type.isIndex() ? buildIndex(expr) : buildCondition(expr);
  if (result)
    scopes.back().values[{expr, type}] = result;
  return result;
}

Value IndexMaterializer::buildSum(IndexExpr expr, bool positive) {
  Value result;
  // Constants last.
  SmallVector<const IndexTerm *> terms;
  for (const IndexTerm &term : expr->terms)
    if ((term.factor > 0) == positive)
      terms.push_back(&term);
  if (!terms.empty() && terms.front()->atoms.empty())
    std::rotate(terms.begin(), terms.begin() + 1, terms.end());
  for (const IndexTerm *term : terms) {
    Value product;
    for (const IndexAtom *atom : term->atoms) {
      Value factor = buildIndex(atom);
      if (!factor)
        return {};
      product = product ? builder.createOrFold<arith::MulIOp>(location, product, factor) : factor;
    }
    int64_t factor = positive ? term->factor : -term->factor;
    if (!product || factor != 1) {
      Value number = arith::ConstantIndexOp::create(builder, location, factor);
      product = product ? builder.createOrFold<arith::MulIOp>(location, product, number) : number;
    }
    result = result ? builder.createOrFold<arith::AddIOp>(location, result, product) : product;
  }
  if (!result)
    result = arith::ConstantIndexOp::create(builder, location, 0);
  return result;
}

Value IndexMaterializer::buildIndex(IndexExpr expr) {
  bool hasNegative = llvm::any_of(expr->terms, [](const IndexTerm &t) { return t.factor < 0; });
  bool hasPositive = llvm::any_of(expr->terms, [](const IndexTerm &t) { return t.factor > 0; });
  if (std::optional<int64_t> constant = expr->constant())
    return arith::ConstantIndexOp::create(builder, location, *constant);
  Value positive = hasPositive || !hasNegative ? buildSum(expr, true) : Value();
  Value negative = hasNegative ? buildSum(expr, false) : Value();
  if ((hasNegative && !negative) || ((hasPositive || !hasNegative) && !positive))
    return {};
  if (!negative)
    return positive;
  if (!positive)
    positive = arith::ConstantIndexOp::create(builder, location, 0);
  return builder.createOrFold<arith::SubIOp>(location, positive, negative);
}

Value IndexMaterializer::buildIndex(const IndexAtom *atom) {
  auto operand = [&](unsigned i) { return build(atom->operands[i], builder.getIndexType()); };
  auto binary = [&](auto create) -> Value {
    Value x = operand(0), y = operand(1);
    return x && y ? create(x, y) : Value();
  };
  switch (atom->kind) {
  case Kind::Value:
    if (!isVisible(atom->value))
      return {};
    if (atom->value.getType().isIndex())
      return atom->value;
    return builder.createOrFold<arith::IndexCastUIOp>(location, builder.getIndexType(),
                                                      atom->value);
  case Kind::Extent:
    if (!isVisible(atom->value))
      return {};
    return builder.createOrFold<tensor::DimOp>(location, atom->value, atom->dimension);
  case Kind::FloorDiv:
    return binary([&](Value x, Value y) {
      return builder.createOrFold<arith::FloorDivSIOp>(location, x, y);
    });
  case Kind::Mod: // of the sign of its divisor, which is positive
    return {};
  case Kind::Min:
    return binary(
        [&](Value x, Value y) { return builder.createOrFold<arith::MinSIOp>(location, x, y); });
  case Kind::Max:
    return binary(
        [&](Value x, Value y) { return builder.createOrFold<arith::MaxSIOp>(location, x, y); });
  case Kind::Select: {
    Value condition = build(atom->operands[0], builder.getI1Type());
    Value x = operand(1), y = operand(2);
    return condition && x && y ? builder.createOrFold<arith::SelectOp>(location, condition, x, y)
                               : Value();
  }
  case Kind::Equal:
  case Kind::NonNegative: {
    IndexSum alone;
    alone.terms.push_back({1, {atom}});
    Value bit = buildCondition(&alone);
    return bit ? builder.createOrFold<arith::IndexCastUIOp>(location, builder.getIndexType(), bit)
               : Value();
  }
  }
  llvm_unreachable("all kinds are handled");
}

Value IndexMaterializer::buildCondition(IndexExpr expr) {
  if (std::optional<int64_t> constant = expr->constant())
    return arith::ConstantIntOp::create(builder, location, *constant != 0, 1);
  const IndexAtom *atom = expr->atom();
  if (!atom) {
    // 1 - c
    bool isNegation = expr->terms.size() == 2 && expr->terms[0].atoms.empty() &&
                      expr->terms[0].factor == 1 && expr->terms[1].factor == -1 &&
                      expr->terms[1].atoms.size() == 1;
    if (!isNegation)
      return {};
    IndexSum opposite;
    opposite.terms.push_back({1, expr->terms[1].atoms});
    Value bit = buildCondition(&opposite);
    Value one = arith::ConstantIntOp::create(builder, location, 1, 1);
    return bit ? builder.createOrFold<arith::XOrIOp>(location, bit, one) : Value();
  }
  switch (atom->kind) {
  case Kind::Value:
    return isVisible(atom->value) && atom->value.getType().isInteger(1) ? atom->value : Value();
  case Kind::Min:
  case Kind::Max: {
    Value x = build(atom->operands[0], builder.getI1Type());
    Value y = build(atom->operands[1], builder.getI1Type());
    if (!x || !y)
      return {};
    return atom->kind == Kind::Min ? builder.createOrFold<arith::AndIOp>(location, x, y)
                                   : builder.createOrFold<arith::OrIOp>(location, x, y);
  }
  case Kind::Equal:
  case Kind::NonNegative: {
    Value positive = buildSum(atom->operands[0], true);
    Value negative = positive ? buildSum(atom->operands[0], false) : Value();
    if (!negative)
      return {};
    auto predicate =
        atom->kind == Kind::Equal ? arith::CmpIPredicate::eq : arith::CmpIPredicate::sge;
    return builder.createOrFold<arith::CmpIOp>(location, predicate, positive, negative);
  }
  default:
    return {};
  }
}
