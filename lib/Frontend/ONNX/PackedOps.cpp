//===- PackedOps.cpp - Integers below 8 bits and small floats -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/PackedOps.h"

#include "Frontend/ONNX/Ops/Families.h"
#include "dialects/LowP/IR/LowP.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

bool weft::onnx::isPackedInteger(ElementType type) {
  switch (type) {
  case ElementType::Int4:
  case ElementType::UInt4:
  case ElementType::Int2:
  case ElementType::UInt2:
    return true;
  default:
    return false;
  }
}

using MakeFloat = FloatType (*)(MLIRContext *);

template <typename T> static FloatType make(MLIRContext *context) { return T::get(context); }

/// What makes MLIR's type for a small float; null for other types.
static MakeFloat smallFloat(ElementType type) {
  switch (type) {
  case ElementType::Float8E4M3FN:
    return make<Float8E4M3FNType>;
  case ElementType::Float8E4M3FNUZ:
    return make<Float8E4M3FNUZType>;
  case ElementType::Float8E5M2:
    return make<Float8E5M2Type>;
  case ElementType::Float8E5M2FNUZ:
    return make<Float8E5M2FNUZType>;
  case ElementType::Float8E8M0:
    return make<Float8E8M0FNUType>;
  case ElementType::Float6E2M3:
    return make<Float6E2M3FNType>;
  case ElementType::Float6E3M2:
    return make<Float6E3M2FNType>;
  case ElementType::Float4E2M1:
    return make<Float4E2M1FNType>;
  default:
    return nullptr;
  }
}

bool weft::onnx::isPackedFloat(ElementType type) { return smallFloat(type) != nullptr; }

bool weft::onnx::isPacked(ElementType type) { return isPackedInteger(type) || isPackedFloat(type); }

bool weft::onnx::sharesBytes(ElementType type) { return isPacked(type) && bitWidth(type) < 8; }

static SmallVector<int64_t> staticShape(ArrayRef<OpFoldResult> dims) {
  return llvm::map_to_vector(dims, [](OpFoldResult dim) {
    return isa<mlir::Attribute>(dim) ? *getConstantIntValue(dim) : ShapedType::kDynamic;
  });
}

PackedType weft::onnx::packedType(MLIRContext *context, ElementType type,
                                  ArrayRef<OpFoldResult> dims, mlir::Type expressed) {
  return packedType(context, type, staticShape(dims), expressed);
}

PackedType weft::onnx::packedType(MLIRContext *context, ElementType type, ArrayRef<int64_t> shape,
                                  mlir::Type expressed) {
  ElementInterface elem;
  if (MakeFloat makeFloat = smallFloat(type)) {
    elem = lowp::FloatElementAttr::get(context, makeFloat(context));
    if (!expressed)
      expressed = Float32Type::get(context);
  } else {
    elem = lowp::IntElementAttr::get(context, bitWidth(type), !isUnsigned(type));
    if (!expressed)
      expressed = IntegerType::get(context, 8);
  }
  return PackedType::get(shape, expressed, LeafFormatAttr::get(context, elem));
}

/// The packed type whose codes are plain unsigned integers as wide as `type`.
static PackedType codesType(MLIRContext *context, ElementType type, ArrayRef<OpFoldResult> dims) {
  auto elem = lowp::IntElementAttr::get(context, bitWidth(type), /*isSigned=*/false);
  return PackedType::get(staticShape(dims), IntegerType::get(context, 8),
                         LeafFormatAttr::get(context, elem));
}

Value weft::onnx::componentOf(NodeContext &node, Value packed) {
  mlir::Type type = mlir::cast<PackedType>(packed.getType()).getComponentTypes().front();
  if (auto assemble = packed.getDefiningOp<AssembleOp>())
    if (Value bytes = assemble.getComponents().front(); bytes.getType() == type)
      return bytes;
  return DisassembleOp::create(node.b, node.b.getLoc(), type, packed).getComponents().front();
}

/// The same bytes as another packed tensor of equally many bits.
static Value reinterpret(NodeContext &node, Value packed, PackedType type) {
  if (packed.getType() == type)
    return packed;
  Value bytes = componentOf(node, packed);
  mlir::Type wanted = type.getComponentTypes().front();
  if (bytes.getType() != wanted)
    bytes = tensor::CastOp::create(node.b, node.b.getLoc(), wanted, bytes);
  return AssembleOp::create(node.b, node.b.getLoc(), type, bytes);
}

