//===- UnrolledLoop.h - Loops over tokens that a trace unrolled -*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SSM_TRANSFORMS_UNROLLEDLOOP_H
#define WEFT_DIALECTS_SSM_TRANSFORMS_UNROLLEDLOOP_H

#include "dialects/SSM/Transforms/SliceFamily.h"

#include "llvm/ADT/MapVector.h"

namespace weft::ssm {

/// Copies of a loop's body, one for each step. The copy of step 1 stands for all: its values name
/// those of the others.
struct UnrolledLoop {
  /// A value of step 0 that step 1 reads, what step 0 reads instead, and what step 1 makes of it.
  struct Carried {
    mlir::Value before, init, next;
  };

  int64_t count = 0; ///< of steps
  bool reversed = false;
  /// Of step 1, in order; those that compute from carried values alone may be of step 0.
  llvm::SmallVector<mlir::Operation *> body;
  /// Slices at a step's position among those.
  llvm::MapVector<mlir::Operation *, const SliceFamily *> sequences;
  llvm::SmallVector<Carried> carried;
  /// For each step, its value for each of the body's. The last step may lack some, which nobody
  /// needs.
  llvm::SmallVector<llvm::DenseMap<mlir::Value, mlir::Value>> steps;
  /// The lowest position that steps read of each family.
  int64_t lowest = 0;

  /// The loop whose steps read the slices of `seed` and of other families, one position at a time,
  /// without the first `skipped` steps.
  static std::optional<UnrolledLoop> match(const SliceFamily &seed,
                                           llvm::ArrayRef<SliceFamily> families, bool reversed,
                                           int64_t skipped);
};

} // namespace weft::ssm

#endif // WEFT_DIALECTS_SSM_TRANSFORMS_UNROLLEDLOOP_H
