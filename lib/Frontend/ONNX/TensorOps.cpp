//===- TensorOps.cpp - Values, constants and elementwise operations -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/TensorOps.h"

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/IndexOps.h"
#include "Frontend/ONNX/PackedOps.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

TensorValue weft::onnx::makeValue(Value value, ElementType type, ArrayRef<OpFoldResult> dims) {
  TensorValue result;
  result.value = value;
  result.elementType = type;
  result.dims.assign(dims.begin(), dims.end());
  return result;
}

TensorValue weft::onnx::makeTracked(NodeContext &node, ElementType type,
                                    ArrayRef<OpFoldResult> elements, bool scalar) {
  TensorValue result;
  result.elementType = type;
  if (!scalar)
    result.dims.push_back(node.b.getIndexAttr(static_cast<int64_t>(elements.size())));
  result.elements.emplace(elements.begin(), elements.end());
  return result;
}

Value weft::onnx::makeEmpty(NodeContext &node, ElementType type, ArrayRef<OpFoldResult> dims) {
  return tensor::EmptyOp::create(node.b, node.b.getLoc(), dims, storageType(node.context(), type));
}

Value weft::onnx::makeScalar(OpBuilder &b, Location loc, mlir::Type type, double number) {
  if (auto floating = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(floating, number));
  return makeIntScalar(b, loc, type, static_cast<int64_t>(number));
}

Value weft::onnx::makeIntScalar(OpBuilder &b, Location loc, mlir::Type type, int64_t number) {
  if (isa<FloatType>(type))
    return makeScalar(b, loc, type, static_cast<double>(number));
  unsigned width = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  return arith::ConstantOp::create(
      b, loc, b.getIntegerAttr(type, APInt(width, static_cast<uint64_t>(number), true, true)));
}

TensorValue weft::onnx::makeFilled(NodeContext &node, ElementType type, ArrayRef<OpFoldResult> dims,
                                   Value scalar) {
  Value empty = makeEmpty(node, type, dims);
  Value filled = linalg::FillOp::create(node.b, node.b.getLoc(), scalar, empty).getResult(0);
  return makeValue(filled, type, dims);
}

TensorValue weft::onnx::makeSplat(NodeContext &node, ElementType type, ArrayRef<OpFoldResult> dims,
                                  double number) {
  return makeFilled(node, type, dims,
                    makeScalar(node.b, node.b.getLoc(), storageType(node.context(), type), number));
}

Value weft::onnx::extractScalar(NodeContext &node, const TensorValue &x) {
  Value tensor = node.value(x);
  SmallVector<Value> zeros(x.rank(), node.dims.value(node.dims.constant(0)));
  return node.b.createOrFold<tensor::ExtractOp>(tensor, zeros);
}

std::optional<SmallVector<double>> weft::onnx::constantNumbers(const TensorValue &x) {
  SmallVector<double> numbers;
  if (x.elements) {
    for (OpFoldResult element : *x.elements) {
      std::optional<int64_t> constant = DimBuilder::constantOf(element);
      if (!constant)
        return std::nullopt;
      numbers.push_back(static_cast<double>(*constant));
    }
    return numbers;
  }
  DenseElementsAttr attribute;
  if (!x.value || !matchPattern(x.value, m_Constant(&attribute)))
    return std::nullopt;
  if (isa<FloatType>(attribute.getElementType())) {
    for (APFloat value : attribute.getValues<APFloat>()) {
      bool lossy;
      value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
      numbers.push_back(value.convertToDouble());
    }
    return numbers;
  }
  for (const APInt &value : attribute.getValues<APInt>())
    numbers.push_back(isUnsigned(x.elementType) ? static_cast<double>(value.getZExtValue())
                                                : static_cast<double>(value.getSExtValue()));
  return numbers;
}

/// Each element becomes operations of its own.
static constexpr int64_t kMaxShapeElements = 4096;

