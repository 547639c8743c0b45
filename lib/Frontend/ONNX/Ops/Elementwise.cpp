//===- Elementwise.cpp - Arithmetic on elements ---------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Arithmetic, mathematical functions, conversions of element types. Integer
// division is total in the kernel (a divisor of 0 or -1 is replaced); a check
// on the host fails the call for divisors of 0.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/ElementOps.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/PackedOps.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

//===----------------------------------------------------------------------===//
// Two inputs and more
//===----------------------------------------------------------------------===//

/// A binary operator on scalars of one compute type.
using BinaryBuilder = Value (*)(OpBuilder &, Location, Value, Value, bool isUnsigned);
/// The same on index arithmetic of shapes.
using BinaryDims = llvm::function_ref<OpFoldResult(OpFoldResult, OpFoldResult)>;

/// Folds the inputs, broadcast against one another, with `body`; a single input
/// is the result as it is.
static LogicalResult buildFolded(NodeContext &node, BinaryBuilder body, BinaryDims onDims) {
  FailureOr<SmallVector<TensorValue>> inputs = inputsOfOneType(node);
  if (failed(inputs))
    return failure();
  ElementType type = inputs->front().elementType;
  if (isBool(type))
    return node.error("takes numbers, got bool");
  if (inputs->size() == 1) {
    node.setOutput(0, inputs->front());
    return success();
  }
  if (auto tracked = trackedElementwise(node, *inputs, type, [&](ArrayRef<OpFoldResult> x) {
        OpFoldResult result = x[0];
        for (OpFoldResult y : x.drop_front())
          result = onDims(result, y);
        return result;
      })) {
    node.setOutput(0, *tracked);
    return success();
  }
  return setElementwise(node, *inputs, type, [&](OpBuilder &b, Location loc, ValueRange args) {
    Value result = args[0];
    for (Value y : args.drop_front())
      result = body(b, loc, result, y, isUnsigned(type));
    return result;
  });
}

template <typename FloatOp, typename IntOp>
static Value floatOrInt(OpBuilder &b, Location loc, Value x, Value y, bool) {
  if (isa<FloatType>(x.getType()))
    return FloatOp::create(b, loc, x, y);
  return IntOp::create(b, loc, x, y);
}

static LogicalResult buildAdd(NodeContext &node) {
  return buildFolded(node, floatOrInt<arith::AddFOp, arith::AddIOp>,
                     [&](OpFoldResult x, OpFoldResult y) { return node.dims.add(x, y); });
}
static LogicalResult buildSub(NodeContext &node) {
  return buildFolded(node, floatOrInt<arith::SubFOp, arith::SubIOp>,
                     [&](OpFoldResult x, OpFoldResult y) { return node.dims.sub(x, y); });
}
static LogicalResult buildMul(NodeContext &node) {
  return buildFolded(node, floatOrInt<arith::MulFOp, arith::MulIOp>,
                     [&](OpFoldResult x, OpFoldResult y) { return node.dims.mul(x, y); });
}
static LogicalResult buildMax(NodeContext &node) {
  return buildFolded(node, maxScalars,
                     [&](OpFoldResult x, OpFoldResult y) { return node.dims.max(x, y); });
}
static LogicalResult buildMin(NodeContext &node) {
  return buildFolded(node, minScalars,
                     [&](OpFoldResult x, OpFoldResult y) { return node.dims.min(x, y); });
}

static LogicalResult buildMean(NodeContext &node) {
  FailureOr<SmallVector<TensorValue>> inputs = inputsOfOneType(node);
  if (failed(inputs) || failed(expectFloats(node)))
    return failure();
  double count = static_cast<double>(inputs->size());
  return setElementwise(node, *inputs, inputs->front().elementType,
                        [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                          Value sum = args[0];
                          for (Value y : args.drop_front())
                            sum = arith::AddFOp::create(b, loc, sum, y);
                          return arith::DivFOp::create(b, loc, sum,
                                                       makeScalar(b, loc, sum.getType(), count));
                        });
}

