//===- Attend.h - Building attn.attend -------------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_ATTEND_H
#define WEFT_FRONTEND_ONNX_OPS_ATTEND_H

#include "Frontend/ONNX/Ops/ScalarMath.h"
#include "Frontend/ONNX/TensorOps.h"
#include "dialects/Attn/IR/AttnBuilders.h"

namespace weft::onnx {

/// Makes another score of one at [batch, head, query, key].
using ScoreBuilder = llvm::function_ref<mlir::Value(ScalarMath &, mlir::Value score,
                                                    llvm::ArrayRef<mlir::Value> at)>;

/// An `attn.attend` whose result has `type` and `dims`, with a score region if `region` is
/// there.
TensorValue buildAttend(NodeContext &node, const TensorValue &query, const TensorValue &key,
                        const TensorValue &value, ElementType type,
                        llvm::ArrayRef<mlir::OpFoldResult> dims, const attn::AttendConfig &config,
                        ScoreBuilder region = nullptr);

/// A bias or mask of scores with extents `scores`: dimensions that may be 1 at run time
/// only are broadcast.
mlir::FailureOr<TensorValue> broadcastToScores(NodeContext &node, const TensorValue &x,
                                               llvm::ArrayRef<mlir::OpFoldResult> scores);

/// A value for each sequence, [batch] of i64.
TensorValue buildPerSequence(NodeContext &node, mlir::OpFoldResult batch,
                             llvm::function_ref<mlir::Value(ScalarMath &, mlir::Value batch)> body);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_OPS_ATTEND_H
