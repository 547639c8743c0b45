//===- DistributeReduction.cpp - Reductions in a block --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/DistributeReduction.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace weft::gpu;

/// More results than this keep threads busy that each reduce alone.
static constexpr int64_t kMaxResults = 8;

namespace {
/// Writes the code of one reduction.
class ReductionWriter {
public:
  ReductionWriter(OpBuilder &builder, linalg::LinalgOp op, int64_t threads)
      : op(op), b(op.getLoc(), builder), threads(threads) {}
  LogicalResult match();
  void run();

private:
  Value constant(int64_t value) { return arith::ConstantIndexOp::create(b, value); }
  /// What is combined, at the position that `linear` is of the reduced loops.
  Value combineElement(Value linear, Value sum);
  Value combine(Value x, Value y);
  void combineThreads(Value memory, Value thread);
  void ifLess(Value x, Value y, llvm::function_ref<void()> body);

  linalg::LinalgOp op;
  ImplicitLocOpBuilder b;
  int64_t threads;
  Operation *combiner = nullptr;
  TypedAttr neutral;
  SmallVector<unsigned> reductions;
  SmallVector<Value> bounds, position;
};
} // namespace

LogicalResult ReductionWriter::match() {
  op.getReductionDims(reductions);
  if (reductions.empty() || op.getNumDpsInits() != 1)
    return failure();
  int64_t results = 1;
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  for (unsigned loop : dividedLoops(op)) {
    if (ShapedType::isDynamic(extents[loop]) || extents[loop] > kMaxResults)
      return failure();
    results *= extents[loop];
  }
  OpOperand &out = *op.getDpsInitOperand(0);
  AffineMap map = op.getMatchingIndexingMap(&out);
  if (results > kMaxResults ||
      llvm::any_of(reductions, [&](unsigned loop) { return map.isFunctionOfDim(loop); }))
    return failure();
  Type type = getElementTypeOrSelf(out.get().getType());
  if (!type.isIntOrFloat() || type.isInteger(1))
    return failure();
  SmallVector<Operation *> combiners;
  if (!matchReduction({op.getMatchingBlockArgument(&out)}, 0, combiners) || combiners.size() != 1 ||
      combiners.front()->getNumOperands() != 2)
    return failure();
  combiner = combiners.front();
  std::optional<TypedAttr> found = arith::getNeutralElement(combiner);
  if (!found)
    return failure();
  neutral = *found;
  return success();
}

Value ReductionWriter::combineElement(Value linear, Value sum) {
  SmallVector<Value> counts;
  for (unsigned loop : reductions)
    counts.push_back(bounds[loop]);
  for (auto [loop, value] : llvm::zip(reductions, delinearize(b, b.getLoc(), linear, counts)))
    position[loop] = value;
  IRMapping mapping;
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    if (op.isDpsInit(&operand))
      mapping.map(argument, sum);
    else if (!argument.use_empty())
      mapping.map(argument, loadOperand(b, op, operand, position));
  }
  return cloneBody(b, op, mapping, position).front();
}

Value ReductionWriter::combine(Value x, Value y) {
  Operation *copy = b.clone(*combiner);
  copy->setOperands({x, y});
  return copy->getResult(0);
}

void ReductionWriter::ifLess(Value x, Value y, llvm::function_ref<void()> body) {
  Value isLess = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, x, y);
  auto guarded = scf::IfOp::create(b, isLess, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(guarded.thenBlock());
  body();
}

/// Combines what the threads have left in `memory` in its first element.
void ReductionWriter::combineThreads(Value memory, Value thread) {
  for (int64_t half = threads / 2; half > 0; half /= 2) {
    mlir::gpu::BarrierOp::create(b);
    ifLess(thread, constant(half), [&] {
      Value other = arith::AddIOp::create(b, thread, constant(half));
      Value x = memref::LoadOp::create(b, memory, thread);
      Value y = memref::LoadOp::create(b, memory, other);
      memref::StoreOp::create(b, combine(x, y), memory, thread);
    });
  }
}

void ReductionWriter::run() {
  b.setInsertionPoint(op);
  OpOperand &out = *op.getDpsInitOperand(0);
  for (const Range &range : op.createLoopRanges(b, op.getLoc()))
    bounds.push_back(getValueOrCreateConstantIndexOp(b, op.getLoc(), range.size));
  position.assign(bounds.size(), constant(0));
  Value memory = memref::AllocaOp::create(
      b, MemRefType::get({threads}, getElementTypeOrSelf(out.get().getType())));
  Value thread = mlir::gpu::ThreadIdOp::create(b, mlir::gpu::Dimension::x);
  Value elements = constant(1);
  for (unsigned loop : reductions)
    elements = b.createOrFold<arith::MulIOp>(elements, bounds[loop]);

  SmallVector<unsigned> divided = dividedLoops(op);
  SmallVector<Value> lower(divided.size(), constant(0)), step(divided.size(), constant(1)), upper;
  for (unsigned loop : divided)
    upper.push_back(bounds[loop]);
  scf::buildLoopNest(
      b, b.getLoc(), lower, upper, step, [&](OpBuilder &, Location, ValueRange results) {
        for (auto [loop, value] : llvm::zip(divided, results))
          position[loop] = value;
        Value start = arith::ConstantOp::create(b, neutral);
        auto sums = scf::ForOp::create(b, thread, elements, constant(threads), start);
        {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToStart(sums.getBody());
          Value sum = combineElement(sums.getInductionVar(), sums.getRegionIterArg(0));
          scf::YieldOp::create(b, sum);
        }
        memref::StoreOp::create(b, sums.getResult(0), memory, thread);
        combineThreads(memory, thread);
        ifLess(thread, constant(1), [&] {
          SmallVector<Value> at = indicesOf(b, op, out, position);
          Value before = memref::LoadOp::create(b, out.get(), at);
          Value sum = memref::LoadOp::create(b, memory, constant(0));
          memref::StoreOp::create(b, combine(before, sum), out.get(), at);
        });
        // The next result is reduced in the same memory.
        mlir::gpu::BarrierOp::create(b);
      });
  op->erase();
}

bool weft::gpu::isBlockReduction(linalg::LinalgOp op) {
  OpBuilder b(op);
  return succeeded(ReductionWriter(b, op, /*threads=*/0).match());
}

LogicalResult weft::gpu::distributeReduction(RewriterBase &rewriter, linalg::LinalgOp op,
                                             const Grid &grid) {
  OpBuilder::InsertionGuard guard(rewriter);
  ReductionWriter writer(rewriter, op, grid.threads);
  if (failed(writer.match()))
    return failure();
  writer.run();
  return success();
}
