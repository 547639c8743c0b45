//===- DataType.h - Element types and their bit patterns ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TENSOR_DATATYPE_H
#define WEFT_TENSOR_DATATYPE_H

#include "weft-runtime/module.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weft {

/// An element type: DLPack's code and width in bits, one lane.
using DataType = weft_dtype;

constexpr bool isSame(DataType a, DataType b) {
  return a.code == b.code && a.bits == b.bits && a.lanes == b.lanes;
}

/// The name as MLIR spells it (`f32`, `bf16`, `i64`, `u8`, `f8E4M3FN`), with
/// `bool`, `complex64`, `complex128` and `string` as ONNX and NumPy do. A type without a
/// name gives its DLPack code and width.
std::string dataTypeName(DataType type);

/// The type of that name, or nothing. `i1` is `bool`; `si8` and `ui8` are `i8`
/// and `u8`.
std::optional<DataType> parseDataType(std::string_view name);

/// All names that parseDataType knows, for messages.
std::string dataTypeNames();

constexpr bool isBool(DataType type) { return type.code == WEFT_DTYPE_BOOL; }
constexpr bool isComplex(DataType type) { return type.code == WEFT_DTYPE_COMPLEX; }
constexpr bool isSignedInteger(DataType type) { return type.code == WEFT_DTYPE_INT; }
/// Integers of both signs and bool: what is compared exactly.
constexpr bool isIntegral(DataType type) {
  return type.code == WEFT_DTYPE_INT || type.code == WEFT_DTYPE_UINT ||
         type.code == WEFT_DTYPE_BOOL;
}
/// Counted strings by their addresses (weft_string).
constexpr bool isString(DataType type) { return type.code == WEFT_DTYPE_STRING; }
/// Real floating-point types, the narrow ones too.
constexpr bool isFloat(DataType type) {
  return !isIntegral(type) && !isComplex(type) && !isString(type);
}

/// The type of a complex type's two parts; any other type itself.
constexpr DataType componentType(DataType type) {
  return isComplex(type) ? DataType{WEFT_DTYPE_FLOAT, uint8_t(type.bits / 2), type.lanes} : type;
}
constexpr int64_t componentCount(DataType type) { return isComplex(type) ? 2 : 1; }

/// Bytes of `count` elements. Types narrower than a byte are packed: element
/// `i` is the bits [i * width, (i + 1) * width) counted from the lowest bit of
/// the first byte, which for 4-bit types is ONNX's packing. Nothing where it
/// does not fit in 63 bits.
std::optional<int64_t> byteSize(DataType type, int64_t count);

/// Alignment in bytes that code may assume of an element.
int64_t elementAlignment(DataType type);

/// Bits of element `index`, zero-extended. Types of up to 64 bits.
uint64_t loadBits(DataType type, const uint8_t *data, int64_t index);
/// Stores the low bits of `bits` as element `index`.
void storeBits(DataType type, uint8_t *data, int64_t index, uint64_t bits);

/// Element `index` of an integral type, sign- or zero-extended to 64 bits.
int64_t loadInteger(DataType type, const uint8_t *data, int64_t index);

/// Element `index` of an integral or floating-point type as a double (integers
/// beyond 2^53 are rounded).
double loadNumber(DataType type, const uint8_t *data, int64_t index);

/// The bit pattern of `value` in floating-point type `type`, rounded to the
/// nearest, ties to even. A value above the type's range becomes infinity where
/// the type has one, else NaN, else the largest number.
uint64_t encodeFloat(DataType type, double value);

/// The value of a bit pattern of floating-point type `type`.
double decodeFloat(DataType type, uint64_t bits);

/// Whether the type can hold infinities; and NaN.
bool hasInfinity(DataType type);
bool hasNaN(DataType type);

namespace dtype {
inline constexpr DataType f64{WEFT_DTYPE_FLOAT, 64, 1};
inline constexpr DataType f32{WEFT_DTYPE_FLOAT, 32, 1};
inline constexpr DataType f16{WEFT_DTYPE_FLOAT, 16, 1};
inline constexpr DataType bf16{WEFT_DTYPE_BFLOAT, 16, 1};
inline constexpr DataType i64{WEFT_DTYPE_INT, 64, 1};
inline constexpr DataType i32{WEFT_DTYPE_INT, 32, 1};
inline constexpr DataType i16{WEFT_DTYPE_INT, 16, 1};
inline constexpr DataType i8{WEFT_DTYPE_INT, 8, 1};
inline constexpr DataType i4{WEFT_DTYPE_INT, 4, 1};
inline constexpr DataType i2{WEFT_DTYPE_INT, 2, 1};
inline constexpr DataType u64{WEFT_DTYPE_UINT, 64, 1};
inline constexpr DataType u32{WEFT_DTYPE_UINT, 32, 1};
inline constexpr DataType u16{WEFT_DTYPE_UINT, 16, 1};
inline constexpr DataType u8{WEFT_DTYPE_UINT, 8, 1};
inline constexpr DataType u4{WEFT_DTYPE_UINT, 4, 1};
inline constexpr DataType u2{WEFT_DTYPE_UINT, 2, 1};
inline constexpr DataType string{WEFT_DTYPE_STRING, 64, 1};
inline constexpr DataType boolean{WEFT_DTYPE_BOOL, 8, 1};
inline constexpr DataType complex64{WEFT_DTYPE_COMPLEX, 64, 1};
inline constexpr DataType complex128{WEFT_DTYPE_COMPLEX, 128, 1};
inline constexpr DataType f8E4M3FN{WEFT_DTYPE_FLOAT8_E4M3FN, 8, 1};
inline constexpr DataType f8E4M3FNUZ{WEFT_DTYPE_FLOAT8_E4M3FNUZ, 8, 1};
inline constexpr DataType f8E5M2{WEFT_DTYPE_FLOAT8_E5M2, 8, 1};
inline constexpr DataType f8E5M2FNUZ{WEFT_DTYPE_FLOAT8_E5M2FNUZ, 8, 1};
inline constexpr DataType f8E8M0FNU{WEFT_DTYPE_FLOAT8_E8M0FNU, 8, 1};
inline constexpr DataType f6E2M3FN{WEFT_DTYPE_FLOAT6_E2M3FN, 6, 1};
inline constexpr DataType f6E3M2FN{WEFT_DTYPE_FLOAT6_E3M2FN, 6, 1};
inline constexpr DataType f4E2M1FN{WEFT_DTYPE_FLOAT4_E2M1FN, 4, 1};
} // namespace dtype

} // namespace weft

#endif // WEFT_TENSOR_DATATYPE_H
