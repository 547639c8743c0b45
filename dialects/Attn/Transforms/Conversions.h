//===- Conversions.h - Computations around conversions ----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_ATTN_TRANSFORMS_CONVERSIONS_H
#define WEFT_DIALECTS_ATTN_TRANSFORMS_CONVERSIONS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace weft::attn {

/// A number before it was converted between types of floats.
mlir::Value withoutConversions(mlir::Value number);

/// The operation of a body whose result, converted or not, it yields, and that alone computes
/// besides conversions; null if there is none.
mlir::Operation *soleOperation(mlir::linalg::GenericOp op);

/// The tensor of which `value` is the conversion to another type of floats; null if it is none.
mlir::Value matchConversion(mlir::Value value);

/// `value` in another type of floats.
mlir::Value convert(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value, mlir::Type element);

} // namespace weft::attn

#endif // WEFT_DIALECTS_ATTN_TRANSFORMS_CONVERSIONS_H
