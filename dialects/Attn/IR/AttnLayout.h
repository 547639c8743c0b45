//===- AttnLayout.h - Operands of attention by letters --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_ATTN_IR_ATTNLAYOUT_H
#define WEFT_DIALECTS_ATTN_IR_ATTNLAYOUT_H

#include "dialects/Attn/IR/Attn.h"
#include "dialects/Weft/IR/IndexMath.h"

namespace weft::attn {

/// The letters of the operands of an attention, one for each dimension.
struct Layout {
  llvm::StringRef query, key, value, result;
};

/// The parts of "bhsd,bhtd,bhte->bhse"; nothing if the text is not of that form.
std::optional<Layout> parseLayout(llvm::StringRef text);

/// The dimension that `letter` names, if any.
std::optional<int64_t> findLetter(llvm::StringRef letters, char letter);

/// Whether positions and lengths can be of this type.
inline bool isPositionType(mlir::Type type) {
  return type.isIndex() || (type.isSignlessInteger() && type.getIntOrFloatBitWidth() > 1);
}

/// An extent of a tensor or of what is packed, whose extents are static.
mlir::Value extentOf(IndexMath m, mlir::Value operand, int64_t dim);

/// An `attn.attend` or `attn.partial`, of which the two are alike.
struct Attention {
  /// `op` is one of the two, verified.
  static Attention of(mlir::Operation *op);

  bool isPaged() const { return static_cast<bool>(pageTable); }
  bool isRagged() const { return static_cast<bool>(queryOffsets); }
  /// f64 where queries are, else f32.
  mlir::FloatType computeType() const;
  /// The letters of the result that are loops: without e, which the pieces precede.
  llvm::SmallVector<char> loops() const;
  /// The extent that `letter` has in the type of a tensor.
  int64_t staticExtent(mlir::Value tensor, llvm::StringRef letters, char letter) const;
  /// Heads of queries and of keys are as many, as far as types tell.
  bool hasEqualHeads() const;

  mlir::Operation *op;
  mlir::Value query, key, value, bias, mask, slopes, sinks, keyLengths, starts, offset, blockMask,
      pageTable, queryOffsets, keyOffsets;
  mlir::ValueRange inits;
  Layout layout;
  std::optional<double> scale, softcap;
  bool causal, isPartial;
  std::optional<std::pair<int64_t, int64_t>> window;
  int64_t globals;
  llvm::ArrayRef<int64_t> blockSizes;
  EmptyRows emptyRows;
  mlir::Region *score; ///< null if there is none
};

} // namespace weft::attn

#endif // WEFT_DIALECTS_ATTN_IR_ATTNLAYOUT_H
