//===- HeaderTest.cpp - The C++ header over the static library ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weft-runtime/runtime.hpp"

#include <cstring>

int main() {
  static_assert(weft::rt::dtypeOf<double>().bits == 64);
  static_assert(weft::rt::dtypeOf<uint8_t>().code == WEFT_DTYPE_UINT);
  static_assert(weft::rt::dtypeOf<bool>().code == WEFT_DTYPE_BOOL);
  try {
    weft::rt::Module::load("/nonexistent");
  } catch (const weft::rt::Error &error) {
    return error.code() == WEFT_NOT_FOUND && std::strstr(error.what(), "/nonexistent") ? 0 : 1;
  }
  return 1;
}
