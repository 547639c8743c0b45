//===- SelectSchedules.h - Chooses schedules for CPUs ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_CPU_SELECTSCHEDULES_H
#define WEFT_TARGETS_CPU_SELECTSCHEDULES_H

#include "dialects/Weft/IR/Weft.h"

namespace weft::cpu {

/// Sets `schedule` of the kernel; see Target::selectSchedule.
mlir::LogicalResult selectSchedule(KernelOp kernel);

} // namespace weft::cpu

#endif // WEFT_TARGETS_CPU_SELECTSCHEDULES_H
