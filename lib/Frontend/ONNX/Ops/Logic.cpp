//===- Logic.cpp - Comparisons, boolean operators, selection --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bool elements are bytes: any byte other than 0 that a caller hands in is
// true, and what is computed here is 0 or 1.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/ElementOps.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/Strings.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

//===----------------------------------------------------------------------===//
// Comparisons
//===----------------------------------------------------------------------===//

enum class Comparison { Equal, Greater, GreaterOrEqual, Less, LessOrEqual };

static arith::CmpFPredicate floatPredicate(Comparison comparison) {
  switch (comparison) {
  case Comparison::Equal:
    return arith::CmpFPredicate::OEQ;
  case Comparison::Greater:
    return arith::CmpFPredicate::OGT;
  case Comparison::GreaterOrEqual:
    return arith::CmpFPredicate::OGE;
  case Comparison::Less:
    return arith::CmpFPredicate::OLT;
  case Comparison::LessOrEqual:
    return arith::CmpFPredicate::OLE;
  }
  llvm_unreachable("all comparisons are handled");
}

static arith::CmpIPredicate integerPredicate(Comparison comparison, bool isUnsigned) {
  using P = arith::CmpIPredicate;
  switch (comparison) {
  case Comparison::Equal:
    return P::eq;
  case Comparison::Greater:
    return isUnsigned ? P::ugt : P::sgt;
  case Comparison::GreaterOrEqual:
    return isUnsigned ? P::uge : P::sge;
  case Comparison::Less:
    return isUnsigned ? P::ult : P::slt;
  case Comparison::LessOrEqual:
    return isUnsigned ? P::ule : P::sle;
  }
  llvm_unreachable("all comparisons are handled");
}

static OpFoldResult compareDims(DimBuilder &dims, Comparison comparison, OpFoldResult x,
                                OpFoldResult y) {
  OpFoldResult one = dims.constant(1);
  switch (comparison) {
  case Comparison::Equal:
    return dims.equal(x, y);
  case Comparison::Greater:
    return dims.less(y, x);
  case Comparison::GreaterOrEqual:
    return dims.sub(one, dims.less(x, y));
  case Comparison::Less:
    return dims.less(x, y);
  case Comparison::LessOrEqual:
    return dims.sub(one, dims.less(y, x));
  }
  llvm_unreachable("all comparisons are handled");
}

