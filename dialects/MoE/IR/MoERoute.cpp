//===- MoERoute.cpp - Choosing experts for tokens -------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/IR/RouteReference.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

//===----------------------------------------------------------------------===//
// Verifier
//===----------------------------------------------------------------------===//

FloatType RouteOp::getComputeType() {
  MLIRContext *context = getContext();
  if (typeOf(getLogits()).getElementType().isF64())
    return Float64Type::get(context);
  return Float32Type::get(context);
}

LogicalResult RouteOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, b, shapes);
}

/// The operands that belong to one way of choosing only.
static LogicalResult verifySelection(RouteOp op) {
  Selection selection = op.getSelection();
  bool hasThreshold = selection == Selection::TopP || selection == Selection::Threshold;
  if (op.getThreshold().has_value() != hasThreshold)
    return op.emitOpError(hasThreshold ? "expects a threshold" : "has a threshold, which only ")
           << (hasThreshold ? "" : "top_p and threshold take");
  if (hasThreshold && !op.getThresholdAttr().getValue().isFinite())
    return op.emitOpError("expects a finite threshold");
  if (op.getIterations().has_value() != (selection == Selection::Sinkhorn))
    return op.emitOpError("expects iterations for sinkhorn, and for nothing else");
  if (op.getIterations() && (*op.getIterations() < 1 || *op.getIterations() > 1000))
    return op.emitOpError("expects 1 to 1000 iterations, got ") << *op.getIterations();
  if ((op.getCapacity() != nullptr) != (selection == Selection::ExpertChoice))
    return op.emitOpError("expects a capacity for expert_choice, and for nothing else");
  if ((op.getTable() != nullptr) != (selection == Selection::Table))
    return op.emitOpError("expects a table and tokens for table, and for nothing else");
  bool isTable = selection == Selection::Table;
  if (isTable && (op.getBias() || op.getGroups() || op.getByLogits()))
    return op.emitOpError("takes experts from a table, which has no keys");
  if (selection == Selection::ExpertChoice && op.getGroups())
    return op.emitOpError("lets experts choose, who have no groups");
  return success();
}

static LogicalResult verifyTable(RouteOp op, int64_t tokens, int64_t chosen) {
  RankedTensorType table = typeOf(op.getTable()), numbers = typeOf(op.getTokens());
  auto isNumber = [](Type type) { return type.isInteger(32) || type.isInteger(64); };
  if (table.getRank() != 2 || !isNumber(table.getElementType()) ||
      !compatible(table.getDimSize(1), chosen))
    return op.emitOpError("expects a table of rank 2 of i32 or i64 with ")
           << show(chosen) << " columns, got " << table;
  if (numbers.getRank() != 1 || !isNumber(numbers.getElementType()) ||
      !compatible(numbers.getDimSize(0), tokens))
    return op.emitOpError("expects ") << show(tokens) << " tokens of i32 or i64, got " << numbers;
  return success();
}

LogicalResult RouteOp::verify() {
  if (failed(verifyResults(*this)))
    return failure();
  RankedTensorType logits = typeOf(getLogits()), ids = typeOf(getIds()),
                   weights = typeOf(getWeights());
  if (logits.getRank() != 2 || !isa<FloatType>(logits.getElementType()))
    return emitOpError("expects logits of rank 2 of floats, got ") << logits;
  int64_t tokens = logits.getDimSize(0), experts = logits.getDimSize(1);
  if (experts == 0)
    return emitOpError("expects at least one expert");
  if (ids.getRank() != 2 || !ids.getElementType().isInteger(32) ||
      !compatible(ids.getDimSize(0), tokens))
    return emitOpError("expects numbers of experts of type tensor<")
           << show(tokens) << "xKxi32>, got " << ids;
  if (failed(verifyCompatibleShape(weights.getShape(), ids.getShape())) ||
      weights.getElementType() != getComputeType())
    return emitOpError("expects weights of the shape of the numbers and of ")
           << getComputeType() << ", got " << weights;
  int64_t slots = ids.getDimSize(1), shared = getShared();
  if (shared < 0 || (!ShapedType::isDynamic(slots) && shared > slots))
    return emitOpError("has ") << shared << " shared experts in " << show(slots) << " slots";
  int64_t chosen = ShapedType::isDynamic(slots) ? slots : slots - shared;
  if (getSelection() == Selection::ExpertChoice) {
    if (!compatible(chosen, experts))
      return emitOpError("expects a slot for each of ")
             << show(experts) << " experts, got " << show(chosen);
  } else if (getSelection() != Selection::Table && !ShapedType::isDynamic(chosen) &&
             !ShapedType::isDynamic(experts) && chosen > experts) {
    return emitOpError("chooses ") << chosen << " of " << experts << " experts";
  }
  if (failed(verifySelection(*this)))
    return failure();
  if (Value bias = getBias())
    if (RankedTensorType type = typeOf(bias); type.getRank() != 1 ||
                                              !isa<FloatType>(type.getElementType()) ||
                                              !compatible(type.getDimSize(0), experts))
      return emitOpError("expects a bias of ") << show(experts) << " floats, got " << type;
  if (getTable() && failed(verifyTable(*this, tokens, chosen)))
    return failure();
  if (GroupsAttr groups = getGroupsAttr(); groups && !ShapedType::isDynamic(experts)) {
    if (experts % groups.getCount() != 0)
      return emitOpError("has ") << experts << " experts in " << groups.getCount() << " groups";
    int64_t size = experts / groups.getCount();
    if (!ShapedType::isDynamic(chosen) && !groups.getOthers() && chosen > size * groups.getKeep())
      return emitOpError("chooses ")
             << chosen << " of " << size * groups.getKeep() << " experts in groups";
  } else if (groups) {
    return emitOpError("expects a static number of experts in groups");
  }
  for (double number : {getEpsilon().convertToDouble(), getScale().convertToDouble(),
                        getSharedWeight().convertToDouble()})
    if (!std::isfinite(number))
      return emitOpError("expects finite numbers");
  if (getEpsilon().isNegative())
    return emitOpError("expects an epsilon of at least 0");
  return success();
}

FailureOr<SmallVector<Value>> RouteOp::lowerToReference(OpBuilder &b) {
  return RouteReference(b, *this).lower();
}

TilingLoops RouteOp::getTilingLoops() {
  return TilingLoops(*this, isByRow() ? "T" : "")
      .cut(getLogitsMutable(), "TE")
      .cut(getTokensMutable(), "T")
      .cut(getInitsMutable(), "TK");
}
