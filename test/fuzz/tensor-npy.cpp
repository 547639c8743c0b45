//===- tensor-npy.cpp - Fuzzes the .npy reader ----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor/Npy.h"
#include "Tensor/Print.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  weft::Result<weft::Tensor> tensor = weft::readNpy({{data, size}, "fuzz.npy", nullptr});
  if (tensor)
    weft::printTensor(*tensor, 1000);
  return 0;
}
