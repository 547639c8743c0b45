//===- DescribeSize.h - Sizes as people read them ---------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_BUFFER_DESCRIBESIZE_H
#define WEFT_TRANSFORMS_BUFFER_DESCRIBESIZE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <string>

namespace weft {

/// The bytes of a buffer of `function` as an expression of its symbols, such as
/// "256 * batch * (length + 1)"; "?" stands for what only a call knows.
std::string describeBytes(mlir::func::FuncOp function, mlir::Value memref);

} // namespace weft

#endif // WEFT_TRANSFORMS_BUFFER_DESCRIBESIZE_H
