//===- EmulateOps.h - The gpu dialect as calls of the scheduler -*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_EMULATION_EMULATEOPS_H
#define WEFT_TARGETS_EMULATION_EMULATEOPS_H

#include "targets/CPU/ABI.h"

#include "mlir/IR/PatternMatch.h"

namespace weft::emulation {

/// Byte offsets of the fields of `weft_emulated_thread`.
enum ThreadOffset : int32_t {
  ThreadId = 0,
  BlockId = 24,
  BlockDim = 48,
  GridDim = 72,
  Lane = 96,
  Lanes = 104,
  Subgroup = 112,
  SubgroupSize = 120,
  SubgroupCount = 128,
  Shared = 136,
  SharedBytes = 144,
  Barrier = 152,
  Exchange = 160,
  OutOfBounds = 168,
};

/// Rewrites the operations of one device function that depend on the thread.
class ThreadLowering {
public:
  /// `thread` is the function's `weft_emulated_thread`, of a subgroup of `subgroupSize` and a
  /// block of `blockThreads` threads, 0 where that is not known.
  ThreadLowering(mlir::RewriterBase &rewriter, mlir::LLVM::LLVMFuncOp function, mlir::Value thread,
                 int64_t subgroupSize, int64_t blockThreads)
      : b(rewriter), function(function), thread(thread), subgroupSize(subgroupSize),
        blockThreads(blockThreads) {}

  /// Rewrites all of them. Fails where one cannot be emulated.
  mlir::LogicalResult run();
  /// Whether threads wait for each other somewhere.
  bool cooperates() const { return points != 0; }

  /// The i64 at a byte offset of the thread, as an index.
  mlir::Value field(mlir::Location loc, int32_t offset);
  /// Ends the kernel where `bad`: shared memory of extent `size` has no `index`.
  void failIf(mlir::Location loc, mlir::Value bad, mlir::Value index, mlir::Value size);

private:
  cpu::ABIBuilder at(mlir::Location loc) { return {b, loc}; }
  mlir::LogicalResult lower(mlir::Operation *op);
  mlir::Value exchange(mlir::Location loc, mlir::ValueRange values, mlir::Value width);
  mlir::Value valueOfLane(mlir::Location loc, mlir::Value slots, mlir::Value lane, mlir::Type type);
  mlir::Value selectLane(mlir::Location loc, mlir::Value value, mlir::Value width, mlir::Value lane,
                         mlir::Value valid);
  mlir::Value index(mlir::Location loc, int64_t value);
  void lowerShuffle(mlir::Operation *op);
  mlir::LogicalResult lowerReduction(mlir::Operation *op);
  void lowerRotation(mlir::Operation *op);
  void lowerBroadcast(mlir::Operation *op);
  mlir::LogicalResult lowerMatrix(mlir::Operation *op);

  mlir::RewriterBase &b;
  mlir::LLVM::LLVMFuncOp function;
  mlir::Value thread;
  int64_t subgroupSize, blockThreads;
  int64_t points = 0;
};

} // namespace weft::emulation

#endif // WEFT_TARGETS_EMULATION_EMULATEOPS_H
