//===- Loops.h - Loops over tensors on the host ---------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What Loop, Scan and the recurrent operators are made of.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_LOOPS_H
#define WEFT_FRONTEND_ONNX_LOOPS_H

#include "Frontend/ONNX/TensorOps.h"

namespace weft::onnx {

/// What a loop gives, and what its body gives in an iteration.
struct LoopValues {
  /// Whether another iteration follows: 0 or 1, as index arithmetic.
  mlir::OpFoldResult condition;
  /// Values carried to the next iteration; after the loop, the last ones.
  llvm::SmallVector<TensorValue> carried;
  /// Values of this iteration; after the loop, those of all iterations, stacked
  /// along a new first dimension.
  llvm::SmallVector<TensorValue> scans;
};

/// Builds the body at the insertion point; the carried values are as they are
/// at the start of the iteration. It may be called several times, until it is
/// known which extents stay the same.
using LoopBody = llvm::function_ref<mlir::FailureOr<LoopValues>(
    mlir::OpFoldResult iteration, llvm::ArrayRef<TensorValue> carried)>;

struct LoopBounds {
  /// How many iterations at most; no limit without it.
  std::optional<mlir::OpFoldResult> tripCount;
  /// Whether the first one runs.
  mlir::OpFoldResult condition;
  /// By scan: whether iteration i is stacked at `tripCount - 1 - i`. Only where
  /// the body's condition is always 1.
  llvm::SmallVector<bool> reversed;
};

/// Builds a loop on the host: `scf.for` where only the trip count ends it, else
/// `scf.while`. Carried values whose extents stay the same are updated in place;
/// small integers known as index arithmetic are carried as index values.
mlir::FailureOr<LoopValues> buildLoop(NodeContext &node, const LoopBounds &bounds,
                                      llvm::ArrayRef<TensorValue> initial, LoopBody body);

/// Whether `value` is defined within `region`.
bool isInside(mlir::Region &region, mlir::Value value);

/// A value that is 0 or not 0, or an integer, of a tensor with one element.
mlir::FailureOr<mlir::OpFoldResult> hostScalar(NodeContext &node, const TensorValue &x,
                                               llvm::StringRef what);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_LOOPS_H
