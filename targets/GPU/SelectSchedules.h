//===- SelectSchedules.h - Chooses schedules for GPUs -----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_GPU_SELECTSCHEDULES_H
#define WEFT_TARGETS_GPU_SELECTSCHEDULES_H

#include "dialects/Weft/IR/Weft.h"

namespace weft::gpu {

/// Gives `kernel` its schedule. The parallel tiles are what a block computes: a row of a
/// kernel that works row by row, a tile of a matrix product, whose `vector` then has
/// the results that a thread keeps. Other kernels get none: each of their operations
/// is divided among all threads.
void selectSchedule(KernelOp kernel);

} // namespace weft::gpu

#endif // WEFT_TARGETS_GPU_SELECTSCHEDULES_H
