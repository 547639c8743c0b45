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

/// What a thread keeps of a contraction's results: `rows` x `columns` of them. With
/// lanes of 1 each is a sum of its own. With lanes of 2 they are what a thread has of
/// NVIDIA's m16n8k16: two rows, 8 apart, by pairs of columns, and tensor cores compute
/// them, of f16 or bf16 with sums of f32.
struct RegisterTile {
  int64_t rows = 0, columns = 0, lanes = 1;
};

/// The tile for `mma.sync`: 8 warps have 64 x 64 results.
inline constexpr RegisterTile kMatrixTile = {2, 8, 2};

/// Whether tensor cores can compute `contraction`.
bool fitsMatrixInstruction(const Contraction &contraction);

/// Replaces a contraction on memory, which all threads of a block have reached, by code in
/// which 16 x 16 threads keep results in registers, as `tile` says. Both operands pass
/// through workgroup memory, some k at a time. Sums are added in the order of k, as by a
/// loop, but by tensor cores in theirs. Fails where the block has other threads.
mlir::LogicalResult distributeContraction(mlir::RewriterBase &rewriter,
                                          const Contraction &contraction, const Grid &grid,
                                          RegisterTile tile);

} // namespace weft::gpu

#endif // WEFT_TARGETS_GPU_DISTRIBUTECONTRACTION_H
