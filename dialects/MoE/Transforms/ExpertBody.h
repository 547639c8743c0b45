//===- ExpertBody.h - The feed-forward layer of one expert ------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_MOE_TRANSFORMS_EXPERTBODY_H
#define WEFT_DIALECTS_MOE_TRANSFORMS_EXPERTBODY_H

#include "dialects/MoE/IR/MoE.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"

namespace weft::moe {

/// rows * weight + bias, with a weight of rank 2 that does not depend on rows.
struct ExpertProduct {
  mlir::Value result; ///< with the bias
  mlir::Value rows, weight, bias;
  bool transposed = false; ///< the weight is [columns, rows]

  /// Matches a contraction that starts from zero or a bias, or one that a bias is
  /// added to.
  static std::optional<ExpertProduct> match(mlir::Value value);
  /// The weight as [rows, columns].
  mlir::Value weightAsMatrix(mlir::OpBuilder &b) const;
  /// Whether another expert's product can stand beside this one.
  bool isLike(const ExpertProduct &other) const;
};

/// activation(input up + bias, ...) down + bias, as elementwise operations and
/// contractions on rows.
struct ExpertBody {
  mlir::Value input;
  llvm::SmallVector<ExpertProduct> sums;
  ExpertProduct down;

  llvm::LogicalResult match(mlir::Value result);
  bool isLike(const ExpertBody &other) const;
  /// Fills the region of `op`.
  void buildActivation(mlir::OpBuilder &b, ExpertFFNOp op) const;

private:
  llvm::LogicalResult collectSums(mlir::Value value);
  bool isLike(mlir::Value value, const ExpertBody &other, mlir::Value otherValue) const;
  mlir::Value buildScalar(mlir::OpBuilder &b, mlir::Value value, mlir::IRMapping &built) const;
};

} // namespace weft::moe

#endif // WEFT_DIALECTS_MOE_TRANSFORMS_EXPERTBODY_H
