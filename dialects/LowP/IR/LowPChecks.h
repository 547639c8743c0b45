//===- LowPChecks.h - What data of operations must be -----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_LOWP_IR_LOWPCHECKS_H
#define WEFT_DIALECTS_LOWP_IR_LOWPCHECKS_H

namespace mlir {
class MLIRContext;
} // namespace mlir

namespace weft::lowp {

/// Attaches the checks that `weft-check-operands` builds for this dialect.
void attachOperandChecks(mlir::MLIRContext *context);

} // namespace weft::lowp

#endif // WEFT_DIALECTS_LOWP_IR_LOWPCHECKS_H
