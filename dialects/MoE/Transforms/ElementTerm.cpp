//===- ElementTerm.cpp - How elements are computed ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/Transforms/ElementTerm.h"
#include "dialects/MoE/Transforms/Choices.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

static bool isCast(Operation *op) {
  return isa_and_nonnull<arith::ExtUIOp, arith::ExtSIOp, arith::UIToFPOp, arith::SIToFPOp,
                         arith::FPToSIOp, arith::ExtFOp, arith::TruncFOp, arith::IndexCastOp>(op);
}

/// The input that an argument of a body is; nothing for results.
static std::optional<ElementAccess> inputOf(ElementResolver &resolver, const TermSource &source) {
  auto argument = dyn_cast<BlockArgument>(source.scalar);
  linalg::GenericOp op = source.op;
  if (!argument || argument.getOwner() != op.getBody() ||
      argument.getArgNumber() >= op.getNumDpsInputs())
    return std::nullopt;
  return resolver.input(op, argument.getArgNumber(), source.access.at);
}

static Term compared(Term term, arith::CmpIPredicate predicate, Value lhs, Value rhs) {
  using P = arith::CmpIPredicate;
  if (predicate == P::sgt || predicate == P::sge)
    std::swap(lhs, rhs);
  term.operands = {{term.self.access, term.self.op, lhs}, {term.self.access, term.self.op, rhs}};
  if (predicate == P::eq)
    term.kind = Term::Equal;
  else if (predicate == P::slt || predicate == P::sgt)
    term.kind = Term::Less;
  else if ((predicate == P::sle || predicate == P::sge) && !isa<FloatType>(lhs.getType())) {
    term.kind = Term::Less;
    term.number = 1;
  } else if (predicate == P::ne &&
             (matchPattern(rhs, m_Zero()) || matchPattern(rhs, m_AnyZeroFloat()))) {
    term.kind = Term::NotZero;
    term.operands.pop_back();
  }
  return term;
}

/// The predicate on integers that says the same of numbers.
static std::optional<arith::CmpIPredicate> onIntegers(arith::CmpFPredicate predicate) {
  using P = arith::CmpFPredicate;
  using I = arith::CmpIPredicate;
  switch (predicate) {
  case P::OEQ:
  case P::UEQ:
    return I::eq;
  case P::OLT:
    return I::slt;
  case P::OGT:
    return I::sgt;
  case P::UNE:
    return I::ne;
  default:
    return std::nullopt;
  }
}

/// A number between 0 and 1 that is written as a choice, or one counted from the end.
static Value withoutSelect(arith::SelectOp select) {
  if ((matchPattern(select.getTrueValue(), m_One()) &&
       matchPattern(select.getFalseValue(), m_Zero())) ||
      (matchPattern(select.getTrueValue(), m_OneFloat()) &&
       matchPattern(select.getFalseValue(), m_AnyZeroFloat())))
    return select.getCondition();
  auto compare = select.getCondition().getDefiningOp<arith::CmpIOp>();
  auto add = select.getTrueValue().getDefiningOp<arith::AddIOp>();
  bool counts = compare && add && compare.getPredicate() == arith::CmpIPredicate::slt &&
                compare.getLhs() == select.getFalseValue() &&
                matchPattern(compare.getRhs(), m_Zero()) && add.getLhs() == select.getFalseValue();
  return counts ? select.getFalseValue() : Value();
}

static Term lookAtScalar(ElementResolver &resolver, const TermSource &source, bool isExact) {
  Term term{Term::Leaf, source};
  Value value = source.scalar;
  auto operand = [&](Value scalar) { return TermSource{source.access, source.op, scalar}; };
  Attribute constant;
  if (matchPattern(value, m_Constant(&constant))) {
    term.kind = Term::Constant;
    if (auto real = dyn_cast<FloatAttr>(constant))
      term.number = real.getValueAsDouble();
    else if (auto whole = dyn_cast<IntegerAttr>(constant))
      term.number = static_cast<double>(whole.getValue().getSExtValue());
    else
      term.kind = Term::Leaf;
    return term;
  }
  if (isa<BlockArgument>(value)) {
    std::optional<ElementAccess> input = inputOf(resolver, source);
    return input ? lookAt(resolver, {*input}, isExact) : term;
  }
  Operation *op = value.getDefiningOp();
  SmallVector<AffineExpr> loops = resolver.loops(source.op, source.access.at);
  if (isa<linalg::IndexOp>(op) && !loops.empty()) {
    term.kind = Term::Index;
    term.index = *resolver.index(value, loops);
    return term;
  }
  if (isCast(op) && !(isExact && isa<arith::TruncFOp>(op)))
    return lookAt(resolver, operand(op->getOperand(0)), isExact);
  auto binary = [&](Term::Kind kind) {
    term.kind = kind;
    term.operands = {operand(op->getOperand(0)), operand(op->getOperand(1))};
    return term;
  };
  if (isa<arith::AddIOp, arith::AddFOp>(op)) {
    // Products of einsum are added to zeros.
    linalg::GenericOp own = source.op;
    Value out = own.getBody()->getArguments().back();
    for (unsigned i : {0u, 1u})
      if (op->getOperand(i) == out && splatOf(own.getDpsInits()[0]) == 0.0)
        return lookAt(resolver, operand(op->getOperand(1 - i)), isExact);
    return binary(Term::Add);
  }
  if (isa<arith::SubIOp, arith::SubFOp>(op))
    return binary(Term::Sub);
  if (isa<arith::MulIOp, arith::MulFOp>(op) ||
      (isa<arith::AndIOp>(op) && value.getType().isInteger(1)))
    return binary(Term::Mul);
  if (auto compare = dyn_cast<arith::CmpIOp>(op))
    return compared(term, compare.getPredicate(), compare.getLhs(), compare.getRhs());
  if (auto compare = dyn_cast<arith::CmpFOp>(op))
    if (auto predicate = onIntegers(compare.getPredicate()))
      return compared(term, *predicate, compare.getLhs(), compare.getRhs());
  if (auto select = dyn_cast<arith::SelectOp>(op))
    if (Value inner = withoutSelect(select))
      return lookAt(resolver, operand(inner), isExact);
  return term;
}

