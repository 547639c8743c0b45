//===- SSMChecks.cpp - What data of this dialect's operations must be -----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSMChecks.h"

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/IR/SSMShapes.h"
#include "dialects/Weft/IR/OperandChecks.h"

using namespace mlir;
using namespace weft::ssm;

using weft::LeastIndex;
using weft::OperandCheckInterface;
using weft::OperandChecks;

/// A token's number is below the extent of dimension 1 of `tokens`, if there are any.
static void checkOffsets(OperandChecks &checks, Value offsets, Value tokens) {
  if (offsets && tokens)
    checks.requireAscending("offsets", offsets, checks.extents.extentOf(tokens, 1));
}

static void checkSlots(OperandChecks &checks, StringRef operand, Value slots, Value states) {
  if (slots && states)
    checks.requireRange(operand, slots, LeastIndex::MinusOne, checks.extents.extentOf(states, 0));
}

template <typename OpTy>
static void checkStates(OperandChecks &checks, OpTy op, Value initial, Value final) {
  checkSlots(checks, "sources", op.getSources(), initial);
  checkSlots(checks, "destinations", op.getDestinations(), final);
}

static void checkIndices(OperandChecks &checks, ScanOp op) {
  Value order = op.getOrder(), offsets = op.getOffsets();
  // The tensor that has all tokens; several of its rows are one, if there are reads.
  if (op.getReads() == 1)
    checkOffsets(checks, offsets, op.getInits()[0]);
  else if (op.getSubsteps() == 1)
    checkOffsets(checks, offsets, op.getValue());
  else if (offsets && order)
    checks.requireAscending("offsets", offsets, checks.extents.extentOf(order, 0));
  if (order)
    checks.requireRange("order", order, LeastIndex::Zero, checks.extents.extentOf(order, 0));
  checkStates(checks, op, op.getInitial(), op.getInits()[1]);
}

static void checkIndices(OperandChecks &checks, StepOp op) {
  checkStates(checks, op, op.getInitial(), op.getInits()[1]);
}

static void checkIndices(OperandChecks &checks, CausalConv1dOp op) {
  checkOffsets(checks, op.getOffsets(), op.getInput());
  checkStates(checks, op, op.getState(), op.getInits().back());
}

static void checkIndices(OperandChecks &checks, ReduceStateOp op) {
  checkOffsets(checks, op.getOffsets(), op.getValue());
}

static void checkIndices(OperandChecks &checks, DiscretizeOp op) {
  checkOffsets(checks, op.getOffsets(), op.getDelta());
}

namespace {
/// Of operations whose operands say where.
template <typename OpTy> struct Checks : OperandCheckInterface::ExternalModel<Checks<OpTy>, OpTy> {
  void buildChecks(Operation *op, OperandChecks &checks) const {
    checkExtents(op, checks.extents);
    checkIndices(checks, cast<OpTy>(op));
  }
};

template <typename OpTy>
struct Extents : OperandCheckInterface::ExternalModel<Extents<OpTy>, OpTy> {
  void buildChecks(Operation *op, OperandChecks &checks) const { checkExtents(op, checks.extents); }
};
} // namespace

template <template <typename> typename Model, typename... OpTys>
static void attach(MLIRContext *context) {
  (OpTys::template attachInterface<Model<OpTys>>(*context), ...);
}

void weft::ssm::attachOperandChecks(MLIRContext *context) {
  attach<Checks, CausalConv1dOp, DiscretizeOp, ReduceStateOp, ScanOp, StepOp>(context);
  attach<Extents, ChunkApplyOp, ChunkSummaryOp, LongConvOp, ScanRegionOp, SegsumOp, SolveTrilOp>(
      context);
}
