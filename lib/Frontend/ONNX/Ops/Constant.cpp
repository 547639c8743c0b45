//===- Constant.cpp - Tensors made from nothing ---------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/IndexOps.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/Strings.h"
#include "Frontend/ONNX/PackedOps.h"

#include <cmath>

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

//===----------------------------------------------------------------------===//
// Constant
//===----------------------------------------------------------------------===//

template <typename T>
static FailureOr<TensorValue> makeNumbers(NodeContext &node, ElementType type, ArrayRef<T> numbers,
                                          bool scalar) {
  SmallVector<int64_t> shape;
  if (!scalar)
    shape.push_back(static_cast<int64_t>(numbers.size()));
  ArrayRef<uint8_t> bytes(reinterpret_cast<const uint8_t *>(numbers.data()),
                          numbers.size() * sizeof(T));
  return node.getImporter().makeConstant(type, shape, bytes, node.name());
}

/// A sparse tensor as a dense one.
static FailureOr<TensorValue> makeDense(NodeContext &node, const SparseTensor &sparse) {
  unsigned width = bitWidth(sparse.values.elementType) / 8;
  if (!storageType(node.context(), sparse.values.elementType) || width == 0)
    return node.unsupported("has a sparse value of type " + name(sparse.values.elementType));
  const ExternalFiles &files = *node.getImporter().getModel().files;
  Tensor shape;
  shape.dims = sparse.dims;
  shape.elementType = sparse.values.elementType;
  Result<int64_t> count = shape.elementCount();
  Result<int64_t> size = shape.byteSize();
  if (!count || !size)
    return node.error(count ? size.error().message : count.error().message);
  if (*size > (int64_t(1) << 32))
    return node.unsupported("has a sparse value of " + Twine(*size) + " bytes");
  Result<TensorBytes> values = sparse.values.contents(files),
                      indices = sparse.indices.contents(files);
  if (!values || !indices)
    return node.error(values ? indices.error().message : values.error().message);
  Result<int64_t> stored = sparse.values.elementCount(), numbers = sparse.indices.elementCount();
  if (!stored || !numbers)
    return node.error("has a sparse value of no shape");
  int64_t rank = static_cast<int64_t>(sparse.dims.size());
  bool isLinear = sparse.indices.dims.size() == 1;
  if (sparse.indices.elementType != ElementType::Int64 ||
      *numbers != *stored * (isLinear ? 1 : rank))
    return node.error("has a sparse value of " + Twine(*stored) + " elements with " +
                      Twine(*numbers) + " indices");
  std::vector<uint8_t> dense(static_cast<size_t>(*size));
  std::span<const uint8_t> from = values->bytes(), at = indices->bytes();
  for (int64_t i = 0; i < *stored; ++i) {
    int64_t position = 0;
    for (int64_t k = 0; k < (isLinear ? 1 : rank); ++k) {
      int64_t index;
      std::memcpy(&index, at.data() + (isLinear ? i : i * rank + k) * 8, 8);
      int64_t extent = isLinear ? *count : sparse.dims[k];
      if (index < 0 || index >= extent)
        return node.error("has a sparse value with index " + Twine(index) +
                          ", expected one below " + Twine(extent));
      position = isLinear ? index : position * extent + index;
    }
    std::memcpy(dense.data() + position * width, from.data() + i * width, width);
  }
  return node.getImporter().makeConstant(sparse.values.elementType, sparse.dims, dense,
                                         node.name());
}

static LogicalResult buildConstant(NodeContext &node) {
  FailureOr<TensorValue> value = failure();
  if (node.hasAttribute("value")) {
    value = node.getTensor("value");
    if (succeeded(value) && !value->value && !value->elements)
      return node.unsupported("has a value of type " + name(value->elementType));
  } else if (node.hasAttribute("value_float")) {
    value = makeNumbers<float>(node, ElementType::Float, {node.getFloat("value_float", 0)}, true);
  } else if (node.hasAttribute("value_floats")) {
    value = makeNumbers<float>(node, ElementType::Float, node.getFloats("value_floats"), false);
  } else if (node.hasAttribute("value_int")) {
    value = makeNumbers<int64_t>(node, ElementType::Int64, {node.getInt("value_int", 0)}, true);
  } else if (node.hasAttribute("value_ints")) {
    value = makeNumbers<int64_t>(node, ElementType::Int64, node.getInts("value_ints"), false);
  } else if (const NodeAttribute *sparse = node.getAttribute("sparse_value")) {
    if (sparse->sparseTensors.empty())
      return node.error("has an empty sparse_value");
    value = makeDense(node, sparse->sparseTensors.front());
  } else if (node.hasAttribute("value_string")) {
    std::string text = node.getString("value_string", "");
    std::string_view view = text;
    value = makeStrings(node, {}, {&view, 1});
  } else if (node.hasAttribute("value_strings")) {
    std::vector<std::string> texts = node.getStrings("value_strings");
    std::vector<std::string_view> views(texts.begin(), texts.end());
    value = makeStrings(node, {static_cast<int64_t>(views.size())}, views);
  } else {
    return node.error("has no value");
  }
  if (failed(value))
    return failure();
  node.setOutput(0, *value);
  return success();
}

