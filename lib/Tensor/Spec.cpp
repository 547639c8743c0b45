//===- Spec.cpp - Tensors given on the command line -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor/Spec.h"

#include "Tensor/Npy.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

using namespace weft;

static constexpr size_t maxRank = 64;

namespace {

struct SpecType {
  DataType type{};
  Dims dims;
};

class SpecParser {
public:
  SpecParser(std::string_view text, const SpecOptions &options) : text(text), options(options) {}

  Result<NamedTensor> parse();

private:
  Error error(size_t position, const std::string &what) const;
  Error expected(const std::string &what) const;
  char peek() const { return at < text.size() ? text[at] : '\0'; }
  bool consume(std::string_view word) {
    if (!text.substr(at).starts_with(word))
      return false;
    at += word.size();
    return true;
  }
  bool startsType(size_t position) const;
  size_t nameLength() const;

  Result<SpecType> parseType();
  Result<Tensor> parseFile(const SpecType *type);
  Result<Tensor> parseRandom(const SpecType &type);
  Result<Tensor> parseValues(const SpecType &type);
  Status parseValue(DataType type, uint8_t *data, int64_t index);
  Status parseString(std::string &value);
  Status parseScalar(DataType type, uint8_t *data, int64_t index);
  Status parseInteger(DataType type, uint8_t *data, int64_t index, size_t end);
  Status parseFloat(DataType type, uint8_t *data, int64_t index, size_t end);
  template <typename T> bool parseWhole(T &value, std::string_view &rest);

  std::string_view text;
  const SpecOptions &options;
  size_t at = 0;
};

} // namespace

static bool isDigit(char c) { return c >= '0' && c <= '9'; }
static bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool isSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ','; }
static bool endsValue(char c) {
  return isSpace(c) || c == '[' || c == ']' || c == ')' || c == '\0';
}

/// Text for a message: short, printable.
static std::string quote(std::string_view text) {
  std::string out = "'";
  for (char c : text.substr(0, 60))
    out += c >= 0x20 && c < 0x7f ? c : '?';
  return out + (text.size() > 60 ? "...'" : "'");
}

Error SpecParser::error(size_t position, const std::string &what) const {
  return Error{quote(text) + ", character " + std::to_string(position + 1) + ": " + what};
}

Error SpecParser::expected(const std::string &what) const {
  return error(at, "expected " + what + ", found " +
                       (at < text.size() ? quote(text.substr(at, 20)) : std::string("the end")));
}

/// Whether a type, complete up to '=' or the end, starts at `position`.
bool SpecParser::startsType(size_t position) const {
  size_t end = position;
  while (end < text.size() && (isDigit(text[end]) || isLetter(text[end])))
    ++end;
  if (end < text.size() && text[end] != '=')
    return false;
  std::string_view word = text.substr(position, end - position);
  while (!word.empty() && isDigit(word[0])) {
    size_t digits = 0;
    while (digits < word.size() && isDigit(word[digits]))
      ++digits;
    if (digits == word.size() || word[digits] != 'x')
      return false;
    word.remove_prefix(digits + 1);
  }
  return parseDataType(word).has_value();
}

/// The length of the name before the spec, or npos if there is none. A name may
/// contain '=' itself: it ends before the first '=' that a spec follows, else
/// before the first one.
size_t SpecParser::nameLength() const {
  if (text.starts_with("@") || startsType(0))
    return std::string_view::npos;
  size_t first = text.find('=');
  // Names end within reason; the bound keeps hostile text linear.
  for (size_t i = first, tries = 0; i != std::string_view::npos && tries < 64;
       i = text.find('=', i + 1), ++tries)
    if (text.substr(i + 1).starts_with("@") || startsType(i + 1))
      return i;
  // "2x3xf3=1" is a type with a typing error, not a name.
  if (first != std::string_view::npos && first > 0 && isDigit(text[0]))
    return std::string_view::npos;
  return first;
}

Result<SpecType> SpecParser::parseType() {
  SpecType type;
  while (isDigit(peek())) {
    size_t start = at;
    int64_t extent = 0;
    for (; isDigit(peek()); ++at)
      if (__builtin_mul_overflow(extent, 10, &extent) ||
          __builtin_add_overflow(extent, peek() - '0', &extent))
        return error(start, "the extent does not fit in 63 bits");
    if (!consume("x"))
      return expected("'x' after the extent");
    if (type.dims.size() == maxRank)
      return error(start, "more than " + std::to_string(maxRank) + " dimensions");
    type.dims.push_back(extent);
  }
  size_t start = at;
  while (isLetter(peek()) || isDigit(peek()))
    ++at;
  std::optional<DataType> element = parseDataType(text.substr(start, at - start));
  if (!element) {
    at = start;
    return expected("an element type (" + dataTypeNames() + ")");
  }
  type.type = *element;
  return type;
}

