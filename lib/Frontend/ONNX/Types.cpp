//===- Types.cpp - ONNX element types in IR -------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/ElementType.h"
#include "weft/Frontend/ONNX.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft::onnx;

Type weft::onnx::storageType(MLIRContext *context, ElementType type) {
  switch (type) {
  case ElementType::Float:
    return Float32Type::get(context);
  case ElementType::Double:
    return Float64Type::get(context);
  case ElementType::Float16:
    return Float16Type::get(context);
  case ElementType::BFloat16:
    return BFloat16Type::get(context);
  case ElementType::Bool:
  case ElementType::Int8:
  case ElementType::UInt8:
  case ElementType::Int4:
  case ElementType::UInt4:
  case ElementType::Int2:
  case ElementType::UInt2:
  case ElementType::Float8E4M3FN:
  case ElementType::Float8E4M3FNUZ:
  case ElementType::Float8E5M2:
  case ElementType::Float8E5M2FNUZ:
  case ElementType::Float8E8M0:
  case ElementType::Float6E2M3:
  case ElementType::Float6E3M2:
  case ElementType::Float4E2M1:
    return IntegerType::get(context, 8);
  case ElementType::Int16:
  case ElementType::UInt16:
    return IntegerType::get(context, 16);
  case ElementType::Int32:
  case ElementType::UInt32:
    return IntegerType::get(context, 32);
  case ElementType::Int64:
  case ElementType::UInt64:
  case ElementType::String: // an address
    return IntegerType::get(context, 64);
  default:
    return {};
  }
}

bool weft::onnx::isUnsigned(ElementType type) {
  switch (type) {
  case ElementType::Bool:
  case ElementType::UInt8:
  case ElementType::UInt16:
  case ElementType::UInt32:
  case ElementType::UInt64:
  case ElementType::UInt4:
  case ElementType::UInt2:
    return true;
  default:
    return false;
  }
}

bool weft::onnx::isInteger(ElementType type) {
  switch (type) {
  case ElementType::Int8:
  case ElementType::Int16:
  case ElementType::Int32:
  case ElementType::Int64:
  case ElementType::UInt8:
  case ElementType::UInt16:
  case ElementType::UInt32:
  case ElementType::UInt64:
    return true;
  default:
    return false;
  }
}

bool weft::onnx::isFloat(ElementType type) {
  switch (type) {
  case ElementType::Float:
  case ElementType::Double:
  case ElementType::Float16:
  case ElementType::BFloat16:
    return true;
  default:
    return false;
  }
}

bool weft::onnx::isBool(ElementType type) { return type == ElementType::Bool; }

Type weft::onnx::computeType(MLIRContext *context, ElementType type) {
  if (type == ElementType::Float16 || type == ElementType::BFloat16)
    return Float32Type::get(context);
  return storageType(context, type);
}

RankedTensorType weft::onnx::tensorType(MLIRContext *context, ElementType type,
                                        ArrayRef<OpFoldResult> dims) {
  SmallVector<int64_t> shape;
  for (OpFoldResult dim : dims)
    shape.push_back(isa<mlir::Attribute>(dim) ? *getConstantIntValue(dim) : ShapedType::kDynamic);
  return RankedTensorType::get(shape, storageType(context, type));
}

int64_t TensorValue::staticDim(int64_t i) const {
  if (auto attribute = dyn_cast<mlir::Attribute>(dims[i]))
    return cast<IntegerAttr>(attribute).getInt();
  return ShapedType::kDynamic;
}