FailureOr<Dims> weft::onnx::shapeElements(NodeContext &node, const TensorValue &x) {
  if (x.elements)
    return Dims(*x.elements);
  if (!isInteger(x.elementType))
    return node.error("expects an integer tensor, got " + describe(x));
  if (x.rank() > 1)
    return node.error("expects a tensor of rank 0 or 1, got " + describe(x));
  int64_t count = x.rank() == 0 ? 1 : x.staticDim(0);
  if (ShapedType::isDynamic(count))
    return node.unsupported("the number of elements of " + describe(x) +
                            " decides a rank and is known only at run time");
  if (count > kMaxShapeElements)
    return node.unsupported("each element of " + describe(x) + " is for a dimension, and at most " +
                            Twine(kMaxShapeElements) + " are taken");
  Value tensor = node.value(x);
  Dims elements;
  for (int64_t i = 0; i < count; ++i) {
    SmallVector<Value> position;
    if (x.rank() == 1)
      position.push_back(node.dims.value(node.dims.constant(i)));
    Value element = node.b.createOrFold<tensor::ExtractOp>(tensor, position);
    elements.push_back(node.dims.fromInteger(element));
  }
  return elements;
}

FailureOr<SmallVector<int64_t>> weft::onnx::constantElements(NodeContext &node,
                                                             const TensorValue &x, StringRef what) {
  SmallVector<int64_t> values;
  if (x.elements) {
    for (OpFoldResult element : *x.elements) {
      std::optional<int64_t> constant = DimBuilder::constantOf(element);
      if (!constant)
        return node.unsupported(what + " must be known at compile time");
      values.push_back(*constant);
    }
    return values;
  }
  std::optional<SmallVector<double>> numbers = constantNumbers(x);
  if (!numbers)
    return node.unsupported(what + " must be known at compile time");
  for (double number : *numbers)
    values.push_back(static_cast<int64_t>(number));
  return values;
}

FailureOr<int64_t> weft::onnx::normalizeAxis(NodeContext &node, int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    return node.error("has axis " + Twine(axis) + ", expected one in [" + Twine(-rank) + ", " +
                      Twine(rank - 1) + "]");
  return axis < 0 ? axis + rank : axis;
}

FailureOr<SmallVector<int64_t>> weft::onnx::normalizeAxes(NodeContext &node, ArrayRef<int64_t> axes,
                                                          int64_t rank) {
  SmallVector<int64_t> result;
  for (int64_t axis : axes) {
    FailureOr<int64_t> normal = normalizeAxis(node, axis, rank);
    if (failed(normal))
      return failure();
    if (llvm::is_contained(result, *normal))
      return node.error("has axis " + Twine(axis) + " twice");
    result.push_back(*normal);
  }
  llvm::sort(result);
  return result;
}

