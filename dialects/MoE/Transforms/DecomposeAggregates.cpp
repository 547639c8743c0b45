//===- DecomposeAggregates.cpp - Aggregates become their parts ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/Transforms/Passes.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace weft::moe {
#define GEN_PASS_DEF_DECOMPOSEAGGREGATES
#include "dialects/MoE/Transforms/Passes.h.inc"
} // namespace weft::moe

using namespace mlir;
using namespace weft;
using namespace weft::moe;

namespace {
struct DecomposeExpertFFN : OpRewritePattern<ExpertFFNOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ExpertFFNOp op, PatternRewriter &rewriter) const override {
    FailureOr<SmallVector<Value>> values = op.lowerToReference(rewriter);
    if (failed(values))
      return rewriter.notifyMatchFailure(op, "has no parts");
    rewriter.replaceOp(op, *values);
    return success();
  }
};

struct DecomposeAggregates : moe::impl::DecomposeAggregatesBase<DecomposeAggregates> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<DecomposeExpertFFN>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
