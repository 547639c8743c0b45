//===- Gradient.h - Reverse-mode differentiation --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_GRADIENT_H
#define WEFT_FRONTEND_ONNX_OPS_GRADIENT_H

#include "weft/Frontend/ONNX.h"

namespace weft::onnx {

/// Builds Gradient (ai.onnx.preview.training, version 1).
mlir::LogicalResult buildGradient(NodeContext &node);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_OPS_GRADIENT_H
