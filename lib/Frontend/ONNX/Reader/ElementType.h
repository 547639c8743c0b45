//===- ElementType.h - The element types of ONNX tensors ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_READER_ELEMENTTYPE_H
#define WEFT_FRONTEND_ONNX_READER_ELEMENTTYPE_H

#include <cstdint>
#include <string>

namespace weft::onnx {

/// TensorProto.DataType as of IR version 14. A file may hold any other number;
/// `isKnown` tells.
enum class ElementType : int32_t {
  Undefined = 0,
  Float = 1,
  UInt8 = 2,
  Int8 = 3,
  UInt16 = 4,
  Int16 = 5,
  Int32 = 6,
  Int64 = 7,
  String = 8,
  Bool = 9,
  Float16 = 10,
  Double = 11,
  UInt32 = 12,
  UInt64 = 13,
  Complex64 = 14,
  Complex128 = 15,
  BFloat16 = 16,
  Float8E4M3FN = 17,
  Float8E4M3FNUZ = 18,
  Float8E5M2 = 19,
  Float8E5M2FNUZ = 20,
  UInt4 = 21,
  Int4 = 22,
  Float4E2M1 = 23,
  Float8E8M0 = 24,
  UInt2 = 25,
  Int2 = 26,
  Float6E2M3 = 27,
  Float6E3M2 = 28,
};

/// The field of TensorProto that may hold a type's elements beside raw_data.
enum class TypedField : uint8_t {
  None,
  Float,
  Int32,
  Int64,
  Double,
  UInt64,
  String,
};

/// The field's name in onnx.proto, e.g. "float_data".
const char *name(TypedField field);

/// True for the types above other than Undefined.
bool isKnown(ElementType type);

/// The name as in onnx.proto, in lower case, e.g. "float8e4m3fn"; "type 77" for
/// an unknown number.
std::string name(ElementType type);

/// The bits of one element as raw_data stores it: 8 for bool, 2, 4 and 6 for
/// the sub-byte types, 128 for complex128; 0 for strings, undefined and unknown
/// types.
unsigned bitWidth(ElementType type);

/// Where TensorProto keeps elements of `type` that are not in raw_data; None
/// for undefined and unknown types.
TypedField typedField(ElementType type);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_READER_ELEMENTTYPE_H
