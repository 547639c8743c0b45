//===- If.h - Conditional execution ---------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_IF_H
#define WEFT_FRONTEND_ONNX_OPS_IF_H

#include "weft/Frontend/ONNX.h"

namespace weft::onnx {

/// Builds If (opset 1 and later).
mlir::LogicalResult buildIf(NodeContext &node);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_OPS_IF_H