void weft::onnx::buildAssert(NodeContext &node, Value condition, int32_t code, StringRef message,
                             ArrayRef<OpFoldResult> values) {
  SmallVector<Value> operands;
  for (OpFoldResult value : values)
    operands.push_back(node.dims.value(value));
  AssertOp::create(node.b, node.b.getLoc(), condition, static_cast<uint32_t>(code),
                   node.b.getStringAttr(message), operands);
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

FailureOr<Dims> weft::onnx::broadcastDims(NodeContext &node, ArrayRef<TensorValue> inputs) {
  int64_t rank = 0;
  for (const TensorValue &input : inputs)
    rank = std::max(rank, input.rank());
  Dims dims(rank, node.dims.constant(1));
  for (const TensorValue &input : inputs) {
    int64_t offset = rank - input.rank();
    for (int64_t i = 0; i < input.rank(); ++i) {
      OpFoldResult &known = dims[offset + i];
      OpFoldResult extent = input.dims[i];
      if (DimBuilder::same(known, extent) || DimBuilder::constantOf(extent) == 1)
        continue;
      std::optional<int64_t> a = DimBuilder::constantOf(known), c = DimBuilder::constantOf(extent);
      if (a == 1) {
        known = extent;
        continue;
      }
      if (a && c)
        return node.error("cannot broadcast extents " + Twine(*a) + " and " + Twine(*c) +
                          " of dimension " + Twine(offset + i));
      // At least one is known only at run time: equal, or one of them is 1.
      OpFoldResult one = node.dims.constant(1);
      OpFoldResult knownIsOne = node.dims.equal(known, one);
      OpFoldResult extentIsOne = node.dims.equal(extent, one);
      OpFoldResult agree =
          node.dims.max(node.dims.equal(known, extent), node.dims.max(knownIsOne, extentIsOne));
      Value condition = node.b.createOrFold<arith::CmpIOp>(
          arith::CmpIPredicate::ne, node.dims.value(agree), node.dims.value(node.dims.constant(0)));
      buildAssert(node, condition, /*INVALID_ARGUMENT*/ 3, "cannot broadcast extents {0} and {1}",
                  {known, extent});
      // A static extent above 1 wins; the other must then be it, or 1.
      if (a)
        continue;
      known = c ? extent : node.dims.select(knownIsOne, extent, known);
    }
  }
  return dims;
}

/// How an input of the loop nest is indexed: by the loops, by 0 where it is
/// broadcast, or by position where that is known only at run time.
static bool affineMapFor(NodeContext &node, const TensorValue &input, ArrayRef<OpFoldResult> dims,
                         AffineMap &map) {
  int64_t rank = static_cast<int64_t>(dims.size()), offset = rank - input.rank();
  SmallVector<AffineExpr> exprs;
  for (int64_t i = 0; i < input.rank(); ++i) {
    if (DimBuilder::same(input.dims[i], dims[offset + i]))
      exprs.push_back(node.b.getAffineDimExpr(offset + i));
    else if (DimBuilder::constantOf(input.dims[i]) == 1)
      exprs.push_back(node.b.getAffineConstantExpr(0));
    else
      return false;
  }
  map = AffineMap::get(rank, 0, exprs, node.context());
  return true;
}

/// Requires that an input can be broadcast to `dims`.
static LogicalResult requireBroadcast(NodeContext &node, const TensorValue &input,
                                      ArrayRef<OpFoldResult> dims) {
  int64_t rank = static_cast<int64_t>(dims.size()), offset = rank - input.rank();
  if (offset < 0)
    return node.error("cannot broadcast " + describe(input) + " to rank " + Twine(rank));
  OpFoldResult one = node.dims.constant(1);
  for (int64_t i = 0; i < input.rank(); ++i) {
    OpFoldResult extent = input.dims[i], wanted = dims[offset + i];
    if (DimBuilder::same(extent, wanted) || DimBuilder::constantOf(extent) == 1)
      continue;
    OpFoldResult fits = either(node, node.dims.equal(extent, wanted), node.dims.equal(extent, one));
    if (failed(require(node, fits, WEFT_INVALID_ARGUMENT, "cannot broadcast extent {0} to {1}",
                       {extent, wanted})))
      return failure();
  }
  return success();
}

/// The loop nest over `dims`, to which the inputs can be broadcast.
static TensorValue buildElementwise(NodeContext &node, ArrayRef<TensorValue> inputs,
                                    ElementType resultType, ArrayRef<OpFoldResult> dims,
                                    ElementBuilder body) {
  int64_t rank = static_cast<int64_t>(dims.size());
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;
  // Which argument of the body, or which tensor read by position, an input is.
  SmallVector<std::pair<bool, Value>> sources;
  for (const TensorValue &input : inputs) {
    AffineMap map;
    Value tensor = node.value(input);
    if (affineMapFor(node, input, dims, map)) {
      sources.push_back({true, {}});
      operands.push_back(tensor);
      maps.push_back(map);
    } else {
      sources.push_back({false, tensor});
    }
  }
  maps.push_back(node.b.getMultiDimIdentityMap(rank));
  Value empty = makeEmpty(node, resultType, dims);
  auto generic = linalg::GenericOp::create(
      node.b, node.b.getLoc(), empty.getType(), operands, empty, maps,
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
      [&](OpBuilder &b, Location loc, ValueRange arguments) {
        SmallVector<Value> elements;
        unsigned next = 0;
        for (auto [i, source] : llvm::enumerate(sources)) {
          if (source.first) {
            elements.push_back(arguments[next++]);
            continue;
          }
          // An extent that may turn out to be 1 is read at 0 then.
          int64_t offset = rank - inputs[i].rank();
          SmallVector<Value> position;
          for (int64_t d = 0; d < inputs[i].rank(); ++d) {
            Value index = linalg::IndexOp::create(b, loc, offset + d);
            if (!DimBuilder::same(inputs[i].dims[d], dims[offset + d])) {
              Value extent = getValueOrCreateConstantIndexOp(b, loc, inputs[i].dims[d]);
              Value one = arith::ConstantIndexOp::create(b, loc, 1);
              Value last = arith::SubIOp::create(b, loc, extent, one);
              index = arith::MinSIOp::create(b, loc, index, last);
            }
            position.push_back(index);
          }
          elements.push_back(tensor::ExtractOp::create(b, loc, source.second, position));
        }
        linalg::YieldOp::create(b, loc, body(b, loc, elements));
      });
  return makeValue(generic.getResult(0), resultType, dims);
}

FailureOr<TensorValue> weft::onnx::elementwiseTo(NodeContext &node, ArrayRef<TensorValue> inputs,
                                                 ElementType resultType,
                                                 ArrayRef<OpFoldResult> dims, ElementBuilder body) {
  for (const TensorValue &input : inputs)
    if (failed(requireBroadcast(node, input, dims)))
      return failure();
  return buildElementwise(node, inputs, resultType, dims, body);
}

FailureOr<TensorValue> weft::onnx::elementwise(NodeContext &node, ArrayRef<TensorValue> inputs,
                                               ElementType resultType, ElementBuilder body) {
  FailureOr<Dims> dims = broadcastDims(node, inputs);
  if (failed(dims))
    return failure();
  return buildElementwise(node, inputs, resultType, *dims, body);
}

Value weft::onnx::toBool(OpBuilder &b, Location loc, Value bit) {
  return arith::ExtUIOp::create(b, loc, b.getI8Type(), bit);
}

Value weft::onnx::fromBool(OpBuilder &b, Location loc, Value value) {
  Value zero = arith::ConstantIntOp::create(b, loc, 0, 8);
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, value, zero);
}

