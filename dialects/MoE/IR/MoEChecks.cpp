//===- MoEChecks.cpp - What data of this dialect's operations must be -----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoEChecks.h"

#include "dialects/MoE/IR/MoE.h"
#include "dialects/Weft/IR/OperandChecks.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

/// What verifiers say of extents, of those that types do not tell.
static void checkExtents(ExtentChecks &calls, GroupedMatmulOp op) {
  Value init = op.getInit(), input = op.getInput();
  OpFoldResult groups = calls.derive(calls.extentOf(op.getOffsets(), 0), 1, 1, -1);
  OpFoldResult columns = calls.extentOf(init, 1);
  for (Value weight : op.getWeights()) {
    calls.requireEqual("weights", weight, 0, groups);
    calls.requireEqual("weights", weight, op.getTransposed() ? 2 : 1, calls.extentOf(input, 1));
    calls.requireEqual("weights", weight, op.getTransposed() ? 1 : 2, columns);
  }
  for (Value bias : op.getBiases()) {
    calls.requireEqual("biases", bias, 0, groups);
    calls.requireEqual("biases", bias, 1, columns);
  }
  calls.requireEqual(op.getIndices() ? "indices" : "input",
                     op.getIndices() ? op.getIndices() : input, 0, calls.extentOf(init, 0));
}

static void checkExtents(ExtentChecks &calls, CombineOp op) {
  calls.requireShape("weights", op.getWeights(), op.getPositions());
  calls.requireEqual("result", op.getInit(), 0, calls.extentOf(op.getPositions(), 0));
  calls.requireEqual("result", op.getInit(), 1, calls.extentOf(op.getValues(), 1));
}

static void checkExtents(ExtentChecks &calls, PlanOp op) {
  calls.requireShape("weights", op.getWeights(), op.getIds());
  calls.requireShape("positions", op.getInits()[2], op.getIds());
}

static void checkExtents(ExtentChecks &calls, RouteOp op) {
  Value ids = op.getInits()[0], logits = op.getLogits();
  OpFoldResult tokens = calls.extentOf(logits, 0), experts = calls.extentOf(logits, 1);
  OpFoldResult chosen = calls.derive(calls.extentOf(ids, 1), 1, 1, -int64_t(op.getShared()));
  calls.requireEqual("ids", ids, 0, tokens);
  calls.requireShape("weights", op.getInits()[1], ids);
  calls.requireEqual("bias", op.getBias(), 0, experts);
  calls.requireEqual("table", op.getTable(), 1, chosen);
  calls.requireEqual("tokens", op.getTokens(), 0, tokens);
}

static void checkExtents(ExtentChecks &calls, ExpertFFNOp op) {
  Value input = op.getInput(), down = op.getDown();
  bool transposed = op.getTransposed();
  int64_t rows = transposed ? 2 : 1, columns = transposed ? 1 : 2;
  OpFoldResult tokens = calls.extentOf(input, 0), experts = calls.extentOf(down, 0);
  OpFoldResult wide =
      calls.derive(calls.extentOf(down, rows), op.getFused() == Fusion::Separate ? 1 : 2, 1, 0);
  calls.requireEqual("ids", op.getIds(), 0, tokens);
  calls.requireShape("weights", op.getWeights(), op.getIds());
  calls.requireEqual("result", op.getInit(), 0, tokens);
  calls.requireEqual("down", down, columns, calls.extentOf(op.getInit(), 1));
  for (Value up : op.getUp()) {
    calls.requireEqual("up", up, 0, experts);
    calls.requireEqual("up", up, rows, calls.extentOf(input, 1));
    calls.requireEqual("up", up, columns, wide);
  }
  for (Value bias : op.getUpBiases()) {
    calls.requireEqual("up_bias", bias, 0, experts);
    calls.requireEqual("up_bias", bias, 1, wide);
  }
  calls.requireEqual("down_bias", op.getDownBias(), 0, experts);
  if (Value bias = op.getDownBias())
    calls.requireEqual("down_bias", bias, 1, calls.extentOf(op.getInit(), 1));
}

static void checkExtents(ExtentChecks &calls, ExchangeOp op) {
  Value values = op.getValues(), offsets = op.getOffsets();
  for (int64_t i : {0, 2})
    calls.requireEqual("received", op.getInits()[0], i, calls.extentOf(values, i));
  calls.requireEqual("offsets", offsets, 0, calls.extentOf(values, 0));
  calls.requireShape("bounds", op.getInits()[1], offsets);
  calls.requireEqual("place", op.getPlace(), 0, calls.derive(calls.extentOf(offsets, 1), 1, 1, -1));
}

