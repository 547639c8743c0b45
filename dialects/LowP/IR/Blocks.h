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

namespace weft::lowp {

llvm::LogicalResult verifyBlock(llvm::function_ref<mlir::InFlightDiagnostic()> emitError,
                                llvm::ArrayRef<int64_t> block);

/// Whether a tensor of this shape can be cut into such blocks.
llvm::LogicalResult verifyBlockOf(llvm::function_ref<mlir::InFlightDiagnostic()> emitError,
                                  llvm::ArrayRef<int64_t> block, llvm::ArrayRef<int64_t> shape);

/// The extents of the tensor of blocks; the symbols are the extents of the tensor.
mlir::AffineMap getBlockMap(mlir::MLIRContext *context, llvm::ArrayRef<int64_t> block,
                            unsigned rank);

/// The block that a position is in.
llvm::SmallVector<mlir::Value> getBlockPosition(mlir::OpBuilder &b, mlir::Location loc,
                                                llvm::ArrayRef<int64_t> block,
                                                const PackedPosition &at);

} // namespace weft::lowp

#endif // WEFT_DIALECTS_LOWP_IR_BLOCKS_H
