//===- RegroupReshapes.h - Reshapes along equal dimensions ------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_MODEL_REGROUPRESHAPES_H
#define WEFT_TRANSFORMS_MODEL_REGROUPRESHAPES_H

#include "transforms/Model/ShapeExpressions.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace weft {

/// Replaces an expansion of a collapsed tensor by one that leaves dimensions
/// alone that both have. Returns whether it did; `op` is unused then.
bool regroupReshape(mlir::tensor::ExpandShapeOp op, ShapeExpressions &shapes);

} // namespace weft

#endif // WEFT_TRANSFORMS_MODEL_REGROUPRESHAPES_H
