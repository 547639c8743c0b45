//===- DeviceWorkers.h - Who runs parallel loops on a device ----*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_BUFFER_DEVICEWORKERS_H
#define WEFT_TRANSFORMS_BUFFER_DEVICEWORKERS_H

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace weft {

/// The first operation of `kernel` that no device can run, so that the kernel stays on
/// the host; null if there is none.
inline mlir::Operation *findHostOnly(KernelOp kernel) {
  mlir::Operation *found = nullptr;
  kernel.getBody().walk([&](mlir::Operation *op) {
    if (!llvm::isa<WeftDialect>(op->getDialect()) || llvm::isa<YieldOp, WorkerIndexOp>(op))
      return mlir::WalkResult::advance();
    found = op;
    return mlir::WalkResult::interrupt();
  });
  return found;
}

/// How many blocks, or threads of a loop that each thread runs alone, are in
/// flight at once where each has temporaries of its own in global memory.
inline constexpr int64_t kDeviceWorkers = 256;

/// Whether an iteration of an outermost parallel loop belongs to a block of
/// threads, which divide the operations inside of it among them. Otherwise it
/// has none and belongs to one thread.
inline bool isBlockLoop(mlir::scf::ForallOp loop) {
  return loop
      ->walk([](mlir::Operation *op) {
        return llvm::isa<mlir::linalg::LinalgOp, mlir::memref::CopyOp>(op)
                   ? mlir::WalkResult::interrupt()
                   : mlir::WalkResult::advance();
      })
      .wasInterrupted();
}

} // namespace weft

#endif // WEFT_TRANSFORMS_BUFFER_DEVICEWORKERS_H
