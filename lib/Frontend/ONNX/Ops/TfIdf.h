//===- TfIdf.h - Counting n-grams -----------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_TFIDF_H
#define WEFT_FRONTEND_ONNX_OPS_TFIDF_H

#include "weft/Frontend/ONNX.h"

namespace weft::onnx {

/// Builds TfIdfVectorizer (opset 9 and later) of integers.
mlir::LogicalResult buildTfIdfVectorizer(NodeContext &node);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_OPS_TFIDF_H