//===----------------------------------------------------------------------===//
// Division
//===----------------------------------------------------------------------===//

static Value isEqual(OpBuilder &b, Location loc, Value x, int64_t number) {
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, x,
                               makeIntScalar(b, loc, x.getType(), number));
}

/// A divisor that is neither 0 nor (if signed) -1, which traps for the least
/// integer: 1 in their place.
static Value safeDivisor(OpBuilder &b, Location loc, Value y, bool isUnsigned) {
  Value one = makeIntScalar(b, loc, y.getType(), 1);
  Value unsafe = isEqual(b, loc, y, 0);
  if (!isUnsigned)
    unsafe = arith::OrIOp::create(b, loc, unsafe, isEqual(b, loc, y, -1));
  return arith::SelectOp::create(b, loc, unsafe, one, y);
}

/// Towards zero.
static Value divide(OpBuilder &b, Location loc, Value x, Value y, bool isUnsigned) {
  if (isa<FloatType>(x.getType()))
    return arith::DivFOp::create(b, loc, x, y);
  Value safe = safeDivisor(b, loc, y, isUnsigned);
  if (isUnsigned)
    return arith::DivUIOp::create(b, loc, x, safe);
  Value quotient = arith::DivSIOp::create(b, loc, x, safe);
  Value negative = arith::SubIOp::create(b, loc, makeIntScalar(b, loc, x.getType(), 0), x);
  return arith::SelectOp::create(b, loc, isEqual(b, loc, y, -1), negative, quotient);
}

/// The remainder with the sign of the dividend.
static Value truncatedRemainder(OpBuilder &b, Location loc, Value x, Value y, bool isUnsigned) {
  if (isa<FloatType>(x.getType()))
    return arith::RemFOp::create(b, loc, x, y);
  Value safe = safeDivisor(b, loc, y, isUnsigned);
  if (isUnsigned)
    return arith::RemUIOp::create(b, loc, x, safe);
  return arith::RemSIOp::create(b, loc, x, safe);
}

/// The remainder with the sign of the divisor.
static Value flooredRemainder(OpBuilder &b, Location loc, Value x, Value y, bool isUnsigned) {
  Value rest = truncatedRemainder(b, loc, x, y, isUnsigned);
  if (isa<FloatType>(x.getType())) {
    Value zero = makeScalar(b, loc, x.getType(), 0);
    auto compare = [&](arith::CmpFPredicate predicate, Value value) -> Value {
      return arith::CmpFOp::create(b, loc, predicate, value, zero);
    };
    Value differ = arith::XOrIOp::create(b, loc, compare(arith::CmpFPredicate::OLT, rest),
                                         compare(arith::CmpFPredicate::OLT, y));
    Value shifted = arith::AddFOp::create(b, loc, rest, y);
    Value moved = arith::SelectOp::create(b, loc, differ, shifted, rest);
    // A zero has the divisor's sign.
    return arith::SelectOp::create(b, loc, compare(arith::CmpFPredicate::OEQ, rest),
                                   math::CopySignOp::create(b, loc, zero, y), moved);
  }
  if (isUnsigned)
    return rest;
  Value zero = makeIntScalar(b, loc, x.getType(), 0);
  Value signs = arith::XOrIOp::create(b, loc, rest, y);
  Value differ = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, signs, zero);
  Value inexact = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, rest, zero);
  Value shifted = arith::AddIOp::create(b, loc, rest, y);
  return arith::SelectOp::create(b, loc, arith::AndIOp::create(b, loc, differ, inexact), shifted,
                                 rest);
}

/// Division of known elements: divisors that are constants other than 0 only,
/// as others need a check.
static bool hasConstantDivisors(const TensorValue &y) {
  std::optional<SmallVector<double>> numbers = constantNumbers(y);
  return numbers && !llvm::is_contained(*numbers, 0.0);
}

