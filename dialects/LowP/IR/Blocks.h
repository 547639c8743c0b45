//===- Blocks.h - Blocks of numbers that share a parameter ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `block` as `#lowp.scale` has it: an extent a dimension, 0 for all of it; none
// for one block; a single one for blocks of the row-major elements.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_LOWP_IR_BLOCKS_H
#define WEFT_DIALECTS_LOWP_IR_BLOCKS_H

#include "dialects/Weft/IR/WeftFormat.h"

#include "mlir/IR/BuiltinAttributeInterfaces.h"

namespace weft::lowp {

llvm::LogicalResult verifyBlock(llvm::function_ref<mlir::InFlightDiagnostic()> emitError,
                                llvm::ArrayRef<int64_t> block);

/// Whether blocks are of the row-major elements.
bool isFlatBlock(llvm::ArrayRef<int64_t> block, size_t rank);

/// Whether a tensor of this shape can be cut into such blocks.
llvm::LogicalResult verifyBlockOf(llvm::function_ref<mlir::InFlightDiagnostic()> emitError,
                                  llvm::ArrayRef<int64_t> block, llvm::ArrayRef<int64_t> shape);

/// The extents of the tensor of blocks; the symbols are the extents of the tensor.
mlir::AffineMap getBlockMap(mlir::MLIRContext *context, llvm::ArrayRef<int64_t> block,
                            unsigned rank);

/// The tensor with one element a block.
mlir::RankedTensorType getBlockTensorType(llvm::ArrayRef<int64_t> block,
                                          llvm::ArrayRef<int64_t> shape, mlir::Type element);

/// The block that a position is in.
llvm::SmallVector<mlir::Value> getBlockPosition(mlir::OpBuilder &b, mlir::Location loc,
                                                llvm::ArrayRef<int64_t> block,
                                                const PackedPosition &at);

/// The first position of a block of a tensor of extents `dims`.
llvm::SmallVector<mlir::Value> getFirstOfBlock(mlir::OpBuilder &b, mlir::Location loc,
                                               llvm::ArrayRef<int64_t> block,
                                               llvm::ArrayRef<mlir::Value> blockPosition,
                                               llvm::ArrayRef<mlir::OpFoldResult> dims);

/// The next value of a reduction, of a number and the value before.
using CombineNumber =
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::Value, mlir::Value)>;

/// Reduces each block of `numbers`, starting with `initial`; blocks are independent
/// loops.
mlir::Value reduceBlocks(mlir::OpBuilder &b, mlir::Location loc, mlir::Value numbers,
                         llvm::ArrayRef<int64_t> block, mlir::TypedAttr initial,
                         CombineNumber combine);

} // namespace weft::lowp

#endif // WEFT_DIALECTS_LOWP_IR_BLOCKS_H
