//===- RowOperations.h - Operations that work row by row ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_FUSE_ROWOPERATIONS_H
#define WEFT_TRANSFORMS_FUSE_ROWOPERATIONS_H

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <optional>

namespace weft {

/// If `op` reduces each row of one operand to a number (a reduction over all
/// trailing dimensions) or to a row (a softmax along the last one): the number
/// of leading dimensions that tell rows apart. None for contractions.
std::optional<unsigned> getReducedRowRank(mlir::Operation *op);

/// Whether `op` is a `linalg` operation with one result, each row of which (the
/// part at one position of the first `rowRank` dimensions, at least one) is
/// computed from the same rows of operands that have them. `rowOperands`, if not
/// null, is given the input operands whose leading dimensions are the rows.
bool isRowOperation(mlir::Operation *op, unsigned rowRank,
                    llvm::SmallPtrSetImpl<mlir::OpOperand *> *rowOperands = nullptr);

/// The operations of a kernel that normalizes rows or does something like it:
/// at least one of them reduces rows, and whatever they read of each other is
/// the same row. Fills are not listed: they only start reductions.
struct RowKernel {
  unsigned rowRank = 0;
  llvm::SmallVector<mlir::linalg::LinalgOp> ops; ///< in order

  static std::optional<RowKernel> match(KernelOp kernel);

  /// Static extents of the rows' dimensions.
  llvm::SmallVector<int64_t> getRowExtents();
  /// Elements of the longest row; dynamic extents count as `assumed`.
  int64_t getRowLength(int64_t assumed);
};

} // namespace weft

#endif // WEFT_TRANSFORMS_FUSE_ROWOPERATIONS_H