/// A sum over one dimension: of a contraction's products, or of a reduction's elements.
static Term lookAtSum(ElementResolver &resolver, Term term, linalg::LinalgOp op) {
  const ElementAccess &at = term.self.access;
  SmallVector<unsigned> reduced;
  op.getReductionDims(reduced);
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (reduced.size() != 1 || !result.isProjectedPermutation() || op->getNumResults() != 1 ||
      splatOf(op.getDpsInits()[0]) != 0.0)
    return term;
  SmallVector<AffineExpr> loops(op.getNumLoops());
  for (auto [position, expr] : llvm::zip_equal(at.at, result.getResults()))
    loops[cast<AffineDimExpr>(expr).getPosition()] = position;
  for (OpOperand *input : op.getDpsInputOperands()) {
    ArrayRef<AffineExpr> exprs = op.getMatchingIndexingMap(input).getResults();
    for (auto [i, expr] : llvm::enumerate(exprs))
      if (expr == getAffineDimExpr(reduced[0], op.getContext()) && !term.index)
        term.index = loops[reduced[0]] = resolver.addDimOf(input->get(), i);
  }
  if (!term.index)
    return term;
  for (OpOperand *input : op.getDpsInputOperands()) {
    ElementAccess element{input->get(), {}};
    for (AffineExpr expr : op.getMatchingIndexingMap(input).getResults())
      element.at.push_back(expr.replaceDims(loops));
    term.operands.push_back({element});
  }
  term.kind = Term::Sum;
  return term;
}

/// The same of a contraction.
static Term lookAtContraction(ElementResolver &resolver, Term term, ContractOp op) {
  SmallVector<unsigned> reduced;
  for (unsigned i = 0; i < op.getNumLoops(); ++i)
    if (op.isContracted(i))
      reduced.push_back(i);
  if (reduced.size() != 1 || op.getBias() || splatOf(op.getInit()) != 0.0 ||
      !isa<RankedTensorType>(op.getLhs().getType()) ||
      !isa<RankedTensorType>(op.getRhs().getType()) || !op.getResultMap().isProjectedPermutation())
    return term;
  for (auto [i, expr] : llvm::enumerate(op.getLhsMap().getResults()))
    if (expr == getAffineDimExpr(reduced[0], op.getContext()))
      term.index = resolver.addDimOf(op.getLhs(), i);
  if (!term.index)
    return term;
  for (OpOperand *operand : {&op.getLhsMutable(), &op.getRhsMutable()})
    term.operands.push_back({resolver.operand(op, *operand, term.self.access.at, term.index)});
  term.kind = Term::Sum;
  return term;
}

Term moe::lookAt(ElementResolver &resolver, const TermSource &source, bool isExact) {
  if (source.scalar)
    return lookAtScalar(resolver, source, isExact);
  Term term{Term::Leaf, {resolver.resolve(source.access)}};
  const ElementAccess &access = term.self.access;
  if (std::optional<double> number = splatOf(access.tensor)) {
    term.kind = Term::Constant;
    term.number = *number;
    return term;
  }
  if (std::optional<AffineExpr> index = resolver.number(access)) {
    term.kind = Term::Index;
    term.index = *index;
    return term;
  }
  if (auto scan = access.tensor.getDefiningOp<ScanOp>()) {
    if (scan.getKind() != ScanKind::Sum || scan.getReverse())
      return term;
    term.kind = Term::Scan;
    term.number = scan.getExclusive();
    term.index = access.at[scan.getDimension()];
    term.operands.push_back({{scan.getInput(), access.at}});
    return term;
  }
  if (auto contract = access.tensor.getDefiningOp<ContractOp>())
    return lookAtContraction(resolver, term, contract);
  auto op = access.tensor.getDefiningOp<linalg::GenericOp>();
  if (!op || op->getNumResults() != 1)
    return term;
  if (op.getNumReductionLoops() == 1 &&
      (reducesBy<arith::AddFOp>(op) || reducesBy<arith::AddIOp>(op)))
    return lookAtSum(resolver, term, cast<linalg::LinalgOp>(op.getOperation()));
  if (resolver.loops(op, access.at).empty())
    return term;
  Term inner = lookAt(resolver, {access, op, yielded(op)}, isExact);
  // What is not looked into is read as this element.
  if (inner.kind == Term::Leaf && inner.self.scalar)
    return term;
  return inner;
}

std::optional<ElementAccess> moe::withoutCasts(ElementResolver &resolver, TermSource source) {
  while (true) {
    if (source.scalar) {
      if (Operation *op = source.scalar.getDefiningOp()) {
        if (!isCast(op))
          return std::nullopt;
        source.scalar = op->getOperand(0);
        continue;
      }
      std::optional<ElementAccess> input = inputOf(resolver, source);
      if (!input)
        return std::nullopt;
      source = {*input};
    }
    source.access = resolver.resolve(source.access);
    auto op = source.access.tensor.getDefiningOp<linalg::GenericOp>();
    if (!op || op->getNumResults() != 1 || resolver.loops(op, source.access.at).empty() ||
        !isCast(yielded(op).getDefiningOp()))
      return source.access;
    TermSource inner{source.access, op, yielded(op)};
    std::optional<ElementAccess> before = withoutCasts(resolver, inner);
    return before ? before : source.access;
  }
}
