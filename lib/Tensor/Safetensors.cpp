//===- Safetensors.cpp - Hugging Face's tensor container ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The file is the header's length (64-bit little-endian), the header, which is
// a JSON object {"name": {"dtype", "shape", "data_offsets": [begin, end]}}, and
// the bytes that the offsets count in.
//
//===----------------------------------------------------------------------===//

#include "Tensor/Safetensors.h"

#include "Tensor/Json.h"

#include <algorithm>
#include <cstring>
#include <set>

using namespace weft;

static constexpr uint64_t maxHeaderSize = 100'000'000;
static constexpr int64_t alignment = 64;
static constexpr std::string_view padPrefix = "__pad__.";
static constexpr std::string_view typePrefix = "weft.type.";

namespace {

struct FormatType {
  std::string_view name;
  DataType type;
};

/// One entry of the header.
struct Entry {
  std::string name;
  DataType type;
  Dims dims;
  uint64_t begin = 0, end = 0;
};

} // namespace

static constexpr FormatType formatTypes[] = {
    {"F64", dtype::f64},
    {"F32", dtype::f32},
    {"F16", dtype::f16},
    {"BF16", dtype::bf16},
    {"I64", dtype::i64},
    {"I32", dtype::i32},
    {"I16", dtype::i16},
    {"I8", dtype::i8},
    {"U64", dtype::u64},
    {"U32", dtype::u32},
    {"U16", dtype::u16},
    {"U8", dtype::u8},
    {"BOOL", dtype::boolean},
    {"C64", dtype::complex64},
    {"F8_E4M3", dtype::f8E4M3FN},
    {"F8_E5M2", dtype::f8E5M2},
    {"F8_E8M0", dtype::f8E8M0FNU},
    {"F8_E4M3FNUZ", dtype::f8E4M3FNUZ},
    {"F8_E5M2FNUZ", dtype::f8E5M2FNUZ},
    {"F4", dtype::f4E2M1FN},
};

static Error fileError(const ByteSource &source, const std::string &what) {
  return Error{source.name + ": " + what};
}

static Result<uint64_t> parseOffset(const ByteSource &source, const std::string &name,
                                    const Json &value) {
  std::optional<int64_t> offset = value.asInteger();
  if (!offset || *offset < 0)
    return fileError(source, "tensor " + quoteJson(name) +
                                 ": expected data_offsets and shape to be "
                                 "integers from 0 to 2^63 - 1");
  return static_cast<uint64_t>(*offset);
}

static Result<Entry> parseEntry(const ByteSource &source, const Json::Member &member) {
  Entry entry;
  entry.name = member.name;
  std::string tensor = "tensor " + quoteJson(member.name);
  const Json *type = member.value.find("dtype");
  const Json *shape = member.value.find("shape");
  const Json *offsets = member.value.find("data_offsets");
  if (!type || !type->isString() || !shape || !shape->isArray() || !offsets ||
      !offsets->isArray() || offsets->elements().size() != 2)
    return fileError(source, tensor + ": expected an object with dtype, shape "
                                      "and two data_offsets");
  const FormatType *known =
      std::find_if(std::begin(formatTypes), std::end(formatTypes),
                   [&](const FormatType &t) { return t.name == type->asString(); });
  if (known == std::end(formatTypes))
    return fileError(source, tensor + ": unknown dtype " + quoteJson(type->asString()));
  entry.type = known->type;
  for (const Json &extent : shape->elements()) {
    Result<uint64_t> value = parseOffset(source, member.name, extent);
    if (!value)
      return value.error();
    entry.dims.push_back(static_cast<int64_t>(*value));
  }
  Result<uint64_t> begin = parseOffset(source, member.name, offsets->elements()[0]);
  if (!begin)
    return begin.error();
  Result<uint64_t> end = parseOffset(source, member.name, offsets->elements()[1]);
  if (!end)
    return end.error();
  entry.begin = *begin;
  entry.end = *end;
  std::optional<int64_t> count = checkedElementCount(entry.dims);
  std::optional<int64_t> size = count ? byteSize(entry.type, *count) : std::optional<int64_t>();
  if (!size || entry.end < entry.begin || entry.end - entry.begin != static_cast<uint64_t>(*size))
    return fileError(source, tensor + " of type " + typeName(entry.type, entry.dims) + " needs " +
                                 (size ? std::to_string(*size) : std::string("more than 2^63")) +
                                 " bytes, found data_offsets [" + std::to_string(entry.begin) +
                                 ", " + std::to_string(entry.end) + "]");
  return entry;
}

