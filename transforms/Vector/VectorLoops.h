//===- VectorLoops.h - The loops around vectors ---------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_VECTOR_VECTORLOOPS_H
#define WEFT_TRANSFORMS_VECTOR_VECTORLOOPS_H

#include "transforms/Vector/VectorBody.h"

#include "mlir/IR/PatternMatch.h"

namespace weft {

/// Builds the loops of a `linalg.generic` that is computed in vectors.
class VectorLoops {
public:
  VectorLoops(mlir::linalg::GenericOp op, mlir::RewriterBase &rewriter)
      : op(op), b(rewriter), loc(op.getLoc()) {}

  /// Computes the extents, where the rewriter stands.
  void start();

  mlir::Value constant(int64_t value);
  /// How often `loop` runs.
  mlir::Value extent(unsigned loop);
  mlir::Value add(mlir::Value position, int64_t offset);
  /// The lanes from `position` on that are before `end`.
  mlir::Value mask(mlir::Value position, mlir::Value end, int64_t lanes);

  /// The number that an init is filled with, or null.
  mlir::Value startValue(mlir::OpOperand *init);
  /// The tensors that results are written into.
  llvm::SmallVector<mlir::Value> destinations();

  /// Loops over `dims`, which carry `values`; `positions` of them are set.
  llvm::SmallVector<mlir::Value>
  nest(llvm::ArrayRef<unsigned> dims, llvm::SmallVectorImpl<mlir::Value> &positions,
       mlir::ValueRange values,
       llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::ValueRange)> body);

  /// What to do at a position with the carried values; the end is null where
  /// everything up to the next position is inside.
  using Step = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      mlir::Value position, mlir::Value end, mlir::ValueRange carried)>;
  /// A loop over `dim` in steps of `step`, and one of steps of `tailStep` over
  /// what is left, at most once if the two are the same.
  llvm::SmallVector<mlir::Value> vectorLoop(unsigned dim, int64_t step, int64_t tailStep,
                                            mlir::ValueRange carried, Step body);

  /// Replaces the operation.
  void replace(mlir::ValueRange results);

private:
  mlir::linalg::GenericOp op;
  mlir::RewriterBase &b;
  mlir::Location loc;
  llvm::SmallVector<mlir::OpFoldResult> extents;
};

/// Bits of the vectors of the chip that `op` is compiled for.
int64_t vectorBitsOf(mlir::Operation *op);

/// Shorter rows than this are no use for vectors.
inline constexpr int64_t kMinRow = 4;

/// Whether the parallel loops are those along which every result varies.
bool writesEachResultOnce(mlir::linalg::GenericOp op);

/// Lanes of the vectors that compute `body` along a loop of `extent`, not many
/// more than it has elements. 0 where it is too short, and where the chip has no
/// masks for what the body reads and writes.
int64_t chooseLanes(const VectorBody &body, int64_t extent, int64_t vectorBits);

} // namespace weft

#endif // WEFT_TRANSFORMS_VECTOR_VECTORLOOPS_H
