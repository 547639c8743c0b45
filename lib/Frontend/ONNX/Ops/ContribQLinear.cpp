//===- ContribQLinear.cpp - Elementwise operators and pools on codes ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operators of com.microsoft on quantized tensors; their meaning is in ONNX
// Runtime's docs/ContribOperators.md. Reference bodies decode to f32.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Ops/CompositeInputs.h"
#include "Frontend/ONNX/Ops/Contrib.h"
#include "Frontend/ONNX/Ops/ContribQuantized.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/QuantizedMath.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

/// Inputs: A, its scale and zero point, B, its scale and zero point, the
/// result's scale and zero point.
static LogicalResult buildQLinearBinary(NodeContext &node, bool multiply) {
  ElementType type = node.input(0).elementType;
  if (failed(require8Bit(node, {node.input(0), node.input(3)})))
    return failure();
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    FailureOr<TensorValue> a = dequantize(node, in[0], in[1], in.find(2));
    FailureOr<TensorValue> c = dequantize(node, in[3], in[4], in.find(5));
    if (failed(a) || failed(c))
      return failure();
    FailureOr<TensorValue> result = elementwise(
        node, {*a, *c}, ElementType::Float, [&](OpBuilder &b, Location loc, ValueRange args) {
          ScalarMath m{b, loc};
          return multiply ? m.mul(args[0], args[1]) : m.add(args[0], args[1]);
        });
    if (failed(result))
      return failure();
    return oneOutput(quantize(node, *result, in[6], in.find(7), type));
  });
}

static LogicalResult buildQLinearAdd(NodeContext &node) { return buildQLinearBinary(node, false); }
static LogicalResult buildQLinearMul(NodeContext &node) { return buildQLinearBinary(node, true); }

/// Inputs: X, its scale and zero point, the result's scale and zero point.
static LogicalResult buildQLinearUnary(NodeContext &node,
                                       llvm::function_ref<Value(ScalarMath &, Value)> function) {
  ElementType type = node.input(0).elementType;
  if (failed(require8Bit(node, {node.input(0)})))
    return failure();
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    FailureOr<TensorValue> x = dequantize(node, in[0], in[1], in.find(2));
    if (failed(x))
      return failure();
    FailureOr<TensorValue> y = elementwiseTo(node, {*x}, ElementType::Float, x->dims,
                                             [&](OpBuilder &b, Location loc, ValueRange args) {
                                               ScalarMath m{b, loc};
                                               return function(m, args[0]);
                                             });
    if (failed(y))
      return failure();
    return oneOutput(quantize(node, *y, in[3], in.find(4), type));
  });
}

static LogicalResult buildQLinearSigmoid(NodeContext &node) {
  return buildQLinearUnary(node, [](ScalarMath &m, Value x) {
    Value e = math::ExpOp::create(m.b, m.loc, arith::NegFOp::create(m.b, m.loc, x));
    return m.div(m.like(x, 1), m.add(e, m.like(x, 1)));
  });
}

static LogicalResult buildQLinearLeakyRelu(NodeContext &node) {
  double alpha = node.getFloat("alpha", 0.01f);
  return buildQLinearUnary(node, [&](ScalarMath &m, Value x) {
    return m.select(m.less(x, m.like(x, 0)), m.mul(x, m.like(x, alpha)), x);
  });
}

/// Inputs: X [N, C, spatial...] (or channels last), scales and zero points as
/// above.
static LogicalResult buildQLinearGlobalAveragePool(NodeContext &node) {
  const TensorValue &x = node.input(0);
  if (failed(require8Bit(node, {x})))
    return failure();
  if (x.rank() < 3)
    return node.error("has an input " + describe(x) + ", expected rank 3 or more");
  bool channelsLast = node.getInt("channels_last", 0) != 0;
  SmallVector<int64_t> axes;
  OpFoldResult count = node.dims.constant(1);
  for (int64_t i = channelsLast ? 1 : 2; i < x.rank() - (channelsLast ? 1 : 0); ++i) {
    axes.push_back(i);
    count = node.dims.mul(count, x.dims[i]);
  }
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    FailureOr<TensorValue> numbers = dequantize(node, in[0], in[1], in.find(2));
    if (failed(numbers))
      return failure();
    Value zero = makeScalar(node.b, node.b.getLoc(), node.b.getF32Type(), 0);
    TensorValue sum = reduce(node, *numbers, axes, true, ElementType::Float, zero,
                             [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                               return arith::AddFOp::create(b, loc, args[0], args[1]);
                             });
    FailureOr<TensorValue> mean =
        elementwiseTo(node, {sum}, ElementType::Float, sum.dims,
                      [&](OpBuilder &b, Location loc, ValueRange args) {
                        ScalarMath m{b, loc};
                        return m.div(args[0], m.toFloat(m.extent(count), args[0].getType()));
                      });
    if (failed(mean))
      return failure();
    return oneOutput(quantize(node, *mean, in[3], in.find(4), x.elementType));
  });
}

/// Inputs: the result's scale and zero point, then each tensor with its own.
static LogicalResult buildQLinearConcat(NodeContext &node) {
  if (node.inputCount() % 3 != 2)
    return node.error("has " + Twine(node.inputCount()) +
                      " inputs, expected 2 and three for each tensor");
  for (size_t i = 2; i < node.inputCount(); ++i)
    if (!node.hasInput(i))
      return node.error("has no input " + Twine(i));
  ElementType type = node.input(1).elementType;
  const TensorValue &first = node.input(2);
  FailureOr<int64_t> axis = normalizeAxis(node, node.getInt("axis", 0), first.rank());
  if (failed(axis) || failed(require8Bit(node, {node.input(1)})))
    return failure();
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    SmallVector<TensorValue> parts;
    for (size_t i = 2; i < node.inputCount(); i += 3) {
      FailureOr<TensorValue> numbers = dequantize(node, in[i], in[i + 1], &in[i + 2]);
      if (failed(numbers))
        return failure();
      FailureOr<TensorValue> codes = quantize(node, *numbers, in[0], &in[1], type);
      if (failed(codes))
        return failure();
      parts.push_back(*codes);
    }
    return oneOutput(concat(node, parts, *axis));
  });
}

void weft::onnx::registerContribQLinearOps(Registrar &registrar) {
  addOps(registrar, kMicrosoftDomain,
         {
             {"QLinearAdd", 1, 7, 8, buildQLinearAdd},
             {"QLinearMul", 1, 7, 8, buildQLinearMul},
             {"QLinearSigmoid", 1, 4, 5, buildQLinearSigmoid},
             {"QLinearLeakyRelu", 1, 4, 5, buildQLinearLeakyRelu},
             {"QLinearGlobalAveragePool", 1, 4, 5, buildQLinearGlobalAveragePool},
             {"QLinearConcat", 1, 5, kAnyNumber, buildQLinearConcat},
         });
}
