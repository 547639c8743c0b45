//===- ExtentChecks.h - Extents that only calls know ------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_WEFT_IR_EXTENTCHECKS_H
#define WEFT_DIALECTS_WEFT_IR_EXTENTCHECKS_H

#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"

namespace weft {

/// Holds on the host what verifiers hold of extents that types know: operands of an operation
/// that belong together have as many elements. Kernels rely on it. A call that breaks it fails
/// with one sentence; what types decide, or what is one value, costs nothing.
class ExtentChecks {
public:
  ExtentChecks(mlir::OpBuilder &b, mlir::Location loc) : b(b), loc(loc) {}

  /// An extent of a tensor, or of what is packed: a constant where a type or what the
  /// tensor was made of says it.
  mlir::OpFoldResult extentOf(mlir::Value value, int64_t dim);
  /// (extent * factor) / divisor + addend
  mlir::OpFoldResult derive(mlir::OpFoldResult extent, int64_t factor, int64_t divisor,
                            int64_t addend);

  /// Dimension `dim` of `value`, which sentences call `operand`, is `expected`.
  void requireEqual(llvm::StringRef operand, mlir::Value value, int64_t dim,
                    mlir::OpFoldResult expected);
  /// The same of an extent `have` that was found otherwise.
  void requireEqual(llvm::StringRef operand, mlir::OpFoldResult have, int64_t dim,
                    mlir::OpFoldResult expected);
  /// It is at least `least`.
  void requireAtLeast(llvm::StringRef operand, mlir::Value value, int64_t dim,
                      mlir::OpFoldResult least);
  /// It divides `multiple`.
  void requireDivisor(llvm::StringRef operand, mlir::Value value, int64_t dim,
                      mlir::OpFoldResult multiple);
  /// It divides `other` or is a multiple of it. Gives the larger of both.
  mlir::OpFoldResult requireRelated(llvm::StringRef operand, mlir::Value value, int64_t dim,
                                    mlir::OpFoldResult other);
  /// All dimensions are those of `other`.
  void requireShape(llvm::StringRef operand, mlir::Value value, mlir::Value other);

  /// Whether any check was made.
  bool hasAny() const { return isUsed; }

private:
  using Holds = llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)>;
  void require(llvm::StringRef operand, mlir::OpFoldResult have, int64_t dim,
               mlir::OpFoldResult expected, llvm::StringRef relation, Holds holds);

  mlir::OpBuilder &b;
  mlir::Location loc;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, mlir::Value> known;
  bool isUsed = false;
};

} // namespace weft

#endif // WEFT_DIALECTS_WEFT_IR_EXTENTCHECKS_H
