//===- QuantizedMath.cpp - Arithmetic on quantized elements ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/QuantizedMath.h"

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/PackedOps.h"
#include "dialects/LowP/IR/LowP.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

Value weft::onnx::quantizeScalar(OpBuilder &b, Location loc, Value scaled, Value zeroPoint,
                                 ElementType type) {
  auto target = mlir::cast<IntegerType>(storageType(b.getContext(), type));
  Type computed = scaled.getType();
  bool wide = target.getWidth() > 16;
  // Sums of a rounded value and a zero point are exact where they are in range.
  if (wide && computed.isF32()) {
    computed = b.getF64Type();
    scaled = arith::ExtFOp::create(b, loc, computed, scaled);
  }
  Value x = math::RoundEvenOp::create(b, loc, scaled);
  if (zeroPoint) {
    Value zero = isUnsigned(type) ? Value(arith::UIToFPOp::create(b, loc, computed, zeroPoint))
                                  : Value(arith::SIToFPOp::create(b, loc, computed, zeroPoint));
    x = arith::AddFOp::create(b, loc, x, zero);
  }
  if (isPackedInteger(type)) {
    // Casts of these wrap around.
    double range = std::ldexp(1.0, static_cast<int>(bitWidth(type)));
    double least = isUnsigned(type) ? 0 : -range / 2;
    x = arith::MaximumFOp::create(b, loc, x, makeScalar(b, loc, computed, least));
    x = arith::MinimumFOp::create(b, loc, x, makeScalar(b, loc, computed, least + range - 1));
  }
  return castScalar(b, loc, x, wide || computed.isF64() ? ElementType::Double : ElementType::Float,
                    type);
}

Value weft::onnx::centerScalar(OpBuilder &b, Location loc, Value code, Value zeroPoint,
                               ElementType type, mlir::Type result) {
  auto convert = [&](Value x) -> Value {
    if (isUnsigned(type))
      return arith::UIToFPOp::create(b, loc, result, x);
    return arith::SIToFPOp::create(b, loc, result, x);
  };
  if (!zeroPoint)
    return convert(code);
  if (code.getType().getIntOrFloatBitWidth() > 16)
    return arith::SubFOp::create(b, loc, convert(code), convert(zeroPoint));
  Value x = castScalar(b, loc, code, type, ElementType::Int32);
  Value zero = castScalar(b, loc, zeroPoint, type, ElementType::Int32);
  return arith::SIToFPOp::create(b, loc, result, arith::SubIOp::create(b, loc, x, zero));
}

/// An error (or a failing call) unless the extents agree.
static LogicalResult requireExtent(NodeContext &node, OpFoldResult have, OpFoldResult want,
                                   StringRef what) {
  if (DimBuilder::same(have, want))
    return success();
  auto x = DimBuilder::constantOf(have), y = DimBuilder::constantOf(want);
  if (x && y)
    return node.error("has " + Twine(*x) + " " + what + ", expected " + Twine(*y));
  Value same = node.b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, node.dims.value(have),
                                                  node.dims.value(want));
  buildAssert(node, same, 3, ("has {0} " + what + ", expected {1}").str(), {have, want});
  return success();
}

/// Whether a parameter is one for the whole tensor.
static bool isSingle(const TensorValue &x) {
  for (int64_t i = 0; i < x.rank(); ++i)
    if (x.staticDim(i) != 1)
      return false;
  return true;
}