template <Comparison comparison> static LogicalResult buildComparison(NodeContext &node) {
  FailureOr<SmallVector<TensorValue>> inputs = inputsOfOneType(node);
  if (failed(inputs))
    return failure();
  ElementType type = inputs->front().elementType;
  if (isBool(type) && comparison != Comparison::Equal)
    return node.error("takes numbers, got bool");
  if (type == ElementType::String) {
    FailureOr<TensorValue> result = equalStrings(node, (*inputs)[0], (*inputs)[1]);
    if (failed(result))
      return failure();
    node.setOutput(0, *result);
    return success();
  }
  if (auto tracked =
          trackedElementwise(node, *inputs, ElementType::Bool, [&](ArrayRef<OpFoldResult> v) {
            return compareDims(node.dims, comparison, v[0], v[1]);
          })) {
    node.setOutput(0, *tracked);
    return success();
  }
  ElementType computed = accumulatorType(type);
  FailureOr<TensorValue> result = elementwise(
      node, *inputs, ElementType::Bool, [&](OpBuilder &b, Location loc, ValueRange args) {
        Value x = args[0], y = args[1];
        if (isBool(type)) {
          x = fromBool(b, loc, x);
          y = fromBool(b, loc, y);
        } else {
          x = castScalar(b, loc, x, type, computed);
          y = castScalar(b, loc, y, type, computed);
        }
        Value bit = isFloat(type)
                        ? Value(arith::CmpFOp::create(b, loc, floatPredicate(comparison), x, y))
                        : Value(arith::CmpIOp::create(
                              b, loc, integerPredicate(comparison, isUnsigned(type)), x, y));
        return toBool(b, loc, bit);
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

//===----------------------------------------------------------------------===//
// Boolean operators
//===----------------------------------------------------------------------===//

static LogicalResult expectBools(NodeContext &node, ArrayRef<TensorValue> inputs) {
  for (const TensorValue &input : inputs)
    if (!isBool(input.elementType))
      return node.error("takes bools, got " + name(input.elementType));
  return success();
}

/// `onDims` gets elements that are 0 or 1.
template <typename Op>
static LogicalResult
buildBoolean(NodeContext &node,
             llvm::function_ref<OpFoldResult(OpFoldResult, OpFoldResult)> onDims) {
  SmallVector<TensorValue> inputs{node.input(0), node.input(1)};
  if (failed(expectBools(node, inputs)))
    return failure();
  if (auto tracked =
          trackedElementwise(node, inputs, ElementType::Bool,
                             [&](ArrayRef<OpFoldResult> v) { return onDims(v[0], v[1]); })) {
    node.setOutput(0, *tracked);
    return success();
  }
  return setElementwise(
      node, inputs, ElementType::Bool, [](OpBuilder &b, Location loc, ValueRange args) {
        Value bit = Op::create(b, loc, fromBool(b, loc, args[0]), fromBool(b, loc, args[1]));
        return toBool(b, loc, bit);
      });
}

static LogicalResult buildAnd(NodeContext &node) {
  return buildBoolean<arith::AndIOp>(
      node, [&](OpFoldResult x, OpFoldResult y) { return node.dims.min(x, y); });
}
static LogicalResult buildOr(NodeContext &node) {
  return buildBoolean<arith::OrIOp>(
      node, [&](OpFoldResult x, OpFoldResult y) { return node.dims.max(x, y); });
}
static LogicalResult buildXor(NodeContext &node) {
  return buildBoolean<arith::XOrIOp>(node, [&](OpFoldResult x, OpFoldResult y) {
    return node.dims.sub(node.dims.constant(1), node.dims.equal(x, y));
  });
}

static LogicalResult buildNot(NodeContext &node) {
  const TensorValue &x = node.input(0);
  if (failed(expectBools(node, x)))
    return failure();
  if (auto tracked = trackedElementwise(node, x, ElementType::Bool, [&](ArrayRef<OpFoldResult> v) {
        return node.dims.equal(v[0], node.dims.constant(0));
      })) {
    node.setOutput(0, *tracked);
    return success();
  }
  return setElementwise(
      node, x, ElementType::Bool, [](OpBuilder &b, Location loc, ValueRange args) {
        Value zero = makeIntScalar(b, loc, args[0].getType(), 0);
        return toBool(b, loc,
                      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, args[0], zero));
      });
}

//===----------------------------------------------------------------------===//
// Classes of floats
//===----------------------------------------------------------------------===//

/// A bool of each float; `body` gets it in its compute type and gives an i1.
static LogicalResult buildClass(NodeContext &node,
                                llvm::function_ref<Value(OpBuilder &, Location, Value)> body) {
  if (failed(expectFloats(node)) || node.failed())
    return failure();
  const TensorValue &x = node.input(0);
  ElementType type = x.elementType;
  FailureOr<TensorValue> result =
      elementwise(node, x, ElementType::Bool, [&](OpBuilder &b, Location loc, ValueRange args) {
        Value wide = castScalar(b, loc, args[0], type, accumulatorType(type));
        return toBool(b, loc, body(b, loc, wide));
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

static LogicalResult buildIsNaN(NodeContext &node) {
  return buildClass(node, [](OpBuilder &b, Location loc, Value x) -> Value {
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, x, x);
  });
}

static LogicalResult buildIsInf(NodeContext &node) {
  bool positive = node.getInt("detect_positive", 1), negative = node.getInt("detect_negative", 1);
  return buildClass(node, [&](OpBuilder &b, Location loc, Value x) -> Value {
    auto equals = [&](double number) -> Value {
      return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, x,
                                   makeScalar(b, loc, x.getType(), number));
    };
    Value found = arith::ConstantIntOp::create(b, loc, 0, 1);
    if (positive)
      found = equals(INFINITY);
    if (negative)
      found = arith::OrIOp::create(b, loc, found, equals(-INFINITY));
    return found;
  });
}

//===----------------------------------------------------------------------===//
// Where
//===----------------------------------------------------------------------===//

static LogicalResult buildWhere(NodeContext &node) {
  SmallVector<TensorValue> inputs{node.input(0), node.input(1), node.input(2)};
  if (failed(expectBools(node, inputs.front())))
    return failure();
  ElementType type = inputs[1].elementType;
  if (inputs[2].elementType != type)
    return node.error("chooses between elements of types " + name(type) + " and " +
                      name(inputs[2].elementType) + ", expected one type");
  if (auto tracked = trackedElementwise(node, inputs, type, [&](ArrayRef<OpFoldResult> v) {
        return node.dims.select(v[0], v[1], v[2]);
      })) {
    node.setOutput(0, *tracked);
    return success();
  }
  FailureOr<TensorValue> result =
      elementwise(node, inputs, type, [](OpBuilder &b, Location loc, ValueRange args) -> Value {
        return arith::SelectOp::create(b, loc, fromBool(b, loc, args[0]), args[1], args[2]);
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

void weft::onnx::registerLogicOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"And", 7, 2, 2, buildAnd},
             {"Equal", 7, 2, 2, buildComparison<Comparison::Equal>},
             {"Greater", 7, 2, 2, buildComparison<Comparison::Greater>},
             {"GreaterOrEqual", 12, 2, 2, buildComparison<Comparison::GreaterOrEqual>},
             {"IsInf", 10, 1, 1, buildIsInf},
             {"IsNaN", 9, 1, 1, buildIsNaN},
             {"Less", 7, 2, 2, buildComparison<Comparison::Less>},
             {"LessOrEqual", 12, 2, 2, buildComparison<Comparison::LessOrEqual>},
             {"Not", 1, 1, 1, buildNot},
             {"Or", 7, 2, 2, buildOr},
             {"Where", 9, 3, 3, buildWhere},
             {"Xor", 7, 2, 2, buildXor},
         });
}
