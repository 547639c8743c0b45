//===- ContribQuantized.h - Codes of ONNX Runtime's operators ---*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_CONTRIBQUANTIZED_H
#define WEFT_FRONTEND_ONNX_OPS_CONTRIBQUANTIZED_H

#include "Frontend/ONNX/Ops/ScalarMath.h"
#include "dialects/LowP/IR/LowP.h"

namespace weft::onnx {

using Outputs = mlir::FailureOr<mlir::SmallVector<TensorValue>>;

inline Outputs oneOutput(mlir::FailureOr<TensorValue> value) {
  if (failed(value))
    return mlir::failure();
  return mlir::SmallVector<TensorValue>{*value};
}

/// The code of `bits` bits at position `index` of bytes in which the lowest bits
/// come first; `read` gives the byte (i8) at a position.
mlir::Value unpackCode(ScalarMath &m, mlir::Value index, int64_t bits,
                       llvm::function_ref<mlir::Value(mlir::Value)> read);

/// Unsigned codes in rows of `columns`, which are filled up to a multiple of `multiple` and
/// to whole bytes.
LeafFormatAttr rowsOfCodes(mlir::MLIRContext *context, int64_t bits, int64_t columns,
                           int64_t multiple, mlir::ArrayRef<ScaleInterface> scales);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_OPS_CONTRIBQUANTIZED_H
