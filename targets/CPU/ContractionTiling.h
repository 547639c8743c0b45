//===- ContractionTiling.h - Chooses the tiles of a contraction -----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_CPU_CONTRACTIONTILING_H
#define WEFT_TARGETS_CPU_CONTRACTIONTILING_H

#include "transforms/Tile/Contraction.h"

#include "llvm/Support/MathExtras.h"

namespace weft::cpu {

/// Rows and columns of a register tile, or of a work item.
struct MatrixTile {
  int64_t rows, columns;
};

/// Chooses the tiles of a contraction.
///
/// - Columns: as many vectors as leave registers for the row broadcasts; 12 x 2
///   accumulators of 32 registers (AVX-512), 6 x 2 of 16 (AVX2).
/// - An unknown number of rows: lower and wider tiles besides.
/// - Work items: all of k, a multiple of the register tile, sized so that the
///   packed columns (k x columns) stay in half of a 1 MiB L2 cache.
class ContractionTiling {
public:
  /// `isItem`: all of the contraction is in one work item already.
  ContractionTiling(Contraction contraction, int64_t vectorBits, bool isItem = false);

  MatrixTile registers() const { return registerTile; }
  /// Pairs of rows and columns of lower register tiles; none if there are always as
  /// many rows.
  llvm::SmallVector<int64_t> fewRows() const;
  int64_t lanes() const { return vectorLanes; }
  /// Of the result's loop `loop` of the contraction; 0: all of it.
  int64_t itemTile(unsigned loop) const;
  /// Of the contraction's loops: pieces of k in which factors are decoded, or packed for
  /// few rows; empty if all of k is.
  llvm::SmallVector<int64_t> reduction() const;
  /// Estimated nanoseconds of an item; 0: as of any kernel.
  int64_t itemCost() const;

private:
  void chooseRegisterTile(int64_t vectorBits);
  void chooseItemTile();
  void chooseMatrixTiles();
  int64_t extentOf(unsigned loop) const;
  int64_t elementBits() const { return contraction.accumulatorType.getIntOrFloatBitWidth(); }
  int64_t countItems() const {
    return matrices * llvm::divideCeil(n, item.columns) * llvm::divideCeil(m, item.rows);
  }
  /// Columns that register tiles of so many vectors compute for `columns`.
  int64_t covered(int64_t columns, int64_t vectors) const {
    return llvm::alignTo(columns, vectors * vectorLanes);
  }
  int64_t fewestVectors(int64_t columns, int64_t vectors) const;
  bool packsFewRows() const;
  int64_t itemRows() const { return std::min(m, item.rows); }
  int64_t itemColumns() const { return std::min(n, item.columns); }

  const Contraction contraction;
  llvm::SmallVector<int64_t> extents; ///< of the contraction's loops
  int64_t vectorLanes;
  int64_t m, n, k = 1, matrices = 1;
  bool readsWindows;
  MatrixTile registerTile, item;
  llvm::SmallVector<int64_t> matrixTiles; ///< of the loops that are no rows or columns
  int64_t work = 0;                       ///< multiply-adds of an item
};

} // namespace weft::cpu

#endif // WEFT_TARGETS_CPU_CONTRACTIONTILING_H
