//===- WeftValues.h - Numbers of ordinary types in formats ------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_WEFT_IR_WEFTVALUES_H
#define WEFT_DIALECTS_WEFT_IR_WEFTVALUES_H

#include "dialects/Weft/IR/WeftFormat.h"

namespace weft {

/// Whether memory can have numbers of `type` as they are: f16, bf16, f32, f64 and
/// integers of whole bytes.
bool isOrdinaryNumber(mlir::Type type);

/// Whether all numbers of `narrow` are exact in `wide`, which is of its kind.
bool isExactIn(mlir::Type narrow, mlir::Type wide);

/// A number in another type of its kind; integers are signed. Narrowing rounds to
/// the nearest even, and what is beyond the largest number saturates or overflows.
mlir::Value convertNumber(mlir::OpBuilder &b, mlir::Location loc, mlir::Value number,
                          mlir::Type type, const EncodeOptions &options = {});

/// The type that composite formats compute in: f32 for narrower floats.
mlir::Type getWideType(mlir::Type expressed);

} // namespace weft

#endif // WEFT_DIALECTS_WEFT_IR_WEFTVALUES_H
