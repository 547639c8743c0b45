//===- StateRead.h - How states are read ------------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SSM_TRANSFORMS_STATEREAD_H
#define WEFT_DIALECTS_SSM_TRANSFORMS_STATEREAD_H

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace weft::ssm {

/// A sum over dimension `row` of a state, weighted by a query.
struct StateRead {
  mlir::Value result;
  int64_t row = 0;
  mlir::Value query;
  mlir::AffineMap queryMap;              ///< of the state's dimensions
  llvm::SmallVector<int64_t> resultDims; ///< the state's dimension of each of the result's, or -1
  /// Where the state is read with the term of its token times this, which of the state's
  /// dimensions it has.
  mlir::Value bonus;
  mlir::AffineMap bonusMap;

  /// Whether `user` reads `state` so, alone or with `term` times a bonus.
  static std::optional<StateRead> match(mlir::Value state, mlir::Operation *user, mlir::Value term);
};

/// Whether an elementwise operation reads `value` at its own positions.
bool isIdentityOn(mlir::linalg::GenericOp op, mlir::Value value);

} // namespace weft::ssm

#endif // WEFT_DIALECTS_SSM_TRANSFORMS_STATEREAD_H
