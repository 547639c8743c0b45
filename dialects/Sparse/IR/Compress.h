//===- Compress.h - Which numbers structures store ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Steps of `StructureInterface::compress`. They build operations of a host function,
// each of which computes its elements in parallel.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SPARSE_IR_COMPRESS_H
#define WEFT_DIALECTS_SPARSE_IR_COMPRESS_H

#include "dialects/Weft/IR/IndexMath.h"
#include "dialects/Weft/IR/WeftFormat.h"

namespace weft::sparse {

/// Computes an element from its position.
using GenerateElement =
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::ValueRange position)>;

/// A tensor of elements that are computed one by one.
mlir::Value generate(mlir::OpBuilder &b, mlir::Location loc,
                     llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Type elementType,
                     GenerateElement element);

/// `init` with all of its elements computed one by one.
mlir::Value generateInto(mlir::OpBuilder &b, mlir::Location loc, mlir::Value init,
                         GenerateElement element);

/// How large a number is, as an unsigned integer of its width: 0 for 0, the largest for
/// NaN.
mlir::Value magnitude(mlir::OpBuilder &b, mlir::Location loc, mlir::Value number);

/// Whether one of two magnitudes is larger, or as large and first.
mlir::Value comesBefore(mlir::OpBuilder &b, mlir::Location loc, mlir::Value key, mlir::Value index,
                        mlir::Value otherKey, mlir::Value otherIndex);

/// The magnitudes of the numbers of a tensor.
mlir::Value magnitudes(mlir::OpBuilder &b, mlir::Location loc, mlir::Value numbers);

/// The sum of the magnitudes of the numbers in blocks of `block` (an extent for each
/// dimension), compared as `magnitudes` (i64). Blocks at the ends can be cut off.
mlir::Value blockMagnitudes(mlir::OpBuilder &b, mlir::Location loc, mlir::Value numbers,
                            llvm::ArrayRef<int64_t> block);

/// The sum of the magnitudes at each position of a dimension, compared so.
mlir::Value channelMagnitudes(mlir::OpBuilder &b, mlir::Location loc, mlir::Value numbers,
                              unsigned axis);

/// For each group of `m` of the magnitudes along `axis`, the positions in the group of
/// the `n` largest, ascending (i64): n along the axis for each group. Ties go to the
/// first; what is beyond the extent counts as 0.
mlir::Value largestInGroups(mlir::OpBuilder &b, mlir::Location loc, mlir::Value keys, int64_t n,
                            int64_t m, unsigned axis);

/// The ascending positions along the last dimension of the `count` largest magnitudes
/// that are not 0 (i64), then -1.
mlir::Value largestPositions(mlir::OpBuilder &b, mlir::Location loc, mlir::Value keys,
                             int64_t count);

/// The row-major numbers of what is not 0 in a tensor (i64), ascending.
mlir::Value nonZeroPositions(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor);

/// The element of `tensor` at `position`, or 0 where `position[axis]` is outside of it.
mlir::Value extractOrZero(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor,
                          llvm::ArrayRef<mlir::Value> position, unsigned axis);

/// The element of `tensor` at `position`, or 0 where `position[axis]` is the -1 of an
/// entry that is not used.
mlir::Value extractUsed(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor,
                        llvm::ArrayRef<mlir::Value> position, unsigned axis);

/// An element of a tensor of signed integers.
mlir::Value extractIndex(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor,
                         mlir::ValueRange position);

/// Codes of `bits` bits of a tensor of i64, packed canonically.
mlir::Value packCodes(mlir::OpBuilder &b, mlir::Location loc, mlir::Value codes, unsigned bits);

} // namespace weft::sparse

#endif // WEFT_DIALECTS_SPARSE_IR_COMPRESS_H
