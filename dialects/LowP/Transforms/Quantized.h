//===- Quantized.h - Packed factors and their parameters --------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_LOWP_TRANSFORMS_QUANTIZED_H
#define WEFT_DIALECTS_LOWP_TRANSFORMS_QUANTIZED_H

#include "dialects/LowP/IR/LowP.h"

#include <optional>

namespace weft::lowp {

/// A parameter of a packed tensor, as it varies along one dimension or none.
struct Parameter {
  ScaleAttr level;
  mlir::Value component;
  std::optional<unsigned> axis; ///< of the packed tensor
};

/// A packed tensor whose components are known, and what its last level is, if that is a
/// scale in a float type which varies along one dimension at most.
struct Quantized {
  AssembleOp assemble;
  PackedType type;
  std::optional<Parameter> scale;

  /// What `value` is, which is packed or was unpacked just before.
  static std::optional<Quantized> match(mlir::Value value);

  LeafFormatAttr getFormat() const { return mlir::cast<LeafFormatAttr>(type.getFormat()); }
  mlir::OperandRange getComponents() const {
    AssembleOp op = assemble;
    return op.getComponents();
  }
  /// The levels before the scale.
  llvm::ArrayRef<ScaleInterface> getLevels() const {
    return getFormat().getScales().drop_back(scale ? 1 : 0);
  }
  /// The numbers before they are scaled, expressed in `element`.
  mlir::Value withoutScale(mlir::OpBuilder &b, mlir::Location loc, mlir::Type element) const;
};

/// A tensor of 8-bit integers without parameters but a zero point for all of them.
struct IntegerCodes {
  mlir::Value codes;
  bool isUnsigned;
  mlir::Value zeroPoint; ///< of rank 0, signed as the codes; null: 0

  /// What the numbers of `quantized` are before they are scaled, if that is so.
  static std::optional<IntegerCodes> match(const Quantized &quantized);
};

/// Whether `value` is a constant all of whose bytes are 0.
bool isZeroConstant(mlir::Value value);

/// `parameter` without its dimensions of one element: of rank 0 or 1.
mlir::Value collapseParameter(mlir::OpBuilder &b, mlir::Location loc, const Parameter &parameter);

} // namespace weft::lowp

#endif // WEFT_DIALECTS_LOWP_TRANSFORMS_QUANTIZED_H
