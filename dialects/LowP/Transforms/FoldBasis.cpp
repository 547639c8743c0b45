//===- FoldBasis.cpp - Rotations folded into constants --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/IR/LowP.h"
#include "dialects/LowP/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace weft::lowp {
#define GEN_PASS_DEF_FOLDBASIS
#include "dialects/LowP/Transforms/Passes.h.inc"
} // namespace weft::lowp

using namespace mlir;
using namespace weft;
using namespace weft::lowp;

/// Whether a value is a constant, or a rotation of one by constants.
static bool isConstant(Value value) {
  if (matchPattern(value, m_Constant()))
    return true;
  auto rotate = value.getDefiningOp<RotateOp>();
  return rotate && llvm::all_of(rotate->getOperands(), isConstant);
}

namespace {
struct RotateConstant : OpRewritePattern<ContractOp> {
  RotateConstant(MLIRContext *context, Pass::Statistic &folded)
      : OpRewritePattern(context), folded(folded) {}

  LogicalResult matchAndRewrite(ContractOp op, PatternRewriter &rewriter) const override {
    if (succeeded(moveRotation(op, op.getLhsMutable(), op.getRhsMutable(), rewriter)) ||
        succeeded(moveRotation(op, op.getRhsMutable(), op.getLhsMutable(), rewriter)))
      return success();
    return rewriter.notifyMatchFailure(op, "has no rotation to move to a constant");
  }

private:
  LogicalResult moveRotation(ContractOp op, OpOperand &from, OpOperand &to,
                             PatternRewriter &rewriter) const {
    auto rotate = from.get().getDefiningOp<RotateOp>();
    if (!rotate || !llvm::all_of(rotate.getParameters(), isConstant) ||
        isConstant(rotate.getNumbers()) || !isConstant(to.get()))
      return failure();
    AffineExpr loop = op.getMap(from).getResult(rotate.getAxis());
    auto dim = dyn_cast<AffineDimExpr>(loop);
    auto axis = op.getMap(to).getResultPosition(loop);
    auto type = dyn_cast<RankedTensorType>(to.get().getType());
    if (!dim || !op.isContracted(dim.getPosition()) || !axis || !type ||
        !isa<FloatType>(type.getElementType()))
      return failure();
    // The transpose.
    Value rotated =
        RotateOp::create(rewriter, rotate.getLoc(), type, to.get(), *axis, rotate.getBasis(),
                         !rotate.getInverse(), !rotate.getDual(), rotate.getParameters());
    rewriter.modifyOpInPlace(op, [&] {
      from.set(rotate.getNumbers());
      to.set(rotated);
    });
    ++folded;
    return success();
  }

  Pass::Statistic &folded;
};

struct FoldBasis : weft::lowp::impl::FoldBasisBase<FoldBasis> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<RotateConstant>(&getContext(), numFolded);
    RotateOp::getCanonicalizationPatterns(patterns, &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    SmallVector<RotateOp> diagonals;
    getOperation()->walk([&](RotateOp op) {
      if (isa<DiagonalAttr>(op.getBasis()))
        diagonals.push_back(op);
    });
    for (RotateOp op : diagonals) {
      OpBuilder builder(op);
      op->replaceAllUsesWith(*op.lowerToReference(builder));
      op->erase();
    }
  }
};
} // namespace