Result<Tensor> SpecParser::parseFile(const SpecType *type) {
  size_t start = at - 1; // the '@'
  std::string path(text.substr(at));
  at = text.size();
  if (path.empty())
    return expected("a path after '@'");
  if (path.find('\0') != std::string::npos)
    return error(start, "the path has a zero byte");
  if (!options.allowFiles)
    return error(start, "files are not allowed here");
  if (!type) {
    Result<Tensor> tensor = readTensorFile(path);
    if (!tensor)
      return error(start, tensor.error().message);
    return tensor;
  }
  Result<ByteSource> source = ByteSource::open(path);
  if (!source)
    return error(start, source.error().message);
  Result<Tensor> tensor = Error{};
  if (path.ends_with(".npy")) {
    tensor = readNpy(*source, &type->type);
  } else if (path.ends_with(".pb")) {
    Result<NamedTensor> named = readTensorProto(*source);
    tensor = named ? Result<Tensor>(named->tensor) : named.error();
  } else {
    tensor = Tensor::fromSource(type->type, type->dims, *source, 0, "a tensor");
    if (tensor && tensor->bytes().size() != source->bytes.size())
      return error(start, path + ": " + typeName(type->type, type->dims) + " needs " +
                              std::to_string(tensor->bytes().size()) + " bytes, the file has " +
                              std::to_string(source->bytes.size()));
  }
  if (!tensor)
    return error(start, tensor.error().message);
  if (!isSame(tensor->dtype(), type->type) || tensor->dims() != type->dims)
    return error(start, path + ": expected " + typeName(type->type, type->dims) + ", found " +
                            tensor->typeName());
  return tensor;
}

template <typename T> bool SpecParser::parseWhole(T &value, std::string_view &rest) {
  std::from_chars_result parsed = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (parsed.ec != std::errc())
    return false;
  rest.remove_prefix(static_cast<size_t>(parsed.ptr - rest.data()));
  return true;
}

Result<Tensor> SpecParser::parseRandom(const SpecType &type) {
  uint64_t seed = 0;
  std::optional<RandomRange> range;
  std::string_view rest = text.substr(at);
  auto stop = [&] { at = text.size() - rest.size(); };
  if (rest.starts_with(":")) {
    rest.remove_prefix(1);
    stop();
    if (!parseWhole(seed, rest))
      return expected("a seed from 0 to 2^64 - 1");
    if (rest.starts_with(":")) {
      rest.remove_prefix(1);
      stop();
      size_t start = at;
      range.emplace();
      // "0..1": from_chars would take "0." for a number.
      size_t dots = rest.find("..");
      std::string_view low = rest.substr(0, dots);
      std::string_view high = dots == std::string_view::npos ? "" : rest.substr(dots + 2);
      if (dots == std::string_view::npos || !parseWhole(range->low, low) || !low.empty() ||
          !parseWhole(range->high, high) || !high.empty())
        return expected("a range such as 0..1000");
      if (!std::isfinite(range->low) || !std::isfinite(range->high) || !(range->low < range->high))
        return error(start, "the range is empty: expected LOW < HIGH (LOW is "
                            "in it, HIGH is not)");
      if (isIntegral(type.type)) {
        int width = isBool(type.type) ? 1 : type.type.bits;
        double least = isSignedInteger(type.type) ? -std::ldexp(1, width - 1) : 0;
        double most = std::ldexp(1, isSignedInteger(type.type) ? width - 1 : width);
        if (range->low != std::trunc(range->low) || range->high != std::trunc(range->high) ||
            range->low < least || range->high > most || range->high - range->low > 0x1p63)
          return error(start,
                       "expected a range of integers within that of " + dataTypeName(type.type));
      }
      rest = {};
    }
  }
  stop();
  if (at != text.size())
    return expected("the end of the text");
  Result<Tensor> tensor = randomTensor(type.type, type.dims, seed, range, options.maxBytes);
  if (!tensor)
    return error(0, tensor.error().message);
  return tensor;
}

