//===- Activation.cpp - Activation functions ------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/ElementOps.h"
#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/ReductionOps.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

//===----------------------------------------------------------------------===//
// Of one element
//===----------------------------------------------------------------------===//

static Value compare(OpBuilder &b, Location loc, arith::CmpFPredicate predicate, Value x, Value y) {
  return arith::CmpFOp::create(b, loc, predicate, x, y);
}

static LogicalResult buildRelu(NodeContext &node) {
  const TensorValue &x = node.input(0);
  ElementType type = x.elementType;
  if (isBool(type))
    return node.error("takes numbers, got bool");
  return setElementwise(node, x, type, [&](OpBuilder &b, Location loc, ValueRange args) {
    Value zero = makeIntScalar(b, loc, args[0].getType(), 0);
    return maxScalars(b, loc, args[0], zero, isUnsigned(type));
  });
}

static LogicalResult buildSigmoid(NodeContext &node) { return setFloatUnary(node, sigmoid); }

static LogicalResult buildSoftplus(NodeContext &node) { return setFloatUnary(node, softplus); }

static LogicalResult buildSoftsign(NodeContext &node) {
  return setFloatUnary(node, [](OpBuilder &b, Location loc, Value x) -> Value {
    Value one = makeScalar(b, loc, x.getType(), 1);
    return arith::DivFOp::create(
        b, loc, x, arith::AddFOp::create(b, loc, one, math::AbsFOp::create(b, loc, x)));
  });
}

/// scale * (x > 0 ? x : alpha * (e^x - 1))
static LogicalResult buildExponential(NodeContext &node, double scale, double alpha) {
  return setFloatUnary(node, [&](OpBuilder &b, Location loc, Value x) -> Value {
    auto constant = [&](double number) { return makeScalar(b, loc, x.getType(), number); };
    // Positive elements must not overflow in the branch that is not taken.
    Value zero = constant(0);
    Value low = arith::MinimumFOp::create(b, loc, x, zero);
    Value curve =
        arith::MulFOp::create(b, loc, math::ExpM1Op::create(b, loc, low), constant(alpha));
    Value positive = compare(b, loc, arith::CmpFPredicate::OGT, x, zero);
    Value result = arith::SelectOp::create(b, loc, positive, x, curve);
    if (scale != 1)
      result = arith::MulFOp::create(b, loc, result, constant(scale));
    return result;
  });
}

static LogicalResult buildElu(NodeContext &node) {
  return buildExponential(node, 1, node.getFloat("alpha", 1));
}

static LogicalResult buildSelu(NodeContext &node) {
  double alpha = node.getFloat("alpha", 1.67326319217681884765625f);
  double gamma = node.getFloat("gamma", 1.05070102214813232421875f);
  return buildExponential(node, gamma, alpha);
}

static LogicalResult buildCelu(NodeContext &node) {
  double alpha = node.getFloat("alpha", 1);
  if (alpha == 0)
    return node.error("attribute 'alpha' is 0, by which it divides");
  return setFloatUnary(node, [&](OpBuilder &b, Location loc, Value x) -> Value {
    auto constant = [&](double number) { return makeScalar(b, loc, x.getType(), number); };
    // max(0, x) + min(0, alpha * (e^(x / alpha) - 1))
    Value zero = constant(0);
    Value curve = arith::MulFOp::create(
        b, loc, math::ExpM1Op::create(b, loc, arith::DivFOp::create(b, loc, x, constant(alpha))),
        constant(alpha));
    return arith::AddFOp::create(b, loc, arith::MaximumFOp::create(b, loc, x, zero),
                                 arith::MinimumFOp::create(b, loc, curve, zero));
  });
}

static LogicalResult buildLeakyRelu(NodeContext &node) {
  double alpha = node.getFloat("alpha", 0.01f);
  return setFloatUnary(node, [&](OpBuilder &b, Location loc, Value x) -> Value {
    Value zero = makeScalar(b, loc, x.getType(), 0);
    Value scaled = arith::MulFOp::create(b, loc, x, makeScalar(b, loc, x.getType(), alpha));
    Value negative = compare(b, loc, arith::CmpFPredicate::OLT, x, zero);
    return arith::SelectOp::create(b, loc, negative, scaled, x);
  });
}

/// x < 0 ? slope * x : x, the slope broadcast to x.
static LogicalResult buildPRelu(NodeContext &node) {
  FailureOr<SmallVector<TensorValue>> inputs = inputsOfOneType(node);
  if (failed(inputs))
    return failure();
  ElementType type = inputs->front().elementType;
  if (isBool(type))
    return node.error("takes numbers, got bool");
  return setElementwise(
      node, *inputs, type, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
        Value x = args[0], scaled = mulScalars(b, loc, x, args[1]);
        if (isUnsigned(type))
          return x;
        Value zero = makeIntScalar(b, loc, x.getType(), 0);
        Value negative =
            isFloat(type)
                ? compare(b, loc, arith::CmpFPredicate::OLT, x, zero)
                : Value(arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, x, zero));
        return arith::SelectOp::create(b, loc, negative, scaled, x);
      });
}

