//===- TensorContents.cpp - A tensor's elements in canonical form ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/ExternalFiles.h"
#include "Frontend/ONNX/Reader/Model.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>

using namespace weft;
using namespace weft::onnx;

// Views of raw data are canonical as they are only on little-endian machines,
// the only ones that Weft has targets for.
static_assert(std::endian::native == std::endian::little);

static Error tensorError(const Tensor &tensor, const std::string &problem) {
  return Error{(tensor.name.empty() ? "an unnamed tensor" : "tensor " + quote(tensor.name)) + ": " +
               problem};
}

/// E.g. "float [2, 3]".
static std::string describeShape(const Tensor &tensor) {
  static constexpr size_t maxShown = 16;
  std::string text = name(tensor.elementType) + " [";
  for (size_t i = 0; i < tensor.dims.size(); ++i) {
    if (i == maxShown) {
      text += ", ...";
      break;
    }
    text += (i ? ", " : "") + std::to_string(tensor.dims[i]);
  }
  return text + "]";
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

Result<int64_t> Tensor::elementCount() const {
  for (int64_t extent : dims)
    if (extent < 0)
      return tensorError(*this,
                         "expected extents of 0 or more, found the shape " + describeShape(*this));
  if (auto count = checkedElementCount(dims))
    return *count;
  return tensorError(*this, "the shape " + describeShape(*this) +
                                " has more elements than fit in 63 bits");
}

Result<int64_t> Tensor::byteSize() const {
  if (!isKnown(elementType))
    return tensorError(*this, "expected an element type from 1 (float) to 28 "
                              "(float6e3m2), found " +
                                  std::to_string(static_cast<int32_t>(elementType)));
  if (elementType == ElementType::String)
    return tensorError(*this, "strings have no size in bytes");
  Result<int64_t> count = elementCount();
  if (!count)
    return count;
  int64_t bits = bitWidth(elementType);
  auto whole = bits >= 8 ? checkedMultiply(*count, bits / 8) : *count;
  if (!whole)
    return tensorError(*this,
                       "the shape " + describeShape(*this) + " has more bytes than fit in 63 bits");
  if (bits >= 8)
    return *whole;
  // Without the overflow of count * bits: 8 elements fill `bits` bytes.
  return *count / 8 * bits + (*count % 8 * bits + 7) / 8;
}

/// How many values the typed field holds for `count` elements.
static uint64_t typedCount(ElementType type, uint64_t count) {
  switch (type) {
  case ElementType::Complex64:
  case ElementType::Complex128:
    return 2 * count;
  case ElementType::UInt4:
  case ElementType::Int4:
  case ElementType::Float4E2M1:
    return count / 2 + count % 2;
  case ElementType::UInt2:
  case ElementType::Int2:
    return count / 4 + (count % 4 != 0);
  default:
    return count;
  }
}

Status Tensor::verify() const {
  if (isSegment)
    return tensorError(*this, "it is a segment of a tensor, expected a whole");
  if (!isKnown(elementType))
    return byteSize().error();
  Result<int64_t> count = elementCount();
  if (!count)
    return count.error();

  // The elements are stored once.
  std::string found;
  unsigned stores = 0;
  auto store = [&](const char *name, bool present) {
    if (!present)
      return;
    found += stores++ ? std::string(" and ") + name : name;
  };
  store("external_data", isExternal);
  store("raw_data", hasRawData && !rawData.empty());
  store(onnx::name(typedField), typedField != TypedField::None);
  store("string_data", !stringData.empty());
  if (stores > 1)
    return tensorError(*this, "expected its elements in one place, found " + found);

  if (elementType == ElementType::String) {
    if (stores && stringData.empty())
      return tensorError(*this, "expected strings in string_data, found " + found);
    if (stringData.size() != static_cast<uint64_t>(*count))
      return tensorError(*this, "expected " + std::to_string(*count) + " strings for " +
                                    describeShape(*this) + ", found " +
                                    std::to_string(stringData.size()));
    return {};
  }

  Result<int64_t> size = byteSize();
  if (!size)
    return size.error();
  if (isExternal)
    return {};
  if (!stringData.empty() ||
      (typedField != TypedField::None && typedField != onnx::typedField(elementType)))
    return tensorError(*this, "expected elements of type " + onnx::name(elementType) +
                                  " in raw_data or " + onnx::name(onnx::typedField(elementType)) +
                                  ", found them in " + found);
  if (typedField != TypedField::None) {
    uint64_t expected = typedCount(elementType, static_cast<uint64_t>(*count));
    if (typedData.count != expected)
      return tensorError(*this, "expected " + std::to_string(expected) + " values in " +
                                    onnx::name(typedField) + " for " + describeShape(*this) +
                                    ", found " + std::to_string(typedData.count));
  } else if (rawData.size() != static_cast<uint64_t>(*size)) {
    return tensorError(*this, "expected " + std::to_string(*size) + " bytes of data for " +
                                  describeShape(*this) + ", found " +
                                  std::to_string(rawData.size()));
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

/// Copies values of the wire's type `From` as the low `bytes` bytes of each.
/// Fails where a value is outside [low, high].
template <typename From>
static Status narrow(const Tensor &tensor, unsigned bytes, From low, From high,
                     std::vector<uint8_t> &result) {
  Status status;
  uint8_t *next = result.data();
  ScalarList<From>(tensor.typedData).forEach([&](From value) {
    if (value < low || value > high) {
      status = tensorError(tensor, "expected values from " + std::to_string(low) + " to " +
                                       std::to_string(high) + " in " + name(tensor.typedField) +
                                       " for type " + name(tensor.elementType) + ", found " +
                                       std::to_string(value));
      return false;
    }
    std::memcpy(next, &value, bytes);
    next += bytes;
    return true;
  });
  return status;
}

/// Packs 6-bit elements side by side: 4 of them fill 3 bytes.
static Status packSixBits(const Tensor &tensor, std::vector<uint8_t> &result) {
  Status status;
  size_t bit = 0;
  ScalarList<int32_t>(tensor.typedData).forEach([&](int32_t value) {
    if (value < 0 || value > 63) {
      status =
          tensorError(tensor, "expected values from 0 to 63 in int32_data for "
                              "type " +
                                  name(tensor.elementType) + ", found " + std::to_string(value));
      return false;
    }
    unsigned shifted = static_cast<unsigned>(value) << (bit % 8);
    result[bit / 8] |= static_cast<uint8_t>(shifted);
    if (shifted > 0xff)
      result[bit / 8 + 1] |= static_cast<uint8_t>(shifted >> 8);
    bit += 6;
    return true;
  });
  return status;
}

/// Decodes int32_data, which holds everything that is narrower than 32 bits.
static Status decodeInt32(const Tensor &tensor, std::vector<uint8_t> &result) {
  switch (tensor.elementType) {
  case ElementType::Int32:
    return narrow<int32_t>(tensor, 4, std::numeric_limits<int32_t>::min(),
                           std::numeric_limits<int32_t>::max(), result);
  case ElementType::Bool:
    return narrow<int32_t>(tensor, 1, 0, 1, result);
  case ElementType::UInt8:
    return narrow<int32_t>(tensor, 1, 0, 255, result);
  case ElementType::Int8:
    return narrow<int32_t>(tensor, 1, -128, 127, result);
  case ElementType::UInt16:
    return narrow<int32_t>(tensor, 2, 0, 65535, result);
  case ElementType::Int16:
    return narrow<int32_t>(tensor, 2, -32768, 32767, result);
  case ElementType::Float6E2M3:
  case ElementType::Float6E3M2:
    return packSixBits(tensor, result);
  default:
    // Bit patterns, which some writers sign-extend.
    if (bitWidth(tensor.elementType) == 16)
      return narrow<int32_t>(tensor, 2, -32768, 65535, result);
    return narrow<int32_t>(tensor, 1, -128, 255, result);
  }
}

/// Copies values that are as wide in the file as they are decoded.
template <typename T> static void copyValues(const Tensor &tensor, std::vector<uint8_t> &result) {
  uint8_t *next = result.data();
  ScalarList<T>(tensor.typedData).forEach([&](T value) {
    std::memcpy(next, &value, sizeof value);
    next += sizeof value;
    return true;
  });
}

static TensorBytes modelBytes(std::span<const uint8_t> bytes, const ExternalFiles &files) {
  // An empty tensor may have no data to point at.
  std::span<const uint8_t> model = files.getModel();
  uint64_t offset = bytes.empty() ? 0 : static_cast<uint64_t>(bytes.data() - model.data());
  return TensorBytes(TensorBytes::Source::Model, bytes, {}, offset);
}

static Result<TensorBytes> decodeTyped(const Tensor &tensor, int64_t size,
                                       const ExternalFiles &files) {
  const ScalarData &data = tensor.typedData;
  bool fixedWidth =
      tensor.typedField == TypedField::Float || tensor.typedField == TypedField::Double;
  // Packed floats are little-endian, side by side: canonical already.
  if (fixedWidth && data.contiguous())
    return modelBytes(data.bytes, files);
  // `verify` has seen that the file holds as many values as this takes, so that
  // its size bounds the allocation.
  std::vector<uint8_t> result(static_cast<size_t>(size));
  Status status;
  switch (tensor.typedField) {
  case TypedField::Float:
    copyValues<float>(tensor, result);
    break;
  case TypedField::Double:
    copyValues<double>(tensor, result);
    break;
  case TypedField::Int64:
    copyValues<int64_t>(tensor, result);
    break;
  case TypedField::UInt64:
    if (tensor.elementType == ElementType::UInt32)
      status = narrow<uint64_t>(tensor, 4, 0, UINT32_MAX, result);
    else
      copyValues<uint64_t>(tensor, result);
    break;
  case TypedField::Int32:
    status = decodeInt32(tensor, result);
    break;
  case TypedField::String:
  case TypedField::None:
    break;
  }
  if (!status)
    return status.error();
  return TensorBytes(std::move(result));
}

//===----------------------------------------------------------------------===//
// External data
//===----------------------------------------------------------------------===//

/// Parses a decimal number of bytes.
static Result<uint64_t> parseSize(const Tensor &tensor, const StringPair &pair) {
  uint64_t value = 0;
  const char *begin = pair.value.data(), *end = begin + pair.value.size();
  auto [rest, code] = std::from_chars(begin, end, value);
  if (pair.value.empty() || code != std::errc() || rest != end)
    return tensorError(tensor, "expected a number of bytes as the " + std::string(pair.key) +
                                   " of its external data, found " + quote(pair.value));
  return value;
}

static Result<TensorBytes> readExternal(const Tensor &tensor, uint64_t size,
                                        const ExternalFiles &files) {
  std::optional<std::string_view> location;
  std::optional<uint64_t> length;
  uint64_t offset = 0;
  for (const StringPair &pair : tensor.externalData) {
    if (pair.key == "location") {
      location = pair.value;
    } else if (pair.key == "offset" || pair.key == "length") {
      Result<uint64_t> value = parseSize(tensor, pair);
      if (!value)
        return value.error();
      if (pair.key == "offset")
        offset = *value;
      else
        length = *value;
    }
  }
  if (!location)
    return tensorError(tensor, "its external data has no location");
  if (length && *length != size)
    return tensorError(tensor, "expected " + std::to_string(size) + " bytes of external data for " +
                                   describeShape(tensor) + ", found length " +
                                   std::to_string(*length));
  Result<std::span<const uint8_t>> file = files.map(*location);
  if (!file)
    return tensorError(tensor, file.error().message);
  // Without overflow: the offset is compared first.
  if (offset > file->size() || size > file->size() - offset)
    return tensorError(tensor, "external file " + quote(*location) + ": expected " +
                                   std::to_string(size) + " bytes at offset " +
                                   std::to_string(offset) + ", found a file of " +
                                   std::to_string(file->size()) + " bytes");
  return TensorBytes(TensorBytes::Source::External, file->subspan(offset, size), *location, offset);
}

//===----------------------------------------------------------------------===//
// Contents
//===----------------------------------------------------------------------===//

/// Bool bytes other than 0 and 1 would not act as a truth value once loaded, so
/// they are decoded to 1.
static TensorBytes normaliseBools(TensorBytes contents) {
  std::span<const uint8_t> bytes = contents.bytes();
  auto isOdd = [](uint8_t byte) { return byte > 1; };
  if (std::none_of(bytes.begin(), bytes.end(), isOdd))
    return contents;
  std::vector<uint8_t> decoded(bytes.size());
  std::transform(bytes.begin(), bytes.end(), decoded.begin(),
                 [](uint8_t byte) -> uint8_t { return byte != 0; });
  return TensorBytes(std::move(decoded));
}

static Result<TensorBytes> readContents(const Tensor &tensor, const ExternalFiles &files) {
  if (Status status = tensor.verify(); !status)
    return status.error();
  Result<int64_t> size = tensor.byteSize();
  if (!size)
    return size.error();
  if (tensor.isExternal)
    return readExternal(tensor, static_cast<uint64_t>(*size), files);
  if (tensor.typedField != TypedField::None)
    return decodeTyped(tensor, *size, files);
  return modelBytes(tensor.rawData, files);
}

Result<TensorBytes> Tensor::contents(const ExternalFiles &files) const {
  Result<TensorBytes> result = readContents(*this, files);
  if (!result)
    return Error{files.getModelName() + ": " + result.error().message};
  if (elementType == ElementType::Bool)
    return normaliseBools(std::move(*result));
  return result;
}

Result<std::span<const std::string_view>> Tensor::strings() const {
  if (elementType != ElementType::String)
    return tensorError(*this, "expected strings, found type " + onnx::name(elementType));
  if (Status status = verify(); !status)
    return status.error();
  return std::span<const std::string_view>(stringData);
}
