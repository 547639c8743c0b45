//===- ElementOps.cpp - Functions of one element --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/ElementOps.h"

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/PackedOps.h"

using namespace mlir;
using namespace weft::onnx;

/// Tensors with more elements are not computed as index arithmetic.
static constexpr size_t kMaxTrackedElements = 64;

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

FailureOr<SmallVector<TensorValue>> weft::onnx::inputsOfOneType(NodeContext &node) {
  SmallVector<TensorValue> inputs;
  for (size_t i = 0; i < node.inputCount(); ++i) {
    inputs.push_back(node.input(i));
    if (node.failed())
      return failure();
    if (inputs.back().elementType != inputs.front().elementType)
      return node.error("has inputs of types " + name(inputs.front().elementType) + " and " +
                        name(inputs.back().elementType) + ", expected one type");
  }
  return inputs;
}

LogicalResult weft::onnx::expectFloats(NodeContext &node, size_t i) {
  const TensorValue &x = node.input(i);
  if (isFloat(x.elementType))
    return success();
  return node.error("expects floats as input " + Twine(i) + ", got " + describe(x));
}

ElementType weft::onnx::accumulatorType(ElementType type) {
  return type == ElementType::Float16 || type == ElementType::BFloat16 ? ElementType::Float : type;
}

FailureOr<ElementType> weft::onnx::elementTypeAttribute(NodeContext &node, StringRef attribute,
                                                        ElementType defaultType, bool packed) {
  int64_t number = node.getInt(attribute, static_cast<int64_t>(defaultType));
  if (node.failed())
    return failure();
  auto type = static_cast<ElementType>(number);
  if (number < INT32_MIN || number > INT32_MAX || !isKnown(type))
    return node.error("attribute '" + attribute + "' is " + Twine(number) +
                      ", which is no element type");
  if (!storageType(node.context(), type) || type == ElementType::String ||
      (isPacked(type) && !packed))
    return node.unsupported("elements of type " + name(type) + " cannot be computed");
  return type;
}

//===----------------------------------------------------------------------===//
// Elementwise operators
//===----------------------------------------------------------------------===//

Value weft::onnx::inComputeType(OpBuilder &b, Location loc, ElementType type, ValueRange args,
                                llvm::function_ref<Value(ValueRange)> body) {
  ElementType wide = accumulatorType(type);
  if (wide == type)
    return body(args);
  SmallVector<Value> values;
  for (Value arg : args)
    values.push_back(castScalar(b, loc, arg, type, wide));
  return castScalar(b, loc, body(values), wide, type);
}

