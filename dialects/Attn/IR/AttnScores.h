//===- AttnScores.h - From products to masked scores ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_ATTN_IR_ATTNSCORES_H
#define WEFT_DIALECTS_ATTN_IR_ATTNSCORES_H

#include "dialects/Attn/IR/AttnLayout.h"

#include "mlir/IR/IRMapping.h"

namespace weft::attn {

/// Where a score is: batch (or sequence), head, query and key.
struct ScorePosition {
  mlir::Value b, h, s, t;
};

/// An integer or index of `tensor` at `at`, each limited to its extent; 0 if the tensor
/// is empty.
mlir::Value readMetadata(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor,
                         mlir::ValueRange at);

/// The elements of `bias` and `mask` at a score; null where there is none.
struct ScoreOperands {
  mlir::Value bias, mask;
};

/// Reads them where they are.
ScoreOperands readScoreOperands(mlir::OpBuilder &b, mlir::Location loc, const Attention &a,
                                ScorePosition at);

/// The position of a query among the keys; `query` counts within its sequence.
mlir::Value queryPosition(mlir::OpBuilder &b, mlir::Location loc, const Attention &a,
                          mlir::Value batch, mlir::Value query);

/// The factor of products: a constant where the extent of d is known.
mlir::Value scaleOf(mlir::OpBuilder &b, mlir::Location loc, const Attention &a);

/// A number as `type`, which is wider or narrower.
mlir::Value convertNumber(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value,
                          mlir::Type type);

/// Whether scores are more than products.
bool changesScores(const Attention &a);

/// The score of a product times the scale, or minus infinity if the key is not visible.
/// `position` is the query's; null where nothing depends on it. `reads` maps what the
/// region reads to values that were read already.
mlir::Value buildScore(mlir::OpBuilder &b, mlir::Location loc, const Attention &a,
                       mlir::Value scaled, ScorePosition at, mlir::Value position,
                       ScoreOperands operands, const mlir::IRMapping &reads = {});

/// Whether a mask or the region depends on the position of a query.
bool dependsOnPosition(const Attention &a);

} // namespace weft::attn

#endif // WEFT_DIALECTS_ATTN_IR_ATTNSCORES_H