//===----------------------------------------------------------------------===//
// ConstantOfShape and EyeLike
//===----------------------------------------------------------------------===//

static LogicalResult buildConstantOfShape(NodeContext &node) {
  FailureOr<Dims> dims = shapeElementsOf(node, node.input(0), node.declaredRank(0));
  if (failed(dims) || failed(requireExtents(node, *dims)))
    return failure();
  TensorValue number;
  number.elementType = ElementType::Float;
  Value scalar;
  if (node.hasAttribute("value")) {
    FailureOr<TensorValue> value = node.getTensor("value");
    if (failed(value))
      return failure();
    if (!value->value && !value->elements)
      return node.unsupported("has a value of type " + name(value->elementType));
    for (OpFoldResult extent : value->dims)
      if (DimBuilder::constantOf(extent) != 1)
        return node.error("has a value of " + describe(*value) + ", expected one element");
    number = *value;
    scalar = extractScalar(node, number);
  } else {
    scalar =
        makeScalar(node.b, node.b.getLoc(), storageType(node.context(), ElementType::Float), 0);
  }
  // Shape arithmetic uses it to repeat a number.
  if (dims->size() == 1 && number.elements)
    if (auto count = DimBuilder::constantOf(dims->front()); count && *count <= 64) {
      node.setOutput(0,
                     makeTracked(node, number.elementType, Dims(*count, number.elements->front())));
      return success();
    }
  node.setOutput(0, makeFilled(node, number.elementType, *dims, scalar));
  return success();
}

