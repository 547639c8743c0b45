//===- VerifyInternal.h - What the parts of the verifier share ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_READER_VERIFYINTERNAL_H
#define WEFT_FRONTEND_ONNX_READER_VERIFYINTERNAL_H

#include "Frontend/ONNX/Reader/Verify.h"

namespace weft::onnx {

/// E.g. "node 'conv1' (Conv)", or "node 7 (Conv)" for one without a name.
std::string describe(const Node &node, size_t index);

/// Checks that functions have different identities, that calls form no circle,
/// and how many nodes inlining them gives.
Status verifyFunctionCalls(const Model &model);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_READER_VERIFYINTERNAL_H
