//===- BatchedBody.h - Layers of all experts at once ------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_MOE_TRANSFORMS_BATCHEDBODY_H
#define WEFT_DIALECTS_MOE_TRANSFORMS_BATCHEDBODY_H

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/Transforms/ElementAccess.h"

namespace weft::moe {

/// rows * weight[expert] + bias[expert], one element of it.
struct BatchedProduct {
  ElementAccess result; ///< with the bias
  ElementAccess rows;   ///< at the contracted dimension
  mlir::Value weight;   ///< [E, rows, columns], `transposed`: [E, columns, rows]
  bool transposed = false;
  mlir::Value bias; ///< [E, columns], or with a dimension of 1 between
  mlir::AffineExpr column, inner;
};

/// activation(input up[expert] + bias, ...) down[expert] + bias of tokens and slots, where
/// the expert is the slot, or `ids[token, slot]`.
struct BatchedBody {
  BatchedBody(ElementResolver &resolver, mlir::AffineExpr token, mlir::AffineExpr slot)
      : resolver(resolver), token(token), slot(slot) {}

  /// Matches the layer's element.
  llvm::LogicalResult match(const ElementAccess &result);

  mlir::Value ids;     ///< [T, K] of integers; null: the slot is the expert
  ElementAccess input; ///< of a token, at the contracted dimension `inner`
  mlir::AffineExpr inner;
  llvm::SmallVector<BatchedProduct> sums;
  BatchedProduct down;
  Fusion fusion = Fusion::Separate;

  /// The layer; `tokens` is the input that was made of `input`.
  ExpertFFNOp build(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tokens, mlir::Value numbers,
                    mlir::Value weights, mlir::Value init) const;

private:
  std::optional<BatchedProduct> matchProduct(const ElementAccess &access);
  std::optional<BatchedProduct> matchContraction(const ElementAccess &access);
  mlir::Value matchParameter(const ElementAccess &access, llvm::ArrayRef<mlir::AffineExpr> rest);
  llvm::LogicalResult collectSums(const ElementAccess &access);
  llvm::LogicalResult matchFusion();
  mlir::Value buildScalar(mlir::OpBuilder &b, const ElementAccess &access,
                          llvm::SmallVector<std::pair<ElementAccess, mlir::Value>> &built) const;

  ElementResolver &resolver;
  mlir::AffineExpr token, slot;
  llvm::SmallVector<ElementAccess> seen;
};

/// The init of a layer that gives `sum`, which starts from `init`, zeros: of `element`, the type of
/// the rows, unless the sum is wider and something reads more of it than that.
mlir::Value layerInit(mlir::OpBuilder &b, mlir::Value sum, mlir::Value init, mlir::Type element);
/// Replaces a sum by the layer that gives it.
void replaceSum(mlir::RewriterBase &rewriter, mlir::Operation *sum, ExpertFFNOp layer);

} // namespace weft::moe

#endif // WEFT_DIALECTS_MOE_TRANSFORMS_BATCHEDBODY_H
