//===- ElementType.cpp - The element types of ONNX tensors ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/ElementType.h"

#include <iterator>

using namespace weft;
using namespace weft::onnx;

namespace {
struct ElementInfo {
  const char *name;
  uint8_t bits;
  TypedField field;
};
} // namespace

/// Indexed by the type's number.
static constexpr ElementInfo elementInfos[] = {
    {"undefined", 0, TypedField::None},       {"float", 32, TypedField::Float},
    {"uint8", 8, TypedField::Int32},          {"int8", 8, TypedField::Int32},
    {"uint16", 16, TypedField::Int32},        {"int16", 16, TypedField::Int32},
    {"int32", 32, TypedField::Int32},         {"int64", 64, TypedField::Int64},
    {"string", 0, TypedField::String},        {"bool", 8, TypedField::Int32},
    {"float16", 16, TypedField::Int32},       {"double", 64, TypedField::Double},
    {"uint32", 32, TypedField::UInt64},       {"uint64", 64, TypedField::UInt64},
    {"complex64", 64, TypedField::Float},     {"complex128", 128, TypedField::Double},
    {"bfloat16", 16, TypedField::Int32},      {"float8e4m3fn", 8, TypedField::Int32},
    {"float8e4m3fnuz", 8, TypedField::Int32}, {"float8e5m2", 8, TypedField::Int32},
    {"float8e5m2fnuz", 8, TypedField::Int32}, {"uint4", 4, TypedField::Int32},
    {"int4", 4, TypedField::Int32},           {"float4e2m1", 4, TypedField::Int32},
    {"float8e8m0", 8, TypedField::Int32},     {"uint2", 2, TypedField::Int32},
    {"int2", 2, TypedField::Int32},           {"float6e2m3", 6, TypedField::Int32},
    {"float6e3m2", 6, TypedField::Int32},
};

static const ElementInfo *findInfo(ElementType type) {
  auto index = static_cast<int32_t>(type);
  if (index < 0 || index >= static_cast<int32_t>(std::size(elementInfos)))
    return nullptr;
  return &elementInfos[index];
}

const char *onnx::name(TypedField field) {
  switch (field) {
  case TypedField::None:
    break;
  case TypedField::Float:
    return "float_data";
  case TypedField::Int32:
    return "int32_data";
  case TypedField::Int64:
    return "int64_data";
  case TypedField::Double:
    return "double_data";
  case TypedField::UInt64:
    return "uint64_data";
  case TypedField::String:
    return "string_data";
  }
  return "no data";
}

bool onnx::isKnown(ElementType type) { return type != ElementType::Undefined && findInfo(type); }

std::string onnx::name(ElementType type) {
  if (const ElementInfo *info = findInfo(type))
    return info->name;
  return "type " + std::to_string(static_cast<int32_t>(type));
}

unsigned onnx::bitWidth(ElementType type) {
  const ElementInfo *info = findInfo(type);
  return info ? info->bits : 0;
}

TypedField onnx::typedField(ElementType type) {
  const ElementInfo *info = findInfo(type);
  return info ? info->field : TypedField::None;
}