/// Opset 6 and before: a slope for each channel, which is dimension 1.
static LogicalResult buildChannelPRelu(NodeContext &node) {
  const TensorValue &x = node.input(0), &slope = node.input(1);
  if (slope.rank() == 1 && x.rank() > 2) {
    Dims dims = slope.dims;
    dims.append(x.rank() - 2, node.dims.constant(1));
    node.replaceInput(1, reshape(node, slope, dims));
  }
  return buildPRelu(node);
}

/// max(0, min(1, alpha * x + beta))
static Value hardSigmoid(OpBuilder &b, Location loc, Value x, double alpha, double beta) {
  mlir::Type type = x.getType();
  Value line = arith::AddFOp::create(
      b, loc, arith::MulFOp::create(b, loc, x, makeScalar(b, loc, type, alpha)),
      makeScalar(b, loc, type, beta));
  Value limited = arith::MinimumFOp::create(b, loc, line, makeScalar(b, loc, type, 1));
  return arith::MaximumFOp::create(b, loc, limited, makeScalar(b, loc, type, 0));
}

static LogicalResult buildHardSigmoid(NodeContext &node) {
  double alpha = node.getFloat("alpha", 0.2f), beta = node.getFloat("beta", 0.5f);
  return setFloatUnary(node, [&](OpBuilder &b, Location loc, Value x) {
    return hardSigmoid(b, loc, x, alpha, beta);
  });
}

static LogicalResult buildHardSwish(NodeContext &node) {
  return setFloatUnary(node, [](OpBuilder &b, Location loc, Value x) -> Value {
    return arith::MulFOp::create(b, loc, x, hardSigmoid(b, loc, x, 1.0 / 6, 0.5));
  });
}

static LogicalResult buildMish(NodeContext &node) {
  return setFloatUnary(node, [](OpBuilder &b, Location loc, Value x) -> Value {
    return arith::MulFOp::create(b, loc, x, math::TanhOp::create(b, loc, softplus(b, loc, x)));
  });
}

/// x * sigmoid(alpha * x)
static Value swish(OpBuilder &b, Location loc, Value x, double alpha) {
  Value scaled = x;
  if (alpha != 1)
    scaled = arith::MulFOp::create(b, loc, x, makeScalar(b, loc, x.getType(), alpha));
  return arith::MulFOp::create(b, loc, x, sigmoid(b, loc, scaled));
}

static LogicalResult buildSwish(NodeContext &node) {
  double alpha = node.getFloat("alpha", 1);
  return setFloatUnary(
      node, [&](OpBuilder &b, Location loc, Value x) { return swish(b, loc, x, alpha); });
}

static LogicalResult buildThresholdedRelu(NodeContext &node) {
  double alpha = node.getFloat("alpha", 1);
  return setFloatUnary(node, [&](OpBuilder &b, Location loc, Value x) -> Value {
    Value above =
        compare(b, loc, arith::CmpFPredicate::OGT, x, makeScalar(b, loc, x.getType(), alpha));
    return arith::SelectOp::create(b, loc, above, x, makeScalar(b, loc, x.getType(), 0));
  });
}

