//===- tensor-safetensors.cpp - Fuzzes the .safetensors reader ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor/Print.h"
#include "Tensor/Safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  weft::Result<weft::SafetensorsFile> file =
      weft::readSafetensors({{data, size}, "fuzz.safetensors", nullptr});
  if (file)
    for (const weft::NamedTensor &named : file->tensors)
      weft::printTensor(named.tensor, 100);
  return 0;
}
