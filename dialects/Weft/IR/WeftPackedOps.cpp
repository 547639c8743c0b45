//===- WeftPackedOps.cpp - Operations on packed tensors -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace weft;

/// Whether a tensor can stand for a component: where one of both is dynamic,
/// the other is right at run time.
static bool isComponentOf(RankedTensorType have, RankedTensorType want) {
  return have.getElementType() == want.getElementType() &&
         succeeded(verifyCompatibleShape(have.getShape(), want.getShape()));
}

static LogicalResult verifyComponents(Operation *op, PackedType type, TypeRange components) {
  SmallVector<RankedTensorType> expected = type.getComponentTypes();
  if (components.size() != expected.size())
    return op->emitOpError("has ")
           << components.size() << " components, the format has " << expected.size();
  for (auto [i, have, want] : llvm::enumerate(components, expected))
    if (!isComponentOf(cast<RankedTensorType>(have), want))
      return op->emitOpError("has component ")
             << i << " of type " << have << ", the format has " << want;
  return success();
}

/// Numbers have the logical shape and the expressed element type.
static LogicalResult verifyNumbers(Operation *op, PackedType type, RankedTensorType numbers) {
  auto expected = RankedTensorType::get(type.getShape(), type.getElementType());
  if (numbers.getElementType() != expected.getElementType() ||
      failed(verifyCompatibleShape(numbers.getShape(), expected.getShape())))
    return op->emitOpError("has numbers of type ") << numbers << ", expected " << expected;
  return success();
}

//===----------------------------------------------------------------------===//
// AssembleOp, DisassembleOp
//===----------------------------------------------------------------------===//

LogicalResult AssembleOp::verify() {
  return verifyComponents(*this, getType(), getComponents().getTypes());
}

LogicalResult DisassembleOp::verify() {
  return verifyComponents(*this, getPacked().getType(), getComponents().getTypes());
}

LogicalResult DisassembleOp::fold(FoldAdaptor, SmallVectorImpl<OpFoldResult> &results) {
  auto assemble = getPacked().getDefiningOp<AssembleOp>();
  if (!assemble || assemble.getComponents().getTypes() != getResultTypes())
    return failure();
  results.append(assemble.getComponents().begin(), assemble.getComponents().end());
  return success();
}

//===----------------------------------------------------------------------===//
// UnpackOp, PackOp
//===----------------------------------------------------------------------===//

LogicalResult UnpackOp::verify() {
  if (getInit().getType() != getType())
    return emitOpError("has a result of type ")
           << getType() << " and an init of type " << getInit().getType();
  return verifyNumbers(*this, getPacked().getType(), getInit().getType());
}

LogicalResult UnpackOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, getLoc(), getInit()));
  return success();
}

FailureOr<SmallVector<Value>> UnpackOp::lowerToReference(OpBuilder &b) {
  PackedType type = getPacked().getType();
  SmallVector<Type> types =
      llvm::map_to_vector(type.getComponentTypes(), [](auto t) -> Type { return t; });
  auto parts = DisassembleOp::create(b, getLoc(), types, getPacked());
  return SmallVector<Value>{
      type.getFormat().decode(b, getLoc(), type, parts.getComponents(), getInit())};
}

LogicalResult PackOp::verify() {
  if (failed(verifyNumbers(*this, getType(), getNumbers().getType())))
    return failure();
  SmallVector<unsigned> positions = getParameterPositions();
  if (getParameters().size() != positions.size())
    return emitOpError("has ") << getParameters().size() << " parameters, the format has "
                               << positions.size();
  SmallVector<RankedTensorType> expected = getType().getComponentTypes();
  for (auto [i, position] : llvm::enumerate(positions))
    if (auto have = cast<RankedTensorType>(getParameters()[i].getType());
        !isComponentOf(have, expected[position]))
      return emitOpError("has parameter ")
             << i << " of type " << have << ", the format has " << expected[position];
  return getType().getFormat().verifyOptions([&] { return emitOpError(); }, getOptions());
}

FailureOr<SmallVector<Value>> PackOp::lowerToReference(OpBuilder &b) {
  PackedType type = getType();
  SmallVector<Value> parts =
      type.getFormat().encode(b, getLoc(), type, getNumbers(), getParameters(), getOptions());
  return SmallVector<Value>{AssembleOp::create(b, getLoc(), type, parts)};
}
