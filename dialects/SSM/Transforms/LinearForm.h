//===- LinearForm.h - What a token makes of a state -------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SSM_TRANSFORMS_LINEARFORM_H
#define WEFT_DIALECTS_SSM_TRANSFORMS_LINEARFORM_H

#include "dialects/SSM/Transforms/Factors.h"
#include "dialects/SSM/Transforms/LoopLifter.h"

namespace weft::ssm {

/// A product of factors and, unless it is constant, of the state. The factors' maps are of
/// (token, the state's dimensions, r): where the state is summed up over its dimension `row`, r is
/// the position there.
struct LinearTerm {
  enum class Of { Constant, State, Sum };
  Of of = Of::Constant;
  bool negative = false;
  int64_t row = -1;
  llvm::SmallVector<Factor> factors;
};

/// The elements of a value of a loop's body as sums of terms in one of the carried states.
class LinearForm {
public:
  LinearForm(LoopLifter &lifter, mlir::scf::ForOp loop, mlir::BlockArgument state);

  /// The terms of `next`, which is of the state's type; nothing if it is no such sum.
  std::optional<llvm::SmallVector<LinearTerm>> of(mlir::Value next);
  /// Whether the last form was computed by this operation.
  bool isPart(mlir::Operation *op) const { return parts.contains(op); }
  /// The constant term if it is a value of the body that has the state's positions and is
  /// added.
  mlir::Value constant;

private:
  using Terms = std::optional<llvm::SmallVector<LinearTerm>>;

  bool dependsOnState(mlir::Value value) const { return dependent.contains(value); }
  Terms termsOf(Element element);
  Terms termsOfState(mlir::AffineMap map);
  Terms termsOfElementwise(mlir::linalg::GenericOp op, mlir::AffineMap map);
  Terms termsOfSum(mlir::linalg::GenericOp op, mlir::AffineMap map);
  Terms termsOfContract(ContractOp op, mlir::AffineMap map);
  Terms product(Element lhs, Element rhs);
  bool isSummed(mlir::AffineMap map) const;

  LoopLifter &lifter;
  mlir::BlockArgument state;
  mlir::MLIRContext *context;
  int64_t rank;
  mlir::AffineMap positions; ///< the state's own
  mlir::AffineExpr summed;   ///< the position in a row that is summed up
  llvm::DenseSet<mlir::Value> dependent;
  llvm::DenseSet<mlir::Operation *> parts;
};

} // namespace weft::ssm

#endif // WEFT_DIALECTS_SSM_TRANSFORMS_LINEARFORM_H
