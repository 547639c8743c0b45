//===- StateRead.cpp - How states are read --------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/Transforms/StateRead.h"
#include "dialects/SSM/Transforms/Factors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace weft::ssm;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

bool weft::ssm::isIdentityOn(linalg::GenericOp op, Value value) {
  for (OpOperand *operand : op.getDpsInputOperands())
    if (operand->get() == value)
      return op.getMatchingIndexingMap(operand).isIdentity();
  return false;
}

/// A contraction of a state with a query, over one of its dimensions.
static std::optional<StateRead> matchContract(Value state, weft::ContractOp op) {
  if (op.getBias() || !isZeroTensor(op.getInit()) || !op.getResultMap().isProjectedPermutation() ||
      (op.getLhs() == state) == (op.getRhs() == state))
    return std::nullopt;
  bool left = op.getLhs() == state;
  AffineMap own = left ? op.getLhsMap() : op.getRhsMap();
  AffineMap other = left ? op.getRhsMap() : op.getLhsMap();
  StateRead read;
  read.result = op.getResult();
  read.query = left ? op.getRhs() : op.getLhs();
  SmallVector<int64_t> dimOf(op.getNumLoops(), -1), ranges = op.getStaticLoopRanges();
  if (!own.isProjectedPermutation() || !isa<RankedTensorType>(read.query.getType()))
    return std::nullopt;
  int64_t contracted = 0;
  for (auto [i, expr] : llvm::enumerate(own.getResults())) {
    unsigned position = cast<AffineDimExpr>(expr).getPosition();
    dimOf[position] = i;
    if (op.isContracted(position)) {
      read.row = i;
      ++contracted;
    }
  }
  if (contracted != 1)
    return std::nullopt;
  // Other loops have one iteration.
  SmallVector<AffineExpr> query;
  for (unsigned i = 0; i < op.getNumLoops(); ++i)
    if (dimOf[i] < 0 && ranges[i] != 1)
      return std::nullopt;
  for (AffineExpr expr : other.getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    int64_t at = dim ? dimOf[dim.getPosition()] : -1;
    query.push_back(at < 0 ? getAffineConstantExpr(0, op.getContext())
                           : getAffineDimExpr(at, op.getContext()));
  }
  read.queryMap = AffineMap::get(typeOf(state).getRank(), 0, query, op.getContext());
  for (AffineExpr expr : op.getResultMap().getResults())
    read.resultDims.push_back(dimOf[cast<AffineDimExpr>(expr).getPosition()]);
  return read;
}

/// The same as a product and its sum.
static std::optional<StateRead> matchSum(Value state, linalg::GenericOp product) {
  if (!product || !isElementwiseOf(product, arith::MulFOp::getOperationName(), 2) ||
      !product->hasOneUse() || !isIdentityOn(product, state))
    return std::nullopt;
  auto sum = dyn_cast<linalg::GenericOp>(*product->user_begin());
  if (!sum || !isSumOfRows(sum))
    return std::nullopt;
  unsigned other = product.getInputs()[0] == state ? 1 : 0;
  if (product.getInputs()[other] == state)
    return std::nullopt;
  SmallVector<unsigned> reduced;
  sum.getReductionDims(reduced);
  StateRead read;
  read.result = sum.getResult(0);
  read.row = reduced[0];
  read.query = product.getInputs()[other];
  read.queryMap = product.getMatchingIndexingMap(product.getDpsInputOperand(other));
  for (AffineExpr expr : sum.getIndexingMapsArray()[1].getResults())
    read.resultDims.push_back(cast<AffineDimExpr>(expr).getPosition());
  return read;
}

static std::optional<StateRead> matchWeightedSum(Value state, Operation *user) {
  if (auto contract = dyn_cast<weft::ContractOp>(user))
    return matchContract(state, contract);
  return matchSum(state, dyn_cast<linalg::GenericOp>(user));
}

std::optional<StateRead> StateRead::match(Value state, Operation *user, Value term) {
  if (std::optional<StateRead> read = matchWeightedSum(state, user))
    return read;
  // The state and the term of this token times a bonus.
  auto sum = dyn_cast<linalg::GenericOp>(user);
  if (!sum || !isElementwiseOf(sum, arith::AddFOp::getOperationName(), 2) || !sum->hasOneUse() ||
      !isIdentityOn(sum, state))
    return std::nullopt;
  unsigned other = sum.getInputs()[0] == state ? 1 : 0;
  auto product = matchElementwise<arith::MulFOp>(sum.getInputs()[other], 2);
  if (!product || !sum.getMatchingIndexingMap(sum.getDpsInputOperand(other)).isIdentity() ||
      !isIdentityOn(product, term))
    return std::nullopt;
  std::optional<StateRead> read = matchWeightedSum(sum.getResult(0), *sum->user_begin());
  if (!read)
    return std::nullopt;
  OpOperand *bonus = product.getDpsInputOperand(product.getInputs()[0] == term ? 1 : 0);
  read->bonus = bonus->get();
  read->bonusMap = product.getMatchingIndexingMap(bonus);
  return read;
}
