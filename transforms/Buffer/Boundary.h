//===- Boundary.h - Tensor arguments become memrefs -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_BUFFER_BOUNDARY_H
#define WEFT_TRANSFORMS_BUFFER_BOUNDARY_H

#include "mlir/IR/PatternMatch.h"

namespace weft {

/// Gives the tensor arguments of `body` contiguous memref types, reads them as
/// tensors at its start, and returns all argument types. `isWritable` says which
/// memory the body may overwrite.
llvm::SmallVector<mlir::Type>
convertArgumentsToMemRefs(mlir::Block &body, mlir::RewriterBase &rewriter,
                          llvm::function_ref<bool(mlir::BlockArgument)> isWritable);

} // namespace weft

#endif // WEFT_TRANSFORMS_BUFFER_BOUNDARY_H
