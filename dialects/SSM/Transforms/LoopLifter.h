//===- LoopLifter.h - What a loop computes, of all tokens -------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SSM_TRANSFORMS_LOOPLIFTER_H
#define WEFT_DIALECTS_SSM_TRANSFORMS_LOOPLIFTER_H

#include "dialects/SSM/Transforms/Factors.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace weft::ssm {

/// A value outside of the loop: the same in all iterations, or a tensor with a first dimension
/// of iterations.
struct Lifted {
  mlir::Value value;
  bool varies = false;
};

/// Computes values of the body of `loop`, which goes from 0 in steps of 1, for all iterations,
/// before the loop. What depends on values that are carried cannot be lifted before these are
/// given. Operations that nobody uses in the end stay behind where lifting fails.
class LoopLifter {
public:
  LoopLifter(mlir::OpBuilder &b, mlir::scf::ForOp loop) : b(b), loop(loop) {}

  std::optional<Lifted> lift(mlir::Value value);
  /// The same as a tensor with iterations, if it does not vary too.
  mlir::Value liftAll(mlir::Value value);
  /// The factors for all iterations of a tensor that is read by `map`, whose dimensions follow
  /// that of iterations.
  std::optional<llvm::SmallVector<Factor>> liftFactors(mlir::Value value, mlir::AffineMap map);
  void set(mlir::Value value, Lifted lifted) { known[value] = lifted; }
  /// Position i along a dimension is that of the iteration: i, or T - 1 - i for all values.
  bool isPosition(mlir::OpFoldResult offset);
  bool isReversed() const { return reversed.value_or(false); }
  /// How many iterations there are.
  mlir::OpFoldResult tokens() { return mlir::getAsOpFoldResult(loop.getUpperBound()); }

private:
  std::optional<Lifted> compute(mlir::Operation *op, mlir::Value value);
  std::optional<Lifted> liftSlice(mlir::tensor::ExtractSliceOp op);
  std::optional<Lifted> liftExpand(mlir::tensor::ExpandShapeOp op);
  std::optional<Lifted> liftGeneric(mlir::linalg::GenericOp op);
  std::optional<Lifted> liftContract(ContractOp op);
  mlir::Value liftInit(mlir::Value init);
  mlir::Value repeat(mlir::Value value);
  std::optional<mlir::OpFoldResult> invariant(mlir::OpFoldResult value);
  std::optional<llvm::SmallVector<mlir::OpFoldResult>>
  invariants(llvm::ArrayRef<mlir::OpFoldResult> values);

  mlir::OpBuilder &b;
  mlir::scf::ForOp loop;
  llvm::DenseMap<mlir::Value, Lifted> known;
  std::optional<bool> reversed;
};

} // namespace weft::ssm

#endif // WEFT_DIALECTS_SSM_TRANSFORMS_LOOPLIFTER_H
