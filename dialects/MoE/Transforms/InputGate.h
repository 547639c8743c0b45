//===- InputGate.h - Weights of what experts read ---------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_MOE_TRANSFORMS_INPUTGATE_H
#define WEFT_DIALECTS_MOE_TRANSFORMS_INPUTGATE_H

#include "dialects/MoE/Transforms/Choices.h"

namespace weft::moe {

/// Weights [T, E] that are 0 but for the chosen experts: elementwise operations on what was
/// scattered into a number that they make 0.
struct InputGate {
  static std::optional<InputGate> match(ChoiceMatcher matcher, const ElementAccess &gate);
  /// The weights of what was chosen, [T, K].
  mlir::Value buildWeights(mlir::OpBuilder &b, mlir::Location loc) const;

  ChosenScatter chosen;
  llvm::SmallVector<mlir::linalg::GenericOp> steps; ///< the last one first
};

/// Whether a block yields 0 if its arguments are 0.
bool keepsZeros(mlir::Block &block);

} // namespace weft::moe

#endif // WEFT_DIALECTS_MOE_TRANSFORMS_INPUTGATE_H
