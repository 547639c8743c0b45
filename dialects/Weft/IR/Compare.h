//===- Compare.h - The order of elements ------------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECT_WEFT_COMPARE_H
#define WEFT_DIALECT_WEFT_COMPARE_H

#include "mlir/IR/Builders.h"

namespace weft {

/// Whether the number `x` comes strictly before `y` in the order of
/// `weft.sort`, as an i1: NaN is larger than all numbers and equal to NaN, as
/// NumPy sorts.
mlir::Value createComesBefore(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x, mlir::Value y,
                              bool descending, bool isUnsigned);

} // namespace weft

#endif // WEFT_DIALECT_WEFT_COMPARE_H