static LogicalResult buildDivision(NodeContext &node, BinaryBuilder body, BinaryDims onDims) {
  const TensorValue &x = node.input(0), &y = node.input(1);
  if (x.elementType != y.elementType)
    return node.error("has inputs of types " + name(x.elementType) + " and " + name(y.elementType) +
                      ", expected one type");
  ElementType type = x.elementType;
  if (isBool(type))
    return node.error("takes numbers, got bool");
  if (x.elements && y.elements && hasConstantDivisors(y))
    if (auto tracked = trackedElementwise(
            node, {x, y}, type, [&](ArrayRef<OpFoldResult> v) { return onDims(v[0], v[1]); })) {
      node.setOutput(0, *tracked);
      return success();
    }
  if (!isFloat(type))
    assertNonZero(node, y);
  return setElementwise(node, {x, y}, type, [&](OpBuilder &b, Location loc, ValueRange args) {
    return body(b, loc, args[0], args[1], isUnsigned(type));
  });
}

static LogicalResult buildDiv(NodeContext &node) {
  return buildDivision(node, divide,
                       [&](OpFoldResult x, OpFoldResult y) { return node.dims.truncDiv(x, y); });
}

static LogicalResult buildMod(NodeContext &node) {
  if (node.getInt("fmod", 0))
    return buildDivision(node, truncatedRemainder,
                         [&](OpFoldResult x, OpFoldResult y) { return node.dims.rem(x, y); });
  return buildDivision(node, flooredRemainder, [&](OpFoldResult x, OpFoldResult y) {
    // floorDiv folds positive divisors only.
    OpFoldResult rest = node.dims.rem(x, y);
    bool negative = *DimBuilder::constantOf(y) < 0;
    OpFoldResult zero = node.dims.constant(0);
    OpFoldResult wrong = negative ? node.dims.less(zero, rest) : node.dims.less(rest, zero);
    return node.dims.select(wrong, node.dims.add(rest, y), rest);
  });
}

//===----------------------------------------------------------------------===//
// Powers
//===----------------------------------------------------------------------===//

/// Whether a constant exponent is one that constantPower() takes.
static bool isSimplePower(double exponent, bool ofFloats) {
  return exponent == 1 || exponent == 2 || exponent == 3 ||
         (ofFloats && (exponent == -1 || exponent == 0.5));
}

static Value constantPower(OpBuilder &b, Location loc, Value x, double exponent) {
  if (exponent == 1)
    return x;
  if (exponent == 2)
    return mulScalars(b, loc, x, x);
  if (exponent == 3)
    return mulScalars(b, loc, mulScalars(b, loc, x, x), x);
  if (exponent == -1)
    return arith::DivFOp::create(b, loc, makeScalar(b, loc, x.getType(), 1), x);
  // A square root, but for -0 and -inf.
  Value zero = makeScalar(b, loc, x.getType(), 0);
  Value root = math::SqrtOp::create(b, loc, arith::AddFOp::create(b, loc, x, zero));
  Value infinity = makeScalar(b, loc, x.getType(), INFINITY);
  Value least = makeScalar(b, loc, x.getType(), -INFINITY);
  Value isLeast = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, x, least);
  return arith::SelectOp::create(b, loc, isLeast, infinity, root);
}

/// An integer to the power of a float: in f64, where what is an integer but for
/// rounding is one.
static Value powerInDouble(OpBuilder &b, Location loc, Value x, Value y) {
  Value power = math::PowFOp::create(b, loc, x, y);
  Value nearest = math::RoundEvenOp::create(b, loc, power);
  Value distance = math::AbsFOp::create(b, loc, arith::SubFOp::create(b, loc, power, nearest));
  Value bound = arith::MulFOp::create(b, loc, math::AbsFOp::create(b, loc, power),
                                      makeScalar(b, loc, power.getType(), 0x1p-50));
  Value close = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLE, distance, bound);
  return arith::SelectOp::create(b, loc, close, nearest, power);
}

