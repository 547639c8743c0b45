//===- WireWriter.h - Writes protobuf messages for tests ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TEST_UNIT_ONNXREADER_WIREWRITER_H
#define WEFT_TEST_UNIT_ONNXREADER_WIREWRITER_H

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace weft::onnx::test {

/// A message under construction; each call appends a field, well-formed or as
/// malformed as asked for.
class Message {
public:
  Message &varint(uint32_t field, uint64_t value) {
    tag(field, 0);
    return raw(encode(value));
  }
  Message &text(uint32_t field, std::string_view value) {
    tag(field, 2);
    raw(encode(value.size()));
    bytes += value;
    return *this;
  }
  Message &message(uint32_t field, const Message &value) { return text(field, value.bytes); }
  Message &fixed32(uint32_t field, float value) {
    tag(field, 5);
    return raw(std::string(reinterpret_cast<const char *>(&value), 4));
  }
  Message &fixed64(uint32_t field, double value) {
    tag(field, 1);
    return raw(std::string(reinterpret_cast<const char *>(&value), 8));
  }
  Message &packed(uint32_t field, std::initializer_list<int64_t> values) {
    std::string payload;
    for (int64_t value : values)
      payload += encode(static_cast<uint64_t>(value));
    return text(field, payload);
  }
  template <typename T> Message &packedFixed(uint32_t field, std::initializer_list<T> values) {
    return text(field, {reinterpret_cast<const char *>(values.begin()), values.size() * sizeof(T)});
  }
  Message &tag(uint32_t field, uint32_t type) { return raw(encode(uint64_t(field) << 3 | type)); }
  Message &raw(std::string_view more) {
    bytes += more;
    return *this;
  }

  std::span<const uint8_t> span() const {
    return {reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()};
  }

  static std::string encode(uint64_t value) {
    std::string result;
    do {
      result += static_cast<char>((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
      value >>= 7;
    } while (value);
    return result;
  }

  std::string bytes;
};

/// A NodeProto.
inline Message node(std::string_view name, std::string_view op,
                    std::initializer_list<std::string_view> inputs,
                    std::initializer_list<std::string_view> outputs) {
  Message result;
  for (std::string_view input : inputs)
    result.text(1, input);
  for (std::string_view output : outputs)
    result.text(2, output);
  result.text(3, name).text(4, op);
  return result;
}

/// A ValueInfoProto without a type.
inline Message value(std::string_view name) { return Message().text(1, name); }

/// A TensorProto without data.
inline Message tensor(std::string_view name, uint64_t type, std::initializer_list<int64_t> dims) {
  Message result;
  for (int64_t dim : dims)
    result.varint(1, static_cast<uint64_t>(dim));
  result.varint(2, type).text(8, name);
  return result;
}

/// A ModelProto of IR version 8 and opset 17 with `graph`.
inline Message model(const Message &graph) {
  return Message().varint(1, 8).message(7, graph).message(8, Message().text(1, "").varint(2, 17));
}

} // namespace weft::onnx::test

#endif // WEFT_TEST_UNIT_ONNXREADER_WIREWRITER_H