static Value unpack(NodeContext &node, Value packed, ArrayRef<OpFoldResult> dims) {
  auto type = mlir::cast<PackedType>(packed.getType());
  Value init = tensor::EmptyOp::create(node.b, node.b.getLoc(), dims, type.getElementType());
  return UnpackOp::create(node.b, node.b.getLoc(), init.getType(), packed, init);
}

TensorValue weft::onnx::fromComponent(NodeContext &node, Value component, ElementType type,
                                      ArrayRef<OpFoldResult> dims) {
  if (!sharesBytes(type))
    return makeValue(component, type, dims);
  TensorValue result = makeValue(Value(), type, dims);
  result.packed = AssembleOp::create(node.b, node.b.getLoc(),
                                     packedType(node.context(), type, dims), component);
  return result;
}

Value weft::onnx::unpackCodes(NodeContext &node, const TensorValue &x) {
  if (isPackedInteger(x.elementType))
    return unpack(node, x.packed, x.dims);
  if (!sharesBytes(x.elementType))
    return componentOf(node, x.packed);
  PackedType type = codesType(node.context(), x.elementType, x.dims);
  return unpack(node, reinterpret(node, x.packed, type), x.dims);
}

Value weft::onnx::packValue(NodeContext &node, const TensorValue &x) {
  if (x.packed)
    return x.packed;
  PackedType type = packedType(node.context(), x.elementType, x.dims);
  Value codes = node.value(x);
  Location loc = node.b.getLoc();
  if (!sharesBytes(x.elementType))
    return AssembleOp::create(node.b, loc, type, codes);
  if (isPackedInteger(x.elementType))
    return PackOp::create(node.b, loc, type, codes);
  Value packed =
      PackOp::create(node.b, loc, codesType(node.context(), x.elementType, x.dims), codes);
  return reinterpret(node, packed, type);
}

TensorValue weft::onnx::reinterpretPacked(NodeContext &node, const TensorValue &x, ElementType type,
                                          ArrayRef<OpFoldResult> dims) {
  TensorValue result = makeValue(Value(), type, dims);
  result.packed = reinterpret(node, packValue(node, x), packedType(node.context(), type, dims));
  return result;
}

TensorValue weft::onnx::toNumbers(NodeContext &node, const TensorValue &x, ElementType type) {
  if (!isPackedFloat(x.elementType))
    return x;
  PackedType packed =
      packedType(node.context(), x.elementType, x.dims, storageType(node.context(), type));
  return makeValue(unpack(node, reinterpret(node, packValue(node, x), packed), x.dims), type,
                   x.dims);
}

TensorValue weft::onnx::encodeFloats(NodeContext &node, const TensorValue &x, ElementType type,
                                     const EncodeOptions &options) {
  // Doubles are rounded once; all other numbers go through f32 exactly or as
  // ONNX has it.
  bool isWide = x.elementType == ElementType::Double;
  TensorValue numbers = isWide ? x : cast(node, x, ElementType::Float);
  mlir::Type expressed = storageType(node.context(), numbers.elementType);
  PackedType encoded = packedType(node.context(), type, x.dims, expressed);
  Value packed = PackOp::create(node.b, node.b.getLoc(), encoded, node.value(numbers),
                                /*overflow=*/!options.saturate, options.rounding);
  TensorValue result = makeValue(Value(), type, x.dims);
  result.packed = reinterpret(node, packed, packedType(node.context(), type, x.dims));
  return result;
}

bool weft::onnx::takesPackedElements(StringRef domain, StringRef opType) {
  static const llvm::StringSet<> names{"BitCast",
                                       "Cast",
                                       "CastLike",
                                       "Compress",
                                       "Concat",
                                       "Constant",
                                       "ConstantOfShape",
                                       "DepthToSpace",
                                       "DequantizeLinear",
                                       "Expand",
                                       "Flatten",
                                       "Gather",
                                       "GatherBlockQuantized",
                                       "GatherElements",
                                       "GatherND",
                                       "Identity",
                                       "If",
                                       "Loop",
                                       "Pad",
                                       "QuantizeLinear",
                                       "Reshape",
                                       "ReverseSequence",
                                       "Scan",
                                       "Shape",
                                       "Size",
                                       "Slice",
                                       "SpaceToDepth",
                                       "Split",
                                       "Squeeze",
                                       "Tile",
                                       "Transpose",
                                       "Unsqueeze",
                                       "Where"};
  bool isBuiltIn = domain.empty() || domain == kMicrosoftDomain || domain == kMLDomain;
  return !isBuiltIn || names.contains(opType);
}
