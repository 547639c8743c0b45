//===- Contraction.h - What a contraction consists of ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_TILE_CONTRACTION_H
#define WEFT_TRANSFORMS_TILE_CONTRACTION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <optional>

namespace weft {

/// A `linalg.generic` that multiplies two operands and accumulates: which loops
/// are rows, columns, reduced, or shared (batch), and which operand has the
/// columns. The column loop is the one along which the result is contiguous.
struct Contraction {
  mlir::linalg::GenericOp op;
  mlir::OpOperand *rowOperand = nullptr;
  mlir::OpOperand *columnOperand = nullptr;
  std::optional<unsigned> m;          ///< innermost row loop, if there is one
  unsigned n = 0;                     ///< column loop: the result's last dimension
  llvm::SmallVector<unsigned> k;      ///< reduced loops, outermost first
  llvm::SmallVector<unsigned> others; ///< parallel loops besides m and n
  mlir::Type accumulatorType;
  /// Conversions of the operands to the accumulator's type in the body, or null.
  mlir::Operation *rowExtension = nullptr;
  mlir::Operation *columnExtension = nullptr;

  static std::optional<Contraction> match(mlir::linalg::GenericOp op);

  /// Whether packing the columns pays: they are read by more than one row tile.
  bool packsColumns(int64_t rows) const;

  /// Whether it has no rows and takes its columns from `weft.im2col`, as that of
  /// a depthwise convolution: each element of the columns is used once, so it is
  /// best read from the input when it is needed.
  bool readsWindows() const;
};

} // namespace weft

#endif // WEFT_TRANSFORMS_TILE_CONTRACTION_H
