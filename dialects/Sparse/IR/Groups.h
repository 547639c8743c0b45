//===- Groups.h - Extents that structures are made of -----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SPARSE_IR_GROUPS_H
#define WEFT_DIALECTS_SPARSE_IR_GROUPS_H

#include "dialects/Sparse/IR/Sparse.h"

namespace weft::sparse {

/// Columns of each block of `vnm` that are chosen, and the bits of a number below that.
inline constexpr int64_t kChosen = 4;
inline constexpr unsigned kChosenBits = 2;

/// The extents of the columns that are chosen, over the logical ones.
mlir::AffineMap getChosenMap(VNMAttr structure, unsigned rank);

/// The extents of the grid of blocks, over the logical ones.
mlir::AffineMap getGridMap(BlockAttr structure, unsigned rank);
mlir::RankedTensorType getGridType(BlockAttr structure, mlir::ShapedType type);

} // namespace weft::sparse

#endif // WEFT_DIALECTS_SPARSE_IR_GROUPS_H
