//===- Epilogue.h - What surrounds a contraction, in registers ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_VECTOR_EPILOGUE_H
#define WEFT_TRANSFORMS_VECTOR_EPILOGUE_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

namespace weft {

/// The elementwise operations around a contraction: the one that computes what
/// it accumulates into (a bias, zero), and the chain of those that its result
/// passes through (residuals, activations). They are computed on the vectors of
/// a register tile, so that its result is written once.
class Epilogue {
public:
  /// Collects what can be computed on vectors along the result's last
  /// dimension.
  explicit Epilogue(mlir::linalg::GenericOp contraction);

  /// The operation whose result stands for all: that of the chain's last one.
  mlir::linalg::GenericOp last() const {
    return consumers.empty() ? contraction : consumers.back();
  }
  /// The tensor that results are written into. It is one of their own where another
  /// computation reads them: that one's results belong where these would go.
  mlir::Value destination(mlir::OpBuilder &b) const;

  /// The accumulator's start at `position` of the result, `lanes` elements
  /// along its last dimension, those outside of `mask` being arbitrary. `out`
  /// is the present value of `destination`.
  mlir::Value start(mlir::OpBuilder &b, mlir::Value out, mlir::ValueRange position, int64_t lanes,
                    mlir::Value mask) const;
  /// What becomes of the sum at `position`.
  mlir::Value finish(mlir::OpBuilder &b, mlir::Value sum, mlir::ValueRange position,
                     mlir::Value mask) const;

  /// Replaces the last operation by `result`, and erases all.
  void replace(mlir::RewriterBase &rewriter, mlir::Value result) const;

private:
  mlir::linalg::GenericOp contraction, producer;
  mlir::linalg::FillOp fill; ///< instead of the producer
  llvm::SmallVector<mlir::linalg::GenericOp> consumers;
};

} // namespace weft

#endif // WEFT_TRANSFORMS_VECTOR_EPILOGUE_H
