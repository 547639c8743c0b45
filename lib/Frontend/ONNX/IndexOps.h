//===- IndexOps.h - Checked indices, extents and positions ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What operators need whose extents, axes or indices are data: conditions that
// fail at import where they are known and at run time where not, and the facts
// about index arithmetic that keep it simple.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_INDEXOPS_H
#define WEFT_FRONTEND_ONNX_INDEXOPS_H

#include "Frontend/ONNX/TensorOps.h"
#include "weft-runtime/module.h"

namespace weft::onnx {

//===----------------------------------------------------------------------===//
// Facts about index arithmetic
//===----------------------------------------------------------------------===//

/// Whether `x` is certainly not negative: made of extents and of arithmetic that
/// keeps the sign.
bool isNonNegative(mlir::OpFoldResult x);
/// Whether `x` is computed from the contents of a tensor, rather than from
/// extents alone.
bool dependsOnData(mlir::OpFoldResult x);
/// Whether the products of the two lists are certainly equal.
bool sameProduct(llvm::ArrayRef<mlir::OpFoldResult> x, llvm::ArrayRef<mlir::OpFoldResult> y);
/// The product of `x` divided by that of `y`, rounded towards zero, with factors
/// that both have cancelled; by 0 it is 0.
mlir::OpFoldResult divideProducts(NodeContext &node, llvm::ArrayRef<mlir::OpFoldResult> x,
                                  llvm::ArrayRef<mlir::OpFoldResult> y);

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

/// An index condition (0 or 1) as an i1.
mlir::Value conditionBit(NodeContext &node, mlir::OpFoldResult condition);
/// 1 if both are, 1 if one is, 1 if `x` is 0.
mlir::OpFoldResult both(NodeContext &node, mlir::OpFoldResult x, mlir::OpFoldResult y);
mlir::OpFoldResult either(NodeContext &node, mlir::OpFoldResult x, mlir::OpFoldResult y);
mlir::OpFoldResult negate(NodeContext &node, mlir::OpFoldResult x);
/// `x` limited to [low, high].
mlir::OpFoldResult clamp(NodeContext &node, mlir::OpFoldResult x, mlir::OpFoldResult low,
                         mlir::OpFoldResult high);
/// `x`, counted from `extent` if negative.
mlir::OpFoldResult fromEnd(NodeContext &node, mlir::OpFoldResult x, mlir::OpFoldResult extent);
/// values[index]; the last one if `index` is beyond. `values` is not empty.
mlir::OpFoldResult choose(NodeContext &node, llvm::ArrayRef<mlir::OpFoldResult> values,
                          mlir::OpFoldResult index);

//===----------------------------------------------------------------------===//
// Conditions
//===----------------------------------------------------------------------===//

/// Fails unless `condition` (0 or 1): at import where it is known, else the call.
/// "{0}" and "{1}" in `message` stand for `values`.
mlir::LogicalResult require(NodeContext &node, mlir::OpFoldResult condition, int32_t code,
                            llvm::StringRef message,
                            llvm::ArrayRef<mlir::OpFoldResult> values = {});
/// Requires extents that are data to be such that a tensor can have them: none
/// negative, and at most 2^44 elements.
mlir::LogicalResult requireExtents(NodeContext &node, llvm::ArrayRef<mlir::OpFoldResult> dims);
/// Requires all of `indices` to lie in [-extent, extent); the lowest offending
/// position is reported. With several extents, the last dimension of `indices`
/// has one index for each.
mlir::LogicalResult requireIndices(NodeContext &node, const TensorValue &indices,
                                   llvm::ArrayRef<mlir::OpFoldResult> extents,
                                   bool areTuples = false);

//===----------------------------------------------------------------------===//
// Inputs that say how
//===----------------------------------------------------------------------===//

/// The one element of an integer tensor with a single element.
mlir::FailureOr<mlir::OpFoldResult> shapeScalar(NodeContext &node, const TensorValue &x,
                                                llvm::StringRef what);
/// The elements of an integer tensor of rank 1 where their number may be known at
/// run time only, but must be `count`.
mlir::FailureOr<Dims> shapeElementsOf(NodeContext &node, const TensorValue &x,
                                      std::optional<int64_t> count);
/// The same where their number is at most `most`: the elements followed by
/// anything, and how many they are.
mlir::FailureOr<std::pair<Dims, mlir::OpFoldResult>>
shapeElementsUpTo(NodeContext &node, const TensorValue &x, int64_t most);
/// The elements as numbers if all are known at import; nothing otherwise.
std::optional<llvm::SmallVector<int64_t>>
knownElements(llvm::ArrayRef<mlir::OpFoldResult> elements);

//===----------------------------------------------------------------------===//
// Scalars inside of kernels
//===----------------------------------------------------------------------===//

/// Index arithmetic inside of a linalg body.
struct KernelIndex {
  mlir::OpBuilder &b;
  mlir::Location loc;

  mlir::Value constant(int64_t value) const;
  mlir::Value loop(int64_t i) const;
  mlir::Value add(mlir::Value x, mlir::Value y) const;
  mlir::Value sub(mlir::Value x, mlir::Value y) const;
  mlir::Value mul(mlir::Value x, mlir::Value y) const;
  /// Quotient and remainder of values that are not negative.
  mlir::Value div(mlir::Value x, mlir::Value y) const;
  mlir::Value rem(mlir::Value x, mlir::Value y) const;
  mlir::Value min(mlir::Value x, mlir::Value y) const;
  mlir::Value max(mlir::Value x, mlir::Value y) const;
  mlir::Value select(mlir::Value c, mlir::Value x, mlir::Value y) const;
  mlir::Value cmp(mlir::arith::CmpIPredicate p, mlir::Value x, mlir::Value y) const;
  mlir::Value less(mlir::Value x, mlir::Value y) const;
  mlir::Value of(mlir::OpFoldResult x) const;
  /// An element of an index tensor as an index, and back.
  mlir::Value fromElement(mlir::Value element, ElementType type) const;
  mlir::Value toInteger(mlir::Value index, mlir::Type type) const;
  /// A possibly negative index into `extent` elements, clamped into range.
  mlir::Value position(mlir::Value raw, mlir::Value extent) const;
};

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_INDEXOPS_H
