//===- BitStream.h - Codes that share bytes -------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The canonical packing: codes in row-major order, the first in the lowest bits of
// the first byte, also across byte boundaries.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_WEFT_IR_BITSTREAM_H
#define WEFT_DIALECTS_WEFT_IR_BITSTREAM_H

#include "dialects/Weft/IR/WeftFormat.h"

namespace weft {

/// The type of codes of `width` bits outside of memory, and in it where they do
/// not share bytes: i8, or i16, i32 or i64 for more bits.
mlir::IntegerType getCodeType(mlir::MLIRContext *context, unsigned width);

/// Whether codes of `width` bits, of which there are at most 16 then, share bytes.
inline bool sharesBytes(unsigned width) { return width < 8 || (width > 8 && width < 16); }

/// The component `name` that holds codes of `width` bits in a tensor of extents
/// `shape`, whose symbols are those of a FormatComponent.
FormatComponent getStreamComponent(llvm::StringRef name, mlir::AffineMap shape, unsigned width);

/// The row-major number of the element at `position`. Of `dims`, the first is not
/// used.
mlir::Value linearize(mlir::OpBuilder &b, mlir::Location loc, llvm::ArrayRef<mlir::Value> position,
                      llvm::ArrayRef<mlir::OpFoldResult> dims);

/// The code of element number `element` in a stream of `width` bits each; `bytes`
/// is a tensor<?xi8>. Reads inside of it.
mlir::Value readStream(mlir::OpBuilder &b, mlir::Location loc, mlir::Value bytes,
                       mlir::Value element, unsigned width);

/// The element of `tensor` at `position`; where an extent is dynamic, the last one
/// for positions behind it.
mlir::Value readInside(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor,
                       llvm::ArrayRef<mlir::Value> position);

/// The stream of `count` codes as a tensor of `size` bytes. `code` gives the code
/// of the element at a number in [0, count).
mlir::Value writeStream(
    mlir::OpBuilder &b, mlir::Location loc, mlir::OpFoldResult size, unsigned width,
    mlir::OpFoldResult count,
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::Value element)> code);

} // namespace weft

#endif // WEFT_DIALECTS_WEFT_IR_BITSTREAM_H
