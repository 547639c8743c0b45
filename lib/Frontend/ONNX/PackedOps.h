//===- PackedOps.h - Integers below 8 bits and small floats ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values of these types are `!weft.packed` (docs/packed.md). Operators that
// only move elements see their codes, an i8 each; arithmetic goes through
// numbers.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_PACKEDOPS_H
#define WEFT_FRONTEND_ONNX_PACKEDOPS_H

#include "Frontend/ONNX/TensorOps.h"
#include "dialects/Weft/IR/Weft.h"

namespace weft::onnx {

/// Integers below 8 bits. In tensors of codes they are their numbers, signed or
/// unsigned.
bool isPackedInteger(ElementType type);
/// Floats of up to 8 bits. In tensors of codes they are their bits.
bool isPackedFloat(ElementType type);
bool isPacked(ElementType type);
/// Whether several elements share a byte, so that a tensor of codes is not the
/// component of the packed tensor.
bool sharesBytes(ElementType type);

/// The type of a packed tensor with numbers of `expressed` (null: the type's
/// own, i8 or f32).
PackedType packedType(mlir::MLIRContext *context, ElementType type,
                      llvm::ArrayRef<mlir::OpFoldResult> dims, mlir::Type expressed = {});
PackedType packedType(mlir::MLIRContext *context, ElementType type, llvm::ArrayRef<int64_t> shape,
                      mlir::Type expressed = {});
/// The packed tensor of `component`, which has all of its codes.
TensorValue fromComponent(NodeContext &node, mlir::Value component, ElementType type,
                          llvm::ArrayRef<mlir::OpFoldResult> dims);
/// The component of a packed tensor.
mlir::Value componentOf(NodeContext &node, mlir::Value packed);
/// The tensor of codes (i8) of a value that has only the packed tensor.
mlir::Value unpackCodes(NodeContext &node, const TensorValue &x);
/// `x` as packed tensor.
mlir::Value packValue(NodeContext &node, const TensorValue &x);
/// The same bytes as another tensor of elements as wide, which share bytes: a
/// view.
TensorValue reinterpretPacked(NodeContext &node, const TensorValue &x, ElementType type,
                              llvm::ArrayRef<mlir::OpFoldResult> dims);

/// A tensor of small floats as one of `type`, which holds all of their numbers;
/// any other tensor itself.
TensorValue toNumbers(NodeContext &node, const TensorValue &x,
                      ElementType type = ElementType::Float);
/// A tensor of numbers as one of small floats.
TensorValue encodeFloats(NodeContext &node, const TensorValue &x, ElementType type,
                         const EncodeOptions &options);

/// Whether an operator takes such tensors: conversions, what only moves
/// elements, and those of plugins.
bool takesPackedElements(llvm::StringRef domain, llvm::StringRef opType);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_PACKEDOPS_H
