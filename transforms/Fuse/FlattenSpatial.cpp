//===- FlattenSpatial.cpp - What may stand around a convolution -----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Fuse/FlattenSpatial.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace weft;

/// Whether `map`, of an operand of type `type`, reads all spatial dimensions as
/// neighbours in their order, or none; and batch and channels before them.
static bool isFlattenable(AffineMap map, RankedTensorType type) {
  int64_t spatial = map.getNumDims() - 2, next = 0;
  for (auto [i, expr] : llvm::enumerate(map.getResults())) {
    if (auto number = dyn_cast<AffineConstantExpr>(expr)) {
      if (number.getValue() != 0 || type.getDimSize(i) != 1)
        return false;
      continue;
    }
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim || dim.getPosition() < next)
      return false;
    // A spatial dimension after another one follows it directly.
    if (dim.getPosition() > 2 && next != dim.getPosition())
      return false;
    next = dim.getPosition() + 1;
  }
  return next <= 2 || next == spatial + 2;
}

bool weft::canFlattenSpatial(Operation *op) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || linalgOp.getNumLoops() != linalgOp.getNumParallelLoops() ||
      linalgOp.getNumLoops() < 3 || op->getNumResults() != 1 || !linalgOp.hasPureTensorSemantics())
    return false;
  if (linalgOp.hasIndexSemantics())
    return false;
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<RankedTensorType>(operand.get().getType());
    if (type && !isFlattenable(linalgOp.getMatchingIndexingMap(&operand), type))
      return false;
  }
  return linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0)).isIdentity();
}
