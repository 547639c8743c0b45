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

/// Attribute of a kernel, i64: nanoseconds that one of its work items is estimated to
/// take, by which the runtime decides how many threads a loop is worth.
inline constexpr llvm::StringLiteral itemCostAttrName = "weft.item_cost";

/// Sets `schedule` of the kernel, and its item cost where that is known; see
/// Target::selectSchedule.
mlir::LogicalResult selectSchedule(KernelOp kernel);

} // namespace weft::cpu

#endif // WEFT_TARGETS_CPU_SELECTSCHEDULES_H
