//===- Quantization.cpp - Quantized tensors and their products ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Ops/CompositeInputs.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/QuantizedMath.h"
#include "Frontend/ONNX/PackedOps.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

/// Integers that tensors are quantized to.
static bool isQuantizedInteger(ElementType type, unsigned maxBits) {
  return isPackedInteger(type) || (isInteger(type) && bitWidth(type) <= maxBits);
}

/// Floats of any width.
static bool isAnyFloat(ElementType type) { return isFloat(type) || isPackedFloat(type); }

/// Whether zero points are added: the 8-bit floats have none but 0.
static bool addsZeroPoint(ElementType type) { return !isPackedFloat(type) || sharesBytes(type); }

/// The types that are computed in: f64 for double, else f32.
static ElementType wideFloat(ElementType type) {
  return type == ElementType::Double ? ElementType::Double : ElementType::Float;
}

/// Inputs 1 and 2, small floats as float.
static QuantParameters readParameters(NodeContext &node, const CompositeInputs &in,
                                      bool hasZeroPoint) {
  QuantParameters parameters{toNumbers(node, in[1]), std::nullopt};
  if (const TensorValue *zeroPoint = in.find(2); zeroPoint && hasZeroPoint)
    parameters.zeroPoint = toNumbers(node, *zeroPoint);
  parameters.axis = node.getInt("axis", 1);
  parameters.blockSize = node.getInt("block_size", 0);
  return parameters;
}

static LogicalResult buildQuantizeLinear(NodeContext &node) {
  const TensorValue &x = node.input(0), &scale = node.input(1);
  ElementType type = static_cast<ElementType>(node.getInt("output_dtype", 0));
  if (node.hasInput(2)) {
    ElementType given = node.input(2).elementType;
    if (type != ElementType::Undefined && type != given)
      return node.error("gives " + name(type) + ", but its zero point is " + name(given));
    type = given;
  } else if (type == ElementType::Undefined) {
    type = ElementType::UInt8;
  }
  if (!isQuantizedInteger(type, 16) && (!isPackedFloat(type) || type == ElementType::Float8E8M0))
    return node.unsupported("quantizes to " + name(type));
  if (!isFloat(x.elementType) && x.elementType != ElementType::Int32)
    return node.error("quantizes " + describe(x));
  if (!isAnyFloat(scale.elementType))
    return node.unsupported("has a scale " + describe(scale));
  EncodeOptions options;
  options.saturate = node.getInt("saturate", 1) != 0;
  ElementType precision = static_cast<ElementType>(node.getInt("precision", 0));
  ElementType wide = wideFloat(precision != ElementType::Undefined ? precision : scale.elementType);
  return buildComposite(
      node, [&](const CompositeInputs &in) -> FailureOr<SmallVector<TensorValue>> {
        QuantParameters parameters = readParameters(node, in, addsZeroPoint(type));
        bool isFloatCode = isPackedFloat(type);
        FailureOr<TensorValue> codes = elementwiseQuantized(
            node, in[0], parameters, isFloatCode ? wide : type,
            [&](OpBuilder &b, Location loc, Value value, Value factor, Value zero) -> Value {
              value = castScalar(b, loc, value, x.elementType, wide);
              factor = castScalar(b, loc, factor, parameters.scale.elementType, wide);
              Value scaled = arith::DivFOp::create(b, loc, value, factor);
              if (!isFloatCode)
                return quantizeScalar(b, loc, scaled, zero, type);
              if (!zero)
                return scaled;
              return arith::AddFOp::create(b, loc, scaled,
                                           castScalar(b, loc, zero, ElementType::Float, wide));
            });
        if (failed(codes))
          return failure();
        if (isFloatCode)
          return SmallVector<TensorValue>{encodeFloats(node, *codes, type, options)};
        return SmallVector<TensorValue>{*codes};
      });
}

