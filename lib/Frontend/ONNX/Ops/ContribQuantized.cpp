//===- ContribQuantized.cpp - Products of codes of ONNX Runtime ---------===//
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

#include "Frontend/ONNX/Ops/ContribQuantized.h"
#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Ops/CompositeInputs.h"
#include "Frontend/ONNX/Ops/Contrib.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/QuantizedMath.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

/// An int32 product times scales, plus a bias, as `type`.
static FailureOr<TensorValue> scaleProduct(NodeContext &node, const TensorValue &product,
                                           const TensorValue &aScale, const TensorValue &bScale,
                                           const TensorValue *bias, ElementType type) {
  auto unitToScalar = [&](TensorValue x) {
    return x.rank() == 1 && x.staticDim(0) == 1 ? reshape(node, x, {}) : x;
  };
  SmallVector<TensorValue> inputs{product, unitToScalar(alignToRows(node, aScale)),
                                  unitToScalar(bScale)};
  if (bias)
    inputs.push_back(*bias);
  return elementwiseTo(
      node, inputs, type, product.dims, [&](OpBuilder &b, Location loc, ValueRange args) {
        ScalarMath m{b, loc};
        auto wide = [&](size_t i) {
          return castScalar(b, loc, args[i], inputs[i].elementType, ElementType::Float);
        };
        Value x = m.mul(wide(0), m.mul(wide(1), wide(2)));
        if (bias)
          x = m.add(x, wide(3));
        return castScalar(b, loc, x, ElementType::Float, type);
      });
}

/// Inputs: A (float), B (8 bit), b_scale, b_zero_point, bias.
static LogicalResult buildDynamicQuantizeMatMul(NodeContext &node) {
  if (node.input(0).elementType != ElementType::Float)
    return node.error("has an input " + describe(node.input(0)) + ", expected float");
  if (failed(require8Bit(node, {node.input(1)})))
    return failure();
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    FailureOr<DynamicCodes> a = quantizeDynamically(node, in[0]);
    if (failed(a))
      return failure();
    FailureOr<TensorValue> product =
        matmulIntegers(node, a->codes, in[1], &a->zeroPoint, in.find(3));
    if (failed(product))
      return failure();
    return oneOutput(scaleProduct(node, *product, a->scale, in[2], in.find(4), ElementType::Float));
  });
}

/// Inputs: A, B, a_scale, b_scale, a_zero_point, b_zero_point, bias.
static LogicalResult buildMatMulIntegerToFloat(NodeContext &node) {
  if (failed(require8Bit(node, {node.input(0), node.input(1)})))
    return failure();
  ElementType type = node.input(2).elementType;
  if (!isFloat(type))
    return node.error("has a scale " + describe(node.input(2)));
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    FailureOr<TensorValue> product = matmulIntegers(node, in[0], in[1], in.find(4), in.find(5));
    if (failed(product))
      return failure();
    return oneOutput(scaleProduct(node, *product, in[2], in[3], in.find(6), type));
  });
}

/// Inputs: A, its scale and zero point, B, its scale and zero point (of columns, where they
/// are several), C (int32, in the scale of the product), the result's scale and zero point.
static LogicalResult buildQGemm(NodeContext &node) {
  const TensorValue &a = node.input(0), &c = node.input(3);
  if (failed(require8Bit(node, {a, c})))
    return failure();
  for (size_t i : {1, 4, 7})
    if (node.hasInput(i) && node.input(i).elementType != ElementType::Float)
      return node.error("has a scale " + describe(node.input(i)) + ", expected float");
  if (a.rank() != 2 || c.rank() != 2 ||
      (node.hasInput(6) && node.input(6).elementType != ElementType::Int32))
    return node.error("expects two matrices and a bias of int32");
  bool quantizes = node.hasInput(7);
  ElementType type = !quantizes         ? ElementType::Float
                     : node.hasInput(8) ? node.input(8).elementType
                                        : ElementType::UInt8;
  if (quantizes && type != ElementType::Int8 && type != ElementType::UInt8)
    return node.unsupported("quantizes to " + name(type));
  double alpha = node.getFloat("alpha", 1);
  bool transA = node.getInt("transA", 0) != 0, transB = node.getInt("transB", 0) != 0;
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    TensorValue left = transA ? transpose(node, in[0], {1, 0}) : in[0];
    TensorValue right = transB ? transpose(node, in[3], {1, 0}) : in[3];
    FailureOr<TensorValue> product = matmulIntegers(node, left, right, in.find(2), in.find(5));
    if (failed(product))
      return failure();
    auto numbers = [&](const TensorValue &x) {
      return x.rank() == 1 && x.staticDim(0) == 1 ? reshape(node, x, {}) : x;
    };
    SmallVector<TensorValue> inputs{*product, numbers(in[1]), numbers(in[4])};
    for (size_t i : {6, 7, 8})
      if (in.has(i))
        inputs.push_back(numbers(in[i]));
    return oneOutput(elementwiseTo(
        node, inputs, type, product->dims, [&](OpBuilder &b, Location loc, ValueRange args) {
          ScalarMath m{b, loc};
          size_t next = 3;
          Value sum = in.has(6) ? m.add(args[0], args[next++]) : args[0];
          Value factor = m.mul(m.mul(args[1], args[2]), m.like(args[1], alpha));
          if (quantizes)
            factor = m.div(factor, args[next++]);
          Value scaled =
              m.mul(castScalar(b, loc, sum, ElementType::Int32, ElementType::Float), factor);
          return quantizes ? quantizeScalar(b, loc, scaled, in.has(8) ? args[next] : Value(), type)
                           : scaled;
        }));
  });
}

void weft::onnx::registerContribQuantizedOps(Registrar &registrar) {
  addOps(registrar, kMicrosoftDomain,
         {
             {"DynamicQuantizeMatMul", 1, 3, 5, buildDynamicQuantizeMatMul},
             {"MatMulIntegerToFloat", 1, 4, 7, buildMatMulIntegerToFloat},
             {"QGemm", 1, 6, 9, buildQGemm},
         });
}
