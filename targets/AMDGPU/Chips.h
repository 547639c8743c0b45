//===- Chips.h - AMD GPUs ---------------------------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_AMDGPU_CHIPS_H
#define WEFT_TARGETS_AMDGPU_CHIPS_H

#include "targets/GPU/Chip.h"

namespace weft::amdgpu {

/// CDNA 4, 3 and 2, then RDNA 4 and 3. Memory is the LDS that a workgroup can have;
/// registers are the vector registers of a SIMD.
inline constexpr gpu::Chip kChips[] = {
    {"gfx950", "", 64, 160 * 1024, 131072, gpu::MatrixInstruction::MFMA},
    {"gfx942", "", 64, 64 * 1024, 131072, gpu::MatrixInstruction::MFMA},
    {"gfx90a", "", 64, 64 * 1024, 131072, gpu::MatrixInstruction::MFMA2},
    {"gfx1201", "", 32, 64 * 1024, 49152, gpu::MatrixInstruction::WMMA12},
    {"gfx1100", "", 32, 64 * 1024, 49152, gpu::MatrixInstruction::WMMA11},
};

} // namespace weft::amdgpu

#endif // WEFT_TARGETS_AMDGPU_CHIPS_H