static LogicalResult buildEyeLike(NodeContext &node) {
  const TensorValue x = node.input(0);
  auto type = static_cast<ElementType>(node.getInt("dtype", static_cast<int64_t>(x.elementType)));
  if (!storageType(node.context(), type) || isPacked(type))
    return node.unsupported("gives elements of type " + name(type));
  if (x.rank() != 2)
    return node.error("expects a matrix, got " + describe(x));
  int64_t diagonal =
      std::clamp<int64_t>(node.getInt("k", 0), -(int64_t(1) << 60), int64_t(1) << 60);
  FailureOr<TensorValue> result =
      elementwiseTo(node, {}, type, x.dims, [&](OpBuilder &b, Location loc, ValueRange) {
        KernelIndex k{b, loc};
        Value isOn =
            k.cmp(arith::CmpIPredicate::eq, k.loop(1), k.add(k.loop(0), k.constant(diagonal)));
        mlir::Type element = storageType(b.getContext(), type);
        return k.select(isOn, makeScalar(b, loc, element, 1), makeScalar(b, loc, element, 0));
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

//===----------------------------------------------------------------------===//
// Range
//===----------------------------------------------------------------------===//

/// How many numbers there are from `start` to `limit` by `delta`, which is not 0.
static FailureOr<OpFoldResult> countNumbers(NodeContext &node, ElementType type, OpFoldResult start,
                                            OpFoldResult limit, OpFoldResult delta) {
  DimBuilder &d = node.dims;
  OpFoldResult zero = d.constant(0), one = d.constant(1);
  bool isWide = type == ElementType::Int64;
  // -2^63 has no negative; what it counts, the next number counts too.
  auto magnitude = [&](OpFoldResult x) {
    return negate(node, isWide ? d.max(x, d.constant(-INT64_MAX)) : x);
  };
  OpFoldResult from = start, to = limit, step = delta;
  if (std::optional<int64_t> known = DimBuilder::constantOf(delta)) {
    if (*known < 0) {
      std::swap(from, to);
      step = magnitude(delta);
    }
  } else {
    OpFoldResult isDown = d.less(delta, zero);
    from = d.select(isDown, limit, start);
    to = d.select(isDown, start, limit);
    step = d.max(d.select(isDown, magnitude(delta), delta), one);
  }
  OpFoldResult distance = d.sub(to, from);
  OpFoldResult count = d.ceilDiv(distance, step);
  // Numbers that the data or the model gives, unlike extents, can be so far apart
  // that the distance wraps around.
  bool isGiven = dependsOnData(from) || dependsOnData(to) ||
                 (DimBuilder::constantOf(from) && DimBuilder::constantOf(to));
  if (isWide && isGiven && DimBuilder::constantOf(from) != 0 &&
      !(isNonNegative(from) && isNonNegative(to))) {
    OpFoldResult some = d.less(from, to);
    OpFoldResult isTooFar = both(node, some, d.less(distance, zero));
    if (failed(require(node, d.equal(isTooFar, zero), WEFT_INVALID_ARGUMENT,
                       "counts from {0} to {1}, which are 2^63 or more apart", {start, limit})))
      return failure();
    return d.select(some, count, zero);
  }
  return isNonNegative(count) ? count : d.max(count, zero);
}

static LogicalResult rangeOfExtents(NodeContext &node, ElementType type) {
  DimBuilder &d = node.dims;
  OpFoldResult bounds[3];
  for (int i = 0; i < 3; ++i) {
    FailureOr<OpFoldResult> bound = shapeScalar(node, node.input(i), "a bound");
    if (failed(bound))
      return failure();
    bounds[i] = *bound;
  }
  auto [start, limit, delta] = bounds;
  OpFoldResult zero = d.constant(0);
  if (failed(require(node, d.equal(d.equal(delta, zero), zero), WEFT_INVALID_ARGUMENT,
                     "has a delta of 0")))
    return failure();
  FailureOr<OpFoldResult> numbers = countNumbers(node, type, start, limit, delta);
  if (failed(numbers))
    return failure();
  OpFoldResult count = *numbers;
  if (dependsOnData(count) && failed(requireExtents(node, {count})))
    return failure();
  if (auto known = DimBuilder::constantOf(count); known && *known <= 64) {
    Dims elements;
    for (int64_t i = 0; i < *known; ++i)
      elements.push_back(d.add(start, d.mul(d.constant(i), delta)));
    node.setOutput(0, makeTracked(node, type, elements));
    return success();
  }
  FailureOr<TensorValue> result =
      elementwiseTo(node, {}, type, {count}, [&](OpBuilder &b, Location loc, ValueRange) {
        KernelIndex k{b, loc};
        return k.toInteger(k.add(k.of(start), k.mul(k.loop(0), k.of(delta))),
                           storageType(b.getContext(), type));
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

static LogicalResult buildRange(NodeContext &node) {
  ElementType type = node.input(0).elementType;
  for (size_t i : {1, 2})
    if (node.input(i).elementType != type)
      return node.error("has bounds " + describe(node.input(0)) + " and " +
                        describe(node.input(i)));
  if (isInteger(type) && type != ElementType::UInt64)
    return rangeOfExtents(node, type);
  if (!isFloat(type))
    return node.unsupported("counts numbers of type " + name(type));
  // ceil((limit - start) / delta), in f64 for f64, else in f32, as the standard
  // has it.
  DimBuilder &d = node.dims;
  ElementType compute = type == ElementType::Double ? type : ElementType::Float;
  OpFoldResult count;
  Value scalars[3];
  std::optional<SmallVector<double>> known[3];
  for (size_t i : {0, 1, 2}) {
    TensorValue bound = node.input(i);
    for (OpFoldResult extent : bound.dims)
      if (failed(require(node, d.equal(extent, d.constant(1)), WEFT_INVALID_ARGUMENT,
                         "has a bound of {0} elements, expected 1", {extent})))
        return failure();
    known[i] = constantNumbers(bound);
    scalars[i] = castScalar(node.b, node.b.getLoc(), extractScalar(node, bound), type, compute);
  }
  OpBuilder &b = node.b;
  Location loc = node.b.getLoc();
  if (known[0] && known[1] && known[2]) {
    double start = known[0]->front(), limit = known[1]->front(), delta = known[2]->front();
    double number =
        compute == ElementType::Double
            ? std::ceil((limit - start) / delta)
            : std::ceil(static_cast<float>(static_cast<float>(limit) - static_cast<float>(start)) /
                        static_cast<float>(delta));
    if (delta == 0 || !(number < 0x1p44))
      return node.error("counts from " + Twine(std::to_string(start)) + " to " +
                        std::to_string(limit) + " by " + std::to_string(delta));
    count = d.constant(number > 0 ? static_cast<int64_t>(number) : 0);
  } else {
    Value distance = arith::SubFOp::create(b, loc, scalars[1], scalars[0]);
    Value number =
        math::CeilOp::create(b, loc, arith::DivFOp::create(b, loc, distance, scalars[2]));
    Value limit = makeScalar(b, loc, number.getType(), 0x1p44);
    Value fits = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLE, number, limit);
    buildAssert(node, fits, WEFT_INVALID_ARGUMENT, "counts without end");
    Value integer = castScalar(b, loc, number, compute, ElementType::Int64);
    count = d.max(d.fromInteger(integer), d.constant(0));
  }
  FailureOr<TensorValue> result =
      elementwiseTo(node, {}, type, {count}, [&](OpBuilder &b, Location loc, ValueRange) {
        KernelIndex k{b, loc};
        Value i = arith::SIToFPOp::create(b, loc, scalars[0].getType(),
                                          k.toInteger(k.loop(0), b.getI64Type()));
        Value sum =
            arith::AddFOp::create(b, loc, scalars[0], arith::MulFOp::create(b, loc, i, scalars[2]));
        return castScalar(b, loc, sum, compute, type);
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

//===----------------------------------------------------------------------===//
// OneHot
//===----------------------------------------------------------------------===//

static LogicalResult buildOneHot(NodeContext &node) {
  const TensorValue indices = node.input(0), values = node.input(2);
  DimBuilder &d = node.dims;
  TensorValue depthInput = node.input(1);
  if (isFloat(depthInput.elementType))
    depthInput = cast(node, depthInput, ElementType::Int64);
  FailureOr<OpFoldResult> depth = shapeScalar(node, depthInput, "a depth");
  if (failed(depth))
    return failure();
  if (values.rank() != 1)
    return node.error("expects two values, got " + describe(values));
  OpFoldResult two = d.constant(2);
  if (failed(require(node, d.equal(values.dims[0], two), WEFT_INVALID_ARGUMENT,
                     "expects two values, got {0}", {values.dims[0]})))
    return failure();
  FailureOr<int64_t> axis = normalizeAxis(node, node.getInt("axis", -1), indices.rank() + 1);
  if (failed(axis))
    return failure();
  Dims dims = indices.dims;
  dims.insert(dims.begin() + *axis, *depth);
  if (dependsOnData(*depth) && failed(requireExtents(node, dims)))
    return failure();
  Value off, on;
  for (int64_t i : {0, 1}) {
    Value at = d.value(d.constant(i));
    (i ? on : off) = tensor::ExtractOp::create(node.b, node.b.getLoc(), node.value(values), at);
  }
  // An extent of 1 along the axis, so that the indices are read along the others.
  Dims wide = indices.dims;
  wide.insert(wide.begin() + *axis, d.constant(1));
  TensorValue spread = reshape(node, indices, wide);
  ElementType type = indices.elementType;
  FailureOr<TensorValue> result = elementwiseTo(
      node, spread, values.elementType, dims, [&](OpBuilder &b, Location loc, ValueRange args) {
        KernelIndex k{b, loc};
        Value extent = k.of(*depth), hot;
        Value place = k.loop(*axis);
        if (isFloat(type)) {
          mlir::Type wideType =
              type == ElementType::Double ? b.getF64Type() : mlir::Type(b.getF32Type());
          ElementType compute = type == ElementType::Double ? type : ElementType::Float;
          auto asFloat = [&](Value index) -> Value {
            return arith::SIToFPOp::create(b, loc, wideType, k.toInteger(index, b.getI64Type()));
          };
          Value index = castScalar(b, loc, args[0], type, compute);
          Value fromTop = arith::AddFOp::create(b, loc, index, asFloat(extent));
          Value isHot =
              arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, index, asFloat(place));
          Value isTop =
              arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, fromTop, asFloat(place));
          hot = arith::OrIOp::create(b, loc, isHot, isTop);
        } else {
          Value index = k.fromElement(args[0], type);
          Value isNegative = k.less(index, k.constant(0));
          index = k.select(isNegative, k.add(index, extent), index);
          hot = k.cmp(arith::CmpIPredicate::eq, index, place);
        }
        return k.select(hot, on, off);
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

void weft::onnx::registerConstantOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"Constant", 1, 0, 0, buildConstant},
             {"ConstantOfShape", 9, 1, 1, buildConstantOfShape},
             {"EyeLike", 9, 1, 1, buildEyeLike},
             {"Range", 11, 3, 3, buildRange},
             {"OneHot", 9, 3, 3, buildOneHot},
         });
}
