//===- Json.cpp - JSON values, read and written ---------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor/Json.h"

#include <charconv>
#include <cmath>
#include <set>

using namespace weft;

static constexpr int maxDepth = 64;
static constexpr int64_t maxValues = int64_t(1) << 21;

// Out of line because a member of an object holds a Json.
Json::Json() = default;
Json::Json(Kind kind) : kind(kind) {}
Json::Json(bool value) : kind(Kind::Bool), boolean(value) {}
Json::Json(double value) : kind(Kind::Number), number(value) {}
Json::Json(int64_t value)
    : kind(Kind::Number), isExact(true), integer(value), number(static_cast<double>(value)) {}
Json::Json(int value) : Json(static_cast<int64_t>(value)) {}
Json::Json(uint32_t value) : Json(static_cast<int64_t>(value)) {}
Json::Json(std::string value) : kind(Kind::String), text(std::move(value)) {}
Json::Json(std::string_view value) : Json(std::string(value)) {}
Json::Json(const char *value) : Json(std::string(value)) {}
Json::Json(const Json &) = default;
Json::Json(Json &&) noexcept = default;
Json &Json::operator=(const Json &) = default;
Json &Json::operator=(Json &&) noexcept = default;
Json::~Json() = default;

Json Json::array() { return Json(Kind::Array); }
Json Json::object() { return Json(Kind::Object); }

Json &Json::append(Json value) {
  items.push_back(std::move(value));
  return *this;
}

namespace weft {

class JsonParser {
public:
  JsonParser(std::string_view text, const std::string &name) : text(text), name(name) {}