static void checkExtents(ExtentChecks &calls, ResidencyOp op) {
  OpFoldResult slots = calls.extentOf(op.getSlots(), 0);
  calls.requireEqual("stamps", op.getStamps(), 0, slots);
  for (Value init : op.getInits().drop_front())
    calls.requireEqual("result", init, 0, slots);
}

static void checkExtents(ExtentChecks &calls, DepthOp op) {
  OpFoldResult rows = calls.extentOf(op.getMask(), 0);
  for (Value input : op.getInputs())
    calls.requireEqual("input", input, 0, rows);
  for (Value init : op.getInits())
    calls.requireEqual("result", init, 0, rows);
}

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

/// What `moe.route` and `moe.plan` compute is right.
static void checkNumbers(OperandChecks &checks, Value ids, OpFoldResult experts) {
  if (!comesFrom<RouteOp>(ids))
    checks.requireRange("ids", ids, LeastIndex::MinusOne, experts);
}

static void checkIndices(OperandChecks &checks, GroupedMatmulOp op) {
  if (!comesFrom<PlanOp>(op.getOffsets()))
    checks.requireAscending("offsets", op.getOffsets(), checks.extents.extentOf(op.getInit(), 0));
  if (op.getIndices() && !comesFrom<PlanOp>(op.getIndices()))
    checks.requireRange("indices", op.getIndices(), LeastIndex::Any,
                        checks.extents.extentOf(op.getInput(), 0));
}

static void checkIndices(OperandChecks &checks, CombineOp op) {
  if (!comesFrom<PlanOp>(op.getPositions()))
    checks.requireRange("positions", op.getPositions(), LeastIndex::MinusOne,
                        checks.extents.extentOf(op.getValues(), 0));
}

static void checkIndices(OperandChecks &checks, PlanOp op) {
  OpFoldResult groups =
      checks.extents.derive(checks.extents.extentOf(op.getInits()[0], 0), 1, 1, -1);
  checkNumbers(checks, op.getIds(),
               op.getPlace() ? checks.extents.extentOf(op.getPlace(), 0) : groups);
  if (op.getPlace() && !comesFrom<ResidencyOp>(op.getPlace()))
    checks.requireRange("place", op.getPlace(), LeastIndex::MinusOne, groups);
}

static void checkIndices(OperandChecks &checks, RouteOp op) {
  if (op.getTable())
    checks.requireRange("tokens", op.getTokens(), LeastIndex::Zero,
                        checks.extents.extentOf(op.getTable(), 0));
}

static void checkIndices(OperandChecks &checks, ExpertFFNOp op) {
  checkNumbers(checks, op.getIds(), checks.extents.extentOf(op.getDown(), 0));
}

static void checkIndices(OperandChecks &checks, ExchangeOp op) {
  // Offsets are those of the senders in both directions.
  Value sent = op.getInverse() ? op.getInits()[0] : op.getValues();
  checks.requireAscending("offsets", op.getOffsets(), checks.extents.extentOf(sent, 1));
  checks.requireRange("place", op.getPlace(), LeastIndex::MinusOne,
                      checks.extents.extentOf(op.getOffsets(), 0));
}

static void checkIndices(OperandChecks &checks, ResidencyOp op) {
  OpFoldResult experts = checks.extents.extentOf(op.getInits()[0], 0);
  checkNumbers(checks, op.getIds(), experts);
  if (!comesFrom<ResidencyOp>(op.getSlots()))
    checks.requireRange("slots", op.getSlots(), LeastIndex::MinusOne, experts);
}

static void checkIndices(OperandChecks &, DepthOp) {}

namespace {
template <typename OpTy> struct Checks : OperandCheckInterface::ExternalModel<Checks<OpTy>, OpTy> {
  void buildChecks(Operation *op, OperandChecks &checks) const {
    checkExtents(checks.extents, cast<OpTy>(op));
    checkIndices(checks, cast<OpTy>(op));
  }
};
} // namespace

template <typename... OpTys> static void attach(MLIRContext *context) {
  (OpTys::template attachInterface<Checks<OpTys>>(*context), ...);
}

void moe::attachOperandChecks(MLIRContext *context) {
  attach<CombineOp, DepthOp, ExchangeOp, ExpertFFNOp, GroupedMatmulOp, PlanOp, ResidencyOp,
         RouteOp>(context);
}
