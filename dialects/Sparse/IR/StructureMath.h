//===- StructureMath.h - What structures are read and checked with --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SPARSE_IR_STRUCTUREMATH_H
#define WEFT_DIALECTS_SPARSE_IR_STRUCTUREMATH_H

#include "dialects/Weft/IR/IndexMath.h"
#include "dialects/Weft/IR/WeftFormat.h"

namespace weft::sparse {

using EmitError = llvm::function_ref<mlir::InFlightDiagnostic()>;

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

/// The symbols of a tensor of rank `rank`, and how many numbers data stores.
struct ShapeSymbols {
  mlir::MLIRContext *context;
  unsigned rank;

  mlir::AffineExpr extent(unsigned i) const { return mlir::getAffineSymbolExpr(i, context); }
  mlir::AffineExpr ofData() const { return mlir::getAffineSymbolExpr(rank, context); }
  mlir::AffineExpr constant(int64_t x) const { return mlir::getAffineConstantExpr(x, context); }
  llvm::SmallVector<mlir::AffineExpr> extents() const;
  /// The product of the extents from `begin` to `end`.
  mlir::AffineExpr product(unsigned begin, unsigned end) const;
  mlir::AffineMap map(llvm::ArrayRef<mlir::AffineExpr> extents) const {
    return mlir::AffineMap::get(0, rank + 1, extents, context);
  }
};

/// The product of extents, or nothing where one of them is dynamic.
std::optional<int64_t> countStatic(llvm::ArrayRef<int64_t> extents);

/// Whether the attribute is of tensors of at least this rank.
llvm::LogicalResult verifyRank(EmitError emitError, mlir::Attribute structure, size_t rank,
                               size_t least);

/// Whether numbers can be counted in i32.
llvm::LogicalResult verifyCount(EmitError emitError, mlir::Attribute structure,
                                llvm::ArrayRef<int64_t> shape);

/// Whether unsigned integers of type `index` have the positions below `extent`, and
/// one more if `hasPadding`. Dynamic extents need 32 bits.
llvm::LogicalResult verifyIndex(EmitError emitError, mlir::Attribute structure,
                                mlir::IntegerType index, int64_t extent, bool hasPadding = false);

/// Whether `index` is one of the types of positions.
llvm::LogicalResult verifyIndexType(EmitError emitError, mlir::IntegerType index);

/// `axis`, counted from the start; nothing where the tensor has no such dimension.
std::optional<unsigned> normalizeAxis(int64_t axis, size_t rank);

/// Bits of the numbers below `count`, at least 1.
unsigned bitsBelow(int64_t count);

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

/// An unsigned integer as an index.
mlir::Value toIndex(mlir::OpBuilder &b, mlir::Location loc, mlir::Value integer);

/// The code of `bits` bits at a position of a component that is packed canonically
/// in the extents `dims`, as an index.
mlir::Value readCode(mlir::OpBuilder &b, mlir::Location loc, mlir::Value component,
                     llvm::ArrayRef<mlir::Value> position, llvm::ArrayRef<mlir::OpFoldResult> dims,
                     unsigned bits);

/// Gives the value at an index.
using ReadIndex =
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::Value index)>;

/// Where `target` is among the ascending values at [begin, end), or -1. Reads
/// nothing else.
mlir::Value findAscending(mlir::OpBuilder &b, mlir::Location loc, mlir::Value begin,
                          mlir::Value end, mlir::Value target, ReadIndex read);

/// The first index in [begin, end) whose value, of ascending ones, is `target` or
/// more; else `end`.
mlir::Value lowerBound(mlir::OpBuilder &b, mlir::Location loc, mlir::Value begin, mlir::Value end,
                       mlir::Value target, ReadIndex read);

/// What `findAscending` gives, as a stored position along one dimension: 0 where it
/// is not stored.
struct Found {
  mlir::Value isStored, position;
};
Found asFound(mlir::OpBuilder &b, mlir::Location loc, mlir::Value index);

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// The code of `bits` bits number `i` of a component that is packed canonically.
uint64_t getConstantCode(const ConstantComponent &component, int64_t i, unsigned bits);

} // namespace weft::sparse

#endif // WEFT_DIALECTS_SPARSE_IR_STRUCTUREMATH_H