FailureOr<TensorValue> weft::onnx::elementwiseQuantized(
    NodeContext &node, const TensorValue &x, const QuantParameters &parameters,
    ElementType resultType,
    llvm::function_ref<Value(OpBuilder &, Location, Value, Value, Value)> body) {
  SmallVector<TensorValue> tensors{parameters.scale};
  if (parameters.zeroPoint)
    tensors.push_back(*parameters.zeroPoint);
  for (size_t i = 1; i < tensors.size(); ++i)
    if (tensors[i].rank() != tensors[0].rank() && !(isSingle(tensors[0]) && isSingle(tensors[i])))
      return node.error("has a scale " + describe(tensors[0]) + " and a zero point " +
                        describe(tensors[i]) + ", expected equal shapes");

  const TensorValue &scale = parameters.scale;
  bool blocked =
      parameters.blockSize > 0 && scale.rank() > 0 && scale.rank() == x.rank() && !isSingle(scale);
  if (blocked) {
    FailureOr<int64_t> axis = normalizeAxis(node, parameters.axis, x.rank());
    if (failed(axis))
      return failure();
    OpFoldResult block = node.dims.constant(parameters.blockSize);
    for (TensorValue &tensor : tensors) {
      for (int64_t i = 0; i < x.rank(); ++i) {
        OpFoldResult want = i == *axis ? node.dims.ceilDiv(x.dims[i], block) : x.dims[i];
        if (failed(requireExtent(node, tensor.dims[i], want, "scales in a dimension")))
          return failure();
      }
      tensor.value = node.value(tensor);
    }
    return elementwiseTo(
        node, {x}, resultType, x.dims, [&](OpBuilder &b, Location loc, ValueRange args) {
          SmallVector<Value> position;
          for (int64_t i = 0; i < x.rank(); ++i)
            position.push_back(linalg::IndexOp::create(b, loc, i));
          Value size = arith::ConstantIndexOp::create(b, loc, parameters.blockSize);
          position[*axis] = arith::DivUIOp::create(b, loc, position[*axis], size);
          SmallVector<Value> read;
          for (const TensorValue &tensor : tensors)
            read.push_back(tensor::ExtractOp::create(b, loc, tensor.value, position));
          return body(b, loc, args[0], read[0], read.size() > 1 ? read[1] : Value());
        });
  }

  SmallVector<TensorValue> inputs{x};
  for (TensorValue &tensor : tensors) {
    if (isSingle(tensor)) {
      tensor = reshape(node, tensor, {});
    } else if (tensor.rank() == 1) {
      FailureOr<int64_t> axis = normalizeAxis(node, parameters.axis, x.rank());
      if (failed(axis) ||
          failed(requireExtent(node, tensor.dims[0], x.dims[*axis], "scales along the axis")))
        return failure();
      Dims dims(x.rank(), node.dims.constant(1));
      dims[*axis] = tensor.dims[0];
      tensor = reshape(node, tensor, dims);
    } else {
      return node.error("has a scale or zero point " + describe(tensor) + " for " + describe(x) +
                        ", expected one number, one for each position along an axis, or blocks");
    }
    inputs.push_back(tensor);
  }
  return elementwiseTo(node, inputs, resultType, x.dims,
                       [&](OpBuilder &b, Location loc, ValueRange args) {
                         return body(b, loc, args[0], args[1], args.size() > 2 ? args[2] : Value());
                       });
}

//===----------------------------------------------------------------------===//
// Packed tensors
//===----------------------------------------------------------------------===//

bool weft::onnx::hasPackedCodes(ElementType type) {
  return isPacked(type) || type == ElementType::Int8 || type == ElementType::UInt8;
}

namespace {
/// Puts the format of a quantized tensor together, and its components.
class QuantizedFormat {
public:
  QuantizedFormat(NodeContext &node, const TensorValue &x, const QuantParameters &parameters)
      : node(node), x(x), parameters(parameters) {}
  LogicalResult addLevel(lowp::Role role, const TensorValue &parameter);
  TensorValue unpack(ElementType type);

private:
  /// What the codes of `type` mean.
  ElementInterface elementOf(ElementType type);
  /// The extents of the blocks that share an element of `parameter`.
  FailureOr<SmallVector<int64_t>> blockOf(const TensorValue &parameter, Dims &dims);
  /// The tensor of codes as a component of extents `dims`.
  Value codesOf(const TensorValue &codes, const Dims &dims);

  NodeContext &node;
  const TensorValue &x;
  const QuantParameters &parameters;
  SmallVector<ScaleInterface> scales;
  SmallVector<Value> components;
};
} // namespace

ElementInterface QuantizedFormat::elementOf(ElementType type) {
  if (isPacked(type))
    return cast<LeafFormatAttr>(packedType(node.context(), type, ArrayRef<int64_t>()).getFormat())
        .getElem();
  return lowp::IntElementAttr::get(node.context(), 8, !isUnsigned(type));
}

Value QuantizedFormat::codesOf(const TensorValue &codes, const Dims &dims) {
  if (isPacked(codes.elementType) && sharesBytes(codes.elementType))
    return componentOf(node, packValue(node, codes)); // a stream, whatever the extents
  TensorValue shaped = codes;
  if (!llvm::equal(codes.dims, dims))
    shaped = reshape(node, codes, dims);
  return isPacked(codes.elementType) ? componentOf(node, packValue(node, shaped))
                                     : node.value(shaped);
}

