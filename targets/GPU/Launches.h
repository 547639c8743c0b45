//===- Launches.h - What one launch of a kernel computes --------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_GPU_LAUNCHES_H
#define WEFT_TARGETS_GPU_LAUNCHES_H

#include "dialects/Weft/IR/Weft.h"

namespace weft::gpu {

/// What one launch computes: a range of the kernel's operations.
struct Launch {
  enum Kind {
    Elements, ///< one structured operation over the grid
    Blocks,   ///< a parallel loop, one iteration a block
    Threads,  ///< a parallel loop, one iteration a thread
    OneBlock, ///< anything
  };
  Kind kind;
  llvm::SmallVector<mlir::Operation *> ops;

  /// Threads of a block.
  int32_t threads() const;
};

/// A view of memory: a name of an address, which the device computes again.
bool isView(mlir::Operation *op);

/// Divides the operations of `kernel` on memory into launches, in order.
llvm::SmallVector<Launch> findLaunches(KernelOp kernel);

/// How many blocks the grid of `launch` has, computed on the host.
mlir::Value countBlocks(mlir::OpBuilder &b, const Launch &launch);

} // namespace weft::gpu

#endif // WEFT_TARGETS_GPU_LAUNCHES_H
