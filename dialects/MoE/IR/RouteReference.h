//===- RouteReference.h - What moe.route means ------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_MOE_IR_ROUTEREFERENCE_H
#define WEFT_DIALECTS_MOE_IR_ROUTEREFERENCE_H

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"

namespace weft::moe {

/// Builds the reference of one route: scores and keys of a row of logits, or of all
/// where rows depend on each other, then the choice for each row.
class RouteReference {
public:
  RouteReference(mlir::OpBuilder &b, RouteOp op)
      : m(b, op.getLoc()), op(op), compute(op.getComputeType()), experts(m.dim(op.getLogits(), 1)),
        slots(m.dim(op.getIds(), 1)) {
    slots = m.dim(op.getInits()[0], 1);
    chosen =
        op.getShared() ? m.max(m.sub(slots, m.constant(op.getShared())), m.constant(0)) : slots;
  }
  llvm::SmallVector<mlir::Value> lower();

private:
  /// A position in the order of keys: `key`, and `id` among equal ones.
  struct Place {
    mlir::Value key, id;
  };
  mlir::Value scoreOf(mlir::Value logits);
  mlir::Value keyOf(mlir::Value logits, mlir::Value scores);
  mlir::Value scaleByColumns(mlir::Value keys);
  mlir::Value chooseByExperts(mlir::Value keys);
  /// Which groups are kept: a tensor<?xi8>, null without groups.
  mlir::Value keptGroups(mlir::Value keys);
  /// Whether `x` comes before `y` in the order of choice.
  mlir::Value isBefore(Place x, Place y);
  /// The best of `count` positions after `last` (of those, `isFirst` aside), and
  /// whether there is one.
  std::pair<Place, mlir::Value> next(mlir::Value count, mlir::Value isFirst, Place last,
                                     llvm::function_ref<mlir::Value(mlir::Value)> keyAt,
                                     llvm::function_ref<mlir::Value(mlir::Value)> counts);
  llvm::SmallVector<mlir::Value> chooseByOrder(mlir::Value scores, mlir::Value keys,
                                               mlir::ValueRange row);
  llvm::SmallVector<mlir::Value> takeMarked(mlir::Value scores, mlir::Value marks,
                                            mlir::ValueRange row);
  llvm::SmallVector<mlir::Value> takeListed(mlir::Value scores, mlir::Value t,
                                            mlir::ValueRange row);
  /// Normalized and scaled weights, and the shared experts.
  llvm::SmallVector<mlir::Value> finish(mlir::ValueRange row);

  ReferenceBuilder m;
  RouteOp op;
  mlir::FloatType compute;
  mlir::Value experts, slots, chosen;
};

} // namespace weft::moe

#endif // WEFT_DIALECTS_MOE_IR_ROUTEREFERENCE_H
