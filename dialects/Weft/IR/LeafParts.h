//===- LeafParts.h - The fields of a leaf format --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_WEFT_IR_LEAFPARTS_H
#define WEFT_DIALECTS_WEFT_IR_LEAFPARTS_H

#include "dialects/Weft/IR/Weft.h"

namespace weft {

/// The type that numbers are computed in.
mlir::Type getComputeType(LeafFormatAttr format, mlir::Type expressed);

/// The extents of the stored numbers over the logical ones.
mlir::AffineMap getStoredMap(LeafFormatAttr format, unsigned rank);

/// The extents of the codes: those of the stored numbers but the last, which a
/// code can have several of.
mlir::AffineMap getCodeMap(LeafFormatAttr format, unsigned rank);

/// The components of a leaf's fields, in order.
struct LeafParts {
  LeafParts(LeafFormatAttr format, mlir::ShapedType type);

  llvm::SmallVector<FormatComponent> codes, element, structure;
  llvm::SmallVector<llvm::SmallVector<FormatComponent>> scales;

  /// Takes the values of the parts in order.
  template <typename T> static T take(T &from, size_t count) {
    T part = from.take_front(count);
    from = from.drop_front(count);
    return part;
  }
};

/// Whether only the layout of codes differs.
bool differInPackOnly(FormatInterface from, FormatInterface to);

/// The components of a tensor in format `to` from those in `from`, which differs in
/// `pack` only; `dims` are the logical extents.
llvm::SmallVector<mlir::Value> moveCodes(mlir::OpBuilder &b, mlir::Location loc,
                                         LeafFormatAttr from, LeafFormatAttr to,
                                         mlir::ShapedType type, mlir::ValueRange components,
                                         llvm::ArrayRef<mlir::OpFoldResult> dims);

} // namespace weft

#endif // WEFT_DIALECTS_WEFT_IR_LEAFPARTS_H
