//===- DataType.cpp - Element types and their bit patterns ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor/DataType.h"

#include "Base/Result.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

using namespace weft;

namespace {

struct NamedType {
  std::string_view name;
  DataType type;
};

/// What the highest codes of a format mean.
enum class Specials { IEEE, OnlyNaN, UnsignedZero, None };

/// A floating-point format with a sign bit, narrower than 32 bits.
struct FloatFormat {
  uint8_t code;
  int exponentBits, mantissaBits, bias;
  Specials specials;
};

} // namespace

static constexpr NamedType namedTypes[] = {
    {"f64", dtype::f64},
    {"f32", dtype::f32},
    {"f16", dtype::f16},
    {"bf16", dtype::bf16},
    {"i64", dtype::i64},
    {"i32", dtype::i32},
    {"i16", dtype::i16},
    {"i8", dtype::i8},
    {"i4", dtype::i4},
    {"i2", dtype::i2},
    {"u64", dtype::u64},
    {"u32", dtype::u32},
    {"u16", dtype::u16},
    {"u8", dtype::u8},
    {"u4", dtype::u4},
    {"u2", dtype::u2},
    {"bool", dtype::boolean},
    {"complex64", dtype::complex64},
    {"complex128", dtype::complex128},
    {"string", dtype::string},
    {"f8E4M3FN", dtype::f8E4M3FN},
    {"f8E4M3FNUZ", dtype::f8E4M3FNUZ},
    {"f8E5M2", dtype::f8E5M2},
    {"f8E5M2FNUZ", dtype::f8E5M2FNUZ},
    {"f8E8M0FNU", dtype::f8E8M0FNU},
    {"f6E2M3FN", dtype::f6E2M3FN},
    {"f6E3M2FN", dtype::f6E3M2FN},
    {"f4E2M1FN", dtype::f4E2M1FN},
};

// OCP 8-bit and microscaling formats; the FNUZ ones are Graphcore's and AMD's.
static constexpr FloatFormat floatFormats[] = {
    {WEFT_DTYPE_FLOAT, 5, 10, 15, Specials::IEEE},
    {WEFT_DTYPE_BFLOAT, 8, 7, 127, Specials::IEEE},
    {WEFT_DTYPE_FLOAT8_E4M3FN, 4, 3, 7, Specials::OnlyNaN},
    {WEFT_DTYPE_FLOAT8_E4M3FNUZ, 4, 3, 8, Specials::UnsignedZero},
    {WEFT_DTYPE_FLOAT8_E5M2, 5, 2, 15, Specials::IEEE},
    {WEFT_DTYPE_FLOAT8_E5M2FNUZ, 5, 2, 16, Specials::UnsignedZero},
    {WEFT_DTYPE_FLOAT6_E2M3FN, 2, 3, 1, Specials::None},
    {WEFT_DTYPE_FLOAT6_E3M2FN, 3, 2, 3, Specials::None},
    {WEFT_DTYPE_FLOAT4_E2M1FN, 2, 1, 1, Specials::None},
};

std::string weft::dataTypeName(DataType type) {
  for (const NamedType &named : namedTypes)
    if (isSame(named.type, type))
      return std::string(named.name);
  return "type(code " + std::to_string(type.code) + ", " + std::to_string(type.bits) + " bits, " +
         std::to_string(type.lanes) + " lanes)";
}

std::optional<DataType> weft::parseDataType(std::string_view name) {
  if (name == "i1")
    return dtype::boolean;
  if (name.starts_with("si") || name.starts_with("ui")) {
    std::string plain = (name[0] == 's' ? "i" : "u") + std::string(name.substr(2));
    for (const NamedType &named : namedTypes)
      if (named.name == plain)
        return named.type;
    return std::nullopt;
  }
  for (const NamedType &named : namedTypes)
    if (named.name == name)
      return named.type;
  return std::nullopt;
}

std::string weft::dataTypeNames() {
  std::string names;
  for (const NamedType &named : namedTypes)
    names.append(names.empty() ? "" : ", ").append(named.name);
  return names;
}

