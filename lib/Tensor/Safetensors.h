//===- Safetensors.h - Hugging Face's tensor container --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TENSOR_SAFETENSORS_H
#define WEFT_TENSOR_SAFETENSORS_H

#include "Tensor/OutputFile.h"
#include "Tensor/TensorProto.h"

#include <vector>

namespace weft {

/// What a `.safetensors` file holds, in the order of its header.
struct SafetensorsFile {
  std::vector<NamedTensor> tensors;
  /// The strings of "__metadata__".
  std::vector<std::pair<std::string, std::string>> metadata;
};

/// Reads the header (at most 100 MB) and checks all of it: known types, shapes
/// that match their ranges, ranges inside the file that neither overlap nor
/// leave holes, as the format demands. The tensors are views of the source
/// where they are aligned in it. Padding entries (see below) are left out.
Result<SafetensorsFile> readSafetensors(const ByteSource &source);

/// Writes the tensors in the given order, each 64-byte aligned. As the format
/// allows no holes, the padding is entries of its own, of type U8, named
/// "__pad__.0", "__pad__.1" and so on. Sub-byte types other than F4 (which is
/// the format's own) are written as U8 with their type in the metadata under
/// "weft.type.<name>".
Status writeSafetensors(OutputFile &file, const SafetensorsFile &contents);

} // namespace weft

#endif // WEFT_TENSOR_SAFETENSORS_H
