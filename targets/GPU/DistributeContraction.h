//===- DistributeContraction.h - Matrix products in a block -----*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_GPU_DISTRIBUTECONTRACTION_H
#define WEFT_TARGETS_GPU_DISTRIBUTECONTRACTION_H

#include "targets/GPU/Distribute.h"
#include "transforms/Tile/Contraction.h"

namespace weft::gpu {

/// Threads of a block along the rows and along the columns of a contraction.
inline constexpr int64_t kThreadRows = 16, kThreadColumns = 16;

/// Replaces a contraction on memory, which all threads of a block have reached, by code in
/// which each of 16 x 16 threads keeps `rows` x `columns` results in registers. Both
/// operands pass through workgroup memory, some k at a time. Sums are added in the
/// order of k, as by a loop. Fails where the block has other threads.
mlir::LogicalResult distributeContraction(mlir::RewriterBase &rewriter,
                                          const Contraction &contraction, const Grid &grid,
                                          int64_t rows, int64_t columns);

} // namespace weft::gpu

#endif // WEFT_TARGETS_GPU_DISTRIBUTECONTRACTION_H
