//===- Rows.cpp - Loops over the rows of tensors --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Tile/Rows.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

static bool isEmpty(Value tensor) {
  return llvm::is_contained(cast<RankedTensorType>(tensor.getType()).getShape(), 0);
}

SmallVector<Value>
weft::createRowLoop(RewriterBase &rewriter, Location loc, Value input, ValueRange inits,
                    int64_t along, llvm::function_ref<SmallVector<Value>(Value, ValueRange)> row) {
  auto type = cast<RankedTensorType>(input.getType());
  int64_t rank = type.getRank();
  // MLIR takes no slice of an empty dimension.
  if (isEmpty(input) || llvm::any_of(inits, isEmpty))
    return SmallVector<Value>(inits);
  if (rank == 1)
    return row(input, inits);
  SmallVector<OpFoldResult> extents, offsets, sizes(rank, rewriter.getIndexAttr(1)),
      strides(rank, rewriter.getIndexAttr(1));
  for (int64_t i = 0; i < rank; ++i)
    if (i != along)
      extents.push_back(tensor::getMixedSize(rewriter, loc, input, i));
  OpFoldResult length = tensor::getMixedSize(rewriter, loc, input, along);
  SmallVector<OpFoldResult> lengths;
  for (Value init : inits)
    lengths.push_back(tensor::getMixedSize(rewriter, loc, init, along));

  auto forall = scf::ForallOp::create(rewriter, loc, extents, inits,
                                      /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(forall.getBody());
  for (Value iv : forall.getInductionVars())
    offsets.push_back(iv);
  offsets.insert(offsets.begin() + along, rewriter.getIndexAttr(0));
  auto rowOf = [&](Value tensor, OpFoldResult extent) -> Value {
    sizes[along] = extent;
    auto whole = cast<RankedTensorType>(tensor.getType());
    auto part = RankedTensorType::get({whole.getDimSize(along)}, whole.getElementType());
    return tensor::ExtractSliceOp::create(rewriter, loc, part, tensor, offsets, sizes, strides);
  };
  Value inputRow = rowOf(input, length);
  SmallVector<Value> initRows;
  for (auto [out, extent] : llvm::zip(forall.getRegionIterArgs(), lengths))
    initRows.push_back(rowOf(out, extent));
  SmallVector<Value> results = row(inputRow, initRows);
  rewriter.setInsertionPointToEnd(forall.getTerminator().getBody());
  for (auto [result, out, extent] : llvm::zip(results, forall.getRegionIterArgs(), lengths)) {
    sizes[along] = extent;
    tensor::ParallelInsertSliceOp::create(rewriter, loc, result, out, offsets, sizes, strides);
  }
  return SmallVector<Value>(forall.getResults());
}
