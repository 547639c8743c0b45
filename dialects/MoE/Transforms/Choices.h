//===- Choices.h - What chooses experts of a batch --------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_MOE_TRANSFORMS_CHOICES_H
#define WEFT_DIALECTS_MOE_TRANSFORMS_CHOICES_H

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/Transforms/ElementAccess.h"

namespace weft::moe {

/// The numbers of experts and their weights, both [T, K], as they are in the IR.
struct Choice {
  mlir::Value ids, weights;
};

/// What tokens wrote into their rows of a matrix, at the positions that a sort chose: these are
/// in range, and none comes twice.
struct ChosenScatter {
  ScatterOp op;
  SortOp sort;
  mlir::Value ids, updates; ///< [T, K]
};

/// A mask [T, E] that is 1 where the expert is the one of `ids`, [T] or [T, 1].
struct OneHot {
  ElementAccess mask;
  mlir::Value ids;
};

/// What an elementwise operation or a reduction yields.
inline mlir::Value yielded(mlir::linalg::GenericOp op) {
  return op.getBody()->getTerminator()->getOperand(0);
}

bool isZeroTensor(mlir::Value value);
/// The number that all elements are, if that is known.
std::optional<double> splatOf(mlir::Value tensor);
/// Whether a reduction computes nothing but the `Op` of its elements.
template <typename Op> bool reducesBy(mlir::linalg::GenericOp op) {
  auto combine = yielded(op).getDefiningOp<Op>();
  if (!combine || op.getNumDpsInputs() != 1 || op->getNumResults() != 1 ||
      op.getBody()->getOperations().size() != 2)
    return false;
  mlir::Value x = op.getBody()->getArgument(0), y = op.getBody()->getArgument(1);
  return (combine.getLhs() == x && combine.getRhs() == y) ||
         (combine.getLhs() == y && combine.getRhs() == x);
}

/// A number of a body before conversions between floats.
mlir::Value withoutFloatCasts(mlir::Value scalar);

using Factors = llvm::SmallVector<ElementAccess, 2>;
/// The two factors of an element that is a product, perhaps added to zeros, perhaps converted.
Factors factorsOf(ElementResolver &resolver, const ElementAccess &access);

/// Matches what chooses the experts [T, E] whose elements are at (`token`, `slot`).
struct ChoiceMatcher {
  ElementResolver &resolver;
  mlir::AffineExpr token, slot;
  int64_t experts;

  std::optional<ChosenScatter> matchChosen(const ElementAccess &element);
  /// Gates that were scattered into zeros at the experts that a sort chose.
  std::optional<Choice> matchScatter(const ElementAccess &gate);
  std::optional<OneHot> matchOneHot(const ElementAccess &access);
  /// The tensor [T, E] in which `ids` are the positions of the largest element of each row,
  /// the first one of equals, NaN being the largest: as `moe.route` chooses.
  mlir::Value argMaxOf(mlir::Value ids);

private:
  mlir::Value indexComponent(mlir::Value indices, mlir::AffineExpr at, int64_t component,
                             mlir::AffineExpr &known);
};

} // namespace weft::moe

#endif // WEFT_DIALECTS_MOE_TRANSFORMS_CHOICES_H