/// A float as an integer of `width` bits: truncated, out of range saturated,
/// NaN as 0.
static Value floatToInteger(OpBuilder &b, Location loc, Value value, IntegerType type,
                            bool isUnsigned) {
  auto source = mlir::cast<FloatType>(value.getType());
  if (source.getWidth() < 32) {
    source = Float32Type::get(b.getContext());
    value = arith::ExtFOp::create(b, loc, source, value);
  }
  unsigned width = type.getWidth();
  APInt least = isUnsigned ? APInt::getZero(width) : APInt::getSignedMinValue(width);
  APInt most = isUnsigned ? APInt::getMaxValue(width) : APInt::getSignedMaxValue(width);
  APFloat low(source.getFloatSemantics()), high(source.getFloatSemantics());
  low.convertFromAPInt(least, !isUnsigned, APFloat::rmTowardZero);
  // The largest float that still fits.
  bool isExact = high.convertFromAPInt(most, !isUnsigned, APFloat::rmTowardZero) == APFloat::opOK;
  Value lowValue = arith::ConstantOp::create(b, loc, b.getFloatAttr(source, low));
  Value highValue = arith::ConstantOp::create(b, loc, b.getFloatAttr(source, high));
  Value safe = value;
  if (!isUnsigned) {
    Value nan = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, value, value);
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(source));
    safe = arith::SelectOp::create(b, loc, nan, zero, value);
  }
  // Comparisons in this order are one instruction each, and make NaN the least value.
  Value isMore = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, safe, lowValue);
  safe = arith::SelectOp::create(b, loc, isMore, safe, lowValue);
  Value isLess = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, safe, highValue);
  safe = arith::SelectOp::create(b, loc, isLess, safe, highValue);
  Value converted = isUnsigned ? Value(arith::FPToUIOp::create(b, loc, type, safe))
                               : Value(arith::FPToSIOp::create(b, loc, type, safe));
  if (isExact)
    return converted;
  Value above = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, value, highValue);
  Value mostValue = arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, most));
  return arith::SelectOp::create(b, loc, above, mostValue, converted);
}

