//===- Reader.h - Reads ONNX models from files and memory -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_READER_READER_H
#define WEFT_FRONTEND_ONNX_READER_READER_H

#include "Frontend/ONNX/Reader/ExternalFiles.h"
#include "Frontend/ONNX/Reader/Model.h"

namespace weft::onnx {

/// Limits that hold for every file, so that none can exhaust the stack or the
/// memory. libprotobuf has the same limit of depth; a graph inside a graph is
/// three messages deeper.
struct ReaderLimits {
  unsigned messageDepth = 100;
  /// The structs that are read may take this many bytes, plus a factor times
  /// the size of the file. An empty node is 2 bytes in the file and 200 in
  /// memory; models of the ONNX test data, tiny graphs with short names and
  /// without weights, take up to 15 times their size, real ones 0 to 5 times.
  uint64_t structBytes = uint64_t(64) << 20;
  uint64_t structBytesPerFileByte = 16;
};

/// Maps and reads the model at `path`; external data is looked for in the
/// folder of `path`. Reads the structure only: no tensor data is touched, names
/// are not resolved (see `verify`). Errors name the file, the byte and the
/// field.
Result<Model> readModel(const std::string &path, const ReaderLimits &limits = {});

/// Reads a model from `bytes`, which must outlive it. `name` is for messages;
/// external data is looked for in `folder`, and refused if that is empty.
Result<Model> readModel(std::span<const uint8_t> bytes, std::string name, std::string folder = {},
                        const ReaderLimits &limits = {});

/// Reads a TensorProto that is a file of its own, as test data is. `bytes` must
/// outlive it.
Result<Tensor> readTensor(std::span<const uint8_t> bytes, std::string name,
                          const ReaderLimits &limits = {});

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_READER_READER_H
