//===- VectorizeElementwise.cpp - Elementwise operations in vectors -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Vector/Passes.h"
#include "transforms/Vector/VectorBody.h"
#include "transforms/Vector/VectorLoops.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace weft {
#define GEN_PASS_DEF_VECTORIZEELEMENTWISE
#include "transforms/Vector/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Instructions of an iteration that hide the loop around them and the latency
/// of each: shorter bodies are repeated.
static constexpr int64_t kIterationCost = 24;
static constexpr int64_t kMaxVectors = 4;

namespace {
/// Emits one operation.
class ElementwiseEmitter {
public:
  ElementwiseEmitter(linalg::GenericOp op, unsigned loop, VectorBody body, int64_t lanes,
                     RewriterBase &rewriter)
      : op(op), loop(loop), body(std::move(body)), lanes(lanes), b(rewriter), loc(op.getLoc()),
        loops(op, rewriter) {}
  void run();

private:
  /// `count` vectors from `at` on.
  SmallVector<Value> step(Value at, int64_t count, Value end, ValueRange carried);
  /// The values of results that the body starts from, or null where it does not.
  Value startVector(OpOperand *init, ArrayRef<Value> where, Value tensor, Value mask);

  linalg::GenericOp op;
  unsigned loop;
  VectorBody body;
  int64_t lanes;
  RewriterBase &b;
  Location loc;
  VectorLoops loops;
  SmallVector<unsigned> outer, reduced;
  SmallVector<Value> position; ///< of all loops
};
} // namespace

Value ElementwiseEmitter::startVector(OpOperand *init, ArrayRef<Value> where, Value tensor,
                                      Value mask) {
  if (!op.payloadUsesValueFromOperand(init))
    return {};
  if (Value number = loops.startValue(init))
    return vector::BroadcastOp::create(b, loc, VectorType::get({lanes}, number.getType()), number);
  return readVector(b, loc, tensor, where, lanes, mask);
}

SmallVector<Value> ElementwiseEmitter::step(Value at, int64_t count, Value end,
                                            ValueRange carried) {
  int64_t results = op.getNumDpsInits();
  SmallVector<Value> masks, starts, firsts;
  SmallVector<SmallVector<Value>> where;
  for (int64_t v = 0; v < count; ++v) {
    firsts.push_back(loops.add(at, v * lanes));
    position[loop] = firsts.back();
    masks.push_back(end ? loops.mask(firsts.back(), end, lanes) : Value());
    for (int64_t r = 0; r < results; ++r) {
      OpOperand *init = op.getDpsInitOperand(r);
      where.push_back(VectorBody::position(b, op, init, position));
      starts.push_back(startVector(init, where.back(), carried[r], masks.back()));
    }
  }
  SmallVector<Value> values;
  auto compute = [&](ValueRange outs) {
    SmallVector<Value> all;
    for (int64_t v = 0; v < count; ++v)
      llvm::append_range(all, body.compute(b, firsts[v], lanes, masks[v],
                                           outs.slice(v * results, results), carried));
    return all;
  };
  if (reduced.empty())
    values = compute(starts);
  else
    values = loops.nest(reduced, position, starts, [&](ValueRange sums) {
      body.enterRow(b, position);
      return compute(sums);
    });
  SmallVector<Value> tensors(carried);
  for (int64_t v = 0; v < count; ++v)
    for (int64_t r = 0; r < results; ++r)
      tensors[r] = writeVector(b, loc, values[v * results + r], tensors[r], where[v * results + r],
                               masks[v]);
  return tensors;
}

void ElementwiseEmitter::run() {
  for (auto [i, iterator] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (iterator == utils::IteratorType::reduction)
      reduced.push_back(i);
    else if (i != loop)
      outer.push_back(i);
  }
  int64_t vectors = 1;
  while (vectors < kMaxVectors && 2 * vectors * body.cost() <= kIterationCost)
    vectors *= 2;
  // Columns are read vector by vector, so that more of them use what is fetched.
  if (!reduced.empty())
    vectors = kMaxVectors;
  if (int64_t extent = op.getStaticLoopRanges()[loop]; !ShapedType::isDynamic(extent))
    while (vectors > 1 && vectors * lanes > extent)
      vectors /= 2;
  b.setInsertionPoint(op);
  loops.start();
  position.assign(op.getNumLoops(), loops.constant(0));
  SmallVector<Value> results =
      loops.nest(outer, position, loops.destinations(), [&](ValueRange carried) {
        if (reduced.empty())
          body.enterRow(b, position);
        return loops.vectorLoop(loop, vectors * lanes, lanes, carried,
                                [&](Value at, Value end, ValueRange tensors) {
                                  return step(at, end ? 1 : vectors, end, tensors);
                                });
      });
  loops.replace(results);
}

/// The loop along which results are contiguous; none if vectors along it could
/// not compute the same.
static std::optional<unsigned> findVectorLoop(linalg::GenericOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumDpsInits() == 0)
    return std::nullopt;
  AffineMap first = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (first.getNumResults() == 0 || !isa<AffineDimExpr>(first.getResults().back()))
    return std::nullopt;
  if (!writesEachResultOnce(op))
    return std::nullopt;
  for (OpOperand &init : op.getDpsInitsMutable()) {
    if (op.getNumReductionLoops() != 0 && !op.payloadUsesValueFromOperand(&init))
      return std::nullopt;
  }
  return first.getDimPosition(first.getNumResults() - 1);
}

/// Makes the positions that tiling has moved plain arithmetic.
static void expandAppliedMaps(linalg::GenericOp op, RewriterBase &rewriter) {
  SmallVector<affine::AffineApplyOp> applied(op.getBody()->getOps<affine::AffineApplyOp>());
  for (affine::AffineApplyOp apply : applied) {
    rewriter.setInsertionPoint(apply);
    if (auto values = affine::expandAffineMap(rewriter, apply.getLoc(), apply.getAffineMap(),
                                              apply.getMapOperands()))
      rewriter.replaceOp(apply, *values);
  }
}

namespace {
struct VectorizeElementwise : weft::impl::VectorizeElementwiseBase<VectorizeElementwise> {
  void runOnOperation() override {
    int64_t vectorBits = vectorBitsOf(getOperation());
    SmallVector<linalg::GenericOp> ops;
    getOperation()->walk([&](linalg::GenericOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (linalg::GenericOp op : ops) {
      std::optional<unsigned> loop = findVectorLoop(op);
      if (!loop)
        continue;
      expandAppliedMaps(op, rewriter);
      VectorBody body(op, *loop);
      if (!body.obstacle().empty())
        continue;
      int64_t lanes = chooseLanes(body, op.getStaticLoopRanges()[*loop], vectorBits);
      if (lanes == 0)
        continue;
      ElementwiseEmitter(op, *loop, std::move(body), lanes, rewriter).run();
      ++numOperations;
    }
  }
};
} // namespace
