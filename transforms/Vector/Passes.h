//===- Passes.h - The passes of stage "vector" ---------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_VECTOR_PASSES_H
#define WEFT_TRANSFORMS_VECTOR_PASSES_H

#include "mlir/Pass/Pass.h"

namespace weft {
#define GEN_PASS_DECL
#include "transforms/Vector/Passes.h.inc"
} // namespace weft

#endif // WEFT_TRANSFORMS_VECTOR_PASSES_H
