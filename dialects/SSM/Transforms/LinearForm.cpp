//===- LinearForm.cpp - What a token makes of a state ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/Transforms/LinearForm.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace weft::ssm;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

LinearForm::LinearForm(LoopLifter &lifter, scf::ForOp loop, BlockArgument state)
    : lifter(lifter), state(state), context(state.getContext()), rank(typeOf(state).getRank()),
      positions(AffineMap::getMultiDimIdentityMap(rank + 1, context).dropResult(rank)),
      summed(getAffineDimExpr(rank, context)) {
  dependent.insert(state);
  for (Operation &op : loop.getBody()->without_terminator()) {
    llvm::SetVector<Value> used(op.getOperands().begin(), op.getOperands().end());
    getUsedValuesDefinedAbove(op.getRegions(), used);
    if (llvm::any_of(used, [&](Value value) { return dependent.contains(value); }))
      dependent.insert(op.result_begin(), op.result_end());
  }
}

/// A sum of elements reads one of its own positions already.
bool LinearForm::isSummed(AffineMap map) const { return map.isFunctionOfDim(rank); }

std::optional<SmallVector<LinearTerm>> LinearForm::of(Value next) {
  parts.clear();
  constant = {};
  Terms terms = termsOf({next, positions});
  // What is subtracted is the negative of a value, which the body may not have.
  if (terms && llvm::any_of(*terms, [](const LinearTerm &term) {
        return term.of == LinearTerm::Of::Constant && term.negative;
      }))
    constant = {};
  return terms;
}

LinearForm::Terms LinearForm::termsOf(Element element) {
  if (!dependsOnState(element.tensor)) {
    auto found = lifter.liftFactors(element.tensor, element.map);
    if (!found)
      return std::nullopt;
    if (element.map == positions)
      constant = element.tensor;
    LinearTerm term;
    term.factors = *found;
    return SmallVector<LinearTerm>{term};
  }
  if (element.tensor == state)
    return termsOfState(element.map);
  Operation *op = element.tensor.getDefiningOp();
  if (!op)
    return std::nullopt;
  parts.insert(op);
  if (std::optional<Element> before = matchMoved(element))
    return termsOf(*before);
  if (auto contract = dyn_cast<ContractOp>(op))
    return termsOfContract(contract, element.map);
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic)
    return std::nullopt;
  return generic.getNumReductionLoops() == 0 ? termsOfElementwise(generic, element.map)
                                             : termsOfSum(generic, element.map);
}

LinearForm::Terms LinearForm::termsOfState(AffineMap map) {
  LinearTerm term;
  term.of = LinearTerm::Of::State;
  for (auto [i, expr] : llvm::enumerate(map.getResults())) {
    auto constant = dyn_cast<AffineConstantExpr>(expr);
    if (expr == getAffineDimExpr(i, context) ||
        (constant && constant.getValue() == 0 && typeOf(state).getDimSize(i) == 1))
      continue;
    if (expr != summed || term.of == LinearTerm::Of::Sum)
      return std::nullopt;
    term.of = LinearTerm::Of::Sum;
    term.row = i;
  }
  return SmallVector<LinearTerm>{term};
}

/// The product of a constant and what depends on the state.
LinearForm::Terms LinearForm::product(Element lhs, Element rhs) {
  if (dependsOnState(rhs.tensor))
    std::swap(lhs, rhs);
  if (dependsOnState(rhs.tensor))
    return std::nullopt;
  Value before = constant;
  Terms terms = termsOf(lhs);
  constant = before;
  auto others = terms ? lifter.liftFactors(rhs.tensor, rhs.map) : std::nullopt;
  if (!others)
    return std::nullopt;
  for (LinearTerm &term : *terms)
    llvm::append_range(term.factors, *others);
  return terms;
}

LinearForm::Terms LinearForm::termsOfElementwise(linalg::GenericOp op, AffineMap map) {
  auto input = [&](unsigned i) {
    return Element{op.getInputs()[i], op.getIndexingMapsArray()[i].compose(map)};
  };
  if (isElementwiseOf(op, arith::MulFOp::getOperationName(), 2))
    return product(input(0), input(1));
  bool difference = isElementwiseOf(op, arith::SubFOp::getOperationName(), 2);
  bool negation = isElementwiseOf(op, arith::NegFOp::getOperationName(), 1);
  if (!difference && !negation && !isElementwiseOf(op, arith::AddFOp::getOperationName(), 2))
    return std::nullopt;
  Terms terms = termsOf(input(0));
  if (!terms)
    return std::nullopt;
  if (negation) {
    for (LinearTerm &term : *terms)
      term.negative = !term.negative;
    return terms;
  }
  Terms others = termsOf(input(1));
  if (!others)
    return std::nullopt;
  for (LinearTerm &term : *others) {
    term.negative ^= difference;
    terms->push_back(term);
  }
  return terms;
}

/// The terms of a sum over a row, if the state is in each: others are not summed up.
static std::optional<SmallVector<LinearTerm>> onlySums(SmallVector<LinearTerm> terms) {
  if (llvm::any_of(terms, [](LinearTerm &term) { return term.of != LinearTerm::Of::Sum; }))
    return std::nullopt;
  return terms;
}

LinearForm::Terms LinearForm::termsOfSum(linalg::GenericOp op, AffineMap map) {
  if (isSummed(map) || !isSumOfRows(op))
    return std::nullopt;
  SmallVector<unsigned> reduced;
  op.getReductionDims(reduced);
  bool single = typeOf(op.getInputs()[0]).getDimSize(reduced[0]) == 1;
  SmallVector<AffineExpr> exprs(op.getNumLoops(),
                                single ? getAffineConstantExpr(0, context) : summed);
  for (auto [i, expr] : llvm::enumerate(op.getIndexingMapsArray()[1].getResults()))
    exprs[cast<AffineDimExpr>(expr).getPosition()] = map.getResult(i);
  Terms terms = termsOf({op.getInputs()[0], AffineMap::get(rank + 1, 0, exprs, context)});
  return terms && !single ? onlySums(*terms) : terms;
}

LinearForm::Terms LinearForm::termsOfContract(ContractOp op, AffineMap map) {
  if (!isPlainProduct(op))
    return std::nullopt;
  AffineMap loops = loopsOfResult(op, map, summed);
  int64_t contracted = 0;
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
    contracted += op.isContracted(loop) && ranges[loop] != 1;
  if (contracted > 1 || (contracted == 1 && isSummed(map)))
    return std::nullopt;
  Terms terms = product({op.getLhs(), op.getLhsMap().compose(loops)},
                        {op.getRhs(), op.getRhsMap().compose(loops)});
  return terms && contracted == 1 ? onlySums(*terms) : terms;
}
