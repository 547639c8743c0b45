//===- Tensor.h - A tensor's type, shape and bytes ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TENSOR_TENSOR_H
#define WEFT_TENSOR_TENSOR_H

#include "Base/Result.h"
#include "Tensor/DataType.h"
#include "weft-runtime/module.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

using Dims = std::vector<int64_t>;

/// "2x3xf32", or "f32" for a scalar.
std::string typeName(DataType type, std::span<const int64_t> dims);

/// The bytes of a file, mapped or in memory, and what keeps them alive.
struct ByteSource {
  std::span<const uint8_t> bytes;
  /// For messages: the path.
  std::string name;
  /// Owner of `bytes`; null where the bytes must be copied to outlive the call.
  std::shared_ptr<const void> owner;

  static Result<ByteSource> open(const std::string &path);
};

/// The text of a counted string, which may be null.
std::string_view textOf(const weft_string *string);

/// A dense row-major tensor. The bytes are the tensor's own, 64-byte aligned,
/// or lie in a mapped file, aligned for their elements; copies share them.
class Tensor {
public:
  Tensor() = default;

  /// A tensor of zeros that the caller may fill. Fails where the size does not
  /// fit in 63 bits, is above `maxBytes` (0: the machine's memory) or cannot be
  /// allocated.
  static Result<Tensor> zeros(DataType type, Dims dims, int64_t maxBytes = 0);

  /// The tensor whose bytes start at `offset` of `source`: mapped where the
  /// source has an owner and the elements are aligned there, else copied. Fails
  /// where the source is too short; `what` names the tensor in the message.
  static Result<Tensor> fromSource(DataType type, Dims dims, const ByteSource &source,
                                   uint64_t offset, const std::string &what);

  /// A tensor of strings, in row-major order: as many as `dims` says, or one
  /// for all elements. They are copied.
  static Result<Tensor> strings(Dims dims, std::span<const std::string_view> values,
                                int64_t maxBytes = 0);

  DataType dtype() const { return type; }
  const Dims &dims() const { return shape; }
  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  int64_t count() const { return elements; }
  std::string typeName() const { return weft::typeName(type, shape); }

  std::span<const uint8_t> bytes() const { return {data.get(), static_cast<size_t>(size)}; }
  const uint8_t *raw() const { return data.get(); }
  /// Element `index` of a tensor of strings.
  std::string_view stringAt(int64_t index) const;
  /// Only for a tensor that zeros() made and nobody shares yet.
  uint8_t *mutableRaw() { return const_cast<uint8_t *>(data.get()); }

  /// The same bytes as elements of another type with as many bits.
  Tensor withType(DataType other) const {
    Tensor result = *this;
    result.type = other;
    return result;
  }

private:
  DataType type = dtype::f32;
  Dims shape;
  int64_t elements = 0;
  int64_t size = 0;
  std::shared_ptr<const uint8_t> data;
};

/// Reads `.npy`, `.pb` (ONNX TensorProto) by the path's extension; any other
/// extension is an error that lists them.
Result<Tensor> readTensorFile(const std::string &path);

/// Writes `.npy`, `.pb` or, for any other extension, the raw bytes, whole or
/// not at all. The path "-" is standard output, as `.npy`.
Status writeTensorFile(const std::string &path, const Tensor &tensor);

} // namespace weft

#endif // WEFT_TENSOR_TENSOR_H
