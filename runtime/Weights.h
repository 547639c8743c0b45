//===- Weights.h - Weights files ----------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_WEIGHTS_H
#define WEFT_RUNTIME_WEIGHTS_H

#include "Error.h"

namespace weft::runtime {

/// A mapped weights file, or bytes that the caller lends.
class Weights {
public:
  Weights() = default;
  Weights(const Weights &) = delete;
  Weights &operator=(const Weights &) = delete;
  ~Weights();

  /// Maps the .safetensors file at `path` and checks that it is the one that
  /// `module` was compiled with. On failure nothing stays mapped.
  weft_error *open(const Allocator &allocator, const char *path, const weft_module &module);
  /// The same for its bytes in memory.
  weft_error *borrow(const Allocator &allocator, const void *data, uint64_t size,
                     const weft_module &module);

  const unsigned char *data() const { return bytes; }
  uint64_t size() const { return length; }

private:
  const unsigned char *bytes = nullptr;
  uint64_t length = 0;
  bool mapped = false;
};

/// The value of a key in the `__metadata__` object of a safetensors header.
enum class Metadata { Found, Missing, Malformed };

/// Finds string `key` of the `__metadata__` object in `json` and points `value`
/// at its raw text between the quotes. Escapes in keys are not resolved.
Metadata findMetadata(const char *json, uint64_t size, const char *key, const char *&value,
                      uint64_t &valueSize);

} // namespace weft::runtime

#endif // WEFT_RUNTIME_WEIGHTS_H
