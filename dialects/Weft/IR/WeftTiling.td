//===- WeftTiling.td - Tiling by the loops of operations ---*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TILING_TD
#define WEFT_TILING_TD

include "mlir/Interfaces/TilingInterface.td"

// TilingInterface of an operation that has `getTilingLoops` (Tiling.h): the interface, what is to
// be declared, and the definitions. An operation whose tiles are more than itself on slices of
// its operands takes the queries and defines `getTiledImplementation`.
defvar Weft_LoopTiling = DeclareOpInterfaceMethods<TilingInterface, [
    "getLoopIteratorTypes", "getIterationDomain", "getTiledImplementation",
    "getResultTilePosition", "generateResultTileValue",
    "getIterationDomainTileFromResultTile"]>;

defvar tilingDeclaration = [{
    /// The loops that tiles are of.
    ::weft::TilingLoops getTilingLoops();
}];

defvar tilingQueries = [{
  ::mlir::SmallVector<::mlir::utils::IteratorType> $cppClass::getLoopIteratorTypes() {
    return ::mlir::SmallVector<::mlir::utils::IteratorType>(getTilingLoops().getIterators());
  }
  ::mlir::SmallVector<::mlir::Range> $cppClass::getIterationDomain(::mlir::OpBuilder &b) {
    return getTilingLoops().getDomain(b);
  }
  ::mlir::LogicalResult $cppClass::getResultTilePosition(
      ::mlir::OpBuilder &b, unsigned number, ::mlir::ArrayRef<::mlir::OpFoldResult> offsets,
      ::mlir::ArrayRef<::mlir::OpFoldResult> sizes,
      ::mlir::SmallVector<::mlir::OpFoldResult> &resultOffsets,
      ::mlir::SmallVector<::mlir::OpFoldResult> &resultSizes) {
    return getTilingLoops().getResultTile(b, number, offsets, sizes, resultOffsets, resultSizes);
  }
  ::mlir::LogicalResult $cppClass::getIterationDomainTileFromResultTile(
      ::mlir::OpBuilder &b, unsigned number, ::mlir::ArrayRef<::mlir::OpFoldResult> resultOffsets,
      ::mlir::ArrayRef<::mlir::OpFoldResult> resultSizes,
      ::mlir::SmallVectorImpl<::mlir::OpFoldResult> &offsets,
      ::mlir::SmallVectorImpl<::mlir::OpFoldResult> &sizes) {
    return getTilingLoops().getTileOfResult(b, number, resultOffsets, resultSizes, offsets, sizes);
  }
  ::mlir::FailureOr<::mlir::TilingResult> $cppClass::generateResultTileValue(
      ::mlir::OpBuilder &b, unsigned number, ::mlir::ArrayRef<::mlir::OpFoldResult> offsets,
      ::mlir::ArrayRef<::mlir::OpFoldResult> sizes) {
    return ::weft::generateResultTile(*this, b, number, offsets, sizes);
  }
}];

defvar tilingDefinitions = !strconcat(tilingQueries, [{
  ::mlir::FailureOr<::mlir::TilingResult> $cppClass::getTiledImplementation(
      ::mlir::OpBuilder &b, ::mlir::ArrayRef<::mlir::OpFoldResult> offsets,
      ::mlir::ArrayRef<::mlir::OpFoldResult> sizes) {
    return getTilingLoops().tile(b, offsets, sizes);
  }
}]);

#endif // WEFT_TILING_TD
