//===- Chip.h - What is known of a GPU --------------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_GPU_CHIP_H
#define WEFT_TARGETS_GPU_CHIP_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace weft::gpu {

/// A kind of GPU that code can be made for, as LLVM names it.
struct Chip {
  llvm::StringLiteral name;
  llvm::StringLiteral features; ///< for LLVM: "+ptx80"
  int64_t waveSize;             ///< threads that run in lockstep
  int64_t workgroupBytes;       ///< memory that a block can share
  int64_t registers;            ///< of 32 bits, for the threads of a block together
  llvm::StringLiteral matrix;   ///< its matrix instructions for f16 and bf16
};

} // namespace weft::gpu

#endif // WEFT_TARGETS_GPU_CHIP_H
