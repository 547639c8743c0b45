//===- WindowReader.h - Vectors of a convolution's input ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_VECTOR_WINDOWREADER_H
#define WEFT_TRANSFORMS_VECTOR_WINDOWREADER_H

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

namespace weft {

/// Reads the columns of a `weft.im2col` row by row: a row is a run of output
/// positions that differ in the innermost spatial dimension only, which is
/// where neighbours in the result are neighbours in the input.
class WindowReader {
public:
  WindowReader(Im2colOp op, int64_t lanes, mlir::OpBuilder &builder);

  /// The part of an output row that belongs to the operation's columns.
  struct Row {
    mlir::Value firstColumn;              ///< of the result
    mlir::Value begin, end;               ///< innermost output positions
    llvm::SmallVector<mlir::Value> outer; ///< the other output positions
  };
  /// Numbers of the first row and of that after the last.
  mlir::Value firstRow, endRow;
  Row row(mlir::Value number);

  int64_t outerRank() { return static_cast<int64_t>(op.getKernel().size()) - 1; }
  mlir::Value channelsPerGroup();

  /// The kernel positions [first, second) along outer dimension `i` at which
  /// output position `output` reads from within the input.
  std::pair<mlir::Value, mlir::Value> kernelRange(int64_t i, mlir::Value output);

  /// Where output and kernel positions of outer dimensions lie in the input;
  /// `limit` becomes 0 where they do not, and the position 0.
  mlir::Value outerPosition(int64_t i, mlir::Value output, mlir::Value kernel);
  /// The extent of the input's dimension 2 + `i`.
  mlir::Value extent(int64_t i);

  /// Reads `lanes` elements for the innermost output positions from `position`
  /// on, at kernel position `kernel`; `outer` indexes the input's dimensions
  /// but the last, whose elements from `limit` on count as 0.
  mlir::Value read(mlir::ArrayRef<mlir::Value> outer, mlir::Value position, mlir::Value kernel,
                   mlir::Value limit);

  /// `expr` of the operands as its dimensions.
  mlir::Value apply(mlir::AffineExpr expr, mlir::ArrayRef<mlir::Value> operands);
  mlir::AffineExpr d(unsigned i) { return mlir::getAffineDimExpr(i, b.getContext()); }
  mlir::Value constant(int64_t value) {
    return mlir::arith::ConstantIndexOp::create(b, loc, value);
  }
  mlir::Value least(mlir::Value x, mlir::Value y) {
    return mlir::arith::MinSIOp::create(b, loc, x, y);
  }
  mlir::Value most(mlir::Value x, mlir::Value y) {
    return mlir::arith::MaxSIOp::create(b, loc, x, y);
  }
  /// Lanes [0, count).
  mlir::Value mask(mlir::Value count);

private:
  /// Lanes [begin, end), clamped.
  mlir::Value mask(mlir::Value begin, mlir::Value end);
  mlir::Value load(mlir::ArrayRef<mlir::Value> outer, mlir::Value position, mlir::Value limit);

  Im2colOp op;
  int64_t lanes;
  mlir::OpBuilder &b;
  mlir::Location loc;
  mlir::Value width;   ///< innermost output extent, at least 1
  mlir::Value columns; ///< of the result
};

} // namespace weft

#endif // WEFT_TRANSFORMS_VECTOR_WINDOWREADER_H
