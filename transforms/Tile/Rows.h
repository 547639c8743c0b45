//===- Rows.h - Loops over the rows of tensors ------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_TILE_ROWS_H
#define WEFT_TRANSFORMS_TILE_ROWS_H

#include "mlir/IR/PatternMatch.h"

namespace weft {

/// Computes the rows of `inits` along dimension `along` from those of `input`,
/// whose extents in the other dimensions are theirs, in parallel. `row` gets
/// the tensors of rank 1 of one row, the input's and the inits', and gives the
/// latter's new values. Returns the results, one each for the inits. Tensors that
/// are known to be empty have no rows: the results are the inits then.
mlir::SmallVector<mlir::Value> createRowLoop(
    mlir::RewriterBase &rewriter, mlir::Location loc, mlir::Value input, mlir::ValueRange inits,
    int64_t along,
    llvm::function_ref<mlir::SmallVector<mlir::Value>(mlir::Value, mlir::ValueRange)> row);

} // namespace weft

#endif // WEFT_TRANSFORMS_TILE_ROWS_H
