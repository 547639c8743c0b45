//===- tensor-proto.cpp - Fuzzes the ONNX TensorProto reader --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor/Print.h"
#include "Tensor/TensorProto.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  weft::Result<weft::NamedTensor> named = weft::readTensorProto({{data, size}, "fuzz.pb", nullptr});
  if (named)
    weft::printTensor(named->tensor, 1000);
  return 0;
}