LogicalResult weft::onnx::setElementwise(NodeContext &node, ArrayRef<TensorValue> inputs,
                                         ElementType type, ElementBuilder body) {
  FailureOr<TensorValue> result =
      elementwise(node, inputs, type, [&](OpBuilder &b, Location loc, ValueRange args) {
        return inComputeType(b, loc, type, args,
                             [&](ValueRange values) { return body(b, loc, values); });
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

LogicalResult weft::onnx::setFloatUnary(NodeContext &node, UnaryBuilder body) {
  const TensorValue &x = node.input(0);
  if (failed(expectFloats(node)) || node.failed())
    return failure();
  return setElementwise(node, x, x.elementType, [&](OpBuilder &b, Location loc, ValueRange args) {
    return body(b, loc, args[0]);
  });
}

/// Index arithmetic is 64 bits wide; known int32 values wrap as they would.
static OpFoldResult wrap(NodeContext &node, OpFoldResult x, ElementType type) {
  std::optional<int64_t> constant = DimBuilder::constantOf(x);
  if (type != ElementType::Int32 || !constant)
    return x;
  return node.dims.constant(static_cast<int32_t>(static_cast<uint32_t>(*constant)));
}

std::optional<TensorValue>
weft::onnx::trackedElementwise(NodeContext &node, ArrayRef<TensorValue> inputs,
                               ElementType resultType,
                               llvm::function_ref<OpFoldResult(ArrayRef<OpFoldResult>)> body) {
  auto isTracked = [](ElementType type) {
    return type == ElementType::Int64 || type == ElementType::Int32 || type == ElementType::Bool;
  };
  if (!isTracked(resultType))
    return std::nullopt;
  size_t count = 1;
  bool scalar = true;
  for (const TensorValue &input : inputs) {
    if (!input.elements || input.rank() > 1 || !isTracked(input.elementType) ||
        input.elements->size() > kMaxTrackedElements)
      return std::nullopt;
    scalar &= input.rank() == 0;
    if (input.elements->size() == 1)
      continue;
    if (count != 1 && input.elements->size() != count)
      return std::nullopt;
    count = input.elements->size();
  }
  Dims elements;
  for (size_t i = 0; i < count; ++i) {
    Dims arguments;
    for (const TensorValue &input : inputs)
      arguments.push_back((*input.elements)[input.elements->size() == 1 ? 0 : i]);
    elements.push_back(wrap(node, body(arguments), resultType));
  }
  return makeTracked(node, resultType, elements, scalar);
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

Value weft::onnx::addScalars(OpBuilder &b, Location loc, Value x, Value y) {
  if (isa<FloatType>(x.getType()))
    return arith::AddFOp::create(b, loc, x, y);
  return arith::AddIOp::create(b, loc, x, y);
}

Value weft::onnx::mulScalars(OpBuilder &b, Location loc, Value x, Value y) {
  if (isa<FloatType>(x.getType()))
    return arith::MulFOp::create(b, loc, x, y);
  return arith::MulIOp::create(b, loc, x, y);
}

Value weft::onnx::maxScalars(OpBuilder &b, Location loc, Value x, Value y, bool isUnsigned) {
  if (isa<FloatType>(x.getType()))
    return arith::MaximumFOp::create(b, loc, x, y);
  if (isUnsigned)
    return arith::MaxUIOp::create(b, loc, x, y);
  return arith::MaxSIOp::create(b, loc, x, y);
}

Value weft::onnx::minScalars(OpBuilder &b, Location loc, Value x, Value y, bool isUnsigned) {
  if (isa<FloatType>(x.getType()))
    return arith::MinimumFOp::create(b, loc, x, y);
  if (isUnsigned)
    return arith::MinUIOp::create(b, loc, x, y);
  return arith::MinSIOp::create(b, loc, x, y);
}

/// The least or largest number of a type.
static Value extremeScalar(OpBuilder &b, Location loc, ElementType type, bool least) {
  mlir::Type storage = storageType(b.getContext(), type);
  if (auto floating = dyn_cast<FloatType>(storage))
    return arith::ConstantOp::create(
        b, loc, b.getFloatAttr(floating, APFloat::getInf(floating.getFloatSemantics(), least)));
  unsigned width = storage.getIntOrFloatBitWidth();
  APInt value(width, isBool(type) ? 1 : 0);
  if (isUnsigned(type)) {
    if (least)
      value = APInt::getZero(width);
    else if (!isBool(type))
      value = APInt::getMaxValue(width);
  } else {
    value = least ? APInt::getSignedMinValue(width) : APInt::getSignedMaxValue(width);
  }
  return arith::ConstantOp::create(b, loc, b.getIntegerAttr(storage, value));
}

Value weft::onnx::lowestScalar(OpBuilder &b, Location loc, ElementType type) {
  return extremeScalar(b, loc, type, /*least=*/true);
}

Value weft::onnx::highestScalar(OpBuilder &b, Location loc, ElementType type) {
  return extremeScalar(b, loc, type, /*least=*/false);
}

Value weft::onnx::sigmoid(OpBuilder &b, Location loc, Value x) {
  Value one = makeScalar(b, loc, x.getType(), 1);
  Value e = math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, x));
  return arith::DivFOp::create(b, loc, one, arith::AddFOp::create(b, loc, one, e));
}

Value weft::onnx::softplus(OpBuilder &b, Location loc, Value x) {
  // max(x, 0) + ln(1 + e^-|x|)
  Value zero = makeScalar(b, loc, x.getType(), 0);
  Value magnitude = math::AbsFOp::create(b, loc, x);
  Value e = math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, magnitude));
  Value rest = math::Log1pOp::create(b, loc, e);
  return arith::AddFOp::create(b, loc, arith::MaximumFOp::create(b, loc, x, zero), rest);
}

