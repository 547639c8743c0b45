//===- WireReader.h - Bounds-checked protobuf wire format -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_READER_WIREREADER_H
#define WEFT_FRONTEND_ONNX_READER_WIREREADER_H

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace weft::onnx {

/// How a field's value is encoded (protobuf.dev/programming-guides/encoding).
enum class WireType : uint8_t {
  Varint = 0,
  Fixed64 = 1,
  Length = 2,
  GroupStart = 3,
  GroupEnd = 4,
  Fixed32 = 5,
};

/// The wire type's name for messages, e.g. "a varint".
const char *name(WireType type);

/// One field of a message. `scalar` holds the bits of a varint, fixed32 or
/// fixed64 value, `bytes` the payload of a length-delimited one.
struct WireField {
  uint32_t number = 0;
  WireType type = WireType::Varint;
  uint64_t scalar = 0;
  std::span<const uint8_t> bytes;
  /// The first byte of the field's tag.
  const uint8_t *start = nullptr;
};

/// Reads the fields of one message, one after the other. Every read is checked
/// against the end of the message. Groups (which ONNX never uses) are checked
/// and skipped without recursion.
class WireReader {
public:
  explicit WireReader(std::span<const uint8_t> message)
      : position(message.data()), end(message.data() + message.size()) {}

  /// Reads the next field that is no group. False at the end of the message and
  /// after a failure.
  bool next(WireField &field);

  bool failed() const { return failurePosition != nullptr; }
  /// What is wrong, without a final full stop. Only after a failure.
  const std::string &problem() const { return failureText; }
  /// The byte at which reading failed, within the message or its end.
  const uint8_t *problemPosition() const { return failurePosition; }

  /// Groups may be nested this deep.
  static constexpr size_t maxGroupDepth = 32;

private:
  bool readVarint(uint64_t &value);
  bool readTag(WireField &field);
  bool readValue(WireField &field);
  bool skipGroup(uint32_t number);
  bool fail(const uint8_t *where, std::string text);

  const uint8_t *position;
  const uint8_t *end;
  const uint8_t *failurePosition = nullptr;
  std::string failureText;
};

/// Reads a varint at `position`, which moves behind it. False where it is cut
/// off by `end` or does not fit in 64 bits; `position` then stays.
bool decodeVarint(const uint8_t *&position, const uint8_t *end, uint64_t &value);

/// The values of a repeated scalar field, not decoded yet: a view of the bytes
/// of the message that holds them. Whoever fills it has checked the encoding
/// (see `append`), so that iterating cannot fail.
struct ScalarData {
  /// The payload of the one packed chunk if `field` is 0; else the whole
  /// message, which holds values (packed or not) in several fields `field`.
  std::span<const uint8_t> bytes;
  size_t count = 0;
  uint32_t field = 0;

  /// True if the values lie side by side as one packed chunk, so that fixed32
  /// and fixed64 values can be used in place.
  bool contiguous() const { return field == 0; }

  /// Adds the value or values of `field`, which must be one of `message`'s and
  /// encode elements as `element`. Gives null or what is wrong.
  const char *append(const WireField &field, std::span<const uint8_t> message, WireType element);
};

/// A typed view of ScalarData: `float` and `double` are fixed-width on the
/// wire, the integers are varints.
template <typename T> class ScalarList {
public:
  ScalarList() = default;
  explicit ScalarList(ScalarData data) : data(data) {}

  static constexpr WireType wireType = std::is_same_v<T, float>    ? WireType::Fixed32
                                       : std::is_same_v<T, double> ? WireType::Fixed64
                                                                   : WireType::Varint;

  size_t size() const { return data.count; }
  bool empty() const { return data.count == 0; }
  /// The packed payload, where the values are one chunk.
  const ScalarData &encoded() const { return data; }

  /// Calls `visit(value)` for each value in order, until it gives false.
  template <typename Visit> void forEach(Visit visit) const {
    if (data.contiguous()) {
      forEachPacked(data.bytes, visit);
      return;
    }
    WireReader reader(data.bytes);
    for (WireField field; reader.next(field);) {
      if (field.number != data.field)
        continue;
      if (field.type == WireType::Length) {
        if (!forEachPacked(field.bytes, visit))
          return;
      } else if (!visit(convert(field.scalar))) {
        return;
      }
    }
  }

  /// All values, decoded into a new vector.
  std::vector<T> values() const {
    std::vector<T> result;
    result.reserve(data.count);
    forEach([&](T value) {
      result.push_back(value);
      return true;
    });
    return result;
  }

private:
  static T convert(uint64_t bits) {
    if constexpr (std::is_same_v<T, float>)
      return std::bit_cast<float>(static_cast<uint32_t>(bits));
    else if constexpr (std::is_same_v<T, double>)
      return std::bit_cast<double>(bits);
    else
      return static_cast<T>(bits);
  }

  template <typename Visit>
  static bool forEachPacked(std::span<const uint8_t> bytes, Visit &visit) {
    const uint8_t *position = bytes.data(), *end = position + bytes.size();
    while (position != end) {
      uint64_t value = 0;
      if constexpr (wireType == WireType::Varint) {
        if (!decodeVarint(position, end, value))
          return false;
      } else {
        if (static_cast<size_t>(end - position) < sizeof(T))
          return false;
        for (size_t i = 0; i < sizeof(T); ++i)
          value |= static_cast<uint64_t>(position[i]) << (8 * i);
        position += sizeof(T);
      }
      if (!visit(convert(value)))
        return false;
    }
    return true;
  }

  ScalarData data;
};

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_READER_WIREREADER_H
