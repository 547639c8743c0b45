//===- SparseTensorBridge.cpp - Structures as upstream's encodings --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Sparse/IR/SparseTensorBridge.h"

using namespace mlir;
using namespace weft;
using namespace weft::sparse;
using namespace mlir::sparse_tensor;

static StructureInterface structureOf(PackedType type) {
  auto leaf = dyn_cast<LeafFormatAttr>(type.getFormat());
  return leaf ? leaf.getStructure() : StructureInterface();
}

SparseTensorEncodingAttr sparse::getUpstreamEncoding(PackedType type) {
  constexpr unsigned kOffsetBits = 32;
  MLIRContext *context = type.getContext();
  if (type.getShape().size() != 2 || llvm::any_of(type.getShape(), ShapedType::isDynamic))
    return {};
  StructureInterface structure = structureOf(type);
  LevelType dense = *buildLevelType(LevelFormat::Dense, /*ordered=*/true, /*unique=*/true);
  LevelType compressed =
      *buildLevelType(LevelFormat::Compressed, /*ordered=*/true, /*unique=*/true);
  if (auto csr = dyn_cast_or_null<CSRAttr>(structure); csr && !csr.getDelta())
    return SparseTensorEncodingAttr::get(context, {dense, compressed}, AffineMap(), AffineMap(),
                                         kOffsetBits, csr.getIndex().getWidth());
  if (auto csc = dyn_cast_or_null<CSCAttr>(structure); csc && !csc.getDelta())
    return SparseTensorEncodingAttr::get(
        context, {dense, compressed},
        AffineMap::getPermutationMap(ArrayRef<unsigned>{1, 0}, context), AffineMap(), kOffsetBits,
        csc.getIndex().getWidth());
  if (auto coo = dyn_cast_or_null<COOAttr>(structure)) {
    LevelType rows = *buildLevelType(LevelFormat::Compressed, {LevelPropNonDefault::Nonunique});
    LevelType columns = *buildLevelType(LevelFormat::Singleton, {LevelPropNonDefault::SoA});
    return SparseTensorEncodingAttr::get(context, {rows, columns}, AffineMap(), AffineMap(),
                                         kOffsetBits, coo.getIndex().getWidth());
  }
  return {};
}

static LogicalResult verifyBridge(Operation *op, PackedType packed, RankedTensorType tensor) {
  SparseTensorEncodingAttr encoding = getUpstreamEncoding(packed);
  if (!encoding)
    return op->emitOpError("is of matrices of known extents in csr, csc or coo without "
                           "differences, got ")
           << packed;
  auto expected = RankedTensorType::get(packed.getShape(), packed.getElementType(), encoding);
  if (tensor != expected)
    return op->emitOpError("has a tensor of type ") << tensor << ", expected " << expected;
  return success();
}

LogicalResult ToSparseTensorOp::verify() {
  return verifyBridge(*this, getPacked().getType(), cast<RankedTensorType>(getResult().getType()));
}

LogicalResult FromSparseTensorOp::verify() {
  PackedType type = getResult().getType();
  if (failed(verifyBridge(*this, type, cast<RankedTensorType>(getTensor().getType()))))
    return failure();
  auto leaf = cast<LeafFormatAttr>(type.getFormat());
  auto value = dyn_cast<ValueElementAttr>(leaf.getElem());
  if (!value || value.getType() != type.getElementType() || !leaf.getScales().empty() ||
      leaf.getPack())
    return emitOpError("makes numbers as they are, without scales and packing, got ") << type;
  return success();
}

OpFoldResult FromSparseTensorOp::fold(FoldAdaptor) {
  auto to = getTensor().getDefiningOp<ToSparseTensorOp>();
  return to && to.getPacked().getType() == getResult().getType() ? to.getPacked() : Value();
}
