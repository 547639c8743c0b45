//===- tensor-spec.cpp - Fuzzes the grammar of tensors on the command line ===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor/Print.h"
#include "Tensor/Spec.h"

#include <cstdlib>

/// Whatever parses must print to text that parses to the same.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  weft::SpecOptions options;
  options.maxBytes = 1 << 16;
  options.allowFiles = false;
  std::string_view text(reinterpret_cast<const char *>(data), size);
  weft::Result<weft::NamedTensor> named = weft::parseSpec(text, options);
  if (!named || named->tensor.count() > 1000)
    return 0;
  std::string printed = weft::printTensor(named->tensor, 1000);
  weft::Result<weft::NamedTensor> again = weft::parseSpec(printed, options);
  if (!again || weft::printTensor(again->tensor, 1000) != printed)
    std::abort();
  return 0;
}
