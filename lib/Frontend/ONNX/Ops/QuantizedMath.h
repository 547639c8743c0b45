//===- QuantizedMath.h - Arithmetic on quantized elements -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_QUANTIZEDMATH_H
#define WEFT_FRONTEND_ONNX_OPS_QUANTIZEDMATH_H

#include "Frontend/ONNX/TensorOps.h"

namespace weft::onnx {

/// saturate(round(scaled) + zeroPoint), ties to even, as an element of `type`.
/// `scaled` is f32 or f64; `zeroPoint` has the storage type of `type` or is null.
mlir::Value quantizeScalar(mlir::OpBuilder &b, mlir::Location loc, mlir::Value scaled,
                           mlir::Value zeroPoint, ElementType type);
/// (code - zeroPoint) as a float of type `result` (f32 or f64).
mlir::Value centerScalar(mlir::OpBuilder &b, mlir::Location loc, mlir::Value code,
                         mlir::Value zeroPoint, ElementType type, mlir::Type result);

/// Scales and zero points of `x`: for the whole tensor, for each position along
/// `axis`, or for each block of `blockSize` of them.
struct QuantParameters {
  TensorValue scale;
  std::optional<TensorValue> zeroPoint;
  int64_t axis = 0;
  int64_t blockSize = 0;
};

/// Applies `body` to each element of `x`, its scale and its zero point (null if
/// there is none).
mlir::FailureOr<TensorValue>
elementwiseQuantized(NodeContext &node, const TensorValue &x, const QuantParameters &parameters,
                     ElementType resultType,
                     llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::Value,
                                                    mlir::Value, mlir::Value)>
                         body);

/// Whether the codes of `type` are elements of packed tensors: all but wide integers.
bool hasPackedCodes(ElementType type);
/// The numbers of quantized `x`, whose codes are packed, as `type`: the tensor of codes
/// and its parameters as packed tensor, which is unpacked, so that what computes with it
/// can take it as it is.
mlir::FailureOr<TensorValue> unpackQuantized(NodeContext &node, const TensorValue &x,
                                             const QuantParameters &parameters, ElementType type);

/// `x` as f32 from codes with a scale and a zero point (may be null) for the
/// whole tensor.
mlir::FailureOr<TensorValue> dequantize(NodeContext &node, const TensorValue &x,
                                        const TensorValue &scale, const TensorValue *zeroPoint);
/// The other way, from f32.
mlir::FailureOr<TensorValue> quantize(NodeContext &node, const TensorValue &x,
                                      const TensorValue &scale, const TensorValue *zeroPoint,
                                      ElementType type);

/// Codes, scale (a scalar) and zero point (a scalar) of an f32 tensor as uint8,
/// by its range, which is made to contain 0.
struct DynamicCodes {
  TensorValue codes, scale, zeroPoint;
};
mlir::FailureOr<DynamicCodes> quantizeDynamically(NodeContext &node, const TensorValue &x);

/// A parameter of a matrix's rows (or columns) so that it broadcasts against the
/// matrix: scalars and tensors of the matrix's rank stay as they are.
TensorValue alignToRows(NodeContext &node, const TensorValue &parameter);

/// The int32 product of matrices of 8-bit integers less their zero points,
/// which may be null.
mlir::FailureOr<TensorValue> matmulIntegers(NodeContext &node, const TensorValue &a,
                                            const TensorValue &b, const TensorValue *aZeroPoint,
                                            const TensorValue *bZeroPoint);

/// An error of the node unless the types are 8-bit integers.
mlir::LogicalResult require8Bit(NodeContext &node, llvm::ArrayRef<TensorValue> inputs);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_OPS_QUANTIZEDMATH_H
