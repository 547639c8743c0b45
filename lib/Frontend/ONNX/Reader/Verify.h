//===- Verify.h - Checks the structure of an ONNX model -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_READER_VERIFY_H
#define WEFT_FRONTEND_ONNX_READER_VERIFY_H

#include "Frontend/ONNX/Reader/Model.h"

namespace weft::onnx {

/// Checks what no operator's definition is needed for:
/// - every value has one definition in its graph, and every use comes after it,
///   in the same graph or one around it (a name may be defined again in a
///   subgraph, where it then hides the outer one);
/// - outputs are defined, the main graph's have different names;
/// - nodes have an operator, attributes a name and what their kind says, once;
/// - tensors have a type, a shape that can be counted and the data it needs
///   (external data is not opened);
/// - functions have different names, do not call each other in circles, and
///   give at most `maxInlinedNodes` nodes when they are inlined;
/// - whoever uses operators of ONNX's own domain imports a version of it.
/// The first violation is the error: one sentence with the model's path.
Status verify(const Model &model);

/// Chains of functions can grow exponentially when they are inlined.
inline constexpr uint64_t maxInlinedNodes = 4'000'000;

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_READER_VERIFY_H