static LogicalResult buildDequantizeLinear(NodeContext &node) {
  const TensorValue &x = node.input(0), &scale = node.input(1);
  ElementType type = static_cast<ElementType>(node.getInt("output_dtype", 0));
  if (type == ElementType::Undefined)
    type = isPackedFloat(scale.elementType) ? ElementType::Float : scale.elementType;
  if (!isQuantizedInteger(x.elementType, 32) && !isPackedFloat(x.elementType))
    return node.unsupported("dequantizes " + describe(x));
  if (!isAnyFloat(scale.elementType) || !isFloat(type))
    return node.unsupported("has a scale " + describe(scale) + " and gives " + name(type));
  if (node.hasInput(2) && node.input(2).elementType != x.elementType)
    return node.error("has a zero point of type " + name(node.input(2).elementType) + " for " +
                      describe(x));
  ElementType wide = wideFloat(type);
  return buildComposite(
      node, [&](const CompositeInputs &in) -> FailureOr<SmallVector<TensorValue>> {
        QuantParameters parameters = readParameters(node, in, addsZeroPoint(x.elementType));
        FailureOr<TensorValue> numbers =
            hasPackedCodes(x.elementType)
                ? unpackQuantized(node, in[0], parameters, type)
                : elementwiseQuantized(
                      node, in[0], parameters, type,
                      [&](OpBuilder &b, Location loc, Value code, Value factor, Value zero) {
                        Value number = centerScalar(b, loc, code, zero, x.elementType,
                                                    storageType(node.context(), wide));
                        factor = castScalar(b, loc, factor, parameters.scale.elementType, wide);
                        number = arith::MulFOp::create(b, loc, number, factor);
                        return castScalar(b, loc, number, wide, type);
                      });
        if (failed(numbers))
          return failure();
        return SmallVector<TensorValue>{*numbers};
      });
}

static LogicalResult buildDynamicQuantizeLinear(NodeContext &node) {
  if (node.input(0).elementType != ElementType::Float)
    return node.error("quantizes " + describe(node.input(0)) + ", expected float");
  return buildComposite(
      node, [&](const CompositeInputs &in) -> FailureOr<SmallVector<TensorValue>> {
        FailureOr<DynamicCodes> result = quantizeDynamically(node, in[0]);
        if (failed(result))
          return failure();
        return SmallVector<TensorValue>{result->codes, result->scale, result->zeroPoint};
      });
}

static LogicalResult buildMatMulInteger(NodeContext &node) {
  if (failed(require8Bit(node, {node.input(0), node.input(1)})))
    return failure();
  return buildComposite(
      node, [&](const CompositeInputs &in) -> FailureOr<SmallVector<TensorValue>> {
        FailureOr<TensorValue> product = matmulIntegers(node, in[0], in[1], in.find(2), in.find(3));
        if (failed(product))
          return failure();
        return SmallVector<TensorValue>{*product};
      });
}

/// Inputs: a, its scale and zero point, b, its scale and zero point, the result's
/// scale and zero point.
static LogicalResult buildQLinearMatMul(NodeContext &node) {
  if (failed(require8Bit(node, {node.input(0), node.input(3), node.input(7)})))
    return failure();
  ElementType type = node.input(7).elementType;
  for (size_t i : {1, 4, 6})
    if (!isFloat(node.input(i).elementType))
      return node.error("has a scale " + describe(node.input(i)));
  return buildComposite(
      node, [&](const CompositeInputs &in) -> FailureOr<SmallVector<TensorValue>> {
        FailureOr<TensorValue> product = matmulIntegers(node, in[0], in[3], &in[2], &in[5]);
        if (failed(product))
          return failure();
        SmallVector<TensorValue> inputs{*product, alignToRows(node, in[1]), in[4],
                                        alignToRows(node, in[6]), alignToRows(node, in[7])};
        for (TensorValue &input : MutableArrayRef(inputs).drop_front())
          if (input.rank() == 1 && input.staticDim(0) == 1)
            input = reshape(node, input, {});
        FailureOr<TensorValue> codes = elementwiseTo(
            node, inputs, type, product->dims, [&](OpBuilder &b, Location loc, ValueRange args) {
              auto scale = [&](size_t i) {
                return castScalar(b, loc, args[i], inputs[i].elementType, ElementType::Float);
              };
              Value sum = arith::SIToFPOp::create(b, loc, b.getF32Type(), args[0]);
              Value factor = arith::MulFOp::create(b, loc, scale(1), scale(2));
              factor = arith::DivFOp::create(b, loc, factor, scale(3));
              return quantizeScalar(b, loc, arith::MulFOp::create(b, loc, sum, factor), args[4],
                                    type);
            });
        if (failed(codes))
          return failure();
        return SmallVector<TensorValue>{*codes};
      });
}

void weft::onnx::registerQuantizationOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"QuantizeLinear", 10, 2, 3, buildQuantizeLinear},
             {"DequantizeLinear", 10, 2, 3, buildDequantizeLinear},
             {"DynamicQuantizeLinear", 11, 1, 1, buildDynamicQuantizeLinear},
             {"MatMulInteger", 10, 2, 4, buildMatMulInteger},
             {"QLinearMatMul", 10, 8, 8, buildQLinearMatMul},
         });
  // ONNX Runtime's quantizer writes these under its own domain, too.
  addOps(registrar, kMicrosoftDomain,
         {
             {"QuantizeLinear", 1, 2, 3, buildQuantizeLinear},
             {"DequantizeLinear", 1, 2, 3, buildDequantizeLinear},
         });
}
