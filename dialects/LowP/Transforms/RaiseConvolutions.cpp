//===- RaiseConvolutions.cpp - Convolutions of quantized numbers ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/Transforms/IntegerProducts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace weft;
using namespace weft::lowp;

/// Whether the filter's scale is one for all products of a sum.
static bool scalesOutputs(ConvOp op, const Quantized &filter) {
  unsigned outputs = op.getTransposed() ? 1 : 0;
  return filter.scale && (!filter.scale->axis || (*filter.scale->axis == outputs &&
                                                  !(op.getTransposed() && op.getGroups() > 1)));
}

static void scaleOutputs(Rescaling &rescaling, const Quantized &filter) {
  rescaling.scale(*filter.scale, filter.scale->axis ? std::optional<unsigned>(1) : std::nullopt);
}

/// Whether sums of products of 8-bit integers are exact in 32 bits.
static bool sumsAreExact(ConvOp op) {
  int64_t products = 1;
  for (int64_t extent : op.getFilterType().getShape().drop_front())
    if (ShapedType::isDynamic(extent) || __builtin_mul_overflow(products, extent, &products))
      return false;
  return products <= INT32_MAX / kMaxProduct;
}

/// The numbers of codes before they are scaled, as signed integers.
static Value signedNumbers(OpBuilder &b, Location loc, const Quantized &quantized) {
  auto codes = IntegerCodes::match(quantized);
  if (codes && !codes->zeroPoint && !codes->isUnsigned)
    return codes->codes;
  Value numbers = quantized.withoutScale(b, loc, b.getI16Type());
  if (!codes)
    return numbersOf(b, loc, numbers);
  Value empty =
      tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, codes->codes), b.getI16Type());
  return UnpackOp::create(b, loc, empty.getType(), numbers, empty);
}

/// Dequantized codes convolved with constant ones: a convolution of integers, less their zero
/// points, so that pads are 0 as before, and a rescaling.
static bool raiseToIntegers(ConvOp op, OpBuilder &b) {
  auto x = Quantized::match(op.getInput()), w = Quantized::match(op.getFilter());
  auto codes = x ? IntegerCodes::match(*x) : std::nullopt;
  if (!codes || !w || op.getTransposed() || !op.isContraction() ||
      !getElementTypeOrSelf(op.getInit().getType()).isF32() || !x->type.getElementType().isF32() ||
      !w->type.getElementType().isF32())
    return false;
  if (!isConstant(*w) || !isInteger(*w) || !x->scale || x->scale->axis || !scalesOutputs(op, *w) ||
      !sumsAreExact(op))
    return false;
  Location loc = op.getLoc();
  Rescaling rescaling(b, loc, op.getInit());
  Value zeros = rescaling.makeZeros(b.getI32Type());
  Value input = signedNumbers(b, loc, *x), filter = signedNumbers(b, loc, *w);
  auto sum = ConvOp::create(b, loc, zeros.getType(), input, filter, zeros, op.getStrides(),
                            op.getDilations(), op.getPads(), op.getGroups(), /*transposed=*/false);
  rescaling.scale(*x->scale, std::nullopt);
  scaleOutputs(rescaling, *w);
  op.replaceAllUsesWith(rescaling.apply(sum.getResult()));
  return true;
}

/// The filter of a convolution of other numbers, less the scales of its outputs.
static bool raiseFilter(ConvOp op, OpBuilder &b) {
  auto w = Quantized::match(op.getFilter());
  Type element = getElementTypeOrSelf(op.getInit().getType());
  if (!w || !isConstant(*w) || w->type.getElementType() != element ||
      !(element.isF32() || element.isF64()) || !scalesOutputs(op, *w))
    return false;
  Value filter = w->withoutScale(b, op.getLoc(), element);
  Rescaling rescaling(b, op.getLoc(), op.getInit());
  scaleOutputs(rescaling, *w);
  IRMapping mapping;
  mapping.map(op.getFilter(), filter);
  mapping.map(op.getInit(), rescaling.makeZeros(element));
  auto sum = cast<ConvOp>(b.clone(*op, mapping));
  if (!sum.isContraction()) {
    sum.erase(); // is faster of numbers
    return false;
  }
  op.replaceAllUsesWith(rescaling.apply(sum.getResult()));
  return true;
}

bool lowp::raiseConvolution(ConvOp op, bool asIntegers, bool &isInteger, OpBuilder &b) {
  isInteger = asIntegers && raiseToIntegers(op, b);
  return isInteger || raiseFilter(op, b);
}
