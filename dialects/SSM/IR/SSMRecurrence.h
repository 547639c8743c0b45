//===- SSMRecurrence.h - Code of one token of a recurrence ------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SSM_IR_SSMRECURRENCE_H
#define WEFT_DIALECTS_SSM_IR_SSMRECURRENCE_H

#include "dialects/SSM/IR/SSM.h"
#include "dialects/Weft/IR/IndexMath.h"

namespace weft::ssm {

/// The operands of a recurrence over states [K, V], as `ssm.scan` takes them; a
/// state that is a vector has V = 1, and no key.
struct Recurrence {
  Transition transition = Transition::Identity;
  bool linear = false;
  Read read = Read::Post;
  int64_t rank = 1, substeps = 1, reads = 1;
  mlir::Value query, key, value, decay, rate, angle, alpha, beta, matrix, bonus;
  mlir::Type compute;

  /// Whether the rows of a state do not depend on each other.
  bool hasIndependentRows() const {
    return !query && (transition == Transition::Identity || transition == Transition::Scalar ||
                      transition == Transition::Diagonal);
  }
};

/// The part of one head's state that a work item computes: rows [row, row + rows)
/// and columns [column, column + columns). `heads` is the number of all heads.
struct StateTile {
  mlir::Value batch, head, heads;
  mlir::OpFoldResult row, rows, column, columns;
};

/// Makes code for single tokens of one tile. States and outputs are tensors of the
/// compute type, [rows, columns] and [columns].
class RecurrenceBuilder {
public:
  RecurrenceBuilder(const Recurrence &recurrence, const StateTile &tile)
      : r(recurrence), tile(tile) {}

  /// The state after `token`; without `inject` only the transition is applied.
  mlir::Value advance(mlir::OpBuilder &b, mlir::Location loc, mlir::Value state, mlir::Value token,
                      bool inject = true) const;
  /// What query `read` of `token` reads of the state, by head `within` of those that
  /// share the state (null: of one).
  mlir::Value readState(mlir::OpBuilder &b, mlir::Location loc, mlir::Value state,
                        mlir::Value token, int64_t read, mlir::Value within) const;
  /// A state of zeros, or the unit matrix.
  mlir::Value fill(mlir::OpBuilder &b, mlir::Location loc, mlir::Value init,
                   bool identity = false) const;

private:
  /// A part of an operand: [rows] or [columns] of its last dimension, or a state.
  mlir::Value sliceOf(mlir::OpBuilder &b, mlir::Location loc, mlir::Value operand,
                      mlir::Value token,
                      llvm::ArrayRef<std::pair<mlir::OpFoldResult, mlir::OpFoldResult>> last,
                      mlir::Value within = {}) const;
  mlir::Value rowsOf(mlir::OpBuilder &b, mlir::Location loc, mlir::Value operand,
                     mlir::Value token) const;
  /// The position of substep `i` of `count` of a token.
  mlir::Value substep(mlir::OpBuilder &b, mlir::Location loc, mlir::Value token, int64_t i,
                      int64_t count) const;
  mlir::Value factorOf(mlir::OpBuilder &b, mlir::Location loc, mlir::Value decay,
                       mlir::Value rate) const;
  mlir::Value headFactor(mlir::OpBuilder &b, mlir::Location loc, mlir::Value token) const;
  mlir::Value applyDecay(mlir::OpBuilder &b, mlir::Location loc, mlir::Value state,
                         mlir::Value token) const;
  mlir::Value rotate(mlir::OpBuilder &b, mlir::Location loc, mlir::Value state,
                     mlir::Value token) const;
  mlir::Value multiply(mlir::OpBuilder &b, mlir::Location loc, mlir::Value state,
                       mlir::Value token) const;
  mlir::Value project(mlir::OpBuilder &b, mlir::Location loc, mlir::Value row,
                      mlir::Value state) const;
  mlir::Value addOuter(mlir::OpBuilder &b, mlir::Location loc, mlir::Value state, mlir::Value row,
                       mlir::Value column, bool negative) const;
  mlir::Value injectValue(mlir::OpBuilder &b, mlir::Location loc, mlir::Value state,
                          mlir::Value position) const;

  const Recurrence &r;
  const StateTile &tile;
};

/// `x` in a wider or narrower floating-point type.
mlir::Value convertFloat(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x, mlir::Type type);

/// A `linalg.generic` of one output; maps are those of the inputs, then that of the
/// output. `body` gets the inputs in `compute`, the output as it is, and gives the
/// new one.
mlir::Value createGeneric(
    mlir::OpBuilder &b, mlir::Location loc, mlir::ValueRange inputs, mlir::Value output,
    llvm::ArrayRef<mlir::AffineMap> maps, llvm::ArrayRef<mlir::utils::IteratorType> iterators,
    mlir::Type compute,
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::ValueRange)> body);

/// The type of a slice of these sizes.
mlir::RankedTensorType sliceType(mlir::Type element, llvm::ArrayRef<mlir::OpFoldResult> sizes);

} // namespace weft::ssm

#endif // WEFT_DIALECTS_SSM_IR_SSMRECURRENCE_H
