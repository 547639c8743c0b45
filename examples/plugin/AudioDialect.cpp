//===- AudioDialect.cpp - The audio dialect -------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Audio.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace audio;

#include "AudioDialect.cpp.inc"
#define GET_OP_CLASSES
#include "AudioOps.cpp.inc"

void AudioDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "AudioOps.cpp.inc"
      >();
}

LogicalResult SnakeOp::verify() {
  RankedTensorType input = getInput().getType(), alpha = getAlpha().getType();
  if (input.getRank() < 2)
    return emitOpError("expects an input [N, C, ...] of rank 2 or more, found ") << input;
  if (alpha.getRank() != 1)
    return emitOpError("expects alpha of rank 1, found ") << alpha;
  if (input.getElementType() != alpha.getElementType())
    return emitOpError("expects one element type, found ")
           << input.getElementType() << " and " << alpha.getElementType();
  int64_t channels = input.getDimSize(1), extent = alpha.getDimSize(0);
  if (!ShapedType::isDynamic(channels) && !ShapedType::isDynamic(extent) && channels != extent)
    return emitOpError("expects an alpha for each of ")
           << channels << " channels, found " << extent;
  return success();
}

FailureOr<SmallVector<Value>> SnakeOp::lowerToReference(OpBuilder &builder) {
  return SmallVector<Value>{lowerSnake(*this, builder, /*useCosine=*/false)};
}

/// The square of a sine.
static Value squaredSine(OpBuilder &builder, Location loc, Value x, bool useCosine) {
  auto constant = [&](double value) -> Value {
    return arith::ConstantOp::create(builder, loc, builder.getFloatAttr(x.getType(), value));
  };
  if (!useCosine) {
    Value sine = math::SinOp::create(builder, loc, x);
    return arith::MulFOp::create(builder, loc, sine, sine);
  }
  Value twice = arith::AddFOp::create(builder, loc, x, x);
  Value cosine = math::CosOp::create(builder, loc, twice);
  Value difference = arith::SubFOp::create(builder, loc, constant(1.0), cosine);
  return arith::MulFOp::create(builder, loc, difference, constant(0.5));
}

Value audio::lowerSnake(SnakeOp op, OpBuilder &builder, bool useCosine) {
  Location loc = op.getLoc();
  RankedTensorType type = op.getInput().getType();
  unsigned rank = type.getRank();
  Value empty = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, op.getInput()), type.getElementType());

  AffineMap identity = builder.getMultiDimIdentityMap(rank);
  AffineMap channel = AffineMap::get(rank, 0, builder.getAffineDimExpr(1));
  SmallVector<utils::IteratorType> parallel(rank, utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, type, ValueRange{op.getInput(), op.getAlpha()}, ValueRange{empty},
      ArrayRef<AffineMap>{identity, channel, identity}, parallel,
      [&](OpBuilder &builder, Location loc, ValueRange arguments) {
        Value x = arguments[0], alpha = arguments[1];
        auto constant = [&](double value) -> Value {
          return arith::ConstantOp::create(builder, loc, builder.getFloatAttr(x.getType(), value));
        };
        Value product = arith::MulFOp::create(builder, loc, x, alpha);
        Value square = squaredSine(builder, loc, product, useCosine);
        // No division by zero, even where its quotient is not selected.
        Value isZero =
            arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OEQ, alpha, constant(0.0));
        Value divisor = arith::SelectOp::create(builder, loc, isZero, constant(1.0), alpha);
        Value quotient = arith::DivFOp::create(builder, loc, square, divisor);
        Value sum = arith::AddFOp::create(builder, loc, x, quotient);
        Value result = arith::SelectOp::create(builder, loc, isZero, x, sum);
        linalg::YieldOp::create(builder, loc, result);
      });
  return generic.getResult(0);
}
