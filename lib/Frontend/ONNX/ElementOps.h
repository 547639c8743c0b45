//===- ElementOps.h - Functions of one element ----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What operators on elements share: checks of their inputs, 16-bit floats
// computed in f32, functions that several operators are made of, and checks of
// elements that fail the call.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_ELEMENTOPS_H
#define WEFT_FRONTEND_ONNX_ELEMENTOPS_H

#include "Frontend/ONNX/TensorOps.h"

namespace weft::onnx {

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

/// All inputs of the node; fails (an error of the node) unless their element
/// types are alike.
mlir::FailureOr<llvm::SmallVector<TensorValue>> inputsOfOneType(NodeContext &node);
/// Fails (an error of the node) unless input `i` is of floats.
mlir::LogicalResult expectFloats(NodeContext &node, size_t i = 0);
/// f32 for the 16-bit floats, else the type itself: what sums are kept in.
ElementType accumulatorType(ElementType type);
/// The type that attribute `name` gives as a number, or `defaultType`; fails
/// (unsupported) if tensors have no such elements; packed ones have to be asked for.
mlir::FailureOr<ElementType> elementTypeAttribute(NodeContext &node, llvm::StringRef name,
                                                  ElementType defaultType, bool packed = false);

//===----------------------------------------------------------------------===//
// Elementwise operators
//===----------------------------------------------------------------------===//

/// Runs `body` on f32 values where `type` is a 16-bit float, and rounds what it
/// gives to `type`; else on the values themselves.
mlir::Value inComputeType(mlir::OpBuilder &b, mlir::Location loc, ElementType type,
                          mlir::ValueRange args,
                          llvm::function_ref<mlir::Value(mlir::ValueRange)> body);
/// Applies `body` (on compute types) to the inputs, broadcast against one
/// another, and sets output 0, of the inputs' type `type`.
mlir::LogicalResult setElementwise(NodeContext &node, llvm::ArrayRef<TensorValue> inputs,
                                   ElementType type, ElementBuilder body);
/// The same for one input of floats.
using UnaryBuilder =
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::Value)>;
mlir::LogicalResult setFloatUnary(NodeContext &node, UnaryBuilder body);

/// The builder for opsets below 7, where the second input is broadcast only if the
/// attribute `broadcast` is set, and lies along the first one's dimensions from
/// `axis` on (by default, along its last ones).
NodeBuilder withLegacyBroadcast(mlir::LogicalResult (*builder)(NodeContext &));

/// If the elements of all inputs are known as index arithmetic, the result of
/// `body` on them, broadcast; nothing otherwise.
std::optional<TensorValue>
trackedElementwise(NodeContext &node, llvm::ArrayRef<TensorValue> inputs, ElementType resultType,
                   llvm::function_ref<mlir::OpFoldResult(llvm::ArrayRef<mlir::OpFoldResult>)> body);

//===----------------------------------------------------------------------===//
// Scalars: types are f32 or f64 unless stated otherwise.
//===----------------------------------------------------------------------===//

mlir::Value addScalars(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x, mlir::Value y);
mlir::Value mulScalars(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x, mlir::Value y);
/// The larger (smaller) one, of any type; NaN if one is NaN.
mlir::Value maxScalars(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x, mlir::Value y,
                       bool isUnsigned);
mlir::Value minScalars(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x, mlir::Value y,
                       bool isUnsigned);
/// The least (largest) number of the type as stored: infinite for floats.
mlir::Value lowestScalar(mlir::OpBuilder &b, mlir::Location loc, ElementType type);
mlir::Value highestScalar(mlir::OpBuilder &b, mlir::Location loc, ElementType type);
/// 1 / (1 + e^-x)
mlir::Value sigmoid(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);
/// ln(1 + e^x), without overflow
mlir::Value softplus(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);

/// The row-major position (index) of the iteration of a linalg operation whose
/// first loops run over `dims`.
mlir::Value linearPosition(mlir::OpBuilder &b, mlir::Location loc,
                           llvm::ArrayRef<mlir::OpFoldResult> dims);

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

/// Fails the call at run time if `offends` (i1) holds for an element of `x`;
/// "{0}" in the message is the lowest offending position (row-major), "{1}" and
/// so on are `values`.
void assertNoElement(
    NodeContext &node, const TensorValue &x,
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::Value)> offends,
    int32_t code, llvm::StringRef message, llvm::ArrayRef<mlir::OpFoldResult> values = {});
/// Fails the node if two extents differ, or the call where that is known only at
/// run time; `what` names the two, e.g. "the batch of input and target".
mlir::LogicalResult assertEqualExtents(NodeContext &node, mlir::OpFoldResult x,
                                       mlir::OpFoldResult y, llvm::StringRef what);
/// Fails the call at run time if an element of the integer tensor is 0; nothing
/// is checked where that is known not to be so.
void assertNonZero(NodeContext &node, const TensorValue &divisor);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_ELEMENTOPS_H
