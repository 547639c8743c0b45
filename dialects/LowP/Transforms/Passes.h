//===- Passes.h - The passes of the lowp dialect -----------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_LOWP_TRANSFORMS_PASSES_H
#define WEFT_DIALECTS_LOWP_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace weft::lowp {
#define GEN_PASS_DECL
#include "dialects/LowP/Transforms/Passes.h.inc"
} // namespace weft::lowp

#endif // WEFT_DIALECTS_LOWP_TRANSFORMS_PASSES_H
