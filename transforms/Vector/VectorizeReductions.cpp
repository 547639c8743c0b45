//===- VectorizeReductions.cpp - Reductions of rows in vectors ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Vector/ArgExtreme.h"
#include "transforms/Vector/Passes.h"
#include "transforms/Vector/VectorBody.h"
#include "transforms/Vector/VectorLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace weft {
#define GEN_PASS_DEF_VECTORIZEREDUCTIONS
#include "transforms/Vector/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Bits of the partial results of a row, on every chip, so that their order is
/// the same everywhere: four vectors of AVX-512, eight of AVX2.
static constexpr int64_t kPartialBits = 2048;

/// Half of it where the body itself needs registers.
static constexpr int64_t kMaxCheapBody = 8;

/// The operation that combines `accumulator`, used nowhere else, with a term to
/// the yielded `value`; null if there is none or no neutral element is known.
static Operation *matchCombiner(Value value, BlockArgument accumulator) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumOperands() != 2 || op->getNumResults() != 1 || !value.hasOneUse() ||
      !accumulator.hasOneUse() || *accumulator.user_begin() != op)
    return nullptr;
  if (!isa<arith::AddFOp, arith::MulFOp, arith::MaximumFOp, arith::MinimumFOp, arith::AddIOp,
           arith::MulIOp, arith::AndIOp, arith::OrIOp, arith::XOrIOp, arith::MaxSIOp,
           arith::MaxUIOp, arith::MinSIOp, arith::MinUIOp>(op))
    return nullptr;
  return op;
}

/// x such that combining it with any y gives y, to the bit.
static TypedAttr neutralElement(Operation *combiner, OpBuilder &b) {
  Type type = combiner->getResult(0).getType();
  if (isa<arith::AddFOp>(combiner))
    return b.getFloatAttr(type, APFloat::getZero(cast<FloatType>(type).getFloatSemantics(),
                                                 /*Negative=*/true));
  return arith::getNeutralElement(combiner).value();
}

/// Combines two values, scalars or vectors, as `combiner` does.
static Value combine(OpBuilder &b, Operation *combiner, Value x, Value y) {
  OperationState state(combiner->getLoc(), combiner->getName().getStringRef(), {x, y}, x.getType());
  return b.create(state)->getResult(0);
}

namespace {
/// Emits one reduction.
class ReductionEmitter {
public:
  /// `combiners`, one for each result, or `arg`.
  ReductionEmitter(linalg::GenericOp op, ArrayRef<Operation *> combiners,
                   std::optional<ArgExtreme> arg, VectorBody body, int64_t lanes,
                   RewriterBase &rewriter)
      : op(op), combiners(combiners), arg(arg), body(std::move(body)), lanes(lanes), b(rewriter),
        loc(op.getLoc()), loops(op, rewriter) {}
  void run();

private:
  SmallVector<Value> reduceRow(ArrayRef<Value> ivs, ValueRange carried);
  SmallVector<Value> step(ArrayRef<Value> partial, Value position, Value end);
  Value startOf(int64_t result, ArrayRef<Value> position, ValueRange carried);
  SmallVector<Value> combineAll(ArrayRef<Value> x, ArrayRef<Value> y);
  SmallVector<Value> finish(ArrayRef<Value> partial);

  linalg::GenericOp op;
  ArrayRef<Operation *> combiners;
  std::optional<ArgExtreme> arg;
  VectorBody body;
  int64_t lanes, vectors = 1;
  RewriterBase &b;
  Location loc;
  VectorLoops loops;
};
} // namespace

/// Combines `vectors` neighbouring vectors from `position` on with as many
/// partial results of each result; positions from `end` on, if given, are none.
SmallVector<Value> ReductionEmitter::step(ArrayRef<Value> partial, Value position, Value end) {
  SmallVector<Value> next(partial);
  for (int64_t v = 0; v < vectors; ++v) {
    Value at = loops.add(position, v * lanes);
    Value mask = end ? loops.mask(at, end, lanes) : Value();
    SmallVector<Value> outs;
    for (int64_t r = 0; r < op.getNumDpsInits(); ++r)
      outs.push_back(partial[r * vectors + v]);
    SmallVector<Value> values = body.compute(b, at, lanes, mask, outs, {});
    for (auto [r, value] : llvm::enumerate(values))
      next[r * vectors + v] =
          mask ? Value(arith::SelectOp::create(b, loc, mask, value, outs[r])) : value;
  }
  return next;
}

/// Combines one value of each result with another.
SmallVector<Value> ReductionEmitter::combineAll(ArrayRef<Value> x, ArrayRef<Value> y) {
  if (arg)
    return arg->combine(b, x, y);
  SmallVector<Value> values;
  for (auto [combiner, left, right] : llvm::zip(combiners, x, y))
    values.push_back(combine(b, combiner, left, right));
  return values;
}

/// Halves are combined until one is left: the same tree for all vector widths.
SmallVector<Value> ReductionEmitter::finish(ArrayRef<Value> partial) {
  int64_t results = op.getNumDpsInits();
  SmallVector<SmallVector<Value>> values(vectors);
  for (int64_t r = 0; r < results; ++r)
    for (int64_t v = 0; v < vectors; ++v)
      values[v].push_back(partial[r * vectors + v]);
  while (values.size() > 1) {
    size_t half = values.size() / 2;
    for (size_t i = 0; i < half; ++i)
      values[i] = combineAll(values[i], values[i + half]);
    values.resize(half);
  }
  SmallVector<Value> value = values.front();
  for (int64_t width = lanes / 2; width >= 1; width /= 2) {
    auto part = [&](int64_t from) {
      return llvm::map_to_vector(value, [&](Value whole) -> Value {
        return vector::ExtractStridedSliceOp::create(
            b, loc, whole, ArrayRef<int64_t>{from}, ArrayRef<int64_t>{width}, ArrayRef<int64_t>{1});
      });
    };
    value = combineAll(part(0), part(width));
  }
  return llvm::map_to_vector(value, [&](Value whole) -> Value {
    return vector::ExtractOp::create(b, loc, whole, ArrayRef<int64_t>{0});
  });
}

