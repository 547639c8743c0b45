//===- HostEvaluator.h - Runs IR while compiling ----------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_LIB_SESSION_HOSTEVALUATOR_H
#define WEFT_LIB_SESSION_HOSTEVALUATOR_H

#include "dialects/Weft/IR/WeightStore.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"

namespace weft {

/// A tensor that was computed while compiling.
struct EvaluatedTensor {
  llvm::SmallVector<int64_t> shape;
  /// Row-major elements; larger ones than kMaxInlineConstantBytes lie in the
  /// weight store's spill file and can be committed to it without a copy.
  llvm::SmallVector<uint8_t, 0> small;
  WeightStore::Reservation large;

  llvm::ArrayRef<uint8_t> bytes() const {
    return large.bytes.empty() ? llvm::ArrayRef<uint8_t>(small)
                               : llvm::ArrayRef<uint8_t>(large.bytes);
  }
};

/// Compiles `module`, which is as the stage `model` leaves it and has one
/// function without arguments, through the stages `fuse` to `target` for this
/// machine and runs the function in this process, on one thread. The results
/// are the function's, in its order. `module` is consumed.
///
/// Fails, too, where results or what is between take more than `maxBytes`: what the
/// extents are that only the evaluation finds is not in the module's types.
///
/// Code is generated for x86-64-v3, or x86-64-v2 where this machine is no more,
/// whatever the module is for, so that weights do not depend on it. Fails
/// without diagnostics; the error says why.
llvm::Expected<llvm::SmallVector<EvaluatedTensor>>
evaluateOnHost(mlir::OwningOpRef<mlir::ModuleOp> module, int64_t maxBytes);

} // namespace weft

#endif // WEFT_LIB_SESSION_HOSTEVALUATOR_H