/// x < -lambd ? x + bias : x > lambd ? x - bias : 0, for integers in f64.
static LogicalResult buildShrink(NodeContext &node) {
  double lambda = node.getFloat("lambd", 0.5f), bias = node.getFloat("bias", 0);
  const TensorValue &x = node.input(0);
  ElementType type = x.elementType;
  if (isBool(type))
    return node.error("takes numbers, got bool");
  ElementType computed = isFloat(type) ? accumulatorType(type) : ElementType::Double;
  FailureOr<TensorValue> result =
      elementwise(node, x, type, [&](OpBuilder &b, Location loc, ValueRange args) {
        Value x = castScalar(b, loc, args[0], type, computed);
        auto constant = [&](double number) { return makeScalar(b, loc, x.getType(), number); };
        Value below = compare(b, loc, arith::CmpFPredicate::OLT, x, constant(-lambda));
        Value above = compare(b, loc, arith::CmpFPredicate::OGT, x, constant(lambda));
        Value high = arith::SubFOp::create(b, loc, x, constant(bias));
        Value low = arith::AddFOp::create(b, loc, x, constant(bias));
        Value inner = arith::SelectOp::create(b, loc, above, high, constant(0));
        Value shrunk = arith::SelectOp::create(b, loc, below, low, inner);
        return castScalar(b, loc, shrunk, computed, type);
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

//===----------------------------------------------------------------------===//
// Composites
//===----------------------------------------------------------------------===//

/// x / 2 * (1 + erf(x / sqrt(2)))
static Value gelu(OpBuilder &b, Location loc, Value x) {
  auto constant = [&](double number) { return makeScalar(b, loc, x.getType(), number); };
  Value e =
      math::ErfOp::create(b, loc, arith::MulFOp::create(b, loc, x, constant(0.70710678118654752)));
  Value half = arith::MulFOp::create(b, loc, x, constant(0.5));
  return arith::MulFOp::create(b, loc, half, arith::AddFOp::create(b, loc, e, constant(1)));
}

/// x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))
static Value geluTanh(OpBuilder &b, Location loc, Value x) {
  auto constant = [&](double number) { return makeScalar(b, loc, x.getType(), number); };
  auto mul = [&](Value p, Value q) -> Value { return arith::MulFOp::create(b, loc, p, q); };
  auto add = [&](Value p, Value q) -> Value { return arith::AddFOp::create(b, loc, p, q); };
  Value cube = mul(mul(x, x), x);
  Value inner = mul(add(x, mul(cube, constant(0.044715))), constant(0.79788456080286536));
  return mul(mul(x, constant(0.5)), add(math::TanhOp::create(b, loc, inner), constant(1)));
}

/// A composite of one elementwise operation; `body` works on compute types.
static LogicalResult setComposite(NodeContext &node, ArrayRef<TensorValue> inputs,
                                  ArrayRef<OpFoldResult> dims, ElementBuilder body) {
  ElementType type = inputs.front().elementType;
  FailureOr<SmallVector<TensorValue>> results = composite(
      node, inputs, [&](ArrayRef<TensorValue> inner) -> FailureOr<SmallVector<TensorValue>> {
        FailureOr<TensorValue> result = elementwiseTo(
            node, inner, type, dims, [&](OpBuilder &b, Location loc, ValueRange args) {
              return inComputeType(b, loc, type, args,
                                   [&](ValueRange values) { return body(b, loc, values); });
            });
        if (failed(result))
          return failure();
        return SmallVector<TensorValue>{*result};
      });
  if (failed(results))
    return failure();
  node.setOutput(0, results->front());
  return success();
}

static LogicalResult buildGelu(NodeContext &node) {
  std::string approximate = node.getString("approximate", "none");
  if (failed(expectFloats(node)) || node.failed())
    return failure();
  if (approximate != "none" && approximate != "tanh")
    return node.error("attribute 'approximate' is '" + approximate + "', expected none or tanh");
  const TensorValue &x = node.input(0);
  return setComposite(node, x, x.dims, [&](OpBuilder &b, Location loc, ValueRange args) {
    return approximate == "tanh" ? geluTanh(b, loc, args[0]) : gelu(b, loc, args[0]);
  });
}

/// swish(a) * b, of one shape.
static LogicalResult buildSwiGLU(NodeContext &node) {
  FailureOr<SmallVector<TensorValue>> inputs = inputsOfOneType(node);
  if (failed(inputs) || failed(expectFloats(node)))
    return failure();
  const TensorValue &gate = (*inputs)[0], &linear = (*inputs)[1];
  bool differ = gate.rank() != linear.rank();
  for (int64_t i = 0; !differ && i < gate.rank(); ++i)
    differ = gate.staticDim(i) != linear.staticDim(i) &&
             !ShapedType::isDynamic(gate.staticDim(i)) &&
             !ShapedType::isDynamic(linear.staticDim(i));
  if (differ)
    return node.error("has inputs " + describe(gate) + " and " + describe(linear) +
                      ", expected one shape");
  FailureOr<Dims> dims = broadcastDims(node, *inputs);
  if (failed(dims))
    return failure();
  double alpha = node.getFloat("alpha", 1);
  return setComposite(
      node, *inputs, *dims, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
        return arith::MulFOp::create(b, loc, swish(b, loc, args[0], alpha), args[1]);
      });
}

//===----------------------------------------------------------------------===//
// Along an axis
//===----------------------------------------------------------------------===//

/// The input of Softmax and its like as floats of a type to accumulate in, and
/// the axis to normalise along. Before opset 13 all dimensions from the axis on
/// are one, and the axis is 1 by default.
struct Normalized {
  TensorValue x;
  int64_t axis;
};

static FailureOr<Normalized> prepareNormalized(NodeContext &node) {
  const TensorValue &input = node.input(0);
  bool flattens = node.opset() < 13;
  int64_t axis = node.getInt("axis", flattens ? 1 : -1), rank = input.rank();
  if (failed(expectFloats(node)) || node.failed())
    return failure();
  // A scalar is a row of one element; so is an axis at the end of the shape.
  TensorValue x = cast(node, input, accumulatorType(input.elementType));
  if (rank == 0)
    return Normalized{reshape(node, x, {node.dims.constant(1)}), 0};
  if (flattens && axis == rank) {
    Dims dims = x.dims;
    dims.push_back(node.dims.constant(1));
    return Normalized{reshape(node, x, dims), axis};
  }
  FailureOr<int64_t> normal = normalizeAxis(node, axis, rank);
  if (failed(normal))
    return failure();
  if (!flattens || *normal == rank - 1)
    return Normalized{x, *normal};
  Dims dims(x.dims.begin(), x.dims.begin() + *normal);
  dims.push_back(node.dims.product(ArrayRef<OpFoldResult>(x.dims).drop_front(*normal)));
  return Normalized{reshape(node, x, dims), *normal};
}

/// Sets output 0 to `y` in the input's shape and type.
static LogicalResult setNormalized(NodeContext &node, const TensorValue &y) {
  const TensorValue &input = node.input(0);
  node.setOutput(0, cast(node, reshape(node, y, input.dims), input.elementType));
  return success();
}

static LogicalResult buildSoftmax(NodeContext &node) {
  FailureOr<Normalized> normalized = prepareNormalized(node);
  if (failed(normalized))
    return failure();
  const TensorValue &x = normalized->x;
  Value empty = makeEmpty(node, x.elementType, x.dims);
  auto op =
      linalg::SoftmaxOp::create(node.b, node.b.getLoc(), TypeRange{empty.getType()}, node.value(x),
                                empty, static_cast<uint64_t>(normalized->axis));
  return setNormalized(node, makeValue(op->getResult(0), x.elementType, x.dims));
}

static LogicalResult buildLogSoftmax(NodeContext &node) {
  FailureOr<Normalized> normalized = prepareNormalized(node);
  if (failed(normalized))
    return failure();
  FailureOr<SmallVector<TensorValue>> results = composite(
      node, normalized->x, [&](ArrayRef<TensorValue> inner) -> FailureOr<SmallVector<TensorValue>> {
        return SmallVector<TensorValue>{logSoftmax(node, inner[0], normalized->axis)};
      });
  if (failed(results))
    return failure();
  return setNormalized(node, results->front());
}

/// 1 at the first maximum, else 0.
static LogicalResult buildHardmax(NodeContext &node) {
  FailureOr<Normalized> normalized = prepareNormalized(node);
  if (failed(normalized))
    return failure();
  const TensorValue &x = normalized->x;
  TensorValue position = argExtreme(node, x, normalized->axis, /*keepDims=*/true,
                                    /*findMax=*/true, /*selectLast=*/false);
  FailureOr<TensorValue> result = elementwiseTo(
      node, position, x.elementType, x.dims, [&](OpBuilder &b, Location loc, ValueRange args) {
        Value at = arith::IndexCastOp::create(b, loc, b.getI64Type(),
                                              linalg::IndexOp::create(b, loc, normalized->axis));
        Value first = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, at, args[0]);
        return arith::UIToFPOp::create(b, loc, storageType(b.getContext(), x.elementType), first)
            .getResult();
      });
  return failed(result) ? LogicalResult(failure()) : setNormalized(node, *result);
}

void weft::onnx::registerActivationOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"Celu", 12, 1, 1, buildCelu},
             {"Elu", 6, 1, 1, buildElu},
             {"Gelu", 20, 1, 1, buildGelu},
             {"HardSigmoid", 6, 1, 1, buildHardSigmoid},
             {"HardSwish", 14, 1, 1, buildHardSwish},
             {"Hardmax", 1, 1, 1, buildHardmax},
             {"LeakyRelu", 6, 1, 1, buildLeakyRelu},
             {"LogSoftmax", 1, 1, 1, buildLogSoftmax},
             {"Mish", 18, 1, 1, buildMish},
             {"PRelu", 1, 2, 2, buildChannelPRelu, 6},
             {"PRelu", 7, 2, 2, buildPRelu},
             {"Relu", 6, 1, 1, buildRelu},
             {"Selu", 6, 1, 1, buildSelu},
             {"Shrink", 9, 1, 1, buildShrink},
             {"Sigmoid", 6, 1, 1, buildSigmoid},
             {"Softmax", 1, 1, 1, buildSoftmax},
             {"Softplus", 1, 1, 1, buildSoftplus},
             {"Softsign", 1, 1, 1, buildSoftsign},
             {"SwiGLU", 28, 2, 2, buildSwiGLU},
             {"Swish", 24, 1, 1, buildSwish},
             {"ThresholdedRelu", 10, 1, 1, buildThresholdedRelu},
         });
}
