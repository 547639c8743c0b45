//===- EvaluateConstants.h - Computes constants while compiling -*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_MODEL_EVALUATECONSTANTS_H
#define WEFT_TRANSFORMS_MODEL_EVALUATECONSTANTS_H

#include "dialects/Weft/IR/WeightStore.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/Pass.h"
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

/// Compiles a module and runs its one function, which takes no arguments. The
/// module is as the stage `model` leaves it. Gives the results in the function's
/// order, or says why there are none; emits no diagnostics. Fails, too, where results or
/// what is between take more than `maxBytes`: what the extents are that only the
/// evaluation finds is not in the module's types.
using ConstantEvaluator = llvm::Expected<llvm::SmallVector<EvaluatedTensor>> (*)(
    mlir::OwningOpRef<mlir::ModuleOp> module, int64_t maxBytes);

/// The pass `weft-evaluate-constants`. Who builds pipelines gives it `evaluate`:
/// it takes all later stages, and transformations know nothing of those.
std::unique_ptr<mlir::Pass> createEvaluateConstants(ConstantEvaluator evaluate);

} // namespace weft

#endif // WEFT_TRANSFORMS_MODEL_EVALUATECONSTANTS_H
