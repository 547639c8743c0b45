//===- WeftOps.cpp - Constants, composites, assertions --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace weft;

#define GET_OP_CLASSES
#include "dialects/Weft/IR/WeftOps.cpp.inc"

//===----------------------------------------------------------------------===//
// ConstantOp
//===----------------------------------------------------------------------===//

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValueAttr(); }

LogicalResult ConstantOp::verify() {
  if (getValue().getType() != getType())
    return emitOpError("has a weight of type ")
           << getValue().getType() << " but the result is " << getType();
  return success();
}

void ConstantOp::getAsmResultNames(OpAsmSetValueNameFn setName) { setName(getResult(), "w"); }

//===----------------------------------------------------------------------===//
// CompositeOp
//===----------------------------------------------------------------------===//

LogicalResult CompositeOp::verify() {
  Block &block = getBody().front();
  if (block.getArgumentTypes() != getInputs().getTypes())
    return emitOpError("has a body whose arguments differ from its inputs");
  auto yield = cast<YieldOp>(block.getTerminator());
  if (yield.getValues().getTypes() != getResultTypes())
    return emitOpError("has a body that yields other types than its results");
  return success();
}

//===----------------------------------------------------------------------===//
// AssertOp
//===----------------------------------------------------------------------===//

LogicalResult AssertOp::verify() {
  if (getValues().size() > 2)
    return emitOpError("takes at most two values, got ") << getValues().size();
  if (getCode() < 1 || getCode() > 15)
    return emitOpError("expects a status code in [1, 15], got ") << getCode();
  return success();
}

LogicalResult AssertOp::canonicalize(AssertOp op, PatternRewriter &rewriter) {
  if (!matchPattern(op.getCondition(), m_One()))
    return rewriter.notifyMatchFailure(op, "condition is not constant true");
  rewriter.eraseOp(op);
  return success();
}

//===----------------------------------------------------------------------===//
// StringLiteralOp
//===----------------------------------------------------------------------===//

LogicalResult StringLiteralOp::verify() {
  if (getStrings().empty())
    return emitOpError("expects at least one string");
  std::optional<int64_t> index = getConstantIntValue(getIndex());
  int64_t count = static_cast<int64_t>(getStrings().size());
  if (index && (*index < 0 || *index >= count))
    return emitOpError("takes string ") << *index << " of " << count;
  return success();
}
