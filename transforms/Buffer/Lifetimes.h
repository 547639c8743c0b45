//===- Lifetimes.h - When the host's buffers are alive ----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operations are numbered in the order of the text, nested ones after the one
// that holds them. A buffer is alive from its first use to its last one, wherever
// it is allocated; a use in a loop around which the buffer lives lasts as long as
// the loop. Branches of an `scf.if` follow each other in this order, and only one
// of them runs.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_BUFFER_LIFETIMES_H
#define WEFT_TRANSFORMS_BUFFER_LIFETIMES_H

#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

namespace weft {

/// A buffer's lifetime.
struct Lifetime {
  int64_t start = 0, end = 0;
  /// The branches that the allocation is in, or all uses, outermost first.
  llvm::SmallVector<mlir::Region *> branches;
  /// The buffer is carried to the next iteration of a loop that allocates it
  /// anew there: two of it are alive at once.
  bool isCarried = false;

  /// Whether only one of the two is ever used, or neither.
  bool excludes(const Lifetime &other) const;
  /// Whether both hold something at once.
  bool conflictsWith(const Lifetime &other) const {
    return start <= other.end && other.start <= end && !excludes(other);
  }
};

/// The lifetimes of the buffers that a function allocates.
class LifetimeAnalysis {
public:
  explicit LifetimeAnalysis(mlir::func::FuncOp function);
  /// `buffer` is the result of the operation that allocates it.
  Lifetime of(mlir::Value buffer) const;

private:
  std::pair<int64_t, int64_t> spanOfUse(mlir::Operation *alloc, mlir::Operation *user) const;

  mlir::BufferViewFlowAnalysis aliases;
  /// The numbers of an operation and of the last one in it.
  llvm::DenseMap<mlir::Operation *, std::pair<int64_t, int64_t>> order;
};

/// The most bytes that are alive at once: no plan needs less.
int64_t mostBytesAlive(llvm::ArrayRef<Lifetime> lifetimes, llvm::ArrayRef<int64_t> bytes);

} // namespace weft

#endif // WEFT_TRANSFORMS_BUFFER_LIFETIMES_H
