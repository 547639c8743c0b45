//===- Activations.h - The activations of experts ---------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_MOE_IR_ACTIVATIONS_H
#define WEFT_DIALECTS_MOE_IR_ACTIVATIONS_H

#include "dialects/MoE/IR/MoE.h"

#include <optional>

namespace weft::moe {

enum class ActivationKind { Identity, Relu, SquaredRelu, Silu, Gelu, GeluTanh };

/// What an expert makes of its sums. With one sum x it is f(x); with two, a gate g
/// and u, f(g) * (u + beta). Silu is x * sigmoid(alpha * x). Below a limit l, g is at
/// most l and u in [-l, l] (one sum: x at most l). SwiGLU is Silu of two sums; gpt-oss
/// has alpha 1.702, beta 1 and limit 7, DeepSeek-V4 limit 10; GEGLU is Gelu of two.
struct Activation {
  ActivationKind kind = ActivationKind::Silu;
  double alpha = 1, beta = 0;
  std::optional<double> limit;
};

/// The scalar that an activation makes of `sums`.
mlir::Value buildActivation(mlir::OpBuilder &b, mlir::Location loc, const Activation &activation,
                            mlir::ValueRange sums);

/// Fills the region of `op` with an activation of its sums, rounded to the element
/// type of its input.
void buildActivationRegion(mlir::OpBuilder &b, ExpertFFNOp op, const Activation &activation);

} // namespace weft::moe

#endif // WEFT_DIALECTS_MOE_IR_ACTIVATIONS_H
