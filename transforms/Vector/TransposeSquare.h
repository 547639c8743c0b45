//===- TransposeSquare.h - Transposition in registers ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_VECTOR_TRANSPOSESQUARE_H
#define WEFT_TRANSFORMS_VECTOR_TRANSPOSESQUARE_H

#include "mlir/IR/Builders.h"

namespace weft {

/// Rows of a square at most: with its vectors, registers are full.
constexpr int64_t kMaxSquare = 16;

/// Whether squares of such elements can be transposed.
inline bool canTransposeSquares(mlir::Type element) {
  if (!element.isIntOrFloat())
    return false;
  unsigned bits = element.getIntOrFloatBitWidth();
  return bits >= 8 && bits <= 64 && llvm::isPowerOf2_32(bits);
}

/// Transposes as many vectors as each has elements, a power of two. First squares
/// of 128 bits' width by repeated unpacking (perfect shuffles of rows), which stays
/// in the part of a register in which x86 moves elements at no extra cost; then
/// these squares change places, a bit of their numbers at a time.
void transposeSquare(mlir::OpBuilder &b, mlir::Location loc,
                     llvm::SmallVectorImpl<mlir::Value> &rows);

} // namespace weft

#endif // WEFT_TRANSFORMS_VECTOR_TRANSPOSESQUARE_H
