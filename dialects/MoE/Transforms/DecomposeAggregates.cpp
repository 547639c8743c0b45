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

/// Where one weight is packed, dense ones beside it cannot stand among components.
struct SplitPackedWeights : OpRewritePattern<GroupedMatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(GroupedMatmulOp op, PatternRewriter &rewriter) const override {
    if (op.getPacked() || !llvm::all_of(op.getWeights().getTypes(), llvm::IsaPred<PackedType>))
      return rewriter.notifyMatchFailure(op, "has weights that are not packed");
    SmallVector<Value> components;
    SmallVector<Attribute> types;
    for (Value weight : op.getWeights()) {
      auto packed = cast<PackedType>(weight.getType());
      SmallVector<Type> parts =
          llvm::map_to_vector(packed.getComponentTypes(), [](auto type) -> Type { return type; });
      auto disassemble = DisassembleOp::create(rewriter, op.getLoc(), parts, weight);
      llvm::append_range(components, disassemble.getComponents());
      types.push_back(TypeAttr::get(packed));
    }
    rewriter.modifyOpInPlace(op, [&] {
      op.getWeightsMutable().assign(components);
      op.setPackedAttr(rewriter.getArrayAttr(types));
    });
    return success();
  }
};

struct DecomposeAggregates : moe::impl::DecomposeAggregatesBase<DecomposeAggregates> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<DecomposeExpertFFN, SplitPackedWeights>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
