//===- WindowContraction.h - Contractions that read windows ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_VECTOR_WINDOWCONTRACTION_H
#define WEFT_TRANSFORMS_VECTOR_WINDOWCONTRACTION_H

#include "transforms/Tile/Contraction.h"
#include "transforms/Vector/Epilogue.h"

#include "mlir/IR/PatternMatch.h"

namespace weft {

/// Emits a contraction that reads windows (`Contraction::readsWindows`) in
/// vectors of `lanes`; returns the result.
mlir::Value emitWindowContraction(const Contraction &contraction, const Epilogue &epilogue,
                                  int64_t lanes, mlir::RewriterBase &b);

} // namespace weft

#endif // WEFT_TRANSFORMS_VECTOR_WINDOWCONTRACTION_H
