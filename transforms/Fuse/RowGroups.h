//===- RowGroups.h - Normalizations as one group --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_FUSE_ROWGROUPS_H
#define WEFT_TRANSFORMS_FUSE_ROWGROUPS_H

#include "mlir/IR/Operation.h"
#include "llvm/ADT/DenseSet.h"

namespace weft {

/// The operations from `seed` on, in program order, that one kernel can compute
/// row by row: at least two, one of them a reduction of rows or a softmax. Every
/// use of their results outside of the group comes after its last operation.
/// Empty if there is no such group. Operations in `taken` are in others.
llvm::SmallVector<mlir::Operation *> formRowGroup(mlir::Operation *seed,
                                                  const llvm::DenseSet<mlir::Operation *> &taken);

} // namespace weft

#endif // WEFT_TRANSFORMS_FUSE_ROWGROUPS_H
