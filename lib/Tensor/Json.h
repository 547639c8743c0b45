//===- Json.h - JSON values, read and written -----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TENSOR_JSON_H
#define WEFT_TENSOR_JSON_H

#include "Base/Result.h"

#include <string>
#include <string_view>
#include <vector>

namespace weft {

/// A JSON value. Objects keep the order of their members. Integers that fit in
/// 64 bits are kept exactly beside their value as a double.
class Json {
public:
  enum class Kind { Null, Bool, Number, String, Array, Object };
  struct Member;

  Json();
  Json(bool value);
  Json(double value);
  Json(int64_t value);
  Json(int value);
  Json(uint32_t value);
  Json(std::string value);
  Json(std::string_view value);
  Json(const char *value);
  Json(const Json &);
  Json(Json &&) noexcept;
  Json &operator=(const Json &);
  Json &operator=(Json &&) noexcept;
  ~Json();

  static Json array();
  static Json object();

  /// Parses RFC 8259 text. Limits, so that hostile text cannot exhaust memory
  /// or stack: 64 levels, two million values. Duplicate keys are an error.
  /// `name` is for messages, which carry the offset in bytes.
  static Result<Json> parse(std::string_view text, const std::string &name);

  bool isBool() const { return kind == Kind::Bool; }
  bool isNumber() const { return kind == Kind::Number; }
  bool isString() const { return kind == Kind::String; }
  bool isArray() const { return kind == Kind::Array; }
  bool isObject() const { return kind == Kind::Object; }

  bool asBool() const { return boolean; }
  double asNumber() const { return number; }
  /// The value, if it was written as an integer of at most 64 bits.
  std::optional<int64_t> asInteger() const {
    return isExact ? std::optional(integer) : std::nullopt;
  }
  const std::string &asString() const { return text; }
  const std::vector<Json> &elements() const { return items; }
  const std::vector<Member> &members() const { return fields; }

  /// The member of that name, or null.
  const Json *find(std::string_view name) const;

  /// Adds an element.
  Json &append(Json value);
  /// Adds a member; the name must be new.
  Json &set(std::string name, Json value);

  /// The text: on one line, or indented by two spaces a level. Numbers that are
  /// not finite become null.
  std::string dump(bool pretty = false) const;

private:
  friend class JsonParser;
  explicit Json(Kind kind);
  void print(std::string &out, bool pretty, int level) const;

  Kind kind = Kind::Null;
  bool boolean = false;
  bool isExact = false;
  int64_t integer = 0;
  double number = 0;
  std::string text;
  std::vector<Json> items;
  std::vector<Member> fields;
};

struct Json::Member {
  std::string name;
  Json value;
};

/// `text` as a JSON string with its quotes. Bytes that are not UTF-8 become
/// U+FFFD.
std::string quoteJson(std::string_view text);

} // namespace weft

#endif // WEFT_TENSOR_JSON_H