std::optional<int64_t> weft::byteSize(DataType type, int64_t count) {
  if (type.bits % 8 == 0)
    return checkedMultiply(count, type.bits / 8);
  std::optional<int64_t> bits = checkedMultiply(count, type.bits);
  if (!bits || *bits > std::numeric_limits<int64_t>::max() - 7)
    return std::nullopt;
  return (*bits + 7) / 8;
}

int64_t weft::elementAlignment(DataType type) {
  int64_t bits = componentType(type).bits;
  return bits <= 8 ? 1 : bits / 8;
}

uint64_t weft::loadBits(DataType type, const uint8_t *data, int64_t index) {
  unsigned width = type.bits;
  if (width % 8 == 0) {
    uint64_t bits = 0;
    std::memcpy(&bits, data + index * (width / 8), width / 8);
    return bits;
  }
  uint64_t bits = 0;
  for (unsigned i = 0; i < width; ++i) {
    int64_t bit = index * width + i;
    bits |= uint64_t((data[bit / 8] >> (bit % 8)) & 1) << i;
  }
  return bits;
}

void weft::storeBits(DataType type, uint8_t *data, int64_t index, uint64_t bits) {
  unsigned width = type.bits;
  if (width % 8 == 0) {
    std::memcpy(data + index * (width / 8), &bits, width / 8);
    return;
  }
  for (unsigned i = 0; i < width; ++i) {
    int64_t bit = index * width + i;
    uint8_t mask = uint8_t(1u << (bit % 8));
    data[bit / 8] = uint8_t((data[bit / 8] & ~mask) | ((bits >> i) & 1 ? mask : 0));
  }
}

int64_t weft::loadInteger(DataType type, const uint8_t *data, int64_t index) {
  uint64_t bits = loadBits(type, data, index);
  if (!isSignedInteger(type) || type.bits == 64)
    return static_cast<int64_t>(bits);
  unsigned shift = 64 - type.bits;
  return static_cast<int64_t>(bits << shift) >> shift;
}

double weft::loadNumber(DataType type, const uint8_t *data, int64_t index) {
  switch (type.code) {
  case WEFT_DTYPE_BOOL:
  case WEFT_DTYPE_UINT:
    return static_cast<double>(loadBits(type, data, index));
  case WEFT_DTYPE_INT:
    return static_cast<double>(loadInteger(type, data, index));
  default:
    return decodeFloat(type, loadBits(type, data, index));
  }
}

static const FloatFormat *findFormat(DataType type) {
  for (const FloatFormat &format : floatFormats)
    if (format.code == type.code)
      return &format;
  return nullptr;
}

static uint64_t largestFinite(const FloatFormat &format) {
  uint64_t all = (uint64_t(1) << (format.exponentBits + format.mantissaBits)) - 1;
  switch (format.specials) {
  case Specials::IEEE:
    return all - (uint64_t(1) << format.mantissaBits);
  case Specials::OnlyNaN:
    return all - 1;
  case Specials::UnsignedZero:
  case Specials::None:
    return all;
  }
  return all;
}

double weft::decodeFloat(DataType type, uint64_t bits) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (type.code == WEFT_DTYPE_FLOAT && type.bits == 32)
    return std::bit_cast<float>(static_cast<uint32_t>(bits));
  if (type.code == WEFT_DTYPE_FLOAT && type.bits == 64)
    return std::bit_cast<double>(bits);
  if (type.code == WEFT_DTYPE_BFLOAT)
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  if (type.code == WEFT_DTYPE_FLOAT8_E8M0FNU)
    return bits == 255 ? nan : std::ldexp(1.0, int(bits) - 127);
  const FloatFormat *format = findFormat(type);
  if (!format)
    return nan;
  int width = format->exponentBits + format->mantissaBits;
  uint64_t magnitude = bits & ((uint64_t(1) << width) - 1);
  bool negative = (bits >> width) & 1;
  if (format->specials == Specials::UnsignedZero && negative && magnitude == 0)
    return nan;
  if (magnitude > largestFinite(*format)) {
    bool isInfinity = format->specials == Specials::IEEE && magnitude == largestFinite(*format) + 1;
    return isInfinity ? (negative ? -infinity : infinity) : nan;
  }
  int exponent = int(magnitude >> format->mantissaBits);
  uint64_t mantissa = magnitude & ((uint64_t(1) << format->mantissaBits) - 1);
  if (exponent == 0)
    exponent = 1;
  else
    mantissa |= uint64_t(1) << format->mantissaBits;
  double value =
      std::ldexp(static_cast<double>(mantissa), exponent - format->bias - format->mantissaBits);
  return negative ? -value : value;
}