Value weft::onnx::linearPosition(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> dims) {
  Value position = arith::ConstantIndexOp::create(b, loc, 0);
  for (auto [i, dim] : llvm::enumerate(dims)) {
    Value extent = getValueOrCreateConstantIndexOp(b, loc, dim);
    position = arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, position, extent),
                                     linalg::IndexOp::create(b, loc, static_cast<int64_t>(i)));
  }
  return position;
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

void weft::onnx::assertNoElement(NodeContext &node, const TensorValue &x,
                                 llvm::function_ref<Value(OpBuilder &, Location, Value)> offends,
                                 int32_t code, StringRef message, ArrayRef<OpFoldResult> values) {
  // The lowest offending position, or the largest integer.
  Location loc = node.b.getLoc();
  int64_t rank = x.rank();
  Value none = arith::ConstantIntOp::create(node.b, loc, INT64_MAX, 64);
  TensorValue start = makeFilled(node, ElementType::Int64, {}, none);
  auto generic = linalg::GenericOp::create(
      node.b, loc, start.value.getType(), node.value(x), start.value,
      ArrayRef<AffineMap>{node.b.getMultiDimIdentityMap(rank),
                          AffineMap::get(rank, 0, {}, node.context())},
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::reduction),
      [&](OpBuilder &b, Location loc, ValueRange args) {
        Value position = linearPosition(b, loc, x.dims);
        Value wide = arith::IndexCastOp::create(b, loc, b.getI64Type(), position);
        Value limit = arith::ConstantIntOp::create(b, loc, INT64_MAX, 64);
        Value found = arith::SelectOp::create(b, loc, offends(b, loc, args[0]), wide, limit);
        linalg::YieldOp::create(b, loc, arith::MinSIOp::create(b, loc, found, args[1]).getResult());
      });
  Value lowest = tensor::ExtractOp::create(node.b, loc, generic.getResult(0), ValueRange{});
  Value holds = arith::CmpIOp::create(node.b, loc, arith::CmpIPredicate::eq, lowest, none);
  Dims operands{node.dims.fromInteger(lowest)};
  operands.append(values.begin(), values.end());
  buildAssert(node, holds, code, message, operands);
}

LogicalResult weft::onnx::assertEqualExtents(NodeContext &node, OpFoldResult x, OpFoldResult y,
                                             StringRef what) {
  if (DimBuilder::same(x, y))
    return success();
  std::optional<int64_t> a = DimBuilder::constantOf(x), c = DimBuilder::constantOf(y);
  if (a && c)
    return node.error(what + " differ: " + Twine(*a) + " and " + Twine(*c));
  Value equal = arith::CmpIOp::create(node.b, node.b.getLoc(), arith::CmpIPredicate::eq,
                                      node.dims.value(x), node.dims.value(y));
  buildAssert(node, equal, /*INVALID_ARGUMENT*/ 3, (what + " differ: {0} and {1}").str(), {x, y});
  return success();
}

void weft::onnx::assertNonZero(NodeContext &node, const TensorValue &divisor) {
  if (std::optional<SmallVector<double>> numbers = constantNumbers(divisor))
    if (!llvm::is_contained(*numbers, 0.0))
      return;
  assertNoElement(
      node, divisor,
      [](OpBuilder &b, Location loc, Value y) -> Value {
        Value zero = makeIntScalar(b, loc, y.getType(), 0);
        return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, y, zero);
      },
      /*INVALID_ARGUMENT*/ 3, "divides an integer by zero (element {0} of the divisor)");
}

NodeBuilder weft::onnx::withLegacyBroadcast(LogicalResult (*builder)(NodeContext &)) {
  return [builder](NodeContext &node) -> LogicalResult {
    const TensorValue &x = node.input(0);
    TensorValue y = node.input(1);
    if (node.getInt("broadcast", 0) != 0 && node.hasAttribute("axis")) {
      FailureOr<int64_t> axis = normalizeAxis(node, node.getInt("axis", 0), x.rank());
      if (failed(axis))
        return failure();
      int64_t trailing = x.rank() - *axis - y.rank();
      if (trailing < 0)
        return node.error("broadcasts " + describe(y) + " along axis " + Twine(*axis) + " of " +
                          describe(x));
      Dims dims = y.dims;
      dims.append(trailing, node.dims.constant(1));
      node.replaceInput(1, reshape(node, y, dims));
    }
    return builder(node);
  };
}
