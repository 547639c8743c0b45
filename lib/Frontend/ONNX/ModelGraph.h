//===- ModelGraph.h - A model as a graph to draw ----------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_MODELGRAPH_H
#define WEFT_FRONTEND_ONNX_MODELGRAPH_H

#include "Support/GraphDrawing.h"

#include "llvm/Support/Error.h"

namespace weft::onnx {

/// The nodes of an ONNX file's main graph with their operators, its inputs and
/// outputs, and the values between them. Weights are no nodes: a node's detail
/// names those it takes. The error is a sentence for the user.
llvm::Expected<DrawnGraph> graphOfModel(const std::string &path);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_MODELGRAPH_H
