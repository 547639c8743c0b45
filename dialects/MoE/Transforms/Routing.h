//===- Routing.h - What experts are chosen by -------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_MOE_TRANSFORMS_ROUTING_H
#define WEFT_DIALECTS_MOE_TRANSFORMS_ROUTING_H

#include "dialects/MoE/IR/MoE.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace weft::moe {

struct Scores {
  Score kind;
  mlir::Value logits;
};

/// What `scores` [T, E] are of which logits: a softmax, a sigmoid, or these themselves.
Scores matchScores(mlir::Value scores);
/// Whether an elementwise operation with one input computes its 1 / (1 + exp(-x)).
bool isSigmoid(mlir::linalg::GenericOp op);

/// What experts are chosen by: scores, perhaps with a bias, perhaps of a few groups only.
struct RouteKeys {
  Scores scores;
  mlir::Value scored; ///< the scores, [T, E]
  mlir::Value bias;   ///< [E]
  struct Groups {
    int64_t count, keep;
    GroupScore by;
    double others; ///< the keys of the groups that are not kept
  };
  std::optional<Groups> groups;
  llvm::SmallVector<SortOp, 2> sorts; ///< of groups and in them
};

RouteKeys matchKeys(mlir::Value keys);

/// Erases tests that the positions which a sort found are in range, which cannot fail.
void eraseRangeTests(SortOp sort);

} // namespace weft::moe

#endif // WEFT_DIALECTS_MOE_TRANSFORMS_ROUTING_H
