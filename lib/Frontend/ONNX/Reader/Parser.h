//===- Parser.h - Turns wire fields into model structs --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_READER_PARSER_H
#define WEFT_FRONTEND_ONNX_READER_PARSER_H

#include "Frontend/ONNX/Reader/Model.h"
#include "Frontend/ONNX/Reader/Reader.h"

#include <type_traits>

namespace weft::onnx {

/// Reads one file's messages into structs. Recursion follows the nesting of
/// messages, up to the limit. The first failure stops everything: functions
/// give false and `takeError` says what happened and where.
class Parser {
public:
  Parser(std::span<const uint8_t> file, const ReaderLimits &limits);

  bool parse(std::span<const uint8_t> bytes, Model &model);
  bool parse(std::span<const uint8_t> bytes, Tensor &tensor);

  /// "at byte 12 of 400, in graph.node[3].input: ...". Once, after a failure.
  std::string takeError() { return std::move(failure); }

private:
  using Bytes = std::span<const uint8_t>;

  bool parse(Bytes bytes, StringPair &pair);
  bool parse(Bytes bytes, SparseTensor &tensor);
  bool parse(Bytes bytes, Dimension &dimension);
  bool parse(Bytes bytes, ValueType &type);
  bool parse(Bytes bytes, ValueInfo &info);
  bool parse(Bytes bytes, NodeAttribute &attribute);
  bool parse(Bytes bytes, SimpleShardedDim &dim);
  bool parse(Bytes bytes, ShardedDim &dim);
  bool parse(Bytes bytes, DeviceGroup &group);
  bool parse(Bytes bytes, ShardingSpec &spec);
  bool parse(Bytes bytes, NodeDeviceConfiguration &configuration);
  bool parse(Bytes bytes, Node &node);
  bool parse(Bytes bytes, QuantizationAnnotation &annotation);
  bool parse(Bytes bytes, Graph &graph);
  bool parse(Bytes bytes, OperatorSet &set);
  bool parse(Bytes bytes, Function &function);
  bool parse(Bytes bytes, TrainingInfo &info);
  bool parse(Bytes bytes, DeviceConfiguration &configuration);

  bool parseTensorType(Bytes bytes, ValueType &type);
  bool parseShape(Bytes bytes, ValueType &type);
  bool parseNestedType(Bytes bytes, ValueType &type);
  bool parseOpaqueType(Bytes bytes, ValueType &type);

  /// Calls `visit(field)` for each field of the message `bytes`.
  template <typename Visit> bool fields(Bytes bytes, Visit visit) {
    if (depth == limits.messageDepth)
      return fail(bytes.data(), "messages are nested deeper than " +
                                    std::to_string(limits.messageDepth) + " levels");
    ++depth;
    WireReader reader(bytes);
    for (WireField field; reader.next(field);)
      if (!visit(field))
        return false;
    --depth;
    return !reader.failed() || fail(reader.problemPosition(), reader.problem());
  }

  // Scalars: the last of several counts, as the protobuf specification says.
  bool read(const WireField &field, const char *name, std::string_view &text);
  bool read(const WireField &field, const char *name, Bytes &bytes);
  bool read(const WireField &field, const char *name, int64_t &value);
  bool read(const WireField &field, const char *name, int32_t &value);
  bool read(const WireField &field, const char *name, float &value);
  bool read(const WireField &field, const char *name, ElementType &value);

  template <typename T>
  bool read(const WireField &field, const char *name, std::optional<T> &value) {
    return read(field, name, value.emplace());
  }

  /// Reads the embedded message `field` by `parseBody(bytes)`. `index` is the
  /// position in a repeated field, or negative.
  template <typename ParseBody>
  bool message(const WireField &field, const char *name, int64_t index, ParseBody parseBody) {
    if (!expect(field, name, WireType::Length))
      return false;
    path.push_back({name, index});
    if (!parseBody(field.bytes))
      return false;
    path.pop_back();
    return true;
  }

  /// Reads a message that may be there once. Protobuf merges several; no writer
  /// makes several, so they are refused.
  template <typename T>
  bool readOnce(const WireField &field, const char *name, bool &seen, T &target) {
    return once(field, name, seen) &&
           message(field, name, -1, [&](Bytes bytes) { return parse(bytes, target); });
  }

  /// Appends an entry of a repeated string or message field.
  template <typename T>
  bool append(const WireField &field, const char *name, std::vector<T> &targets) {
    // Grows by half, so that the memory is known before it is taken.
    if (size_t capacity = targets.capacity(); targets.size() == capacity) {
      size_t growth = capacity / 2 + 1;
      if (!charge(field, growth * sizeof(T)))
        return false;
      targets.reserve(capacity + growth);
    }
    auto index = static_cast<int64_t>(targets.size());
    if constexpr (std::is_same_v<T, std::string_view>)
      return read(field, name, targets.emplace_back());
    else
      return message(field, name, index,
                     [&](Bytes bytes) { return parse(bytes, targets.emplace_back()); });
  }

  /// Adds the values of a repeated scalar field of `body` without decoding
  /// them.
  bool list(const WireField &field, const char *name, Bytes body, WireType element,
            ScalarData &data);
  template <typename T>
  bool list(const WireField &field, const char *name, Bytes body, ScalarList<T> &values) {
    ScalarData data = values.encoded();
    if (!list(field, name, body, ScalarList<T>::wireType, data))
      return false;
    values = ScalarList<T>(data);
    return true;
  }
  bool typedData(const WireField &field, Bytes body, TypedField kind, WireType element,
                 Tensor &tensor);

  /// Decodes a repeated integer field of `body` whose values are few.
  bool integers(const WireField &field, const char *name, Bytes body, std::vector<int64_t> &values);

  bool once(const WireField &field, const char *name, bool &seen);
  bool expect(const WireField &field, const char *name, WireType type);
  /// Counts memory that a struct takes.
  bool charge(const WireField &field, uint64_t size);
  bool fail(const uint8_t *where, const std::string &problem);

  struct Step {
    const char *field;
    int64_t index;
  };

  Bytes file;
  const ReaderLimits &limits;
  unsigned depth = 0;
  uint64_t structBytes = 0;
  uint64_t maxStructBytes;
  std::vector<Step> path;
  std::string failure;
};

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_READER_PARSER_H
