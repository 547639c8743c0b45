//===- Epilogue.cpp - What surrounds a contraction, in registers ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Vector/Epilogue.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace weft;

/// Whether `map` reads neighbours along the last loop from neighbours in
/// memory, or one element for all of them.
static bool isVectorRead(AffineMap map) {
  unsigned last = map.getNumDims() - 1;
  for (auto [i, expr] : llvm::enumerate(map.getResults())) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    auto number = dyn_cast<AffineConstantExpr>(expr);
    if (!dim && !number)
      return false;
    if (dim && dim.getPosition() == last && i + 1 != map.getNumResults())
      return false;
  }
  return true;
}

/// Operations of an elementwise body up to which it is repeated for each vector
/// of a register tile: longer ones are loops of their own.
static constexpr size_t kMaxOperations = 16;

/// Whether `op` is an instruction, or nearly so, on vectors.
static bool isCheap(Operation &op) {
  if (isa<math::MathDialect>(op.getDialect()))
    return isa<math::AbsFOp, math::AbsIOp, math::SqrtOp, math::FmaOp, math::CopySignOp>(op);
  return op.getNumResults() == 1 && OpTrait::hasElementwiseMappableTraits(&op);
}

/// Whether `op` can be computed vector by vector into a tensor of its own:
/// purely elementwise, without reading what it overwrites.
static bool isElementwise(linalg::GenericOp op) {
  if (!op || op.getNumResults() != 1 || op.getNumLoops() == 0 ||
      op.getNumLoops() != op.getNumParallelLoops() || !op.hasPureTensorSemantics())
    return false;
  OpOperand *init = op.getDpsInitOperand(0);
  if (!op.getMatchingIndexingMap(init).isIdentity() || op.payloadUsesValueFromOperand(init))
    return false;
  for (OpOperand *operand : op.getDpsInputOperands())
    if (!isVectorRead(op.getMatchingIndexingMap(operand)))
      return false;
  if (op.getBody()->getOperations().size() > kMaxOperations)
    return false;
  return llvm::all_of(op.getBody()->without_terminator(), [](Operation &inner) {
    return isa<arith::ConstantOp>(inner) || isCheap(inner);
  });
}

Epilogue::Epilogue(linalg::GenericOp contraction) : contraction(contraction) {
  Value start = contraction.getDpsInitOperand(0)->get();
  auto init = start.getDefiningOp<linalg::GenericOp>();
  if (init && start.hasOneUse() && init->getBlock() == contraction->getBlock() &&
      isElementwise(init))
    producer = init;
  fill = start.getDefiningOp<linalg::FillOp>();
  // A start that lies in memory is overwritten in place, nothing else.
  if (!producer && !fill)
    return;
  while (true) {
    Value result = last().getResult(0);
    auto next = result.hasOneUse() ? dyn_cast<linalg::GenericOp>(*result.user_begin()) : nullptr;
    if (!next || next->getBlock() != contraction->getBlock() || !isElementwise(next))
      return;
    OpOperand &use = *result.use_begin();
    if (next.isDpsInit(&use) || !next.getMatchingIndexingMap(&use).isIdentity())
      return;
    consumers.push_back(next);
  }
}

Value Epilogue::destination(OpBuilder &b) const {
  linalg::GenericOp op = consumers.empty() && producer ? producer : last();
  Value out = fill && consumers.empty() ? linalg::FillOp(fill).getDpsInitOperand(0)->get()
                                        : op.getDpsInitOperand(0)->get();
  bool isOverwritten = fill || producer;
  if (!isOverwritten || llvm::none_of(last()->getUsers(), llvm::IsaPred<linalg::LinalgOp>))
    return out;
  return tensor::EmptyOp::create(b, out.getLoc(), tensor::getMixedSizes(b, out.getLoc(), out),
                                 getElementTypeOrSelf(out.getType()));
}

