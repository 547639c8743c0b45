//===- ArgExtreme.h - Positions of extremes -------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_VECTOR_ARGEXTREME_H
#define WEFT_TRANSFORMS_VECTOR_ARGEXTREME_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace weft {

/// A reduction along its last loop that keeps the better of a number and the best so
/// far, and its position: the largest or the smallest, NaN before every number, and of
/// equal ones the first or the last. Such a choice is the same in whatever order it is
/// made.
struct ArgExtreme {
  mlir::linalg::GenericOp op;
  mlir::Value position; ///< of the body, as the result has it

  static std::optional<ArgExtreme> match(mlir::linalg::GenericOp op);

  /// The better of two vectors of numbers and positions, lane by lane.
  llvm::SmallVector<mlir::Value> combine(mlir::OpBuilder &b, mlir::ValueRange x,
                                         mlir::ValueRange y) const;
};

} // namespace weft

#endif // WEFT_TRANSFORMS_VECTOR_ARGEXTREME_H
