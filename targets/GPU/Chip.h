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

/// Instructions by which a subgroup multiplies matrices of 16 x 16 numbers, f16 or bf16, and
/// adds them to such a matrix of f32. They differ in how the matrices lie in its lanes.
enum class MatrixInstruction {
  None,
  MMASync, ///< NVIDIA: `mma.sync.m16n8k16`, which two of make one
  MFMA,    ///< AMD CDNA 3 and later: `v_mfma_f32_16x16x16`
  /// AMD CDNA 2: the same of bf16, but it takes subnormal numbers for zero, which those of
  /// f16 are large enough to matter: these are f32 for `v_mfma_f32_16x16x4`.
  MFMA2,
  WMMA11, ///< AMD RDNA 3: `v_wmma_f32_16x16x16`
  WMMA12, ///< AMD RDNA 4: the same with another layout
};

/// A kind of GPU that code can be made for, as LLVM names it.
struct Chip {
  llvm::StringLiteral name;
  llvm::StringLiteral features; ///< for LLVM: "+ptx80"
  int64_t waveSize;             ///< threads that run in lockstep
  int64_t workgroupBytes;       ///< memory that a block can share
  int64_t registers;            ///< of 32 bits, for the threads of a block together
  MatrixInstruction matrix;     ///< the one that kernels use
};

} // namespace weft::gpu

#endif // WEFT_TARGETS_GPU_CHIP_H
