//===- DecomposeDepth.cpp - Conditional depth becomes control flow --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"
#include "dialects/MoE/Transforms/Passes.h"

namespace weft::moe {
#define GEN_PASS_DEF_DECOMPOSEDEPTH
#include "dialects/MoE/Transforms/Passes.h.inc"
} // namespace weft::moe

using namespace mlir;
using namespace weft;
using namespace weft::moe;

/// The positions of what is not 0: i64 [n, 1], and n.
static std::pair<Value, Value> positionsOf(ReferenceBuilder &m, Value mask) {
  Type i64 = m.b.getI64Type();
  SmallVector<OpFoldResult> extents{m.b.getIndexAttr(1), m.size(mask, 0)};
  Value indices = m.empty(extents, i64), count = m.empty({}, i64);
  auto nonzero = NonZeroOp::create(m.b, m.loc, TypeRange{indices.getType(), count.getType()}, mask,
                                   indices, count);
  Value n = m.toIndex(m.read(nonzero.getCount(), {}));
  OpFoldResult zero = m.b.getIndexAttr(0), one = m.b.getIndexAttr(1);
  Value row =
      m.extract(nonzero.getIndices(),
                {{zero, zero}, {one, n}, RankedTensorType::get({ShapedType::kDynamic}, i64)});
  auto type = RankedTensorType::get({ShapedType::kDynamic, 1}, i64);
  Value column = tensor::ExpandShapeOp::create(m.b, m.loc, type, row,
                                               SmallVector<ReassociationIndices>{{0, 1}},
                                               SmallVector<OpFoldResult>{n, one});
  return {column, n};
}

/// Gathers the rows, computes, and writes them over the inits' in their order.
static void decompose(RewriterBase &rewriter, DepthOp op) {
  rewriter.setInsertionPoint(op);
  ReferenceBuilder m(rewriter, op.getLoc());
  auto [positions, count] = positionsOf(m, op.getMask());
  Block &body = op.getBody().front();
  SmallVector<Value> rows;
  for (auto [input, argument] : llvm::zip(op.getInputs(), body.getArguments())) {
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, m.loc, input);
    sizes[0] = count;
    Value empty = m.empty(sizes, typeOf(input).getElementType());
    rows.push_back(GatherOp::create(rewriter, m.loc, argument.getType(), input, positions, empty,
                                    /*batchDims=*/0)
                       .getResult());
  }
  auto yield = cast<moe::YieldOp>(body.getTerminator());
  rewriter.inlineBlockBefore(&body, op, rows);
  SmallVector<Value> updates(yield.getValues()), results;
  rewriter.eraseOp(yield);
  for (auto [update, init] : llvm::zip(updates, op.getInits())) {
    auto scatter = ScatterOp::create(rewriter, m.loc, init.getType(), positions, update, init);
    OpBuilder::InsertionGuard guard(rewriter);
    Type element = typeOf(init).getElementType();
    Block *combiner =
        rewriter.createBlock(&scatter.getCombiner(), {}, {element, element}, {m.loc, m.loc});
    weft::YieldOp::create(rewriter, m.loc, combiner->getArgument(1));
    results.push_back(scatter.getResult());
  }
  rewriter.replaceOp(op, results);
}

/// while (i < count && !stop) { stop, state = layer(i, state); ++i }
static void decompose(RewriterBase &rewriter, ExitOp op) {
  rewriter.setInsertionPoint(op);
  ReferenceBuilder m(rewriter, op.getLoc());
  SmallVector<Value> carried{m.constant(0), m.bit(false)};
  llvm::append_range(carried, op.getState());
  SmallVector<Type> types(ValueRange(carried).getTypes());
  auto loop = scf::WhileOp::create(rewriter, m.loc, types, carried);
  SmallVector<Location> locs(types.size(), m.loc);
  Block *before = rewriter.createBlock(&loop.getBefore(), {}, types, locs);
  Value goesOn =
      m.both(m.less(before->getArgument(0), op.getCount()), m.negate(before->getArgument(1)));
  scf::ConditionOp::create(rewriter, m.loc, goesOn, before->getArguments());
  Block *after = rewriter.createBlock(&loop.getAfter(), {}, types, locs);
  PollOp::create(rewriter, m.loc);
  Block &body = op.getBody().front();
  auto yield = cast<moe::YieldOp>(body.getTerminator());
  SmallVector<Value> arguments{after->getArgument(0)};
  llvm::append_range(arguments, after->getArguments().drop_front(2));
  rewriter.inlineBlockBefore(&body, after, after->end(), arguments);
  SmallVector<Value> next(yield.getValues());
  rewriter.eraseOp(yield);
  rewriter.setInsertionPointToEnd(after);
  next.insert(next.begin(), m.add(after->getArgument(0), m.constant(1)));
  scf::YieldOp::create(rewriter, m.loc, next);
  SmallVector<Value> results{loop.getResult(0)};
  llvm::append_range(results, loop.getResults().drop_front(2));
  rewriter.replaceOp(op, results);
}

namespace {
struct DecomposeDepth : moe::impl::DecomposeDepthBase<DecomposeDepth> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    // Inner ones first.
    getOperation()->walk([&](Operation *op) {
      if (auto depth = dyn_cast<DepthOp>(op))
        decompose(rewriter, depth);
      else if (auto exit = dyn_cast<ExitOp>(op))
        decompose(rewriter, exit);
    });
  }
};
} // namespace
