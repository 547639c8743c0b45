//===- Passes.h - The passes of the attention dialect ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_ATTN_TRANSFORMS_PASSES_H
#define WEFT_DIALECTS_ATTN_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace weft::attn {
#define GEN_PASS_DECL
#include "dialects/Attn/Transforms/Passes.h.inc"
} // namespace weft::attn

#endif // WEFT_DIALECTS_ATTN_TRANSFORMS_PASSES_H
