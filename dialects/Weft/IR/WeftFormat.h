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

#include <string>

#include "dialects/Weft/IR/WeftEnums.h.inc"

namespace weft {

/// A component tensor of a packed tensor.
struct FormatComponent {
  /// Distinct within a format: "codes".
  std::string name;
  mlir::Type elementType;
  /// The extents; the symbols are the logical extents, in order.
  mlir::AffineMap shape;
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

} // namespace weft

#endif // WEFT_DIALECTS_WEFT_IR_WEFTFORMAT_H
