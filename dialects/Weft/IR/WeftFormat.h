//===- WeftFormat.h - What formats are described by -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_WEFT_IR_WEFTFORMAT_H
#define WEFT_DIALECTS_WEFT_IR_WEFTFORMAT_H

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/OpDefinition.h"

#include <optional>
#include <string>

#include "dialects/Weft/IR/WeftEnums.h.inc"

namespace weft {

/// A component tensor of a packed tensor.
struct FormatComponent {
  /// Distinct within a format: "codes".
  std::string name;
  mlir::Type elementType;
  /// The extents; the symbols are the logical extents, in order. An extent that
  /// uses a symbol behind these is data's: how many elements are stored, say. It
  /// is dynamic in the component's type.
  mlir::AffineMap shape;
};

/// A number of a packed tensor, and what it is read from.
struct PackedPosition {
  /// The components of whoever is asked: of the format, or those of one field.
  mlir::ValueRange components;
  /// The logical extents of the whole tensor.
  llvm::ArrayRef<mlir::OpFoldResult> dims;
  /// One index value a dimension.
  llvm::ArrayRef<mlir::Value> position;

  PackedPosition with(mlir::ValueRange parts) const { return {parts, dims, position}; }
};

/// Where a structure stores a number.
struct StoredPosition {
  /// Whether it is stored (i1); null where all are. Others are 0.
  mlir::Value isStored;
  /// Index values, inside of the stored shape also where it is not stored.
  llvm::SmallVector<mlir::Value> position;
};

/// What a structure makes of a tensor.
struct StoredNumbers {
  llvm::SmallVector<mlir::Value> components; ///< the structure's
  mlir::Value values;                        ///< of the stored shape
};

/// A component whose value the compiler can see.
struct ConstantComponent {
  mlir::RankedTensorType type;
  /// Row-major and little-endian; nothing where it is no constant.
  std::optional<llvm::ArrayRef<uint8_t>> bytes;

  /// Element number `i` of a constant of integers, zero-extended.
  uint64_t getInteger(int64_t i) const;
};

/// How numbers that a format does not have are encoded.
struct EncodeOptions {
  /// What lies beyond the largest number becomes the largest one.
  bool saturate = true;
  Rounding rounding = Rounding::NearestEven;
};

/// The extents of a tensor: attributes where static, else index values.
llvm::SmallVector<mlir::OpFoldResult> getExtents(mlir::OpBuilder &builder, mlir::Location loc,
                                                 mlir::Value tensor);

/// The elements of a tensor in row-major order, as a tensor of one dimension.
mlir::Value flatten(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value tensor);

/// The extents that `map`, whose symbols are the logical extents, has for `shape`.
llvm::SmallVector<int64_t> getStaticExtents(mlir::AffineMap map, llvm::ArrayRef<int64_t> shape);

/// How many extents of the components of a tensor of rank `rank` data decides.
unsigned countDataExtents(llvm::ArrayRef<FormatComponent> components, unsigned rank);

/// The extents `map`, whose symbols are those that `outer` computes and then those of
/// data, over the symbols of `outer`: its `rank` extents, then those of data, of which
/// the first `dataBefore` are others'.
mlir::AffineMap composeExtents(mlir::AffineMap map, mlir::AffineMap outer, unsigned rank,
                               unsigned dataBefore = 0);

/// `map`, whose symbols are the logical extents, as extents; what data decides is
/// null.
llvm::SmallVector<mlir::OpFoldResult> evaluateExtents(mlir::OpBuilder &builder, mlir::Location loc,
                                                      mlir::AffineMap map,
                                                      llvm::ArrayRef<mlir::OpFoldResult> dims);

} // namespace weft

#endif // WEFT_DIALECTS_WEFT_IR_WEFTFORMAT_H
