//===- TensorProto.cpp - ONNX's serialised tensors ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor/TensorProto.h"

#include "Frontend/ONNX/Reader/ExternalFiles.h"
#include "Frontend/ONNX/Reader/Reader.h"

#include <iterator>

using namespace weft;

std::optional<DataType> weft::typeOfOnnx(int64_t number) {
  static constexpr DataType none{255, 0, 0};
  static constexpr DataType types[] = {none,
                                       dtype::f32,
                                       dtype::u8,
                                       dtype::i8,
                                       dtype::u16,
                                       dtype::i16,
                                       dtype::i32,
                                       dtype::i64,
                                       none, // string
                                       dtype::boolean,
                                       dtype::f16,
                                       dtype::f64,
                                       dtype::u32,
                                       dtype::u64,
                                       dtype::complex64,
                                       dtype::complex128,
                                       dtype::bf16,
                                       dtype::f8E4M3FN,
                                       dtype::f8E4M3FNUZ,
                                       dtype::f8E5M2,
                                       dtype::f8E5M2FNUZ,
                                       dtype::u4,
                                       dtype::i4,
                                       dtype::f4E2M1FN,
                                       dtype::f8E8M0FNU,
                                       dtype::u2,
                                       dtype::i2,
                                       dtype::f6E2M3FN,
                                       dtype::f6E3M2FN};
  if (number < 0 || number >= int64_t(std::size(types)) || types[number].bits == 0)
    return std::nullopt;
  return types[number];
}

Result<NamedTensor> weft::readTensorProto(const ByteSource &source) {
  Result<onnx::Tensor> proto = onnx::readTensor(source.bytes, source.name);
  if (!proto)
    return proto.error();
  if (proto->elementType == onnx::ElementType::String) {
    Result<std::span<const std::string_view>> strings = proto->strings();
    if (!strings)
      return Error{source.name + ": " + strings.error().message};
    Result<Tensor> tensor = Tensor::strings(proto->dims, *strings);
    if (!tensor)
      return Error{source.name + ": " + tensor.error().message};
    return NamedTensor{std::string(proto->name), *std::move(tensor)};
  }
  std::optional<DataType> type = typeOfOnnx(static_cast<int64_t>(proto->elementType));
  if (!type)
    return Error{source.name +
                 ": not an ONNX tensor of a known type: expected "
                 "a data_type between 1 and 28, found " +
                 std::to_string(static_cast<int64_t>(proto->elementType))};
  // With no folder to look in, external data is refused.
  onnx::ExternalFiles files("", source.name, source.bytes);
  Result<onnx::TensorBytes> contents = proto->contents(files);
  if (!contents)
    return contents.error();
  // A view keeps its file, decoded values are copied.
  bool isView = contents->getSource() != onnx::TensorBytes::Source::Decoded;
  ByteSource bytes{contents->bytes(), source.name, isView ? source.owner : nullptr};
  Result<Tensor> tensor = Tensor::fromSource(*type, proto->dims, bytes, 0, "the tensor");
  if (!tensor)
    return tensor.error();
  return NamedTensor{std::string(proto->name), *std::move(tensor)};
}

/// Fields of TensorProto in onnx.proto, and how the wire format holds them.
enum : uint32_t {
  FieldDims = 1,
  FieldDataType = 2,
  FieldStringData = 6,
  FieldName = 8,
  FieldRawData = 9
};
enum : uint32_t { Varint = 0, Bytes = 2 };
/// The number of ONNX's type string.
static constexpr int64_t stringType = 8;

static void appendVarint(std::string &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

Status weft::writeTensorProto(OutputFile &file, const Tensor &tensor, std::string_view name) {
  int64_t number = isString(tensor.dtype()) ? stringType : 0;
  for (int64_t candidate = 1; candidate <= 28; ++candidate)
    if (std::optional<DataType> type = typeOfOnnx(candidate); type && isSame(*type, tensor.dtype()))
      number = candidate;
  if (!number)
    return Error{"ONNX has no element type " + dataTypeName(tensor.dtype())};
  std::string start;
  for (int64_t extent : tensor.dims()) {
    appendVarint(start, FieldDims << 3 | Varint);
    appendVarint(start, static_cast<uint64_t>(extent));
  }
  appendVarint(start, FieldDataType << 3 | Varint);
  appendVarint(start, static_cast<uint64_t>(number));
  if (!name.empty()) {
    appendVarint(start, FieldName << 3 | Bytes);
    appendVarint(start, name.size());
    start += name;
  }
  if (isString(tensor.dtype())) {
    for (int64_t i = 0; i < tensor.count(); ++i) {
      appendVarint(start, FieldStringData << 3 | Bytes);
      appendVarint(start, tensor.stringAt(i).size());
      start += tensor.stringAt(i);
    }
    return file.write(start);
  }
  appendVarint(start, FieldRawData << 3 | Bytes);
  appendVarint(start, tensor.bytes().size());
  if (Status status = file.write(start); !status)
    return status;
  return file.write(tensor.bytes());
}