/// What a result is reduced from on.
Value ReductionEmitter::startOf(int64_t result, ArrayRef<Value> position, ValueRange carried) {
  OpOperand *init = op.getDpsInitOperand(result);
  if (Value start = loops.startValue(init))
    return start;
  return tensor::ExtractOp::create(b, loc, carried[result],
                                   VectorBody::position(b, op, init, position));
}

SmallVector<Value> ReductionEmitter::reduceRow(ArrayRef<Value> ivs, ValueRange carried) {
  unsigned last = op.getNumLoops() - 1;
  SmallVector<Value> position(ivs), partial;
  for (int64_t r = 0; r < op.getNumDpsInits(); ++r) {
    // A choice can be made from the same start any number of times.
    Value start = arg ? startOf(r, position, carried)
                      : arith::ConstantOp::create(b, loc, neutralElement(combiners[r], b));
    Value vector =
        vector::BroadcastOp::create(b, loc, VectorType::get({lanes}, start.getType()), start);
    partial.append(vectors, vector);
  }
  // The reduced loops, the last of which is cut into vectors.
  SmallVector<unsigned> reduced;
  for (auto [i, iterator] : llvm::enumerate(op.getIteratorTypesArray()))
    if (iterator == utils::IteratorType::reduction && i != last)
      reduced.push_back(i);
  partial = loops.nest(reduced, position, partial, [&](ValueRange sums) -> SmallVector<Value> {
    position[last] = loops.constant(0);
    body.enterRow(b, position);
    return loops.vectorLoop(last, vectors * lanes, /*tailStep=*/vectors * lanes, sums,
                            [&](Value at, Value end, ValueRange values) {
                              return step(llvm::to_vector(values), at, end);
                            });
  });
  SmallVector<Value> starts, results;
  for (int64_t r = 0; r < op.getNumDpsInits() && !arg; ++r)
    starts.push_back(startOf(r, position, carried));
  SmallVector<Value> values = finish(partial);
  if (!arg)
    values = combineAll(starts, values);
  for (auto [r, value] : llvm::enumerate(values)) {
    OpOperand *init = op.getDpsInitOperand(static_cast<int64_t>(r));
    results.push_back(tensor::InsertOp::create(b, loc, value, carried[r],
                                               VectorBody::position(b, op, init, position)));
  }
  return results;
}

void ReductionEmitter::run() {
  unsigned last = op.getNumLoops() - 1;
  int64_t bits = 8;
  for (BlockArgument out : op.getRegionOutputArgs())
    bits = std::max<int64_t>(bits, out.getType().getIntOrFloatBitWidth());
  int64_t partials = kPartialBits / bits / (body.cost() > kMaxCheapBody ? 2 : 1);
  vectors = std::max<int64_t>(1, partials / lanes);
  // Partial results that no element reaches stay neutral: they are left out.
  if (int64_t extent = op.getStaticLoopRanges()[last]; !ShapedType::isDynamic(extent))
    while (vectors > 1 && vectors / 2 * lanes >= extent)
      vectors /= 2;
  b.setInsertionPoint(op);
  loops.start();
  SmallVector<unsigned> parallel;
  for (auto [i, iterator] : llvm::enumerate(op.getIteratorTypesArray()))
    if (iterator == utils::IteratorType::parallel)
      parallel.push_back(i);
  SmallVector<Value> position(op.getNumLoops(), loops.constant(0));
  SmallVector<Value> results =
      loops.nest(parallel, position, loops.destinations(),
                 [&](ValueRange carried) { return reduceRow(position, carried); });
  loops.replace(results);
}

namespace {
struct VectorizeReductions : weft::impl::VectorizeReductionsBase<VectorizeReductions> {
  void runOnOperation() override {
    int64_t vectorBits = vectorBitsOf(getOperation());
    SmallVector<linalg::GenericOp> ops;
    getOperation()->walk([&](linalg::GenericOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (linalg::GenericOp op : ops) {
      SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
      if (iterators.empty() || iterators.back() != utils::IteratorType::reduction ||
          !op.hasPureTensorSemantics() || !writesEachResultOnce(op))
        continue;
      SmallVector<Operation *> combiners;
      for (auto [value, accumulator] :
           llvm::zip(op.getBody()->getTerminator()->getOperands(), op.getRegionOutputArgs()))
        combiners.push_back(matchCombiner(value, accumulator));
      std::optional<ArgExtreme> arg;
      if (llvm::is_contained(combiners, nullptr) && !(arg = ArgExtreme::match(op)))
        continue;
      VectorBody body(op, op.getNumLoops() - 1);
      if (!body.obstacle().empty())
        continue;
      int64_t lanes = chooseLanes(body, op.getStaticLoopRanges().back(), vectorBits);
      if (lanes == 0)
        continue;
      ReductionEmitter(op, combiners, arg, body, lanes, rewriter).run();
      ++numReductions;
    }
  }
};
} // namespace
