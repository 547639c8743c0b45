//===- ElementTerm.h - How elements are computed ----------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_MOE_TRANSFORMS_ELEMENTTERM_H
#define WEFT_DIALECTS_MOE_TRANSFORMS_ELEMENTTERM_H

#include "dialects/MoE/Transforms/ElementAccess.h"

#include <vector>

namespace weft::moe {

/// An element of a tensor, or a number in the body of the operation that computes one.
struct TermSource {
  ElementAccess access;
  mlir::linalg::GenericOp op = {};
  mlir::Value scalar = {};
};

/// How an element is computed, whatever the types of numbers on the way.
struct Term {
  enum Kind {
    Leaf,
    Constant, ///< `number`
    Index,    ///< `index`
    Add,
    Sub,
    Mul,
    Less, ///< operands[0] < operands[1] + number
    Equal,
    NotZero,
    Sum, ///< of the product of the operands, over `index`
    Scan ///< sum of operands[0] up to here; `number` is 1 if this element is not in it
  } kind = Leaf;
  TermSource self;
  std::vector<TermSource> operands = {};
  double number = 0;
  mlir::AffineExpr index = {};
};

/// Looks at one step. `isExact`: not through conversions that may round.
Term lookAt(ElementResolver &resolver, const TermSource &source, bool isExact = false);
/// The element that `source` is but for conversions of its type; nothing if it is computed.
std::optional<ElementAccess> withoutCasts(ElementResolver &resolver, TermSource source);

} // namespace weft::moe

#endif // WEFT_DIALECTS_MOE_TRANSFORMS_ELEMENTTERM_H
