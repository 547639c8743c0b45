//===- Widening.h - Element types that operands may have --------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_WEFT_IR_WIDENING_H
#define WEFT_DIALECTS_WEFT_IR_WIDENING_H

#include "mlir/IR/BuiltinTypes.h"

namespace weft {

/// Whether every element of type `narrow` is one of type `wide`, and of its kind.
bool widensTo(mlir::Type narrow, mlir::Type wide);

} // namespace weft

#endif // WEFT_DIALECTS_WEFT_IR_WIDENING_H