  Result<Json> parseDocument() {
    Result<Json> value = parseValue(0);
    if (!value)
      return value;
    skipSpaces();
    if (at != text.size())
      return error("the end of the text");
    return value;
  }

private:
  Error error(const std::string &expected) const {
    return Error{name + ": malformed JSON: expected " + expected + " at byte " +
                 std::to_string(at) + " of " + std::to_string(text.size())};
  }
  char peek() const { return at < text.size() ? text[at] : '\0'; }
  void skipSpaces() {
    while (at < text.size() &&
           (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r'))
      ++at;
  }
  bool consume(std::string_view word) {
    if (!text.substr(at).starts_with(word))
      return false;
    at += word.size();
    return true;
  }

  Result<Json> parseValue(int depth);
  Result<Json> parseArray(int depth);
  Result<Json> parseObject(int depth);
  Result<Json> parseNumber();
  Result<std::string> parseString();
  Status parseEscape(std::string &out);
  std::optional<uint32_t> parseHex();

  std::string_view text;
  const std::string &name;
  size_t at = 0;
  int64_t values = 0;
};

} // namespace weft

Result<Json> JsonParser::parseValue(int depth) {
  if (depth > maxDepth)
    return error("at most " + std::to_string(maxDepth) + " nested levels");
  if (++values > maxValues)
    return error("at most " + std::to_string(maxValues) + " values");
  skipSpaces();
  switch (peek()) {
  case '{':
    return parseObject(depth);
  case '[':
    return parseArray(depth);
  case '"': {
    Result<std::string> value = parseString();
    if (!value)
      return value.error();
    return Json(*std::move(value));
  }
  default:
    if (consume("true"))
      return Json(true);
    if (consume("false"))
      return Json(false);
    if (consume("null"))
      return Json();
    return parseNumber();
  }
}

Result<Json> JsonParser::parseArray(int depth) {
  Json array = Json::array();
  ++at;
  skipSpaces();
  if (consume("]"))
    return array;
  while (true) {
    Result<Json> value = parseValue(depth + 1);
    if (!value)
      return value;
    array.items.push_back(*std::move(value));
    skipSpaces();
    if (consume("]"))
      return array;
    if (!consume(","))
      return error("',' or ']'");
  }
}

Result<Json> JsonParser::parseObject(int depth) {
  Json object = Json::object();
  std::set<std::string> names;
  ++at;
  skipSpaces();
  if (consume("}"))
    return object;
  while (true) {
    skipSpaces();
    size_t start = at;
    Result<std::string> key = parseString();
    if (!key)
      return key.error();
    if (!names.insert(*key).second) {
      at = start;
      return error("a new name, found " + quoteJson(*key) + " again");
    }
    skipSpaces();
    if (!consume(":"))
      return error("':'");
    Result<Json> value = parseValue(depth + 1);
    if (!value)
      return value;
    object.fields.push_back({*std::move(key), *std::move(value)});
    skipSpaces();
    if (consume("}"))
      return object;
    if (!consume(","))
      return error("',' or '}'");
  }
}

Result<Json> JsonParser::parseNumber() {
  size_t start = at, end = at;
  auto digits = [&] {
    size_t first = end;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9')
      ++end;
    return end > first;
  };
  auto has = [&](char c) { return end < text.size() && text[end] == c; };
  if (has('-'))
    ++end;
  size_t firstDigit = end;
  if (!digits())
    return error("a value");
  if (text[firstDigit] == '0' && end - firstDigit > 1)
    return error("a number without leading zeros");
  bool isInteger = true;
  if (has('.')) {
    isInteger = false;
    ++end;
    if (!digits())
      return error("a digit after '.'");
  }
  if (has('e') || has('E')) {
    isInteger = false;
    ++end;
    if (has('+') || has('-'))
      ++end;
    if (!digits())
      return error("an exponent");
  }
  at = end;
  const char *first = text.data() + start, *last = text.data() + end;
  int64_t integer = 0;
  if (isInteger && std::from_chars(first, last, integer).ec == std::errc())
    return Json(integer);
  double number = 0;
  std::from_chars_result parsed = std::from_chars(first, last, number);
  if (parsed.ec != std::errc()) {
    at = start;
    return error("a number within the range of a double");
  }
  return Json(number);
}

std::optional<uint32_t> JsonParser::parseHex() {
  uint32_t value = 0;
  if (text.size() - at < 4)
    return std::nullopt;
  const char *first = text.data() + at;
  std::from_chars_result parsed = std::from_chars(first, first + 4, value, 16);
  if (parsed.ec != std::errc() || parsed.ptr != first + 4)
    return std::nullopt;
  at += 4;
  return value;
}

static void appendUtf8(std::string &out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

Status JsonParser::parseEscape(std::string &out) {
  static constexpr std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
  char c = peek();
  size_t index = from.find(c);
  if (index != std::string_view::npos && at < text.size()) {
    out += to[index];
    ++at;
    return {};
  }
  if (!consume("u"))
    return error("an escape");
  std::optional<uint32_t> code = parseHex();
  if (!code)
    return error("four hexadecimal digits");
  if (*code >= 0xd800 && *code < 0xdc00) {
    std::optional<uint32_t> low;
    if (consume("\\u"))
      low = parseHex();
    if (!low || *low < 0xdc00 || *low > 0xdfff)
      return error("the second half of a surrogate pair");
    code = 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
  } else if (*code >= 0xdc00 && *code <= 0xdfff) {
    return error("a first half before this half of a surrogate pair");
  }
  appendUtf8(out, *code);
  return {};
}

Result<std::string> JsonParser::parseString() {
  if (!consume("\""))
    return error("'\"'");
  std::string out;
  while (at < text.size()) {
    char c = text[at];
    if (static_cast<unsigned char>(c) < 0x20)
      return error("no control character in a string");
    ++at;
    if (c == '"')
      return out;
    if (c != '\\') {
      out += c;
      continue;
    }
    if (Status status = parseEscape(out); !status)
      return status.error();
  }
  return error("'\"'");
}

Result<Json> Json::parse(std::string_view text, const std::string &name) {
  return JsonParser(text, name).parseDocument();
}

const Json *Json::find(std::string_view name) const {
  for (const Member &member : fields)
    if (member.name == name)
      return &member.value;
  return nullptr;
}

Json &Json::set(std::string name, Json value) {
  fields.push_back({std::move(name), std::move(value)});
  return *this;
}

/// Bytes of the UTF-8 sequence at the start of `text`, or 0 if it is none.
static size_t utf8Length(std::string_view text) {
  unsigned char lead = static_cast<unsigned char>(text[0]);
  size_t length = lead < 0x80                   ? 1
                  : lead >= 0xc2 && lead < 0xe0 ? 2
                  : lead >= 0xe0 && lead < 0xf0 ? 3
                  : lead >= 0xf0 && lead < 0xf5 ? 4
                                                : 0;
  if (length == 0 || length > text.size())
    return 0;
  for (size_t i = 1; i < length; ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80)
      return 0;
  unsigned char second = length > 1 ? static_cast<unsigned char>(text[1]) : 0;
  bool isBad = (lead == 0xe0 && second < 0xa0) || // overlong
               (lead == 0xed && second > 0x9f) || // surrogate
               (lead == 0xf0 && second < 0x90) || // overlong
               (lead == 0xf4 && second > 0x8f);   // above U+10FFFF
  return isBad ? 0 : length;
}

std::string weft::quoteJson(std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    unsigned char c = static_cast<unsigned char>(text[i]);
    size_t length = utf8Length(text.substr(i));
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text[i];
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c < 0x20 || c == 0x7f) {
      out += "\\u00";
      out += hex[c >> 4];
      out += hex[c & 15];
    } else if (length == 0) {
      out += "\xef\xbf\xbd";
    } else {
      out += text.substr(i, length);
    }
    i += length ? length : 1;
  }
  return out + "\"";
}

void Json::print(std::string &out, bool pretty, int level) const {
  auto newline = [&](int depth) {
    if (pretty)
      out.append("\n").append(static_cast<size_t>(depth) * 2, ' ');
  };
  switch (kind) {
  case Kind::Null:
    out += "null";
    return;
  case Kind::Bool:
    out += boolean ? "true" : "false";
    return;
  case Kind::Number: {
    if (!isExact && !std::isfinite(number)) {
      out += "null";
      return;
    }
    char buffer[32];
    std::to_chars_result end = isExact ? std::to_chars(buffer, std::end(buffer), integer)
                                       : std::to_chars(buffer, std::end(buffer), number);
    out.append(buffer, end.ptr);
    return;
  }
  case Kind::String:
    out += quoteJson(text);
    return;
  case Kind::Array:
  case Kind::Object:
    break;
  }
  bool isArray = kind == Kind::Array;
  size_t count = isArray ? items.size() : fields.size();
  out += isArray ? '[' : '{';
  for (size_t i = 0; i < count; ++i) {
    if (i)
      out += pretty ? "," : ", ";
    newline(level + 1);
    if (!isArray)
      out.append(quoteJson(fields[i].name)).append(": ");
    (isArray ? items[i] : fields[i].value).print(out, pretty, level + 1);
  }
  if (count)
    newline(level);
  out += isArray ? ']' : '}';
}

std::string Json::dump(bool pretty) const {
  std::string out;
  print(out, pretty, 0);
  return out;
}