FailureOr<SmallVector<int64_t>> QuantizedFormat::blockOf(const TensorValue &parameter, Dims &dims) {
  dims.clear();
  if (isSingle(parameter))
    return SmallVector<int64_t>();
  FailureOr<int64_t> axis = normalizeAxis(node, parameters.axis, x.rank());
  if (failed(axis))
    return failure();
  bool blocked = parameters.blockSize > 0 && parameter.rank() == x.rank();
  if (!blocked && parameter.rank() != 1)
    return node.error("has a scale or zero point " + describe(parameter) + " for " + describe(x) +
                      ", expected one number, one for each position along an axis, or blocks");
  SmallVector<int64_t> block(x.rank(), blocked ? 1 : 0);
  block[*axis] = blocked ? parameters.blockSize : 1;
  dims.assign(x.rank(), node.dims.constant(1));
  if (!blocked) {
    if (failed(requireExtent(node, parameter.dims[0], x.dims[*axis], "scales along the axis")))
      return failure();
    dims[*axis] = x.dims[*axis];
    return block;
  }
  for (int64_t i = 0; i < x.rank(); ++i) {
    dims[i] = i == *axis ? node.dims.ceilDiv(x.dims[i], node.dims.constant(parameters.blockSize))
                         : x.dims[i];
    if (failed(requireExtent(node, parameter.dims[i], dims[i], "scales in a dimension")))
      return failure();
  }
  return block;
}

LogicalResult QuantizedFormat::addLevel(lowp::Role role, const TensorValue &parameter) {
  Dims dims;
  FailureOr<SmallVector<int64_t>> block = blockOf(parameter, dims);
  if (failed(block))
    return failure();
  mlir::Attribute storage;
  if (hasPackedCodes(parameter.elementType)) {
    storage = LeafFormatAttr::get(node.context(), elementOf(parameter.elementType));
    components.push_back(codesOf(parameter, dims));
  } else {
    storage = TypeAttr::get(storageType(node.context(), parameter.elementType));
    components.push_back(node.value(reshape(node, parameter, dims)));
  }
  auto scale = lowp::ScaleAttr::get(node.context(), role, *block, storage);
  scales.push_back(cast<ScaleInterface>(mlir::Attribute(scale)));
  return success();
}

TensorValue QuantizedFormat::unpack(ElementType type) {
  auto format = LeafFormatAttr::get(node.context(), elementOf(x.elementType), scales,
                                    StructureInterface(), PackInterface());
  TensorValue result = makeValue(makeEmpty(node, type, x.dims), type, x.dims);
  auto numbers = cast<RankedTensorType>(result.value.getType());
  auto packed = PackedType::get(numbers.getShape(), numbers.getElementType(), format);
  components.insert(components.begin(), codesOf(x, x.dims));
  Value assembled = AssembleOp::create(node.b, node.b.getLoc(), packed, components);
  result.value = UnpackOp::create(node.b, node.b.getLoc(), numbers, assembled, result.value);
  return result;
}

FailureOr<TensorValue> weft::onnx::unpackQuantized(NodeContext &node, const TensorValue &x,
                                                   const QuantParameters &parameters,
                                                   ElementType type) {
  QuantizedFormat format(node, x, parameters);
  if (parameters.zeroPoint) {
    const TensorValue &zero = *parameters.zeroPoint;
    if (zero.rank() != parameters.scale.rank() && !(isSingle(zero) && isSingle(parameters.scale)))
      return node.error("has a scale " + describe(parameters.scale) + " and a zero point " +
                        describe(zero) + ", expected equal shapes");
    if (failed(format.addLevel(lowp::Role::ZeroPoint, zero)))
      return failure();
  }
  if (failed(format.addLevel(lowp::Role::Multiply, parameters.scale)))
    return failure();
  return format.unpack(type);
}

//===----------------------------------------------------------------------===//
// Reference bodies
//===----------------------------------------------------------------------===//

FailureOr<TensorValue> weft::onnx::dequantize(NodeContext &node, const TensorValue &x,
                                              const TensorValue &scale,
                                              const TensorValue *zeroPoint) {
  QuantParameters parameters{scale, std::nullopt};
  if (zeroPoint)
    parameters.zeroPoint = *zeroPoint;
  return elementwiseQuantized(
      node, x, parameters, ElementType::Float,
      [&](OpBuilder &b, Location loc, Value code, Value factor, Value zero) {
        Value number = centerScalar(b, loc, code, zero, x.elementType, b.getF32Type());
        factor = castScalar(b, loc, factor, scale.elementType, ElementType::Float);
        return arith::MulFOp::create(b, loc, number, factor).getResult();
      });
}

FailureOr<TensorValue> weft::onnx::quantize(NodeContext &node, const TensorValue &x,
                                            const TensorValue &scale, const TensorValue *zeroPoint,
                                            ElementType type) {
  QuantParameters parameters{scale, std::nullopt};
  if (zeroPoint)
    parameters.zeroPoint = *zeroPoint;
  return elementwiseQuantized(
      node, x, parameters, type,
      [&](OpBuilder &b, Location loc, Value value, Value factor, Value zero) {
        value = castScalar(b, loc, value, x.elementType, ElementType::Float);
        factor = castScalar(b, loc, factor, scale.elementType, ElementType::Float);
        return quantizeScalar(b, loc, arith::DivFOp::create(b, loc, value, factor), zero, type);
      });
}

