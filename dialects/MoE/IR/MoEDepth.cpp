//===- MoEDepth.cpp - Conditional depth -----------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

/// The type of some rows of a tensor.
static RankedTensorType someRows(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape(tensor.getShape());
  shape[0] = ShapedType::kDynamic;
  return RankedTensorType::get(shape, tensor.getElementType());
}

LogicalResult DepthOp::verify() {
  RankedTensorType mask = typeOf(getMask());
  if (mask.getRank() != 1 || !mask.getElementType().isInteger(8))
    return emitOpError("expects a mask of rank 1 of i8, got ") << mask;
  if (getInits().getTypes() != getResultTypes())
    return emitOpError("has results of other types than its inits");
  SmallVector<Value> all(getInputs());
  llvm::append_range(all, getInits());
  for (Value value : all)
    if (RankedTensorType type = typeOf(value);
        type.getRank() < 1 || !compatible(type.getDimSize(0), mask.getDimSize(0)))
      return emitOpError("expects tensors of ")
             << show(mask.getDimSize(0)) << " rows, got " << type;
  Block &block = getBody().front();
  if (block.getNumArguments() != getInputs().size() ||
      !llvm::equal(block.getArgumentTypes(), llvm::map_range(getInputs().getTypes(), someRows)))
    return emitOpError("expects a body of the inputs' types, with an unknown number of rows");
  auto yield = dyn_cast<moe::YieldOp>(block.getTerminator());
  if (!yield || yield.getNumOperands() != getInits().size() ||
      !llvm::equal(yield.getOperandTypes(), llvm::map_range(getInits().getTypes(), someRows)))
    return emitOpError("has a body that does not yield rows of the inits");
  return success();
}

LogicalResult ExitOp::verify() {
  if (getState().getTypes() != getResults().getTypes())
    return emitOpError("has results of other types than its state");
  Block &block = getBody().front();
  SmallVector<Type> arguments{IndexType::get(getContext())},
      yields{IntegerType::get(getContext(), 1)};
  llvm::append_range(arguments, getState().getTypes());
  llvm::append_range(yields, getState().getTypes());
  if (block.getArgumentTypes() != TypeRange(arguments))
    return emitOpError("expects a body of an index and the state");
  auto yield = dyn_cast<moe::YieldOp>(block.getTerminator());
  if (!yield || yield.getOperandTypes() != TypeRange(yields))
    return emitOpError("has a body that does not yield an i1 and the state");
  return success();
}