/// The nearest power of two that the 8-bit exponent format holds, ties to the
/// even exponent; it has neither sign nor zero.
static uint64_t encodeExponent(double value) {
  if (!(value >= 0) || std::isinf(value))
    return 255;
  if (value == 0)
    return 0;
  int exponent;
  double fraction = std::frexp(value, &exponent); // [0.5, 1)
  int code = exponent - 1 + 127;
  if (fraction > 0.75 || (fraction == 0.75 && code % 2 != 0))
    ++code;
  return code < 0 ? 0 : code > 254 ? 255 : uint64_t(code);
}

uint64_t weft::encodeFloat(DataType type, double value) {
  if (type.code == WEFT_DTYPE_FLOAT && type.bits == 32)
    return std::bit_cast<uint32_t>(static_cast<float>(value));
  if (type.code == WEFT_DTYPE_FLOAT && type.bits == 64)
    return std::bit_cast<uint64_t>(value);
  if (type.code == WEFT_DTYPE_FLOAT8_E8M0FNU)
    return encodeExponent(value);
  const FloatFormat *format = findFormat(type);
  if (!format)
    return 0;
  int width = format->exponentBits + format->mantissaBits;
  uint64_t sign = uint64_t(std::signbit(value)) << width;
  uint64_t all = (uint64_t(1) << width) - 1;
  uint64_t largest = largestFinite(*format);
  uint64_t nan = 0;
  switch (format->specials) {
  case Specials::IEEE: // quiet
    nan = (largest + 1) | (uint64_t(1) << (format->mantissaBits - 1));
    break;
  case Specials::OnlyNaN:
    nan = all;
    break;
  case Specials::UnsignedZero:
    nan = uint64_t(1) << width;
    break;
  case Specials::None:
    nan = 0;
    break;
  }
  if (std::isnan(value))
    return nan;
  uint64_t magnitude;
  if (std::isinf(value)) {
    magnitude = largest + 1;
  } else if (value == 0) {
    magnitude = 0;
  } else {
    // In units of the last place at this exponent the value is `units`;
    // rounding may carry into the exponent, which the encoding absorbs.
    int exponent = std::max(std::ilogb(value), 1 - format->bias);
    double units = std::nearbyint(std::ldexp(std::fabs(value), format->mantissaBits - exponent));
    int64_t biased = int64_t(exponent) + format->bias - 1;
    magnitude = biased > (int64_t(1) << format->exponentBits)
                    ? largest + 1
                    : (uint64_t(biased) << format->mantissaBits) + static_cast<uint64_t>(units);
  }
  if (magnitude > largest) {
    if (format->specials == Specials::None)
      return sign | largest;
    return format->specials == Specials::IEEE ? sign | (largest + 1) : nan;
  }
  if (format->specials == Specials::UnsignedZero && magnitude == 0)
    return 0;
  return sign | magnitude;
}

bool weft::hasInfinity(DataType type) {
  if (type.code == WEFT_DTYPE_FLOAT)
    return true;
  const FloatFormat *format = findFormat(type);
  return format && format->specials == Specials::IEEE;
}

bool weft::hasNaN(DataType type) {
  if (type.code == WEFT_DTYPE_FLOAT || type.code == WEFT_DTYPE_FLOAT8_E8M0FNU)
    return true;
  const FloatFormat *format = findFormat(type);
  return format && format->specials != Specials::None;
}
