//===- InlineComposites.cpp - Replaces composites by their bodies ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Model/Passes.h"

namespace weft {
#define GEN_PASS_DEF_INLINECOMPOSITES
#include "transforms/Model/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
struct InlineComposites : weft::impl::InlineCompositesBase<InlineComposites> {
  void runOnOperation() override {
    SmallVector<CompositeOp> composites;
    getOperation()->walk([&](CompositeOp op) { composites.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (CompositeOp op : composites) {
      Block &body = op.getBody().front();
      auto yield = cast<YieldOp>(body.getTerminator());
      SmallVector<Value> results(yield.getValues());
      rewriter.setInsertionPoint(op);
      rewriter.inlineBlockBefore(&body, op, op.getInputs());
      // The yielded values may have been arguments of the body.
      results.assign(yield.getValues().begin(), yield.getValues().end());
      rewriter.eraseOp(yield);
      rewriter.replaceOp(op, results);
    }
  }
};
} // namespace
