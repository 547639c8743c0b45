//===- Strings.h - Tensors of strings -------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_STRINGS_H
#define WEFT_FRONTEND_ONNX_OPS_STRINGS_H

#include "Frontend/ONNX/TensorOps.h"

#include <span>
#include <string_view>

namespace weft::onnx {

/// A constant tensor of strings, in row-major order.
TensorValue makeStrings(NodeContext &node, llvm::ArrayRef<int64_t> shape,
                        std::span<const std::string_view> strings);

/// Whether the elements of `x`, of strings, equal those of `y`, as bool, with
/// broadcasting.
mlir::FailureOr<TensorValue> equalStrings(NodeContext &node, const TensorValue &x,
                                          const TensorValue &y);

/// Whether a built-in operator may be given strings, and give them: those that
/// move elements, and those made for strings. To all others the address of a
/// string would be a number.
bool takesStrings(llvm::StringRef domain, llvm::StringRef op);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_OPS_STRINGS_H
