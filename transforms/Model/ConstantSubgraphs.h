//===- ConstantSubgraphs.h - What depends on constants only -----*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_MODEL_CONSTANTSUBGRAPHS_H
#define WEFT_TRANSFORMS_MODEL_CONSTANTSUBGRAPHS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SetVector.h"

#include <string>

namespace weft {

/// Limits of constant evaluation; see the pass `weft-evaluate-constants`.
struct EvaluationLimits {
  int64_t bytes, operations, growth;
};

/// The operations of a function whose results depend on constants only, and
/// which of them are worth being computed while compiling.
class ConstantSubgraphs {
public:
  /// `limits` are used up by what is selected.
  ConstantSubgraphs(mlir::func::FuncOp function, EvaluationLimits &limits);

  /// The operations whose results become constants, in the order of the IR.
  llvm::ArrayRef<mlir::Operation *> roots() const { return selected; }

  /// `roots` and what they are computed from, constants included, in an order
  /// in which they can be computed.
  llvm::SmallVector<mlir::Operation *> computationOf(llvm::ArrayRef<mlir::Operation *> roots) const;

private:
  void collect(mlir::Region &region);
  bool dependsOnConstants(mlir::Operation *op) const;
  bool isNeeded(mlir::Operation *op) const;
  /// Why `op` is not worth it; empty if it is.
  std::string refuse(mlir::Operation *op);

  EvaluationLimits &limits;
  llvm::SetVector<mlir::Operation *> constants; ///< what results in constants
  llvm::DenseSet<mlir::Operation *> staying;    ///< those computed at run time
  llvm::DenseSet<mlir::Operation *> counted;    ///< those in `limits` already
  llvm::SmallVector<mlir::Operation *> selected;
};

} // namespace weft

#endif // WEFT_TRANSFORMS_MODEL_CONSTANTSUBGRAPHS_H