FailureOr<DynamicCodes> weft::onnx::quantizeDynamically(NodeContext &node, const TensorValue &x) {
  // The range contains 0, so that 0 starts both.
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, x.rank()));
  Value zero = makeScalar(node.b, node.b.getLoc(), node.b.getF32Type(), 0);
  TensorValue low = reduce(node, x, axes, false, ElementType::Float, zero,
                           [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                             return arith::MinimumFOp::create(b, loc, args[0], args[1]);
                           });
  TensorValue high = reduce(node, x, axes, false, ElementType::Float, zero,
                            [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                              return arith::MaximumFOp::create(b, loc, args[0], args[1]);
                            });
  DynamicCodes result;
  FailureOr<TensorValue> scale = elementwiseTo(
      node, {low, high}, ElementType::Float, {},
      [](OpBuilder &b, Location loc, ValueRange args) -> Value {
        Value range = arith::SubFOp::create(b, loc, args[1], args[0]);
        Value step = arith::DivFOp::create(b, loc, range, makeScalar(b, loc, range.getType(), 255));
        // All elements are 0: any scale does.
        Value empty = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, range,
                                            makeScalar(b, loc, range.getType(), 0));
        return arith::SelectOp::create(b, loc, empty, makeScalar(b, loc, range.getType(), 1), step);
      });
  if (failed(scale))
    return failure();
  FailureOr<TensorValue> zeroPoint = elementwiseTo(
      node, {low, *scale}, ElementType::UInt8, {}, [](OpBuilder &b, Location loc, ValueRange args) {
        Value shift = arith::DivFOp::create(b, loc, args[0], args[1]);
        return quantizeScalar(b, loc, arith::NegFOp::create(b, loc, shift), {}, ElementType::UInt8);
      });
  if (failed(zeroPoint))
    return failure();
  FailureOr<TensorValue> codes = quantize(node, x, *scale, &*zeroPoint, ElementType::UInt8);
  if (failed(codes))
    return failure();
  return DynamicCodes{*codes, *scale, *zeroPoint};
}

TensorValue weft::onnx::alignToRows(NodeContext &node, const TensorValue &parameter) {
  if (parameter.rank() != 1 || parameter.staticDim(0) == 1)
    return parameter;
  return reshape(node, parameter, {parameter.dims[0], node.dims.constant(1)});
}

LogicalResult weft::onnx::require8Bit(NodeContext &node, ArrayRef<TensorValue> inputs) {
  for (const TensorValue &input : inputs)
    if (input.elementType != ElementType::Int8 && input.elementType != ElementType::UInt8)
      return node.unsupported("has an input " + describe(input) + ", expected int8 or uint8");
  return success();
}

/// `x` less its zero point, which is one for all elements or for each position of the last
/// dimension, or broadcasts against `x`: 9 bits, as int16.
static FailureOr<TensorValue> centered(NodeContext &node, const TensorValue &x,
                                       const TensorValue *zeroPoint) {
  if (!zeroPoint)
    return x;
  if (zeroPoint->elementType != x.elementType)
    return node.error("has a zero point of type " + name(zeroPoint->elementType) + " for " +
                      describe(x));
  if (auto numbers = constantNumbers(*zeroPoint))
    if (llvm::all_of(*numbers, [](double number) { return number == 0; }))
      return x;
  if (isSingle(*zeroPoint) || zeroPoint->rank() == 1) {
    QuantParameters parameters{*zeroPoint, std::nullopt};
    parameters.axis = -1;
    QuantizedFormat format(node, x, parameters);
    if (failed(format.addLevel(lowp::Role::ZeroPoint, *zeroPoint)))
      return failure();
    return format.unpack(ElementType::Int16);
  }
  const TensorValue &zero = *zeroPoint;
  return elementwiseTo(node, {x, zero}, ElementType::Int16, x.dims,
                       [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                         Value code =
                             castScalar(b, loc, args[0], x.elementType, ElementType::Int16);
                         Value less =
                             castScalar(b, loc, args[1], x.elementType, ElementType::Int16);
                         return arith::SubIOp::create(b, loc, code, less);
                       });
}

FailureOr<TensorValue> weft::onnx::matmulIntegers(NodeContext &node, const TensorValue &a,
                                                  const TensorValue &b,
                                                  const TensorValue *aZeroPoint,
                                                  const TensorValue *bZeroPoint) {
  std::optional<TensorValue> rows;
  if (aZeroPoint)
    rows = alignToRows(node, *aZeroPoint);
  FailureOr<TensorValue> left = centered(node, a, rows ? &*rows : nullptr);
  FailureOr<TensorValue> right = centered(node, b, bZeroPoint);
  if (failed(left) || failed(right))
    return failure();
  return matmul(node, *left, *right, ElementType::Int32);
}
