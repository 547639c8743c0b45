//===- DispatchMask.h - Masks of tokens, experts and places -----*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_MOE_TRANSFORMS_DISPATCHMASK_H
#define WEFT_DIALECTS_MOE_TRANSFORMS_DISPATCHMASK_H

#include "dialects/MoE/Transforms/ElementTerm.h"

#include <vector>

namespace weft::moe {

/// The number of a token's expert, in range: an element of a vector, or of a column of a matrix.
struct ExpertNumbers {
  mlir::Value tensor;
  int64_t column = -1;

  explicit operator bool() const { return tensor != nullptr; }
  bool operator==(const ExpertNumbers &other) const = default;
};

/// One choice of each token in a mask [T, E, C]: the product of weights, of "the expert is
/// ids[t]", of "the place is the number of tokens and choices before that are the same expert's",
/// and of "the place is below a limit".
struct DispatchSlot {
  ExpertNumbers ids;
  llvm::SmallVector<ExpertNumbers> earlier; ///< those of the choices that come first
  llvm::SmallVector<ElementAccess> weights; ///< at (token, expert) or token
  ElementAccess place;                      ///< at the token
  std::optional<double> limit, placeLimit;  ///< of the product; of the place, which is 0 beyond
};

/// Matches masks whose elements are at (`token`, `expert`, `place`).
struct DispatchMatcher {
  ElementResolver &resolver;
  mlir::AffineExpr token, expert, place;

  /// The choices that are added up in an element.
  std::optional<std::vector<DispatchSlot>> match(const TermSource &element);

private:
  std::optional<DispatchSlot> matchProduct(const TermSource &element);
  void collectFactors(const TermSource &source, bool isExact, std::vector<Term> &factors);
  ExpertNumbers oneHotOf(const Term &term, mlir::AffineExpr token, mlir::AffineExpr expert);
  mlir::LogicalResult matchPlace(DispatchSlot &slot);
  /// What is added to the place of a token among those of its expert.
  std::optional<double> matchPosition(const TermSource &source, mlir::AffineExpr expert,
                                      ExpertNumbers ids, llvm::SmallVector<ExpertNumbers> &earlier);
  std::optional<double> limitOf(const Term &less, mlir::AffineExpr expert, DispatchSlot &slot);
};

} // namespace weft::moe

#endif // WEFT_DIALECTS_MOE_TRANSFORMS_DISPATCHMASK_H
