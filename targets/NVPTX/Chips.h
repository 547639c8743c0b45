//===- Chips.h - NVIDIA GPUs ------------------------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_NVPTX_CHIPS_H
#define WEFT_TARGETS_NVPTX_CHIPS_H

#include "targets/GPU/Chip.h"

namespace weft::nvptx {

/// With the first version of PTX that has all of the chip's instructions, so that older
/// drivers take it. Shared memory is the most that a block can ask for (CUDA C++
/// Programming Guide, "Technical Specifications per Compute Capability"); without
/// asking it has 48 KiB.
inline constexpr gpu::Chip kChips[] = {
    {"sm_120", "+ptx87", 32, 99 * 1024, 65536, gpu::MatrixInstruction::MMASync},
    {"sm_100a", "+ptx86", 32, 227 * 1024, 65536, gpu::MatrixInstruction::MMASync},
    {"sm_90a", "+ptx80", 32, 227 * 1024, 65536, gpu::MatrixInstruction::MMASync},
    {"sm_80", "+ptx78", 32, 163 * 1024, 65536, gpu::MatrixInstruction::MMASync},
};

} // namespace weft::nvptx

#endif // WEFT_TARGETS_NVPTX_CHIPS_H