Status SpecParser::parseInteger(DataType type, uint8_t *data, int64_t index, size_t end) {
  std::string_view word = text.substr(at, end - at);
  bool isHex = false;
  bool negative = word.starts_with("-");
  std::string_view digits = word;
  if (negative || word.starts_with("+"))
    digits.remove_prefix(1);
  if (digits.starts_with("0x") || digits.starts_with("0X")) {
    isHex = true;
    digits.remove_prefix(2);
  }
  if (isBool(type) && (word == "true" || word == "false")) {
    storeBits(type, data, index, word == "true");
    return {};
  }
  uint64_t magnitude = 0;
  std::from_chars_result parsed =
      std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, isHex ? 16 : 10);
  bool isWhole = !digits.empty() && parsed.ptr == digits.data() + digits.size();
  if (!isWhole || parsed.ec == std::errc::invalid_argument)
    return expected(isBool(type) ? "0, 1, true or false" : "an integer");
  unsigned width = isBool(type) ? 1 : type.bits;
  uint64_t most = isSignedInteger(type) ? (uint64_t(1) << (width - 1)) - !negative
                  : negative            ? 0
                                        : ~uint64_t(0) >> (64 - width);
  if (parsed.ec != std::errc() || magnitude > most)
    return error(at, quote(word) + " does not fit in " + dataTypeName(type));
  storeBits(type, data, index, negative ? -magnitude : magnitude);
  return {};
}

Status SpecParser::parseFloat(DataType type, uint8_t *data, int64_t index, size_t end) {
  std::string_view word = text.substr(at, end - at);
  std::string_view digits = word;
  if (digits.starts_with("+") && !digits.starts_with("+-"))
    digits.remove_prefix(1);
  const char *last = digits.data() + digits.size();
  double value = 0;
  std::from_chars_result parsed = std::from_chars(digits.data(), last, value);
  if (parsed.ec == std::errc::invalid_argument || parsed.ptr != last)
    return expected("a number");
  if (parsed.ec != std::errc())
    return error(at, quote(word) + " does not fit in a double");
  if (isSame(type, dtype::f32)) {
    // Directly, so that it is rounded once.
    float narrow = 0;
    if (std::from_chars(digits.data(), last, narrow).ec == std::errc())
      value = narrow;
  }
  uint64_t bits = encodeFloat(type, value);
  double stored = decodeFloat(type, bits);
  bool isLost =
      std::isnan(value) ? !std::isnan(stored)
      : std::isinf(value)
          ? stored != value
          : !std::isfinite(stored) || (std::fabs(value) > std::fabs(stored) * 1.5 && stored != 0);
  if (isLost)
    return error(at, quote(word) + " does not fit in " + dataTypeName(type));
  storeBits(type, data, index, bits);
  return {};
}

Status SpecParser::parseScalar(DataType type, uint8_t *data, int64_t index) {
  size_t end = at;
  while (end < text.size() && !endsValue(text[end]))
    ++end;
  Status status =
      isIntegral(type) ? parseInteger(type, data, index, end) : parseFloat(type, data, index, end);
  if (status)
    at = end;
  return status;
}

Status SpecParser::parseValue(DataType type, uint8_t *data, int64_t index) {
  if (!isComplex(type))
    return parseScalar(type, data, index);
  DataType part = componentType(type);
  if (!consume("("))
    return expected("a complex number such as (1,2)");
  if (Status status = parseScalar(part, data, 2 * index); !status)
    return status;
  while (isSpace(peek()))
    ++at;
  if (Status status = parseScalar(part, data, 2 * index + 1); !status)
    return status;
  if (!consume(")"))
    return expected("')'");
  return {};
}

/// Whether a bracket may hold `count` elements of a tensor of this shape: it is
/// a row, a plane, ... or the whole.
static bool isBlock(const Dims &dims, int64_t count) {
  if (count == 0)
    return std::find(dims.begin(), dims.end(), 0) != dims.end();
  int64_t block = 1;
  for (size_t axis = dims.size(); axis-- > 0;) {
    // An empty tensor may have extents whose product does not fit.
    std::optional<int64_t> product = checkedMultiply(block, dims[axis]);
    if (!product)
      return false;
    block = *product;
    if (block == count)
      return true;
  }
  return dims.empty() && count == 1;
}

/// A string in double quotes, in which a backslash stands before a quote or a
/// backslash.
Status SpecParser::parseString(std::string &value) {
  size_t start = at;
  if (!consume("\""))
    return expected("a string in double quotes");
  for (; at < text.size(); ++at) {
    char c = text[at];
    if (c == '"') {
      ++at;
      return {};
    }
    if (c == '\\' && at + 1 < text.size())
      c = text[++at];
    value += c;
  }
  return error(start, "a string without its closing quote");
}

