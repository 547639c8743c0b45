//===- LowerReshapes.cpp - Reshapes of contiguous memory become casts -----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/CPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace weft {
#define GEN_PASS_DEF_LOWERCPURESHAPES
#include "targets/CPU/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// The product of extents, folded where they are static.
static OpFoldResult multiply(RewriterBase &rewriter, Location loc, OpFoldResult x, OpFoldResult y) {
  std::optional<int64_t> a = getConstantIntValue(x), c = getConstantIntValue(y);
  if (a && c)
    return rewriter.getIndexAttr(*a * *c);
  if (a == 1)
    return y;
  if (c == 1)
    return x;
  return arith::MulIOp::create(rewriter, loc, getValueOrCreateConstantIndexOp(rewriter, loc, x),
                               getValueOrCreateConstantIndexOp(rewriter, loc, y))
      .getResult();
}

/// Views `source` with other extents.
static void replace(RewriterBase &rewriter, Operation *op, Value source, MemRefType type,
                    SmallVector<OpFoldResult> sizes) {
  Location loc = op->getLoc();
  // What the type knows wins.
  for (auto [i, extent] : llvm::enumerate(type.getShape()))
    if (!ShapedType::isDynamic(extent))
      sizes[i] = rewriter.getIndexAttr(extent);
    else
      sizes[i] = getValueOrCreateConstantIndexOp(rewriter, loc, sizes[i]);
  SmallVector<OpFoldResult> strides(sizes.size());
  OpFoldResult stride = rewriter.getIndexAttr(1);
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[i] = stride;
    stride = multiply(rewriter, loc, stride, sizes[i]);
  }
  rewriter.replaceOpWithNewOp<memref::ReinterpretCastOp>(op, type, source, rewriter.getIndexAttr(0),
                                                         sizes, strides);
}

namespace {
struct LowerCPUReshapes : weft::impl::LowerCPUReshapesBase<LowerCPUReshapes> {
  void runOnOperation() override {
    SmallVector<Operation *> operations;
    getOperation()->walk([&](Operation *op) {
      if (isa<memref::ExpandShapeOp, memref::CollapseShapeOp>(op))
        operations.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (Operation *op : operations) {
      Value source = op->getOperand(0);
      auto from = cast<MemRefType>(source.getType()),
           to = cast<MemRefType>(op->getResult(0).getType());
      if (!from.getLayout().isIdentity() || !to.getLayout().isIdentity())
        continue;
      rewriter.setInsertionPoint(op);
      if (auto expand = dyn_cast<memref::ExpandShapeOp>(op)) {
        replace(rewriter, op, source, to, expand.getMixedOutputShape());
        continue;
      }
      auto collapse = cast<memref::CollapseShapeOp>(op);
      SmallVector<OpFoldResult> sizes;
      for (const ReassociationIndices &group : collapse.getReassociationIndices()) {
        OpFoldResult size = rewriter.getIndexAttr(1);
        for (int64_t d : group)
          size = multiply(rewriter, op->getLoc(), size,
                          memref::getMixedSize(rewriter, op->getLoc(), source, d));
        sizes.push_back(size);
      }
      replace(rewriter, op, source, to, sizes);
    }
  }
};
} // namespace
