//===- MathExpansion.h - Transcendental functions as arithmetic -----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_VECTOR_MATHEXPANSION_H
#define WEFT_TRANSFORMS_VECTOR_MATHEXPANSION_H

namespace mlir {
class RewritePatternSet;
} // namespace mlir

namespace weft {

/// Patterns that rewrite the transcendental operations of the math dialect, on
/// scalars and vectors of f16, bf16, f32 and f64, to arithmetic that needs no
/// library. docs/math.md states the error of each function. Apply them without
/// folding, as the folders of these operations call the host's libm.
void populateMathExpansionPatterns(mlir::RewritePatternSet &patterns);

} // namespace weft

#endif // WEFT_TRANSFORMS_VECTOR_MATHEXPANSION_H
