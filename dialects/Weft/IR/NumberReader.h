//===- NumberReader.h - Operands read number by number --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_WEFT_IR_NUMBERREADER_H
#define WEFT_DIALECTS_WEFT_IR_NUMBERREADER_H

#include "dialects/Weft/IR/Weft.h"

namespace weft {

/// Reads single numbers of an operand that is a tensor or packed, in the body of
/// whatever an operation is lowered to: no tensor of decoded numbers exists.
class NumberReader {
public:
  /// Takes packed operands apart at the builder's insertion point. `dims` are the
  /// logical extents; they are needed where a packed operand has dynamic ones.
  NumberReader(mlir::OpBuilder &b, mlir::Location loc, mlir::Value operand,
               llvm::ArrayRef<mlir::OpFoldResult> dims = {});

  /// The number at a position that is inside, of the (expressed) element type.
  mlir::Value read(mlir::OpBuilder &b, mlir::Location loc,
                   llvm::ArrayRef<mlir::Value> position) const;

private:
  mlir::Value operand;
  llvm::SmallVector<mlir::Value> components;
  llvm::SmallVector<mlir::OpFoldResult> dims;
};

} // namespace weft

#endif // WEFT_DIALECTS_WEFT_IR_NUMBERREADER_H
