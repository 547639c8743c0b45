//===- TensorOps.h - Structured operations on ONNX values -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the builders of operators are made of. All take and give TensorValues,
// keep extents as index arithmetic, and build named structured operations in
// destination style.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_TENSOROPS_H
#define WEFT_FRONTEND_ONNX_TENSOROPS_H

#include "Frontend/ONNX/Reader/ElementType.h"
#include "weft/Frontend/ONNX.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace weft::onnx {

using Dims = llvm::SmallVector<mlir::OpFoldResult>;

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

/// A value of a tensor with its extents.
TensorValue makeValue(mlir::Value value, ElementType type, llvm::ArrayRef<mlir::OpFoldResult> dims);
/// A tensor that is known as index arithmetic only (rank 0 or 1).
TensorValue makeTracked(NodeContext &node, ElementType type,
                        llvm::ArrayRef<mlir::OpFoldResult> elements, bool scalar = false);
/// An uninitialised tensor to compute into.
mlir::Value makeEmpty(NodeContext &node, ElementType type, llvm::ArrayRef<mlir::OpFoldResult> dims);
/// `whole` with `part` at `offsets`, or as it is where there is nothing to insert:
/// a slice of an empty dimension, or of nothing at the end of one, would be invalid.
mlir::Value insertSlice(NodeContext &node, mlir::Value part, mlir::Value whole,
                        llvm::ArrayRef<mlir::OpFoldResult> offsets,
                        llvm::ArrayRef<mlir::OpFoldResult> sizes);
/// A tensor with all elements equal to a number (converted to the type).
TensorValue makeSplat(NodeContext &node, ElementType type, llvm::ArrayRef<mlir::OpFoldResult> dims,
                      double number);
/// A tensor with all elements equal to a scalar of the storage type.
TensorValue makeFilled(NodeContext &node, ElementType type, llvm::ArrayRef<mlir::OpFoldResult> dims,
                       mlir::Value scalar);
/// A scalar constant of the storage (or compute) type.
mlir::Value makeScalar(mlir::OpBuilder &b, mlir::Location loc, mlir::Type type, double number);
mlir::Value makeIntScalar(mlir::OpBuilder &b, mlir::Location loc, mlir::Type type, int64_t number);
/// The one element of a tensor, as a scalar of its storage type on the host.
mlir::Value extractScalar(NodeContext &node, const TensorValue &x);
/// The numbers of a constant tensor; nothing if it is not constant. Integer
/// tensors give exact values up to 2^53.
std::optional<llvm::SmallVector<double>> constantNumbers(const TensorValue &x);

/// The elements of a small integer tensor of rank 0 or 1 as index arithmetic:
/// what is known at import, else read from the tensor when it runs. Fails (with
/// an error of the node) if the number of elements is not static.
mlir::FailureOr<Dims> shapeElements(NodeContext &node, const TensorValue &x);
/// The same where all must be known at import; `what` is for the message.
mlir::FailureOr<llvm::SmallVector<int64_t>>
constantElements(NodeContext &node, const TensorValue &x, llvm::StringRef what);

/// `axis` in [-rank, rank) as one in [0, rank).
mlir::FailureOr<int64_t> normalizeAxis(NodeContext &node, int64_t axis, int64_t rank);
mlir::FailureOr<llvm::SmallVector<int64_t>>
normalizeAxes(NodeContext &node, llvm::ArrayRef<int64_t> axes, int64_t rank);

/// Fails the call at run time unless `condition` (i1); `code` is one of the
/// runtime's; "{0}" and "{1}" in the message stand for the index values.
void buildAssert(NodeContext &node, mlir::Value condition, int32_t code, llvm::StringRef message,
                 llvm::ArrayRef<mlir::OpFoldResult> values = {});

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

/// Builds one element of the result from the elements of the inputs. Arguments
/// and result have the storage types.
using ElementBuilder =
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>;

/// The extents that ONNX broadcasting gives; an error of the node (or, for
/// extents known only at run time, a failing call) if they do not agree.
mlir::FailureOr<Dims> broadcastDims(NodeContext &node, llvm::ArrayRef<TensorValue> inputs);

/// Applies `body` to the elements of the inputs, broadcast against one another.
mlir::FailureOr<TensorValue> elementwise(NodeContext &node, llvm::ArrayRef<TensorValue> inputs,
                                         ElementType resultType, ElementBuilder body);
/// The same for extents that are given.
mlir::FailureOr<TensorValue> elementwiseTo(NodeContext &node, llvm::ArrayRef<TensorValue> inputs,
                                           ElementType resultType,
                                           llvm::ArrayRef<mlir::OpFoldResult> dims,
                                           ElementBuilder body);

