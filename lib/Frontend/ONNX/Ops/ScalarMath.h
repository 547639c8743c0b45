//===- ScalarMath.h - Arithmetic on scalars inside of operations ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the bodies of image, pooling and signal operators are written with: short
// names for arithmetic on index and float values, and operations whose elements
// are computed from their positions.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_SCALARMATH_H
#define WEFT_FRONTEND_ONNX_OPS_SCALARMATH_H

#include "Frontend/ONNX/ElementOps.h"
#include "Frontend/ONNX/TensorOps.h"

namespace weft::onnx {

/// Builds arithmetic on scalars. Operands of a binary function have one type:
/// index (or signed integers) or a float.
struct ScalarMath {
  mlir::OpBuilder &b;
  mlir::Location loc;

  mlir::Value index(int64_t value);
  mlir::Value number(mlir::Type type, double value) { return makeScalar(b, loc, type, value); }
  /// A number of the type of `like`.
  mlir::Value like(mlir::Value like, double value) { return number(like.getType(), value); }
  mlir::Value extent(mlir::OpFoldResult extent);

  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  /// Integers are divided towards zero; the divisor must not be zero.
  mlir::Value div(mlir::Value x, mlir::Value y);
  mlir::Value rem(mlir::Value x, mlir::Value y);
  mlir::Value min(mlir::Value x, mlir::Value y);
  mlir::Value max(mlir::Value x, mlir::Value y);
  mlir::Value floor(mlir::Value x);
  mlir::Value ceil(mlir::Value x);
  mlir::Value abs(mlir::Value x);

  /// Comparisons; with a NaN they are false.
  mlir::Value less(mlir::Value x, mlir::Value y);
  mlir::Value atMost(mlir::Value x, mlir::Value y);
  mlir::Value equal(mlir::Value x, mlir::Value y);
  mlir::Value both(mlir::Value x, mlir::Value y);
  mlir::Value either(mlir::Value x, mlir::Value y);
  mlir::Value negate(mlir::Value bit);
  mlir::Value select(mlir::Value condition, mlir::Value x, mlir::Value y);

  /// `i` moved into [0, extent).
  mlir::Value clamp(mlir::Value i, mlir::Value extent);
  /// Whether 0 <= i < extent.
  mlir::Value inRange(mlir::Value i, mlir::Value extent);
  mlir::Value toFloat(mlir::Value index, mlir::Type type);
  /// A float, truncated and limited to +-2^30 (NaN gives -2^30), as an index.
  mlir::Value toIndex(mlir::Value x);
  mlir::Value read(mlir::Value tensor, mlir::ValueRange position);
};

/// A tensor whose elements are computed from their positions.
TensorValue
generate(NodeContext &node, ElementType type, llvm::ArrayRef<mlir::OpFoldResult> dims,
         llvm::function_ref<mlir::Value(ScalarMath &, llvm::ArrayRef<mlir::Value>)> body);

/// A tensor whose elements are accumulated over an inner space of extents
/// `inner`: `body` gets the position in the result, the position in the inner
/// space and the value so far, which starts as `initial`.
TensorValue accumulate(NodeContext &node, ElementType type, llvm::ArrayRef<mlir::OpFoldResult> dims,
                       llvm::ArrayRef<mlir::OpFoldResult> inner, mlir::Value initial,
                       llvm::function_ref<mlir::Value(ScalarMath &, llvm::ArrayRef<mlir::Value>,
                                                      llvm::ArrayRef<mlir::Value>, mlir::Value)>
                           body);

/// Fails the call unless all elements of the integer tensor `x` lie in [low,
/// high); names the first one in row-major order that does not.
void assertInRange(NodeContext &node, const TensorValue &x, mlir::OpFoldResult low,
                   mlir::OpFoldResult high, llvm::StringRef what);

/// A vector whose number of elements must be `count`, which is checked when the
/// call runs if it is not known before; `what` names the elements.
mlir::FailureOr<TensorValue> withLength(NodeContext &node, const TensorValue &x, int64_t count,
                                        llvm::StringRef what);

/// Fails the call (or the import, if it is known then) unless `x` equals `y`;
/// `message` has {0} for x and {1} for y.
mlir::LogicalResult requireEqual(NodeContext &node, mlir::OpFoldResult x, mlir::OpFoldResult y,
                                 llvm::StringRef message);
/// The same unless `x` is at most `y`.
mlir::LogicalResult requireAtMost(NodeContext &node, mlir::OpFoldResult x, mlir::OpFoldResult y,
                                  llvm::StringRef message);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_OPS_SCALARMATH_H
