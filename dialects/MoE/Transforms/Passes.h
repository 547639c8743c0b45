//===- Passes.h - The passes of the moe dialect -----------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_MOE_TRANSFORMS_PASSES_H
#define WEFT_DIALECTS_MOE_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace weft::moe {
#define GEN_PASS_DECL
#include "dialects/MoE/Transforms/Passes.h.inc"
} // namespace weft::moe

#endif // WEFT_DIALECTS_MOE_TRANSFORMS_PASSES_H
