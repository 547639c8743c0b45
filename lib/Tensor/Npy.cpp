//===- Npy.cpp - NumPy's array files --------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor/Npy.h"

#include <algorithm>
#include <cstring>

using namespace weft;

// NumPy itself refuses longer ones (np.lib.format.read_array, max_header_size).
static constexpr size_t maxHeaderSize = 1 << 16;
static constexpr size_t maxRank = 64;
static constexpr std::string_view magic("\x93NUMPY", 6);

namespace {

struct Header {
  std::optional<std::string> descr;
  std::optional<bool> fortranOrder;
  std::optional<Dims> shape;
};

/// Parses the header, which is the text of a Python dictionary:
///   {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
class HeaderParser {
public:
  HeaderParser(std::string_view text, const std::string &name, size_t offset)
      : text(text), name(name), offset(offset) {}

  Result<Header> parse();

private:
  Error error(const std::string &expected) const;
  void skipSpaces();
  bool consume(char c);
  std::optional<std::string> parseString();
  std::optional<Error> parseEntry(Header &header);
  std::optional<Error> parseShape(Header &header);

  std::string_view text;
  const std::string &name;
  size_t offset; // of the text in the file, for messages
  size_t at = 0;
};

} // namespace

Error HeaderParser::error(const std::string &expected) const {
  std::string found = "the end of the header";
  if (at < text.size()) {
    unsigned char c = static_cast<unsigned char>(text[at]);
    found =
        c >= 0x20 && c < 0x7f ? "'" + std::string(1, text[at]) + "'" : "byte " + std::to_string(c);
  }
  return Error{name + ": malformed .npy header: expected " + expected + " at byte " +
               std::to_string(offset + at) + ", found " + found};
}

