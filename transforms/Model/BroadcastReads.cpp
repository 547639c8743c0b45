//===- BroadcastReads.cpp - Reads by position as operands -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Model/BroadcastReads.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

/// The indexing map that reads what `read` does; null if there is none.
static AffineMap mapOf(tensor::ExtractOp read, linalg::GenericOp op, ShapeExpressions &shapes) {
  SmallVector<AffineExpr> exprs;
  MLIRContext *context = op.getContext();
  for (auto [i, position] : llvm::enumerate(read.getIndices())) {
    if (getConstantIntValue(position) == 0) {
      exprs.push_back(getAffineConstantExpr(0, context));
      continue;
    }
    auto index = position.getDefiningOp<linalg::IndexOp>();
    if (!index || index->getParentOp() != op)
      return {};
    auto loop = static_cast<unsigned>(index.getDim());
    if (shapes.extent(read.getTensor(), static_cast<int64_t>(i)) != shapes.loopExtent(op, loop))
      return {};
    exprs.push_back(getAffineDimExpr(loop, context));
  }
  return AffineMap::get(op.getNumLoops(), 0, exprs, context);
}

unsigned weft::readBroadcastsByMap(linalg::GenericOp op, ShapeExpressions &shapes) {
  SmallVector<std::pair<tensor::ExtractOp, AffineMap>> reads;
  for (auto read : op.getBody()->getOps<tensor::ExtractOp>()) {
    if (op->isAncestor(read.getTensor().getParentRegion()->getParentOp()))
      continue;
    if (AffineMap map = mapOf(read, op, shapes))
      reads.push_back({read, map});
  }
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  for (auto [read, map] : reads) {
    Value tensor = read.getTensor();
    unsigned inputs = static_cast<unsigned>(op.getNumDpsInputs());
    unsigned at = 0;
    while (at < inputs && (op.getInputs()[at] != tensor || maps[at] != map))
      ++at;
    if (at == inputs) {
      op.getInputsMutable().append(tensor);
      maps.insert(maps.begin() + inputs, map);
      op.getBody()->insertArgument(inputs, read.getType(), read.getLoc());
    }
    read.replaceAllUsesWith(Value(op.getBody()->getArgument(at)));
    read.erase();
  }
  if (!reads.empty())
    op.setIndexingMapsAttr(Builder(op.getContext()).getAffineMapArrayAttr(maps));
  return static_cast<unsigned>(reads.size());
}
