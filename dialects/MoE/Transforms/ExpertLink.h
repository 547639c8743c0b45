//===- ExpertLink.h - What one expert adds ----------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_MOE_TRANSFORMS_EXPERTLINK_H
#define WEFT_DIALECTS_MOE_TRANSFORMS_EXPERTLINK_H

#include "dialects/MoE/Transforms/ElementTrace.h"
#include "dialects/MoE/Transforms/ExpertBody.h"

namespace weft::moe {

/// What one expert adds to the result: for the tokens that `nonzero` found, or for all.
struct Link {
  ScatterOp scatter;
  NonZeroOp nonzero;
  int64_t expert = -1;
  mlir::Value ids, weights, input;
  ExpertBody body;
};

/// An expert that is computed for the tokens that chose it.
std::optional<Link> matchLink(ScatterOp scatter);
/// An expert that is computed for all tokens, and weighted.
std::optional<Link> matchAddend(mlir::Value value);
/// An elementwise sum of two matrices.
mlir::linalg::GenericOp matchAddition(mlir::Value value);

} // namespace weft::moe

#endif // WEFT_DIALECTS_MOE_TRANSFORMS_EXPERTLINK_H
