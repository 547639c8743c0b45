//===- TensorProto.h - ONNX's serialised tensors --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TENSOR_TENSORPROTO_H
#define WEFT_TENSOR_TENSORPROTO_H

#include "Tensor/OutputFile.h"
#include "Tensor/Tensor.h"

namespace weft {

/// A tensor and its name in the file, which may be empty.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// The type of ONNX's TensorProto.DataType `number`, or nothing for strings,
/// undefined and unknown numbers.
std::optional<DataType> typeOfOnnx(int64_t number);

/// Reads the `.pb` files of ONNX test data: one TensorProto, its values in
/// raw_data or in the typed fields. Strings and external data are refused.
Result<NamedTensor> readTensorProto(const ByteSource &source);

/// Writes a TensorProto with raw_data. Fails for types that ONNX does not have.
Status writeTensorProto(OutputFile &file, const Tensor &tensor, std::string_view name);

} // namespace weft

#endif // WEFT_TENSOR_TENSORPROTO_H
