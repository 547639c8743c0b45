//===- Routing.h - What experts are chosen by -------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_MOE_TRANSFORMS_ROUTING_H
#define WEFT_DIALECTS_MOE_TRANSFORMS_ROUTING_H

#include "dialects/MoE/IR/MoE.h"

namespace weft::moe {

struct Scores {
  Score kind;
  mlir::Value logits;
};

/// What `scores` [T, E] are of which logits: a softmax, a sigmoid, or these themselves.
Scores matchScores(mlir::Value scores);

} // namespace weft::moe

#endif // WEFT_DIALECTS_MOE_TRANSFORMS_ROUTING_H
