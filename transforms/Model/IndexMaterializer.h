//===- IndexMaterializer.h - Index expressions as values --------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_MODEL_INDEXMATERIALIZER_H
#define WEFT_TRANSFORMS_MODEL_INDEXMATERIALIZER_H

#include "transforms/Model/ShapeExpressions.h"

#include "mlir/IR/Builders.h"

namespace weft {

/// Finds or makes values for expressions while operations are gone through in
/// order. What regions compute is not used outside of them.
class IndexMaterializer {
public:
  IndexMaterializer(ShapeExpressions &shapes, mlir::MLIRContext *context)
      : shapes(shapes), builder(context) {
    scopes.emplace_back();
  }

  /// A region; one that is opaque does not use what is computed around it, but
  /// for values that are leaves of expressions.
  class Scope {
  public:
    Scope(IndexMaterializer &parent, bool isOpaque) : parent(parent) {
      parent.scopes.emplace_back();
      parent.scopes.back().isOpaque = isOpaque;
    }
    ~Scope() { parent.scopes.pop_back(); }

  private:
    IndexMaterializer &parent;
  };

  /// The value to use for `value` in `user`: the first one that is equal, or a
  /// new one where that takes less arithmetic.
  mlir::Value simplest(mlir::Value value, mlir::Operation *user);
  /// Lets later operations use a value.
  void offer(mlir::Value value);

private:
  struct Table {
    bool isOpaque = false;
    llvm::DenseMap<std::pair<IndexExpr, mlir::Type>, mlir::Value> values;
  };
  mlir::Value find(IndexExpr expr, mlir::Type type);
  mlir::Value build(IndexExpr expr, mlir::Type type);
  mlir::Value buildIndex(IndexExpr expr);
  mlir::Value buildIndex(const IndexAtom *atom);
  mlir::Value buildCondition(IndexExpr expr);
  /// The sum of the terms with positive (negative) factors, or zero.
  mlir::Value buildSum(IndexExpr expr, bool positive);
  bool isVisible(mlir::Value value);
  /// How many operations compute the value.
  unsigned costOf(mlir::Value value);

  ShapeExpressions &shapes;
  mlir::OpBuilder builder;
  mlir::Location location = builder.getUnknownLoc();
  llvm::SmallVector<Table> scopes;
  llvm::DenseMap<mlir::Value, unsigned> costs;
};

} // namespace weft

#endif // WEFT_TRANSFORMS_MODEL_INDEXMATERIALIZER_H