static LogicalResult buildPow(NodeContext &node) {
  const TensorValue &x = node.input(0), &y = node.input(1);
  ElementType type = x.elementType, exponentType = y.elementType;
  if (isBool(type) || isBool(exponentType))
    return node.error("takes numbers, got bool");
  std::optional<SmallVector<double>> exponent = constantNumbers(y);
  if (exponent && exponent->size() == 1 && y.rank() <= x.rank() &&
      isSimplePower(exponent->front(), isFloat(type)))
    return setElementwise(node, x, type, [&](OpBuilder &b, Location loc, ValueRange args) {
      return constantPower(b, loc, args[0], exponent->front());
    });
  ElementType computed = accumulatorType(type);
  if (!isFloat(type) && isFloat(exponentType))
    computed = ElementType::Double;
  else if (isFloat(type) && exponentType == ElementType::Double)
    computed = ElementType::Double;
  FailureOr<TensorValue> result =
      elementwise(node, {x, y}, type, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
        Value base = castScalar(b, loc, args[0], type, computed);
        Value power;
        if (isFloat(computed)) {
          Value by = castScalar(b, loc, args[1], exponentType, computed);
          power = isFloat(type) ? Value(math::PowFOp::create(b, loc, base, by))
                                : powerInDouble(b, loc, base, by);
        } else {
          Value by = castScalar(b, loc, args[1], exponentType, type);
          power = math::IPowIOp::create(b, loc, base, by);
        }
        return castScalar(b, loc, power, computed, type);
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

//===----------------------------------------------------------------------===//
// Bits
//===----------------------------------------------------------------------===//

static FailureOr<SmallVector<TensorValue>> integerInputs(NodeContext &node) {
  FailureOr<SmallVector<TensorValue>> inputs = inputsOfOneType(node);
  if (succeeded(inputs) && !isInteger(inputs->front().elementType))
    return node.error("takes integers, got " + name(inputs->front().elementType));
  return inputs;
}

static LogicalResult buildBitShift(NodeContext &node) {
  FailureOr<SmallVector<TensorValue>> inputs = integerInputs(node);
  std::string direction = node.getString("direction", "");
  if (failed(inputs) || node.failed())
    return failure();
  if (direction != "LEFT" && direction != "RIGHT")
    return node.error("attribute 'direction' is '" + direction + "', expected LEFT or RIGHT");
  ElementType type = inputs->front().elementType;
  return setElementwise(
      node, *inputs, type, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
        // Amounts from the width on (and negative ones) shift everything out.
        int64_t width = args[0].getType().getIntOrFloatBitWidth();
        Value last = makeIntScalar(b, loc, args[1].getType(), width - 1);
        Value zero = makeIntScalar(b, loc, args[0].getType(), 0);
        Value inRange = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ule, args[1], last);
        Value amount = arith::SelectOp::create(b, loc, inRange, args[1], last);
        if (direction == "RIGHT" && !isUnsigned(type))
          return arith::ShRSIOp::create(b, loc, args[0], amount);
        Value shifted = direction == "LEFT"
                            ? Value(arith::ShLIOp::create(b, loc, args[0], amount))
                            : Value(arith::ShRUIOp::create(b, loc, args[0], amount));
        return arith::SelectOp::create(b, loc, inRange, shifted, zero);
      });
}

template <typename Op> static LogicalResult buildBitwise(NodeContext &node) {
  FailureOr<SmallVector<TensorValue>> inputs = integerInputs(node);
  if (failed(inputs))
    return failure();
  return setElementwise(node, *inputs, inputs->front().elementType,
                        [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                          return Op::create(b, loc, args[0], args[1]);
                        });
}

static LogicalResult buildBitwiseNot(NodeContext &node) {
  FailureOr<SmallVector<TensorValue>> inputs = integerInputs(node);
  if (failed(inputs))
    return failure();
  return setElementwise(node, *inputs, inputs->front().elementType,
                        [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                          Value ones = makeIntScalar(b, loc, args[0].getType(), -1);
                          return arith::XOrIOp::create(b, loc, args[0], ones);
                        });
}

//===----------------------------------------------------------------------===//
// One input
//===----------------------------------------------------------------------===//

template <typename MathOp> static LogicalResult buildMath(NodeContext &node) {
  return setFloatUnary(
      node, [](OpBuilder &b, Location loc, Value x) -> Value { return MathOp::create(b, loc, x); });
}

