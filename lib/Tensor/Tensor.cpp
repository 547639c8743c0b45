//===- Tensor.cpp - A tensor's type, shape and bytes ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor/Tensor.h"

#include "Base/MappedFile.h"
#include "Tensor/Npy.h"
#include "Tensor/OutputFile.h"
#include "Tensor/TensorProto.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

using namespace weft;

std::string weft::typeName(DataType type, std::span<const int64_t> dims) {
  std::string text;
  for (int64_t extent : dims)
    text += std::to_string(extent) + "x";
  return text + dataTypeName(type);
}

Result<ByteSource> ByteSource::open(const std::string &path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.error();
  auto owner = std::make_shared<MappedFile>(*std::move(file));
  return ByteSource{owner->bytes(), path, owner};
}

static int64_t machineMemory() {
  long pages = ::sysconf(_SC_PHYS_PAGES), pageSize = ::sysconf(_SC_PAGESIZE);
  return checkedMultiply(pages, pageSize).value_or(INT64_MAX);
}

Result<Tensor> Tensor::zeros(DataType type, Dims dims, int64_t maxBytes) {
  std::optional<int64_t> count = checkedElementCount(dims);
  std::optional<int64_t> size = count ? byteSize(type, *count) : std::optional<int64_t>();
  if (!size)
    return Error{"a tensor of type " + weft::typeName(type, dims) +
                 " is too large: its size does not fit in 63 bits"};
  int64_t limit = maxBytes ? maxBytes : machineMemory();
  if (*size > limit)
    return Error{"a tensor of type " + weft::typeName(type, dims) + " needs " +
                 std::to_string(*size) + " bytes, the limit is " + std::to_string(limit)};
  // At least one block, so that an empty tensor has an address too.
  size_t rounded = (static_cast<size_t>(*size) / 64 + 1) * 64;
  void *memory = std::aligned_alloc(64, rounded);
  if (!memory)
    return Error{"cannot allocate " + std::to_string(*size) + " bytes for a tensor of type " +
                 weft::typeName(type, dims)};
  std::memset(memory, 0, rounded);
  Tensor tensor;
  tensor.type = type;
  tensor.shape = std::move(dims);
  tensor.elements = *count;
  tensor.size = *size;
  tensor.data = std::shared_ptr<const uint8_t>(
      static_cast<const uint8_t *>(memory),
      [](const uint8_t *bytes) { std::free(const_cast<uint8_t *>(bytes)); });
  return tensor;
}

Result<Tensor> Tensor::fromSource(DataType type, Dims dims, const ByteSource &source,
                                  uint64_t offset, const std::string &what) {
  if (isString(type)) // their addresses would come from a file
    return Error{source.name + ": " + what + " is of strings, which plain bytes cannot hold"};
  std::optional<int64_t> count = checkedElementCount(dims);
  std::optional<int64_t> size = count ? byteSize(type, *count) : std::optional<int64_t>();
  if (!size)
    return Error{source.name + ": " + what + " of type " + weft::typeName(type, dims) +
                 " is too large: its size does not fit in 63 bits"};
  uint64_t available = offset <= source.bytes.size() ? source.bytes.size() - offset : 0;
  if (static_cast<uint64_t>(*size) > available)
    return Error{source.name + ": " + what + " of type " + weft::typeName(type, dims) + " needs " +
                 std::to_string(*size) + " bytes from offset " + std::to_string(offset) +
                 ", the file has " + std::to_string(available) + " there"};
  const uint8_t *bytes = source.bytes.data() + offset;
  bool aligned = reinterpret_cast<uintptr_t>(bytes) % elementAlignment(type) == 0;
  if (*size == 0 || !source.owner || !aligned) {
    Result<Tensor> copy = zeros(type, std::move(dims));
    if (!copy)
      return Error{source.name + ": " + copy.error().message};
    if (*size)
      std::memcpy(copy->mutableRaw(), bytes, static_cast<size_t>(*size));
    return copy;
  }
  Tensor tensor;
  tensor.type = type;
  tensor.shape = std::move(dims);
  tensor.elements = *count;
  tensor.size = *size;
  tensor.data = std::shared_ptr<const uint8_t>(source.owner, bytes);
  return tensor;
}

namespace {
/// What the elements of a tensor of strings need to stay.
struct Strings {
  std::vector<uint64_t> elements; // addresses
  std::vector<uint64_t> bytes;    // headers and texts, each at a multiple of 8
};
} // namespace

Result<Tensor> Tensor::strings(Dims dims, std::span<const std::string_view> values,
                               int64_t maxBytes) {
  Result<Tensor> tensor = zeros(dtype::string, std::move(dims), maxBytes);
  if (!tensor)
    return tensor;
  auto kept = std::make_shared<Strings>();
  size_t words = 0;
  for (std::string_view value : values)
    words += value.empty() ? 0 : 1 + (value.size() + 7) / 8;
  kept->bytes.resize(words);
  std::vector<uint64_t> addresses;
  uint64_t *next = kept->bytes.data();
  for (std::string_view value : values) {
    addresses.push_back(value.empty() ? 0 : reinterpret_cast<uint64_t>(next));
    if (value.empty())
      continue;
    *next = value.size();
    std::memcpy(next + 1, value.data(), value.size());
    next += 1 + (value.size() + 7) / 8;
  }
  size_t count = static_cast<size_t>(tensor->elements);
  kept->elements.resize(std::max<size_t>(count, 1));
  for (size_t i = 0; i < count; ++i)
    kept->elements[i] = addresses[addresses.size() == 1 ? 0 : i];
  tensor->data = std::shared_ptr<const uint8_t>(
      kept, reinterpret_cast<const uint8_t *>(kept->elements.data()));
  return tensor;
}

std::string_view weft::textOf(const weft_string *string) {
  if (!string)
    return {};
  return {reinterpret_cast<const char *>(string + 1), static_cast<size_t>(string->size)};
}

std::string_view Tensor::stringAt(int64_t index) const {
  const weft_string *string;
  std::memcpy(&string, raw() + index * int64_t(sizeof string), sizeof string);
  return textOf(string);
}

Result<Tensor> weft::readTensorFile(const std::string &path) {
  bool isNpy = path.ends_with(".npy"), isProto = path.ends_with(".pb");
  if (!isNpy && !isProto)
    return Error{path + ": cannot tell the format: expected a name that ends "
                        "in .npy or .pb (a raw file needs its type: "
                        "2x3xf32=@FILE)"};
  Result<ByteSource> source = ByteSource::open(path);
  if (!source)
    return source.error();
  if (isNpy)
    return readNpy(*source);
  Result<NamedTensor> named = readTensorProto(*source);
  if (!named)
    return named.error();
  return named->tensor;
}

Status weft::writeTensorFile(const std::string &path, const Tensor &tensor) {
  Result<OutputFile> file = OutputFile::create(path);
  if (!file)
    return file.error();
  Status status;
  if (isString(tensor.dtype()) && !path.ends_with(".pb"))
    return Error{path + ": only .pb files hold strings"};
  if (path.ends_with(".npy") || path == "-")
    status = writeNpy(*file, tensor);
  else if (path.ends_with(".pb"))
    status = writeTensorProto(*file, tensor, "");
  else
    status = file->write(tensor.bytes());
  if (!status)
    return status;
  return file->commit();
}
