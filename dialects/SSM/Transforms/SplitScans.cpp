//===- SplitScans.cpp - Scans in chunks of tokens -------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The chunked form of Mamba-2 (arXiv 2405.21060) and of the delta rule (2406.06484):
// what each chunk does to a state, the states that chunks begin with, their outputs.
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/Transforms/Passes.h"
#include "dialects/Weft/IR/WeftFormat.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace weft::ssm {
#define GEN_PASS_DEF_SPLITSCANS
#include "dialects/SSM/Transforms/Passes.h.inc"
} // namespace weft::ssm

using namespace mlir;
using namespace weft;
using namespace weft::ssm;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Whether the transition of a chunk is a factor of each row of the state.
static bool isDiagonal(Transition transition) {
  return transition == Transition::Identity || transition == Transition::Scalar ||
         transition == Transition::Diagonal;
}

/// Whether a scan says nothing that the operations of chunks cannot.
static bool canBeSplit(ssm::ScanOp op) {
  Transition transition = op.getTransition();
  if (op.getChunk() <= 0 || op.getState() != State::Outer ||
      (!isDiagonal(transition) && transition != Transition::Householder &&
       transition != Transition::DiagonalPlusLowRank))
    return false;
  if (!op.getQuery() || !op.getKey() || op.getBonus() || op.getOffsets() || op.getOrder() ||
      op.getSources() || op.getDestinations() || op.getCheckpoints())
    return false;
  if (op.getRead() != Read::Post || op.getRank() != 1 || op.getSubsteps() != 1 ||
      op.getReads() != 1 || op.getDirection() != Direction::Forward)
    return false;
  // Tokens and batch are those of all operands, none is broadcast; queries are not grouped.
  RankedTensorType output = typeOf(op.getOutput()), final = typeOf(op.getFinal());
  for (Value operand :
       {op.getQuery(), op.getKey(), op.getValue(), op.getDecay(), op.getAlpha(), op.getBeta()})
    if (operand && typeOf(operand).getShape().take_front(2) != output.getShape().take_front(2))
      return false;
  if (output.getDimSize(2) != final.getDimSize(1) ||
      (op.getInitial() && op.getInitial().getType() != final))
    return false;
  int64_t tokens = output.getDimSize(1);
  return ShapedType::isDynamic(tokens) || tokens > static_cast<int64_t>(op.getChunk());
}

static void split(IRRewriter &b, ssm::ScanOp op) {
  Location loc = op.getLoc();
  Transition transition = op.getTransition();
  int64_t chunk = op.getChunk();
  // [B, H, K, V], and how many chunks there are.
  SmallVector<OpFoldResult> state = tensor::getMixedSizes(b, loc, op.getInits()[1]);
  SmallVector<OpFoldResult> tokens = tensor::getMixedSizes(b, loc, op.getInits()[0]);
  AffineExpr t = b.getAffineSymbolExpr(0);
  OpFoldResult count =
      evaluateExtents(b, loc, AffineMap::get(0, 1, t.ceilDiv(chunk)), tokens[1]).front();
  Type type = typeOf(op.getFinal()).getElementType();
  SmallVector<OpFoldResult> injected{state[0], count, state[1], state[2], state[3]}, factors;
  factors.append(injected.begin(), injected.end() - 1);
  if (!isDiagonal(transition))
    factors.push_back(state[2]);
  Value inits[] = {tensor::EmptyOp::create(b, loc, factors, type),
                   tensor::EmptyOp::create(b, loc, injected, type)};
  auto summary = ChunkSummaryOp::create(b, loc, TypeRange(ValueRange(inits)), transition,
                                        static_cast<uint64_t>(chunk), op.getLinear(), op.getKey(),
                                        op.getValue(), op.getDecay(), op.getRate(), op.getAlpha(),
                                        op.getBeta(), inits);
  Value factor = summary.getResult(0), update = summary.getResult(1);
  Value none, decay = isDiagonal(transition) ? factor : none,
              matrix = isDiagonal(transition) ? none : factor;
  Value outs[] = {tensor::EmptyOp::create(b, loc, injected, type), op.getInits()[1]};
  auto starts = ssm::ScanOp::create(
      b, loc, outs[0].getType(), outs[1].getType(), Type(), State::Outer,
      isDiagonal(transition) ? Transition::Diagonal : Transition::Dense, /*query=*/none,
      /*key=*/none, update, decay, /*rate=*/none, /*angle=*/none, /*alpha=*/none, /*beta=*/none,
      matrix, /*bonus=*/none, op.getInitial(), /*offsets=*/none, /*order=*/none, /*sources=*/none,
      /*destinations=*/none, outs, Read::Pre, /*linear=*/isDiagonal(transition), /*rank=*/1,
      /*substeps=*/1, /*reads=*/1, Direction::Forward, Emit::Last, /*count=*/1, /*chunk=*/0);
  auto apply = ChunkApplyOp::create(
      b, loc, TypeRange{op.getOutput().getType()}, transition, static_cast<uint64_t>(chunk),
      op.getLinear(), op.getQuery(), op.getKey(), op.getValue(), op.getDecay(), op.getRate(),
      op.getAlpha(), op.getBeta(), starts.getOutput(), ValueRange{op.getInits()[0]});
  b.replaceOp(op, {apply.getResult(0), starts.getFinal()});
}

namespace {
struct SplitScans : ssm::impl::SplitScansBase<SplitScans> {
  void runOnOperation() override {
    SmallVector<ssm::ScanOp> scans;
    getOperation().walk([&](ssm::ScanOp op) {
      if (canBeSplit(op))
        scans.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (ssm::ScanOp op : scans) {
      rewriter.setInsertionPoint(op);
      split(rewriter, op);
      ++numSplit;
    }
  }
};
} // namespace