static LogicalResult buildReciprocal(NodeContext &node) {
  return setFloatUnary(node, [](OpBuilder &b, Location loc, Value x) -> Value {
    return arith::DivFOp::create(b, loc, makeScalar(b, loc, x.getType(), 1), x);
  });
}

/// A unary operator on numbers, or on the elements of a shape.
static LogicalResult buildUnary(NodeContext &node,
                                llvm::function_ref<Value(OpBuilder &, Location, Value, bool)> body,
                                llvm::function_ref<OpFoldResult(OpFoldResult)> onDims) {
  const TensorValue &x = node.input(0);
  ElementType type = x.elementType;
  if (isBool(type))
    return node.error("takes numbers, got bool");
  if (auto tracked = trackedElementwise(node, x, type,
                                        [&](ArrayRef<OpFoldResult> v) { return onDims(v[0]); })) {
    node.setOutput(0, *tracked);
    return success();
  }
  return setElementwise(node, x, type, [&](OpBuilder &b, Location loc, ValueRange args) {
    return body(b, loc, args[0], isUnsigned(type));
  });
}

static LogicalResult buildAbs(NodeContext &node) {
  return buildUnary(
      node,
      [](OpBuilder &b, Location loc, Value x, bool isUnsigned) -> Value {
        if (isUnsigned)
          return x;
        if (isa<FloatType>(x.getType()))
          return math::AbsFOp::create(b, loc, x);
        return math::AbsIOp::create(b, loc, x);
      },
      [&](OpFoldResult x) { return node.dims.max(x, node.dims.sub(node.dims.constant(0), x)); });
}

static LogicalResult buildNeg(NodeContext &node) {
  return buildUnary(
      node,
      [](OpBuilder &b, Location loc, Value x, bool) -> Value {
        if (isa<FloatType>(x.getType()))
          return arith::NegFOp::create(b, loc, x);
        return arith::SubIOp::create(b, loc, makeIntScalar(b, loc, x.getType(), 0), x);
      },
      [&](OpFoldResult x) { return node.dims.sub(node.dims.constant(0), x); });
}

static LogicalResult buildSign(NodeContext &node) {
  return buildUnary(
      node,
      [](OpBuilder &b, Location loc, Value x, bool isUnsigned) -> Value {
        mlir::Type type = x.getType();
        Value zero = makeIntScalar(b, loc, type, 0), one = makeIntScalar(b, loc, type, 1);
        Value minusOne = makeIntScalar(b, loc, type, -1);
        if (isa<FloatType>(type)) {
          // Zeros and NaN stay what they are.
          Value above = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, zero);
          Value below = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, x, zero);
          Value negative = arith::SelectOp::create(b, loc, below, minusOne, x);
          return arith::SelectOp::create(b, loc, above, one, negative);
        }
        if (isUnsigned)
          return arith::MinUIOp::create(b, loc, x, one);
        return arith::MaxSIOp::create(b, loc, arith::MinSIOp::create(b, loc, x, one), minusOne);
      },
      [&](OpFoldResult x) {
        return node.dims.max(node.dims.min(x, node.dims.constant(1)), node.dims.constant(-1));
      });
}

//===----------------------------------------------------------------------===//
// Clip
//===----------------------------------------------------------------------===//

