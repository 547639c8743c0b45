//===- Selection.h - Sorted, selected and scattered elements --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the operators share that select elements by their values.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_SELECTION_H
#define WEFT_FRONTEND_ONNX_OPS_SELECTION_H

#include "Frontend/ONNX/TensorOps.h"

namespace weft::onnx {

/// The positions of the elements that are not zero as columns, [rank, count] i64
/// in row-major order. `x` has a rank of at least 1.
TensorValue nonZeroTuples(NodeContext &node, const TensorValue &x);
/// x at the positions `places` (a vector of integers) along `axis`; positions out
/// of range are clamped.
TensorValue takeAlong(NodeContext &node, const TensorValue &x, const TensorValue &places,
                      int64_t axis);
/// The first `count` of the values along `axis` in order, and their positions
/// (i64); equal ones in the order of their positions.
std::pair<TensorValue, TensorValue> sortAlong(NodeContext &node, const TensorValue &x, int64_t axis,
                                              mlir::OpFoldResult count, bool descending);
/// `updates` into a copy of `x` at index tuples, in order; `combine` gets the
/// element present and the update. See weft.scatter for the shapes.
TensorValue scatterTuples(NodeContext &node, const TensorValue &x, const TensorValue &indices,
                          const TensorValue &updates, ElementBuilder combine);

mlir::LogicalResult buildUnique(NodeContext &node);
mlir::LogicalResult buildNonMaxSuppression(NodeContext &node);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_OPS_SELECTION_H