Value weft::onnx::castScalar(OpBuilder &b, Location loc, Value value, ElementType from,
                             ElementType to) {
  if (from == to)
    return value;
  mlir::Type source = value.getType(), target = storageType(b.getContext(), to);
  if (isBool(to)) {
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(source));
    Value bit = isa<FloatType>(source)
                    ? Value(arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNE, value, zero))
                    : Value(arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, value, zero));
    return toBool(b, loc, bit);
  }
  if (isa<FloatType>(source) && isa<FloatType>(target)) {
    unsigned have = source.getIntOrFloatBitWidth(), want = target.getIntOrFloatBitWidth();
    if (source == target)
      return value;
    if (have == want) { // f16 and bf16
      value = arith::ExtFOp::create(b, loc, b.getF32Type(), value);
      return arith::TruncFOp::create(b, loc, target, value);
    }
    if (have < want)
      return arith::ExtFOp::create(b, loc, target, value);
    return arith::TruncFOp::create(b, loc, target, value);
  }
  if (isa<FloatType>(source) && isPackedInteger(to)) {
    // Below 8 bits, ONNX's own cases keep the low bits of what is out of range.
    value = floatToInteger(b, loc, value, b.getI32Type(), /*isUnsigned=*/false);
    source = value.getType();
  }
  if (isa<FloatType>(source))
    return floatToInteger(b, loc, value, mlir::cast<IntegerType>(target), isUnsigned(to));
  if (isa<FloatType>(target)) {
    // Through f32 for 16-bit floats would round twice for large integers; f64
    // holds all 32-bit integers and rounds 64-bit ones once.
    if (isUnsigned(from))
      return arith::UIToFPOp::create(b, loc, target, value);
    return arith::SIToFPOp::create(b, loc, target, value);
  }
  unsigned have = source.getIntOrFloatBitWidth(), want = target.getIntOrFloatBitWidth();
  if (isPackedInteger(to)) {
    // The low bits, extended in their byte.
    if (have > want)
      value = arith::TruncIOp::create(b, loc, target, value);
    Value shift = makeIntScalar(b, loc, target, 8 - bitWidth(to));
    value = arith::ShLIOp::create(b, loc, value, shift);
    if (isUnsigned(to))
      return arith::ShRUIOp::create(b, loc, value, shift);
    return arith::ShRSIOp::create(b, loc, value, shift);
  }
  if (have == want)
    return value;
  if (have > want)
    return arith::TruncIOp::create(b, loc, target, value);
  if (isUnsigned(from))
    return arith::ExtUIOp::create(b, loc, target, value);
  return arith::ExtSIOp::create(b, loc, target, value);
}

TensorValue weft::onnx::cast(NodeContext &node, const TensorValue &x, ElementType to) {
  if (x.elementType == to)
    return x;
  bool wide = to == ElementType::Int64 || to == ElementType::Int32;
  if (x.elements && wide && (isInteger(x.elementType) || isBool(x.elementType))) {
    TensorValue result = x;
    result.elementType = to;
    result.value = Value();
    return result;
  }
  if (isPackedFloat(x.elementType))
    return cast(node, toNumbers(node, x, to == ElementType::BFloat16 ? to : ElementType::Float),
                to);
  if (isPackedFloat(to))
    return encodeFloats(node, x, to, EncodeOptions());
  ElementType from = x.elementType;
  return buildElementwise(node, x, to, x.dims, [&](OpBuilder &b, Location loc, ValueRange args) {
    return castScalar(b, loc, args[0], from, to);
  });
}
