//===- DistributeReduction.h - Reductions in a block ------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_GPU_DISTRIBUTEREDUCTION_H
#define WEFT_TARGETS_GPU_DISTRIBUTEREDUCTION_H

#include "targets/GPU/Distribute.h"

namespace weft::gpu {

/// Whether `op` is a reduction that distributeReduction can do.
bool isBlockReduction(mlir::linalg::LinalgOp op);

/// Replaces a reduction on memory to few results, which all threads of a block have
/// reached, by code in which the threads divide what is reduced: each combines every
/// so many elements, then pairs of threads combine theirs in workgroup memory. The
/// order depends on the extents and the number of threads only. Fails, without
/// changing anything, if there are many results or no operation that combines them.
mlir::LogicalResult distributeReduction(mlir::RewriterBase &rewriter, mlir::linalg::LinalgOp op,
                                        const Grid &grid);

} // namespace weft::gpu

#endif // WEFT_TARGETS_GPU_DISTRIBUTEREDUCTION_H