/// Converts elements as ONNX Cast does: to bool is != 0, floats to integers
/// truncate (out of range saturates; integers below 8 bits keep the low bits),
/// bool counts as 0 or 1. Not for small floats, which only `cast` converts.
mlir::Value castScalar(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value, ElementType from,
                       ElementType to);
TensorValue cast(NodeContext &node, const TensorValue &x, ElementType to);
/// An i1 as a bool element (i8), and back.
mlir::Value toBool(mlir::OpBuilder &b, mlir::Location loc, mlir::Value bit);
mlir::Value fromBool(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value);

//===----------------------------------------------------------------------===//
// Shape
//===----------------------------------------------------------------------===//

/// The same elements in row-major order with other extents, whose product must
/// be the same: views, no copies.
TensorValue reshape(NodeContext &node, const TensorValue &x,
                    llvm::ArrayRef<mlir::OpFoldResult> dims);
TensorValue transpose(NodeContext &node, const TensorValue &x, llvm::ArrayRef<int64_t> permutation);
/// Known elements of `x` in another arrangement: the result's element at a position
/// is x's at `source(position)`. Nothing if the elements or an extent are not known.
std::optional<TensorValue>
rearrangeElements(NodeContext &node, const TensorValue &x, llvm::ArrayRef<mlir::OpFoldResult> dims,
                  llvm::function_ref<llvm::SmallVector<int64_t>(llvm::ArrayRef<int64_t>)> source);
/// Broadcasts to `dims` (of at least x's rank), of which each must be x's or x's 1.
mlir::FailureOr<TensorValue> expand(NodeContext &node, const TensorValue &x,
                                    llvm::ArrayRef<mlir::OpFoldResult> dims);
/// x[offsets + i * strides] for i below `sizes`; all of x's rank, strides > 0.
TensorValue slice(NodeContext &node, const TensorValue &x,
                  llvm::ArrayRef<mlir::OpFoldResult> offsets,
                  llvm::ArrayRef<mlir::OpFoldResult> sizes,
                  llvm::ArrayRef<mlir::OpFoldResult> strides);
mlir::FailureOr<TensorValue> concat(NodeContext &node, llvm::ArrayRef<TensorValue> inputs,
                                    int64_t axis);
/// Pads with a scalar; amounts of x's rank, not negative.
TensorValue pad(NodeContext &node, const TensorValue &x, llvm::ArrayRef<mlir::OpFoldResult> low,
                llvm::ArrayRef<mlir::OpFoldResult> high, mlir::Value scalar);
/// Each element of the result is read from `x` at the position that `position`
/// computes (index values) from the result's. Positions must be in range.
TensorValue
gatherElements(NodeContext &node, const TensorValue &x, llvm::ArrayRef<mlir::OpFoldResult> dims,
               llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::OpBuilder &, mlir::Location,
                                                                 llvm::ArrayRef<mlir::Value>)>
                   position);

//===----------------------------------------------------------------------===//
// Reductions and contractions
//===----------------------------------------------------------------------===//

/// Reduces `axes` (sorted, distinct); keeps them with extent 1 if `keepDims`.
/// `initial` is the neutral element as a scalar of `accumulator`; `step` gets the
/// input's element (storage type) and the accumulated value and gives the next
/// one. The result has the accumulator's type and `resultType` says what it is
/// in ONNX (use f32 to accumulate f16, then cast).
TensorValue reduce(NodeContext &node, const TensorValue &x, llvm::ArrayRef<int64_t> axes,
                   bool keepDims, ElementType resultType, mlir::Value initial, ElementBuilder step);

/// Numpy's matmul of any ranks; types of both inputs alike. The accumulator's
/// type is `resultType`'s (e.g. int32 for int8 inputs, extended by signedness).
mlir::FailureOr<TensorValue> matmul(NodeContext &node, const TensorValue &a, const TensorValue &b,
                                    ElementType resultType);

//===----------------------------------------------------------------------===//
// Composites
//===----------------------------------------------------------------------===//

/// Wraps what `body` builds in a `weft.composite` called "onnx.<op type>" (or
/// "<domain>.<op type>") with the node's simple attributes, so that later stages
/// can match the whole by its name. `body` gets the inputs as seen inside, in the
/// order given, and returns the outputs; extents of the outputs must not be
/// computed inside the body. For operators that a target may want to compute as
/// one: LayerNormalization, Gelu, Attention, LSTM, QLinear*, contrib operators.
mlir::FailureOr<llvm::SmallVector<TensorValue>> composite(
    NodeContext &node, llvm::ArrayRef<TensorValue> inputs,
    llvm::function_ref<mlir::FailureOr<llvm::SmallVector<TensorValue>>(llvm::ArrayRef<TensorValue>)>
        body);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_TENSOROPS_H
