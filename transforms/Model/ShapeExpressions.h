//===- ShapeExpressions.h - Extents of tensors as expressions ---*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_MODEL_SHAPEEXPRESSIONS_H
#define WEFT_TRANSFORMS_MODEL_SHAPEEXPRESSIONS_H

#include "transforms/Model/IndexExpressions.h"

#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/StringMap.h"

namespace weft {

/// What the index values, conditions and extents of a function are. The IR may
/// change as long as values that were asked for live and keep their meaning.
class ShapeExpressions {
public:
  explicit ShapeExpressions(mlir::FunctionOpInterface function);

  /// Of an index or a condition; never null.
  IndexExpr of(mlir::Value value);
  IndexExpr of(mlir::OpFoldResult value);
  /// Of a dimension of a ranked tensor; never null.
  IndexExpr extent(mlir::Value tensor, int64_t dimension);
  /// How often a loop of a structured operation runs.
  IndexExpr loopExtent(mlir::linalg::LinalgOp op, unsigned loop);

  /// Takes a condition to hold from here on.
  void assume(mlir::Value condition) { algebra.assume(of(condition)); }
  unsigned generation() const { return algebra.generation(); }
  IndexExpr product(IndexExpr x, IndexExpr y) { return algebra.multiply(x, y); }
  /// Whether y is certainly x times something.
  bool divides(IndexExpr x, IndexExpr y) { return algebra.cancel(y, x) != nullptr; }

private:
  IndexExpr compute(mlir::Value value);
  IndexExpr computeOperation(mlir::Operation *op);
  IndexExpr computeComparison(mlir::Operation *op);
  IndexExpr computeExtent(mlir::Value tensor, int64_t dimension);
  IndexExpr computeExtent(mlir::Operation *op, unsigned result, int64_t dimension);
  IndexExpr argumentExtent(mlir::BlockArgument argument, int64_t dimension);
  /// An extent that the branches of an scf.if agree on.
  IndexExpr branchExtent(mlir::Operation *op, unsigned result, int64_t dimension);
  /// A value that nothing is known of.
  IndexExpr unknown(mlir::Value value);

  struct Known {
    IndexExpr expr;
    unsigned generation;
  };
  IndexExpr current(Known &known);

  mlir::FunctionOpInterface function;
  IndexExpressions algebra;
  llvm::DenseMap<mlir::Value, Known> values;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, Known> extents;
  llvm::StringMap<mlir::Value> symbols;
};

} // namespace weft

#endif // WEFT_TRANSFORMS_MODEL_SHAPEEXPRESSIONS_H