Result<Tensor> SpecParser::parseValues(const SpecType &type) {
  Result<Tensor> tensor = Tensor::zeros(type.type, type.dims, options.maxBytes);
  if (!tensor)
    return error(0, tensor.error().message);
  int64_t count = tensor->count(), found = 0;
  size_t firstValue = at;
  std::vector<std::pair<size_t, int64_t>> open; // bracket, elements before it
  std::vector<std::string> texts;               // where they are strings
  bool isBracketed = false;
  // A tensor of no elements has room for no value, but one to read into is
  // needed to report what is there.
  uint8_t scratch[16] = {};
  while (true) {
    while (isSpace(peek()) && at < text.size())
      ++at;
    if (at == text.size())
      break;
    if (peek() == '[') {
      if (open.size() > type.dims.size())
        return error(at, "more brackets than dimensions");
      open.emplace_back(at++, found);
      isBracketed = true;
      continue;
    }
    if (peek() == ']') {
      if (open.empty())
        return error(at, "']' without '['");
      int64_t inside = found - open.back().second;
      if (!isBlock(type.dims, inside) && !(inside == 1 && found == 1))
        return error(open.back().first, "the brackets hold " + std::to_string(inside) +
                                            " values, which is no row of " +
                                            typeName(type.type, type.dims));
      open.pop_back();
      ++at;
      continue;
    }
    if (found == std::max<int64_t>(count, 1))
      return error(at, "more than the " + std::to_string(count) + " values of " +
                           typeName(type.type, type.dims));
    if (isString(type.type)) {
      if (Status status = parseString(texts.emplace_back()); !status)
        return status.error();
      ++found;
      continue;
    }
    uint8_t *data = count ? tensor->mutableRaw() : scratch;
    if (Status status = parseValue(type.type, data, found); !status)
      return status.error();
    ++found;
  }
  if (!open.empty())
    return error(open.back().first, "'[' without ']'");
  if (found == 0 && count == 0 && isBracketed)
    return tensor;
  if (found == 0)
    return expected("values, '@FILE' or 'random'");
  if (isString(type.type) && (found == 1 || found == count)) {
    std::vector<std::string_view> views(texts.begin(), texts.end());
    tensor = Tensor::strings(type.dims, views, options.maxBytes);
    if (!tensor)
      return error(0, tensor.error().message);
    return tensor;
  }
  if (found == 1 && count != 1) { // a splat
    if (type.type.bits % 8 == 0) {
      int64_t width = type.type.bits / 8;
      for (int64_t i = 1; i < count; ++i)
        std::memcpy(tensor->mutableRaw() + i * width, tensor->raw(), static_cast<size_t>(width));
    } else {
      uint64_t bits = count ? loadBits(type.type, tensor->raw(), 0) : 0;
      for (int64_t i = 1; i < count; ++i)
        storeBits(type.type, tensor->mutableRaw(), i, bits);
    }
    return tensor;
  }
  if (found != count)
    return error(firstValue, typeName(type.type, type.dims) + " needs " + std::to_string(count) +
                                 " values, found " + std::to_string(found));
  return tensor;
}

Result<NamedTensor> SpecParser::parse() {
  std::string name;
  if (size_t length = nameLength(); length != std::string_view::npos) {
    name = text.substr(0, length);
    at = length + 1;
    if (name.empty())
      return error(0, "expected a name before '='");
  }
  Result<Tensor> tensor = Error{};
  if (consume("@")) {
    tensor = parseFile(nullptr);
  } else {
    Result<SpecType> type = parseType();
    if (!type)
      return type.error();
    if (options.accepts)
      if (Status status = options.accepts(name, type->type, type->dims); !status)
        return error(0, status.error().message);
    if (at == text.size()) {
      tensor = Tensor::zeros(type->type, type->dims, options.maxBytes);
      if (!tensor)
        return error(0, tensor.error().message);
    } else if (!consume("=")) {
      return expected("'=' or the end after the type");
    } else if (consume("@")) {
      tensor = parseFile(&*type);
    } else if (consume("random")) {
      tensor = parseRandom(*type);
    } else {
      tensor = parseValues(*type);
    }
  }
  if (!tensor)
    return tensor.error();
  return NamedTensor{std::move(name), *std::move(tensor)};
}

Result<NamedTensor> weft::parseSpec(std::string_view text, const SpecOptions &options) {
  return SpecParser(text, options).parse();
}
