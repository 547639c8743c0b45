//===- ElementTrace.h - Where elements of tensors come from -----*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_MOE_TRANSFORMS_ELEMENTTRACE_H
#define WEFT_DIALECTS_MOE_TRANSFORMS_ELEMENTTRACE_H

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace weft::moe {

/// A position along one dimension: a number, a free variable, or what
/// `weft.nonzero` found: element (row, variable) of its indices.
struct Position {
  enum Kind { Constant, Variable, Found } kind;
  int64_t value;
  NonZeroOp nonzero = {};
  int64_t variable = 0;

  static Position constant(int64_t value) { return {Constant, value}; }
  static Position free(int64_t variable) { return {Variable, variable}; }
  static Position found(NonZeroOp op, int64_t row, int64_t variable) {
    return {Found, row, op, variable};
  }
  bool isConstant() const { return kind == Constant; }
  bool operator==(const Position &other) const {
    return kind == other.kind && value == other.value && nonzero == other.nonzero &&
           variable == other.variable;
  }
};

/// An element of a tensor, or all of them where positions are free.
struct Element {
  mlir::Value tensor;
  llvm::SmallVector<Position> at;
};

/// Where the element was before slices, reshapes of unit dimensions, transpositions,
/// insertions, copies and gathers at positions that `weft.nonzero` found.
Element traceElement(Element element);

/// The element of an input of an elementwise operation that `element`, of its result,
/// is computed from; nothing for other operations or maps.
std::optional<Element> inputElement(mlir::linalg::GenericOp op, unsigned input,
                                    const Element &element);

/// The number of an element of an integer constant.
std::optional<int64_t> constantElement(const Element &element);

} // namespace weft::moe

#endif // WEFT_DIALECTS_MOE_TRANSFORMS_ELEMENTTRACE_H
