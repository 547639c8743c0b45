//===- Einsum.h - Sums of products by index letters -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_EINSUM_H
#define WEFT_FRONTEND_ONNX_OPS_EINSUM_H

#include "Frontend/ONNX/TensorOps.h"

namespace weft::onnx {

/// The product of two tensors by an equation of letters such as "bik,bkj->bij":
/// letters that are not in the result are summed. An extent is that of the first
/// operand that has the letter; the others' must be equal, which the caller sees
/// to.
TensorValue contractLetters(NodeContext &node, llvm::StringRef equation, const TensorValue &a,
                            const TensorValue &c, ElementType sumType);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_OPS_EINSUM_H
