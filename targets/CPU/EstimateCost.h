//===- EstimateCost.h - How long a kernel takes ---------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_CPU_ESTIMATECOST_H
#define WEFT_TARGETS_CPU_ESTIMATECOST_H

#include "dialects/Weft/IR/Weft.h"

namespace weft::cpu {

/// What a dynamic extent counts as in estimates.
inline constexpr int64_t kAssumedExtent = 64;

/// Estimates nanoseconds on one core for one work item of `kernel`, whose loops of
/// extents `extents` (static or ShapedType::kDynamic) are cut into tiles of
/// `tiles`, one entry a loop, 0 for a whole loop. At least 1. Only the order of magnitude matters:
/// the runtime compares the sum with the cost of waking threads (about 20 us).
int64_t estimateItemCost(KernelOp kernel, llvm::ArrayRef<int64_t> extents,
                         llvm::ArrayRef<int64_t> tiles);

} // namespace weft::cpu

#endif // WEFT_TARGETS_CPU_ESTIMATECOST_H