/// min(high, max(x, low)): bounds are attributes before opset 11, then inputs.
static LogicalResult buildClip(NodeContext &node) {
  const TensorValue &x = node.input(0);
  ElementType type = x.elementType;
  if (isBool(type))
    return node.error("takes numbers, got bool");
  if (node.opset() < 11) {
    if (failed(expectFloats(node)))
      return failure();
    float low = node.getFloat("min", -INFINITY), high = node.getFloat("max", INFINITY);
    return setElementwise(node, x, type, [&](OpBuilder &b, Location loc, ValueRange args) {
      Value result = args[0];
      if (low != -INFINITY)
        result = maxScalars(b, loc, result, makeScalar(b, loc, result.getType(), low), false);
      if (high != INFINITY)
        result = minScalars(b, loc, result, makeScalar(b, loc, result.getType(), high), false);
      return result;
    });
  }
  SmallVector<TensorValue> inputs{x};
  for (size_t i = 1; i < 3; ++i) {
    if (!node.hasInput(i))
      continue;
    TensorValue bound = node.input(i);
    if (bound.elementType != type)
      return node.error("has inputs of types " + name(type) + " and " + name(bound.elementType) +
                        ", expected one type");
    for (int64_t d = 0; d < bound.rank(); ++d)
      if (DimBuilder::constantOf(bound.dims[d]).value_or(1) != 1)
        return node.error("expects a scalar as input " + Twine(i));
    if (bound.rank() > 0) {
      Value scalar = extractScalar(node, bound);
      bound = makeFilled(node, type, {}, scalar);
    }
    inputs.push_back(bound);
  }
  bool hasLow = node.hasInput(1), hasHigh = node.hasInput(2);
  if (auto tracked = trackedElementwise(node, inputs, type, [&](ArrayRef<OpFoldResult> v) {
        OpFoldResult result = v[0];
        if (hasLow)
          result = node.dims.max(result, v[1]);
        return hasHigh ? node.dims.min(result, v.back()) : result;
      })) {
    node.setOutput(0, *tracked);
    return success();
  }
  return setElementwise(node, inputs, type, [&](OpBuilder &b, Location loc, ValueRange args) {
    Value result = args[0];
    if (hasLow)
      result = maxScalars(b, loc, result, args[1], isUnsigned(type));
    if (hasHigh)
      result = minScalars(b, loc, result, args.back(), isUnsigned(type));
    return result;
  });
}

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

/// How a conversion to small floats treats what they do not have.
static FailureOr<EncodeOptions> encodeOptions(NodeContext &node, ElementType to) {
  EncodeOptions options;
  options.saturate = node.getInt("saturate", 1) != 0;
  if (to != ElementType::Float8E8M0)
    return options;
  std::string mode = node.getString("round_mode", "up");
  if (mode == "up")
    options.rounding = Rounding::Up;
  else if (mode == "down")
    options.rounding = Rounding::Down;
  else if (mode != "nearest")
    return node.error("attribute 'round_mode' is " + Twine("'") + mode +
                      "', expected up, down or nearest");
  return options;
}

static LogicalResult setCast(NodeContext &node, ElementType to) {
  const TensorValue &x = node.input(0);
  if (isBool(to))
    if (auto tracked = trackedElementwise(node, x, to, [&](ArrayRef<OpFoldResult> v) {
          return node.dims.sub(node.dims.constant(1), node.dims.equal(v[0], node.dims.constant(0)));
        })) {
      node.setOutput(0, *tracked);
      return success();
    }
  if (isPackedFloat(to) && x.elementType != to) {
    FailureOr<EncodeOptions> options = encodeOptions(node, to);
    if (failed(options))
      return failure();
    node.setOutput(0, encodeFloats(node, toNumbers(node, x), to, *options));
    return success();
  }
  node.setOutput(0, cast(node, x, to));
  return success();
}

static LogicalResult buildCast(NodeContext &node) {
  if (!node.hasAttribute("to"))
    return node.error("has no attribute 'to'");
  FailureOr<ElementType> to =
      elementTypeAttribute(node, "to", ElementType::Undefined, /*packed=*/true);
  return failed(to) ? LogicalResult(failure()) : setCast(node, *to);
}

static LogicalResult buildCastLike(NodeContext &node) {
  return setCast(node, node.input(1).elementType);
}