void HeaderParser::skipSpaces() {
  while (at < text.size() &&
         (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r'))
    ++at;
}

bool HeaderParser::consume(char c) {
  skipSpaces();
  if (at >= text.size() || text[at] != c)
    return false;
  ++at;
  return true;
}

std::optional<std::string> HeaderParser::parseString() {
  skipSpaces();
  if (at >= text.size() || (text[at] != '\'' && text[at] != '"'))
    return std::nullopt;
  size_t end = text.find(text[at], at + 1);
  if (end == std::string_view::npos)
    return std::nullopt;
  std::string value(text.substr(at + 1, end - at - 1));
  at = end + 1;
  return value;
}

std::optional<Error> HeaderParser::parseShape(Header &header) {
  if (!consume('('))
    return error("a shape such as (2, 3)");
  Dims dims;
  while (!consume(')')) {
    if (!dims.empty()) {
      if (!consume(','))
        return error("',' or ')'");
      if (consume(')'))
        break;
    }
    skipSpaces();
    if (at >= text.size() || text[at] < '0' || text[at] > '9')
      return error("an extent");
    int64_t extent = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at)
      if (__builtin_mul_overflow(extent, 10, &extent) ||
          __builtin_add_overflow(extent, text[at] - '0', &extent))
        return error("an extent that fits in 63 bits");
    if (dims.size() == maxRank)
      return error("at most " + std::to_string(maxRank) + " extents");
    dims.push_back(extent);
    // Python 2 wrote long integers with a suffix.
    if (at < text.size() && text[at] == 'L')
      ++at;
  }
  header.shape = std::move(dims);
  return std::nullopt;
}

std::optional<Error> HeaderParser::parseEntry(Header &header) {
  size_t start = at;
  std::optional<std::string> key = parseString();
  if (!key)
    return error("a quoted key");
  if (!consume(':'))
    return error("':'");
  if (*key == "descr" && !header.descr) {
    skipSpaces();
    if (at < text.size() && text[at] == '[')
      return Error{name + ": arrays of structures are not supported: expected "
                          "one element type"};
    header.descr = parseString();
    if (!header.descr)
      return error("a quoted element type");
  } else if (*key == "fortran_order" && !header.fortranOrder) {
    skipSpaces();
    bool isTrue = text.substr(at).starts_with("True");
    if (!isTrue && !text.substr(at).starts_with("False"))
      return error("True or False");
    header.fortranOrder = isTrue;
    at += isTrue ? 4 : 5;
  } else if (*key == "shape" && !header.shape) {
    return parseShape(header);
  } else {
    at = start;
    return error("the keys 'descr', 'fortran_order' and 'shape', once each");
  }
  return std::nullopt;
}

Result<Header> HeaderParser::parse() {
  Header header;
  if (!consume('{'))
    return error("'{'");
  bool first = true;
  while (!consume('}')) {
    if (!first) {
      if (!consume(','))
        return error("',' or '}'");
      if (consume('}'))
        break;
    }
    first = false;
    if (std::optional<Error> failure = parseEntry(header))
      return *failure;
  }
  skipSpaces();
  if (at != text.size())
    return error("nothing after '}'");
  if (!header.descr || !header.fortranOrder || !header.shape)
    return Error{name + ": malformed .npy header: expected the keys 'descr', "
                        "'fortran_order' and 'shape', found only some of them"};
  return header;
}

/// The type that NumPy's description names, without its byte order.
static std::optional<DataType> typeOfDescription(std::string_view descr) {
  struct Known {
    std::string_view descr;
    DataType type;
  };
  static constexpr Known known[] = {
      {"f8", dtype::f64},       {"f4", dtype::f32},  {"f2", dtype::f16},
      {"i8", dtype::i64},       {"i4", dtype::i32},  {"i2", dtype::i16},
      {"i1", dtype::i8},        {"u8", dtype::u64},  {"u4", dtype::u32},
      {"u2", dtype::u16},       {"u1", dtype::u8},   {"b1", dtype::boolean},
      {"c8", dtype::complex64}, {"V2", dtype::bf16}, {"c16", dtype::complex128},
  };
  for (const Known &entry : known)
    if (entry.descr == descr)
      return entry.type;
  return std::nullopt;
}

static Result<DataType> elementType(const std::string &name, std::string descr,
                                    const DataType *expected) {
  std::string_view plain = descr;
  if (!plain.empty() && std::string_view("<>|=").find(plain[0]) != std::string_view::npos)
    plain.remove_prefix(1);
  if (expected && plain.starts_with("V") && expected->bits % 8 == 0 &&
      plain.substr(1) == std::to_string(expected->bits / 8))
    return *expected;
  if (std::optional<DataType> type = typeOfDescription(plain))
    return *type;
  if (plain == "V1")
    return Error{name + ": the elements are single raw bytes ('" + descr +
                 "'): say which type they are, e.g. 2x3xf8E4M3FN=@FILE"};
  return Error{name + ": element type '" + descr +
               "' is not supported: expected booleans, integers, floats or "
               "complex numbers"};
}

/// Reverses the bytes of each component.
static void swapBytes(DataType type, uint8_t *data, int64_t size) {
  int64_t width = componentType(type).bits / 8;
  for (int64_t i = 0; width > 1 && i + width <= size; i += width)
    std::reverse(data + i, data + i + width);
}

/// Copies a column-major array of `width`-byte elements into row-major order.
static void transpose(const uint8_t *from, uint8_t *to, const Dims &dims, int64_t count,
                      int64_t width) {
  size_t rank = dims.size();
  Dims strides(rank, 1), index(rank, 0);
  for (size_t i = 1; i < rank; ++i)
    strides[i] = strides[i - 1] * dims[i - 1];
  int64_t position = 0;
  for (int64_t element = 0; element < count; ++element) {
    std::memcpy(to + element * width, from + position * width, static_cast<size_t>(width));
    for (size_t axis = rank; axis-- > 0;) {
      position += strides[axis];
      if (++index[axis] < dims[axis])
        break;
      position -= strides[axis] * dims[axis];
      index[axis] = 0;
    }
  }
}

Result<Tensor> weft::readNpy(const ByteSource &source, const DataType *expected) {
  std::string_view bytes(reinterpret_cast<const char *>(source.bytes.data()), source.bytes.size());
  if (bytes.size() < 10 || !bytes.starts_with(magic))
    return Error{source.name + ": not a .npy file: expected it to start with "
                               "\"\\x93NUMPY\" and a version"};
  unsigned major = source.bytes[6], minor = source.bytes[7];
  if (major < 1 || major > 3 || minor != 0)
    return Error{source.name + ": .npy version " + std::to_string(major) + "." +
                 std::to_string(minor) + " is not supported: expected 1.0, 2.0 or 3.0"};
  size_t lengthSize = major == 1 ? 2 : 4, start = 8 + lengthSize;
  if (bytes.size() < start)
    return Error{source.name + ": truncated .npy file: expected at least " + std::to_string(start) +
                 " bytes, found " + std::to_string(bytes.size())};
  uint32_t length = 0;
  std::memcpy(&length, source.bytes.data() + 8, lengthSize);
  if (length > maxHeaderSize || length > bytes.size() - start)
    return Error{source.name + ": malformed .npy header: expected at most " +
                 std::to_string(std::min(maxHeaderSize, bytes.size() - start)) +
                 " bytes of it, found the length " + std::to_string(length)};
  Result<Header> header = HeaderParser(bytes.substr(start, length), source.name, start).parse();
  if (!header)
    return header.error();
  Result<DataType> type = elementType(source.name, *header->descr, expected);
  if (!type)
    return type.error();

  uint64_t offset = start + length;
  Result<Tensor> tensor = Tensor::fromSource(*type, *header->shape, source, offset, "the array");
  if (!tensor)
    return tensor;
  uint64_t end = offset + tensor->bytes().size();
  if (end != bytes.size())
    return Error{source.name + ": expected the array " + tensor->typeName() +
                 " to end the file at byte " + std::to_string(end) + ", found a file of " +
                 std::to_string(bytes.size()) + " bytes"};
  bool isSwapped = header->descr->starts_with(">") && type->bits > 8;
  bool isTransposed = *header->fortranOrder && tensor->rank() > 1 && tensor->count() > 0;
  if (!isSwapped && !isTransposed)
    return tensor;
  Result<Tensor> copy = Tensor::zeros(*type, *header->shape);
  if (!copy)
    return Error{source.name + ": " + copy.error().message};
  if (isTransposed)
    transpose(tensor->raw(), copy->mutableRaw(), tensor->dims(), tensor->count(), type->bits / 8);
  else if (!tensor->bytes().empty())
    std::memcpy(copy->mutableRaw(), tensor->raw(), tensor->bytes().size());
  if (isSwapped)
    swapBytes(*type, copy->mutableRaw(), static_cast<int64_t>(copy->bytes().size()));
  return copy;
}

static std::string describe(DataType type) {
  std::string size = std::to_string(type.bits / 8);
  switch (type.code) {
  case WEFT_DTYPE_BOOL:
    return "|b1";
  case WEFT_DTYPE_INT:
    return (type.bits == 8 ? "|i" : "<i") + size;
  case WEFT_DTYPE_UINT:
    return (type.bits == 8 ? "|u" : "<u") + size;
  case WEFT_DTYPE_FLOAT:
    return "<f" + size;
  case WEFT_DTYPE_COMPLEX:
    return "<c" + size;
  default:
    return (type.bits == 8 ? "|V" : "<V") + size;
  }
}

/// The tensor with each sub-byte element in a byte (integers) or a float.
static Result<Tensor> widen(const Tensor &tensor) {
  DataType from = tensor.dtype();
  DataType to = isIntegral(from) ? DataType{from.code, 8, 1} : dtype::f32;
  Result<Tensor> wide = Tensor::zeros(to, tensor.dims());
  if (!wide)
    return wide;
  for (int64_t i = 0; i < tensor.count(); ++i)
    storeBits(to, wide->mutableRaw(), i,
              isIntegral(from) ? static_cast<uint64_t>(loadInteger(from, tensor.raw(), i))
                               : encodeFloat(to, loadNumber(from, tensor.raw(), i)));
  return wide;
}

Status weft::writeNpy(OutputFile &file, const Tensor &tensor) {
  if (tensor.dtype().bits % 8 != 0) {
    Result<Tensor> wide = widen(tensor);
    if (!wide)
      return wide.error();
    return writeNpy(file, *wide);
  }
  std::string dims;
  for (int64_t extent : tensor.dims())
    dims += std::to_string(extent) + (tensor.rank() == 1 ? "," : ", ");
  if (tensor.rank() > 1)
    dims.resize(dims.size() - 2);
  std::string header = "{'descr': '" + describe(tensor.dtype()) +
                       "', 'fortran_order': False, 'shape': (" + dims + "), }";
  // Magic, version and length take ten bytes; the text ends with a newline.
  header.resize((header.size() + 11 + 63) / 64 * 64 - 11, ' ');
  header += '\n';
  std::string start(magic);
  start += {'\x01', '\x00', static_cast<char>(header.size() & 0xff),
            static_cast<char>(header.size() >> 8)};
  if (Status status = file.write(start + header); !status)
    return status;
  return file.write(tensor.bytes());
}
