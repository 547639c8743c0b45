//===- DistributeContraction.h - Matrix products in a block -----*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_GPU_DISTRIBUTECONTRACTION_H
#define WEFT_TARGETS_GPU_DISTRIBUTECONTRACTION_H

#include "targets/GPU/Chip.h"
#include "targets/GPU/Distribute.h"
#include "transforms/Tile/Contraction.h"

namespace weft::gpu {

/// Threads of a block along the rows and along the columns of a contraction.
inline constexpr int64_t kThreadRows = 16, kThreadColumns = 16;

/// What a thread keeps of a contraction's results: `rows` x `columns` of them, each a sum of
/// its own, of one `depth` after the other. With a depth of 16 the tile is what subgroups
/// multiply by an instruction, of numbers of f16 or bf16 with sums of f32.
struct RegisterTile {
  int64_t rows = 0, columns = 0, depth = 1;

  bool isMatrix() const { return rows == 16 && columns == 16 && depth == 16; }
};

/// The tile for matrix instructions.
inline constexpr RegisterTile kMatrixTile = {16, 16, 16};

/// The tile where there are none.
inline constexpr RegisterTile kScalarTile = {4, 4, 1};

/// Whether matrix instructions can compute `contraction`.
bool fitsMatrixInstruction(const Contraction &contraction);

/// Replaces a contraction on memory, which all threads of a block have reached, by code in
/// which 16 x 16 threads keep results in registers, as `tile` says. Both operands pass
/// through workgroup memory, some k at a time. Sums are added in the order of k, as by a
/// loop. Fails where the block has other threads.
mlir::LogicalResult distributeContraction(mlir::RewriterBase &rewriter,
                                          const Contraction &contraction, const Grid &grid,
                                          RegisterTile tile);

/// The same by the matrix instruction of a chip, whose subgroups have 16 rows of a tile of
/// 64 x 64 results each; sums are added in the order of the instruction.
mlir::LogicalResult distributeMatrixContraction(mlir::RewriterBase &rewriter,
                                                const Contraction &contraction, const Grid &grid,
                                                MatrixInstruction instruction);

} // namespace weft::gpu

#endif // WEFT_TARGETS_GPU_DISTRIBUTECONTRACTION_H