/// Computes an elementwise operation on the vectors at `position`; `known` is
/// the vector of the value `of`.
static Value evaluate(OpBuilder &b, linalg::GenericOp op, ValueRange position, int64_t lanes,
                      Value mask, Value of, Value known) {
  Location loc = op.getLoc();
  IRMapping mapping;
  auto broadcast = [&](Value scalar) -> Value {
    return vector::BroadcastOp::create(b, loc, VectorType::get({lanes}, scalar.getType()), scalar);
  };
  for (OpOperand *operand : op.getDpsInputOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(operand);
    Value value = operand->get();
    if (argument.use_empty())
      continue;
    if (value == of) {
      mapping.map(argument, known);
      continue;
    }
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type) {
      mapping.map(argument, broadcast(value));
      continue;
    }
    AffineMap map = op.getMatchingIndexingMap(operand);
    SmallVector<Value> at;
    bool isVector = false;
    for (AffineExpr expr : map.getResults()) {
      if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
        at.push_back(position[dim.getPosition()]);
        isVector |= dim.getPosition() + 1 == map.getNumDims();
      } else {
        int64_t number = cast<AffineConstantExpr>(expr).getValue();
        at.push_back(arith::ConstantIndexOp::create(b, loc, number));
      }
    }
    if (!isVector) {
      mapping.map(argument, broadcast(tensor::ExtractOp::create(b, loc, value, at)));
      continue;
    }
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
    auto minor = AffineMap::getMinorIdentityMap(type.getRank(), 1, b.getContext());
    mapping.map(argument, vector::TransferReadOp::create(
                              b, loc, VectorType::get({lanes}, type.getElementType()), value, at,
                              AffineMapAttr::get(minor), zero, mask, b.getBoolArrayAttr({true})));
  }
  // Scalars, be they constants of the body or values from outside, are
  // broadcast.
  auto lookup = [&](Value value) {
    if (Value mapped = mapping.lookupOrNull(value))
      return mapped;
    Value scalar = value;
    if (auto constant = value.getDefiningOp<arith::ConstantOp>();
        constant && constant->getBlock() == op.getBody())
      scalar = b.clone(*constant)->getResult(0);
    mapping.map(value, broadcast(scalar));
    return mapping.lookup(value);
  };
  for (Operation &inner : op.getBody()->without_terminator()) {
    if (isa<arith::ConstantOp>(inner))
      continue;
    SmallVector<Value> operands;
    for (Value operand : inner.getOperands())
      operands.push_back(lookup(operand));
    Type type = VectorType::get({lanes}, inner.getResult(0).getType());
    OperationState state(loc, inner.getName().getStringRef(), operands, type, inner.getAttrs());
    mapping.map(inner.getResult(0), b.create(state)->getResult(0));
  }
  return lookup(op.getBody()->getTerminator()->getOperand(0));
}

Value Epilogue::start(OpBuilder &b, Value out, ValueRange position, int64_t lanes,
                      Value mask) const {
  if (producer)
    return evaluate(b, producer, position, lanes, mask, Value(), Value());
  linalg::GenericOp op = contraction;
  Location loc = op.getLoc();
  if (linalg::FillOp filled = fill) {
    Value number = filled.getInputs()[0];
    return vector::BroadcastOp::create(b, loc, VectorType::get({lanes}, number.getType()), number);
  }
  auto type = cast<RankedTensorType>(out.getType());
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
  auto minor = AffineMap::getMinorIdentityMap(type.getRank(), 1, b.getContext());
  return vector::TransferReadOp::create(b, loc, VectorType::get({lanes}, type.getElementType()),
                                        out, position, AffineMapAttr::get(minor), zero, mask,
                                        b.getBoolArrayAttr({true}));
}

Value Epilogue::finish(OpBuilder &b, Value sum, ValueRange position, Value mask) const {
  int64_t lanes = cast<VectorType>(sum.getType()).getDimSize(0);
  linalg::GenericOp previous = contraction;
  for (linalg::GenericOp op : consumers) {
    sum = evaluate(b, op, position, lanes, mask, previous.getResult(0), sum);
    previous = op;
  }
  return sum;
}

void Epilogue::replace(RewriterBase &rewriter, Value result) const {
  rewriter.replaceOp(last(), result);
  for (linalg::GenericOp op :
       llvm::reverse(ArrayRef(consumers).drop_back(consumers.empty() ? 0 : 1)))
    rewriter.eraseOp(op);
  if (!consumers.empty())
    rewriter.eraseOp(contraction);
  if (producer)
    rewriter.eraseOp(producer);
  if (fill && fill->use_empty())
    rewriter.eraseOp(fill);
}