/// The ranges must cover the data without overlap or hole.
static Status checkRanges(const ByteSource &source, const std::vector<Entry> &entries,
                          uint64_t dataSize) {
  std::vector<const Entry *> sorted;
  for (const Entry &entry : entries)
    sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(), [](const Entry *a, const Entry *b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  uint64_t position = 0;
  for (const Entry *entry : sorted) {
    std::string tensor = "tensor " + quoteJson(entry->name);
    if (entry->end > dataSize)
      return fileError(source, tensor + " ends at byte " + std::to_string(entry->end) +
                                   " of the data, which has " + std::to_string(dataSize) +
                                   " bytes");
    if (entry->begin != position)
      return fileError(source, tensor + " starts at byte " + std::to_string(entry->begin) +
                                   " of the data, expected byte " + std::to_string(position) +
                                   (entry->begin < position ? " (it overlaps another tensor)"
                                                            : " (there is a hole before it)"));
    position = entry->end;
  }
  if (position != dataSize)
    return fileError(source, "expected the tensors to fill the data, found " +
                                 std::to_string(dataSize - position) + " bytes after the last one");
  return {};
}

static Status parseMetadata(const ByteSource &source, const Json &value,
                            SafetensorsFile &contents) {
  if (!value.isObject())
    return fileError(source, "expected \"__metadata__\" to be an object");
  for (const Json::Member &member : value.members()) {
    if (!member.value.isString())
      return fileError(source, "expected metadata " + quoteJson(member.name) + " to be a string");
    contents.metadata.emplace_back(member.name, member.value.asString());
  }
  return {};
}

/// Applies "weft.type.<name>" = "4x3xi4" to the tensor that was stored as
/// bytes, and drops it from the metadata.
static Status restoreTypes(const ByteSource &source, SafetensorsFile &contents) {
  auto isType = [](const auto &entry) { return entry.first.starts_with(typePrefix); };
  for (const auto &entry : contents.metadata) {
    if (!isType(entry))
      continue;
    std::string name = entry.first.substr(typePrefix.size());
    auto named = std::find_if(contents.tensors.begin(), contents.tensors.end(),
                              [&](const NamedTensor &tensor) { return tensor.name == name; });
    Error bad = fileError(source, "metadata " + quoteJson(entry.first) +
                                      ": expected the type of a tensor of "
                                      "bytes, found " +
                                      quoteJson(entry.second));
    if (named == contents.tensors.end() || !isSame(named->tensor.dtype(), dtype::u8))
      return bad;
    // EXTENTxEXTENTx...xTYPE
    Dims dims;
    std::string_view rest = entry.second;
    while (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') {
      int64_t extent = 0;
      for (; !rest.empty() && rest[0] >= '0' && rest[0] <= '9'; rest.remove_prefix(1))
        if (__builtin_mul_overflow(extent, 10, &extent) ||
            __builtin_add_overflow(extent, rest[0] - '0', &extent))
          return bad;
      if (!rest.starts_with("x"))
        return bad;
      rest.remove_prefix(1);
      dims.push_back(extent);
    }
    std::optional<DataType> type = parseDataType(rest);
    std::optional<int64_t> count = checkedElementCount(dims);
    if (!type || !count || byteSize(*type, *count) != int64_t(named->tensor.bytes().size()))
      return bad;
    ByteSource bytes{named->tensor.bytes(), source.name, std::make_shared<Tensor>(named->tensor)};
    Result<Tensor> typed = Tensor::fromSource(*type, dims, bytes, 0, "tensor " + quoteJson(name));
    if (!typed)
      return typed.error();
    named->tensor = *std::move(typed);
  }
  std::erase_if(contents.metadata, isType);
  return {};
}

Result<SafetensorsFile> weft::readSafetensors(const ByteSource &source) {
  uint64_t length = 0;
  if (source.bytes.size() < 8)
    return fileError(source, "not a .safetensors file: expected at least 8 "
                             "bytes, found " +
                                 std::to_string(source.bytes.size()));
  std::memcpy(&length, source.bytes.data(), 8);
  uint64_t most = std::min<uint64_t>(maxHeaderSize, source.bytes.size() - 8);
  if (length > most)
    return fileError(source, "not a .safetensors file: expected a header of at "
                             "most " +
                                 std::to_string(most) + " bytes, found the length " +
                                 std::to_string(length));
  std::string_view text(reinterpret_cast<const char *>(source.bytes.data()) + 8,
                        static_cast<size_t>(length));
  Result<Json> header = Json::parse(text, source.name);
  if (!header)
    return header.error();
  if (!header->isObject())
    return fileError(source, "expected the header to be a JSON object");

  SafetensorsFile contents;
  std::vector<Entry> entries;
  for (const Json::Member &member : header->members()) {
    if (member.name == "__metadata__") {
      if (Status status = parseMetadata(source, member.value, contents); !status)
        return status.error();
      continue;
    }
    Result<Entry> entry = parseEntry(source, member);
    if (!entry)
      return entry.error();
    entries.push_back(*std::move(entry));
  }
  uint64_t dataStart = 8 + length;
  if (Status status = checkRanges(source, entries, source.bytes.size() - dataStart); !status)
    return status.error();
  for (Entry &entry : entries) {
    if (entry.name.starts_with(padPrefix))
      continue;
    Result<Tensor> tensor =
        Tensor::fromSource(entry.type, std::move(entry.dims), source, dataStart + entry.begin,
                           "tensor " + quoteJson(entry.name));
    if (!tensor)
      return tensor.error();
    contents.tensors.push_back({std::move(entry.name), *std::move(tensor)});
  }
  if (Status status = restoreTypes(source, contents); !status)
    return status.error();
  return contents;
}

static Json describe(std::string_view type, const Dims &dims, int64_t begin, int64_t end) {
  Json shape = Json::array();
  for (int64_t extent : dims)
    shape.append(extent);
  Json offsets = Json::array();
  offsets.append(begin).append(end);
  Json entry = Json::object();
  entry.set("dtype", type);
  entry.set("shape", std::move(shape));
  entry.set("data_offsets", std::move(offsets));
  return entry;
}

static int64_t paddingTo(int64_t position) {
  return (alignment - position % alignment) % alignment;
}

Status weft::writeSafetensors(OutputFile &file, const SafetensorsFile &contents) {
  Json metadata = Json::object();
  for (const auto &[key, value] : contents.metadata)
    metadata.set(key, value);
  Json header = Json::object(), entries = Json::object();
  std::set<std::string_view> names;
  int64_t position = 0, pads = 0;
  for (const NamedTensor &named : contents.tensors) {
    if (named.name == "__metadata__" || named.name.starts_with(padPrefix) ||
        !names.insert(named.name).second)
      return Error{"cannot write tensor " + quoteJson(named.name) +
                   ": the name is reserved or taken"};
    if (int64_t padding = paddingTo(position)) {
      entries.set(std::string(padPrefix) + std::to_string(pads++),
                  describe("U8", {padding}, position, position + padding));
      position += padding;
    }
    const Tensor &tensor = named.tensor;
    int64_t end = position + static_cast<int64_t>(tensor.bytes().size());
    const FormatType *known =
        std::find_if(std::begin(formatTypes), std::end(formatTypes),
                     [&](const FormatType &t) { return isSame(t.type, tensor.dtype()); });
    if (known == std::end(formatTypes)) {
      metadata.set(std::string(typePrefix) + named.name, tensor.typeName());
      entries.set(named.name, describe("U8", {end - position}, position, end));
    } else {
      entries.set(named.name, describe(known->name, tensor.dims(), position, end));
    }
    position = end;
  }
  if (!metadata.members().empty())
    header.set("__metadata__", std::move(metadata));
  for (const Json::Member &member : entries.members())
    header.set(member.name, member.value);

  std::string text = header.dump();
  text.resize((text.size() + 8 + alignment - 1) / alignment * alignment - 8, ' ');
  uint64_t length = text.size();
  std::string start(reinterpret_cast<const char *>(&length), 8);
  if (Status status = file.write(start + text); !status)
    return status;
  static constexpr uint8_t zeros[alignment] = {};
  position = 0;
  for (const NamedTensor &named : contents.tensors) {
    int64_t padding = paddingTo(position);
    if (Status status = file.write(std::span<const uint8_t>(zeros, static_cast<size_t>(padding)));
        !status)
      return status;
    if (Status status = file.write(named.tensor.bytes()); !status)
      return status;
    position += padding + static_cast<int64_t>(named.tensor.bytes().size());
  }
  return {};
}
