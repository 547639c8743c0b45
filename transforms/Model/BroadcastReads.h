//===- BroadcastReads.h - Reads by position as operands ---------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_MODEL_BROADCASTREADS_H
#define WEFT_TRANSFORMS_MODEL_BROADCASTREADS_H

#include "transforms/Model/ShapeExpressions.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace weft {

/// Lets an operation read those tensors through an indexing map that its body
/// reads at the positions of loops of the same extent and at 0. Returns how many.
unsigned readBroadcastsByMap(mlir::linalg::GenericOp op, ShapeExpressions &shapes);

} // namespace weft

#endif // WEFT_TRANSFORMS_MODEL_BROADCASTREADS_H