static LogicalResult buildBitCast(NodeContext &node) {
  if (!node.hasAttribute("to"))
    return node.error("has no attribute 'to'");
  FailureOr<ElementType> to =
      elementTypeAttribute(node, "to", ElementType::Undefined, /*packed=*/true);
  if (failed(to))
    return failure();
  const TensorValue &x = node.input(0);
  if (bitWidth(x.elementType) != bitWidth(*to))
    return node.error("reinterprets " + name(x.elementType) + " as " + name(*to) +
                      ", which is not as wide");
  if (sharesBytes(*to)) {
    node.setOutput(0, reinterpretPacked(node, x, *to, x.dims));
    return success();
  }
  mlir::Type target = storageType(node.context(), *to);
  FailureOr<TensorValue> result =
      elementwise(node, x, *to, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
        if (args[0].getType() == target)
          return args[0];
        return arith::BitcastOp::create(b, loc, target, args[0]);
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

void weft::onnx::registerElementwiseOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"Abs", 6, 1, 1, buildAbs},
             {"Acos", 7, 1, 1, buildMath<math::AcosOp>},
             {"Acosh", 9, 1, 1, buildMath<math::AcoshOp>},
             {"Add", 1, 2, 2, withLegacyBroadcast(buildAdd), 6},
             {"Sub", 1, 2, 2, withLegacyBroadcast(buildSub), 6},
             {"Mul", 1, 2, 2, withLegacyBroadcast(buildMul), 6},
             {"Div", 1, 2, 2, withLegacyBroadcast(buildDiv), 6},
             {"Pow", 1, 2, 2, withLegacyBroadcast(buildPow), 6},
             {"Add", 7, 2, 2, buildAdd},
             {"Asin", 7, 1, 1, buildMath<math::AsinOp>},
             {"Asinh", 9, 1, 1, buildMath<math::AsinhOp>},
             {"Atan", 7, 1, 1, buildMath<math::AtanOp>},
             {"Atanh", 9, 1, 1, buildMath<math::AtanhOp>},
             {"BitCast", 26, 1, 1, buildBitCast},
             {"BitShift", 11, 2, 2, buildBitShift},
             {"BitwiseAnd", 18, 2, 2, buildBitwise<arith::AndIOp>},
             {"BitwiseNot", 18, 1, 1, buildBitwiseNot},
             {"BitwiseOr", 18, 2, 2, buildBitwise<arith::OrIOp>},
             {"BitwiseXor", 18, 2, 2, buildBitwise<arith::XOrIOp>},
             {"Cast", 6, 1, 1, buildCast},
             {"CastLike", 15, 2, 2, buildCastLike},
             {"Ceil", 6, 1, 1, buildMath<math::CeilOp>},
             {"Clip", 6, 1, 3, buildClip},
             {"Cos", 7, 1, 1, buildMath<math::CosOp>},
             {"Cosh", 9, 1, 1, buildMath<math::CoshOp>},
             {"Div", 7, 2, 2, buildDiv},
             {"Erf", 9, 1, 1, buildMath<math::ErfOp>},
             {"Exp", 6, 1, 1, buildMath<math::ExpOp>},
             {"Floor", 6, 1, 1, buildMath<math::FloorOp>},
             {"Log", 6, 1, 1, buildMath<math::LogOp>},
             {"Max", 6, 1, kAnyNumber, buildMax},
             {"Mean", 6, 1, kAnyNumber, buildMean},
             {"Min", 6, 1, kAnyNumber, buildMin},
             {"Mod", 10, 2, 2, buildMod},
             {"Mul", 7, 2, 2, buildMul},
             {"Neg", 6, 1, 1, buildNeg},
             {"Pow", 7, 2, 2, buildPow},
             {"Reciprocal", 6, 1, 1, buildReciprocal},
             {"Round", 11, 1, 1, buildMath<math::RoundEvenOp>},
             {"Sign", 9, 1, 1, buildSign},
             {"Sin", 7, 1, 1, buildMath<math::SinOp>},
             {"Sinh", 9, 1, 1, buildMath<math::SinhOp>},
             {"Sqrt", 6, 1, 1, buildMath<math::SqrtOp>},
             {"Sub", 7, 2, 2, buildSub},
             {"Sum", 6, 1, kAnyNumber, buildAdd},
             {"Tan", 7, 1, 1, buildMath<math::TanOp>},
             {"Tanh", 6, 1, 1, buildMath<math::TanhOp>},
         });
}
