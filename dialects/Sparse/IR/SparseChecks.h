//===- SparseChecks.h - What data of operations must be -----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SPARSE_IR_SPARSECHECKS_H
#define WEFT_DIALECTS_SPARSE_IR_SPARSECHECKS_H

namespace mlir {
class MLIRContext;
} // namespace mlir

namespace weft::sparse {

/// Attaches the checks that `weft-check-operands` builds for this dialect.
void attachOperandChecks(mlir::MLIRContext *context);

} // namespace weft::sparse

#endif // WEFT_DIALECTS_SPARSE_IR_SPARSECHECKS_H
