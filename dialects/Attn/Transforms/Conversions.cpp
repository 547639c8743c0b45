//===- Conversions.cpp - Computations around conversions ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Attn/Transforms/Conversions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

Value weft::attn::withoutConversions(Value number) {
  while (Operation *def = number.getDefiningOp()) {
    if (!isa<arith::ExtFOp, arith::TruncFOp>(def))
      break;
    number = def->getOperand(0);
  }
  return number;
}

Operation *weft::attn::soleOperation(linalg::GenericOp op) {
  Operation *sole = nullptr;
  for (Operation &inner : op.getBody()->without_terminator()) {
    if (isa<arith::ExtFOp, arith::TruncFOp>(inner))
      continue;
    if (sole)
      return nullptr;
    sole = &inner;
  }
  Value yielded = withoutConversions(op.getBody()->getTerminator()->getOperand(0));
  return sole && yielded.getDefiningOp() == sole ? sole : nullptr;
}

Value weft::attn::matchConversion(Value value) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  if (!op || op->getNumResults() != 1 || op.getNumDpsInputs() != 1 ||
      op.getNumReductionLoops() != 0 ||
      !llvm::all_of(op.getIndexingMapsArray(), [](AffineMap map) { return map.isIdentity(); }))
    return {};
  Block *body = op.getBody();
  bool converts = llvm::all_of(body->without_terminator(), [](Operation &inner) {
    return isa<arith::ExtFOp, arith::TruncFOp>(inner);
  });
  Value yielded = body->getTerminator()->getOperand(0);
  return converts && yielded != body->getArgument(0) &&
                 withoutConversions(yielded) == body->getArgument(0)
             ? op.getInputs()[0]
             : Value();
}

Value weft::attn::convert(OpBuilder &b, Location loc, Value value, Type element) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getElementType() == element)
    return value;
  bool widens = element.getIntOrFloatBitWidth() > type.getElementTypeBitWidth();
  Value empty = tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, value), element);
  SmallVector<AffineMap> maps(2, b.getMultiDimIdentityMap(type.getRank()));
  SmallVector<utils::IteratorType> loops(type.getRank(), utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, loc, empty.getType(), value, empty, maps, loops,
             [&](OpBuilder &b, Location loc, ValueRange x) {
               Value number = widens ? arith::ExtFOp::create(b, loc, element, x[0]).getResult()
                                     : arith::TruncFOp::create(b, loc, element, x[0]).getResult();
               linalg::YieldOp::create(b, loc, number);
             })
      .getResult(0);
}
