//===- Spec.h - Tensors given on the command line -------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The grammar is that of iree-run-module, with names and random values added:
//
//   argument ::= [name '='] spec
//   spec     ::= type                     zeros
//              | type '=' values          one value fills the whole tensor
//              | type '=' '@' path        .npy or .pb of that type; else raw
//                                         bytes
//              | type '=' random
//              | '@' path                 .npy, .pb
//   type     ::= (extent 'x')* element    2x3xf32; f32 is a scalar
//   values   ::= numbers between spaces or commas, with brackets around rows:
//                1 2 3 4 or [1 2][3 4] or [[1 2][3 4]]; complex: (1,2)
//   random   ::= 'random' [':' seed [':' low '..' high]]
//
// Random floats are normal, or uniform in [low, high). Random integers and
// booleans are uniform in [low, high), by default 0 or 1.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TENSOR_SPEC_H
#define WEFT_TENSOR_SPEC_H

#include "Tensor/TensorProto.h"

#include <functional>
#include <string_view>

namespace weft {

struct SpecOptions {
  /// Largest tensor in bytes; 0: the machine's memory.
  int64_t maxBytes = 0;
  /// Whether '@' may read files.
  bool allowFiles = true;
  /// Refuses a type that is written in the spec before memory is taken for it.
  std::function<Status(const std::string &name, DataType, const Dims &)> accepts = nullptr;
};

/// The tensor that `text` describes, and its name or "". The error quotes the
/// text and says at which character (from 1) it stops making sense.
Result<NamedTensor> parseSpec(std::string_view text, const SpecOptions &options = {});

struct RandomRange {
  double low, high;
};

/// Pseudo-random elements as above, the same for equal arguments. The shape
/// must be one that Tensor::zeros accepts.
Result<Tensor> randomTensor(DataType type, Dims dims, uint64_t seed,
                            std::optional<RandomRange> range = std::nullopt, int64_t maxBytes = 0);

} // namespace weft

#endif // WEFT_TENSOR_SPEC_H
