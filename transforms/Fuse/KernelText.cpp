//===- KernelText.cpp - Kernels as text by which they are compared --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Fuse/KernelText.h"

using namespace mlir;

std::string weft::printWithoutLocations(KernelOp kernel) {
  std::string text;
  llvm::raw_string_ostream os(text);
  kernel.print(os, OpPrintingFlags()
                       .useLocalScope()
                       .printGenericOpForm()
                       .enableDebugInfo(false)
                       .elideLargeElementsAttrs(std::numeric_limits<int64_t>::max())
                       .elideLargeResourceString(std::numeric_limits<int64_t>::max()));
  return text;
}
