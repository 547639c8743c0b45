//===- Version.cpp - The compiler's version -------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weft/Version.h"

#include "llvm/Config/llvm-config.h"

std::string weft::versionText() {
  return "weft " WEFT_VERSION_STRING ", LLVM " LLVM_VERSION_STRING;
}
