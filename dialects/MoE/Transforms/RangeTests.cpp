//===- RangeTests.cpp - Tests of positions that cannot fail ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/Transforms/Choices.h"
#include "dialects/MoE/Transforms/Routing.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

/// Whether an index that is below 0 or not below `extent` is what `condition` is about, the
/// element of the input of a reduction.
static bool testsRange(Value condition, Value element, int64_t extent) {
  auto either = condition.getDefiningOp<arith::OrIOp>();
  if (!either)
    return false;
  return llvm::all_of(either->getOperands(), [&](Value side) {
    auto compare = side.getDefiningOp<arith::CmpIOp>();
    APInt bound;
    if (!compare || !matchPattern(compare.getRhs(), m_ConstantInt(&bound)))
      return false;
    Value number = compare.getLhs();
    if (auto cast = number.getDefiningOp<arith::IndexCastOp>())
      number = cast.getIn();
    if (number != element)
      return false;
    if (compare.getPredicate() == arith::CmpIPredicate::slt)
      return bound.getSExtValue() <= 0;
    return compare.getPredicate() == arith::CmpIPredicate::sge && bound.getSExtValue() >= extent;
  });
}

/// Whether a reduction gives the lowest position of an element out of range, which is the number
/// that it starts from if all elements are below `extent`.
static bool findsOutOfRange(linalg::GenericOp op, int64_t extent, APInt &none) {
  if (op.getNumDpsInputs() != 1 || op->getNumResults() != 1 ||
      op.getNumReductionLoops() != op.getNumLoops())
    return false;
  auto least = yielded(op).getDefiningOp<arith::MinSIOp>();
  Value element = op.getBody()->getArgument(0), before = op.getBody()->getArgument(1);
  if (!least || (least.getLhs() != before && least.getRhs() != before))
    return false;
  auto select =
      (least.getLhs() == before ? least.getRhs() : least.getLhs()).getDefiningOp<arith::SelectOp>();
  Value init = op.getDpsInits()[0];
  APInt start;
  if (auto fill = init.getDefiningOp<linalg::FillOp>())
    init = fill.getInputs()[0];
  return select && matchPattern(select.getFalseValue(), m_ConstantInt(&none)) &&
         matchPattern(init, m_ConstantInt(&start)) && start == none &&
         testsRange(select.getCondition(), element, extent);
}

/// The branches that only a result of `op` other than `none` takes.
static void collectBranches(linalg::GenericOp op, const APInt &none, SetVector<scf::IfOp> &found) {
  for (Operation *read : op->getUsers()) {
    if (!isa<tensor::ExtractOp>(read))
      continue;
    for (Operation *user : read->getUsers()) {
      auto compare = dyn_cast<arith::CmpIOp>(user);
      APInt other;
      if (!compare || compare.getPredicate() != arith::CmpIPredicate::ne ||
          compare.getLhs() != read->getResult(0) ||
          !matchPattern(compare.getRhs(), m_ConstantInt(&other)) || other != none)
        continue;
      for (Operation *branch : compare->getUsers())
        if (auto test = dyn_cast<scf::IfOp>(branch); test && test->getNumResults() == 0 &&
                                                     test.getCondition() == compare.getResult() &&
                                                     !test.elseBlock())
          found.insert(test);
    }
  }
}

void moe::eraseRangeTests(SortOp sort) {
  auto type = cast<RankedTensorType>(sort.getInput().getType());
  if (type.isDynamicDim(sort.getDimension()))
    return;
  int64_t extent = type.getDimSize(sort.getDimension());
  SetVector<scf::IfOp> tests;
  SmallVector<Value> work{sort.getIndices()};
  while (!work.empty())
    for (Operation *user : work.pop_back_val().getUsers()) {
      APInt none;
      if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(user))
        work.push_back(user->getResult(0));
      else if (auto op = dyn_cast<linalg::GenericOp>(user); op && findsOutOfRange(op, extent, none))
        collectBranches(op, none, tests);
    }
  for (scf::IfOp test : tests)
    test.erase();
}
