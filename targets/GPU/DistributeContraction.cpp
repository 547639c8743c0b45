//===- DistributeContraction.cpp - Matrix products in a block -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile of kThreadRows * rows by kThreadColumns * columns results is computed at a
// time. Thread (i, j) has the results at rows i, i + 16, ... and columns j, j + 16, ...,
// so that neighbours read neighbouring columns from workgroup memory and write
// neighbouring results. What lies beyond the operands' extents is read at their last
// element and not written.
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/DistributeContraction.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace weft;
using namespace weft::gpu;

/// Bytes of both operands that lie in workgroup memory at once, at most.
static constexpr int64_t kStagedBytes = 12 * 1024;

/// A row of staged rows is longer by this, so that threads which write a column of it
/// use different banks.
static constexpr int64_t kPadding = 1;

namespace {
/// Writes the code of one contraction.
class ContractionWriter {
public:
  ContractionWriter(RewriterBase &rewriter, const Contraction &source, const Grid &grid,
                    int64_t rows, int64_t columns);
  void run();

private:
  /// An operand on its way through workgroup memory.
  struct Staged {
    OpOperand *operand;
    unsigned loop;   ///< m or n
    int64_t extent;  ///< of the tile along it
    Value memory;    ///< [k, extent]
    bool alongDepth; ///< whether the operand is contiguous along k
  };

  Value constant(int64_t value) { return arith::ConstantIndexOp::create(b, value); }
  Value add(Value x, Value y) { return b.createOrFold<arith::AddIOp>(x, y); }
  Value lastOf(Value bound) { return b.createOrFold<arith::SubIOp>(bound, constant(1)); }
  Value inside(Value index, Value bound) { return arith::MinSIOp::create(b, index, lastOf(bound)); }
  Staged stage(OpOperand *operand, unsigned loop, int64_t extent, int64_t padding);
  SmallVector<Value> indicesOf(OpOperand &operand, ArrayRef<Value> position);
  void loopOver(ArrayRef<unsigned> loops, llvm::function_ref<void()> body);
  void computeTile();
  SmallVector<Value> accumulate(ValueRange sums);
  void fill(const Staged &staged, Value depth);
  Value computeBody(Value row, Value column, Value sum);

  Contraction contraction;
  linalg::LinalgOp op;
  ImplicitLocOpBuilder b;
  int64_t threads, rows, columns, depth;
  Value thread, threadRow, threadColumn, reduced;
  Staged rowStage, columnStage;
  SmallVector<Value> bounds;   ///< of the contraction's loops
  SmallVector<Value> position; ///< of the tile in them
};
} // namespace

static int64_t bytesOf(OpOperand *operand) {
  Type type = getElementTypeOrSelf(operand->get().getType());
  return std::max<int64_t>(1, llvm::divideCeil(type.getIntOrFloatBitWidth(), 8));
}

ContractionWriter::ContractionWriter(RewriterBase &rewriter, const Contraction &source,
                                     const Grid &grid, int64_t rows, int64_t columns)
    : contraction(source), op(cast<linalg::LinalgOp>(contraction.op.getOperation())),
      b(op.getLoc(), rewriter), threads(grid.threads), rows(rows), columns(columns) {
  // As many k as fit, a power of two so that threads divide what is staged evenly.
  depth = 32;
  int64_t perDepth = kThreadRows * rows * bytesOf(contraction.rowOperand) +
                     kThreadColumns * columns * bytesOf(contraction.columnOperand);
  while (depth > 4 && depth * perDepth > kStagedBytes)
    depth /= 2;
}

ContractionWriter::Staged ContractionWriter::stage(OpOperand *operand, unsigned loop,
                                                   int64_t extent, int64_t padding) {
  Type element = getElementTypeOrSelf(operand->get().getType());
  AffineMap map = op.getMatchingIndexingMap(operand);
  bool alongDepth = map.getNumResults() > 0 && !map.getResults().back().isFunctionOfDim(loop);
  Value memory = memref::AllocaOp::create(b, MemRefType::get({depth, extent + padding}, element));
  return {operand, loop, extent, memory, alongDepth};
}

SmallVector<Value> ContractionWriter::indicesOf(OpOperand &operand, ArrayRef<Value> at) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  return llvm::map_to_vector(map.getResults(), [&](AffineExpr expr) -> Value {
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      return at[dim.getPosition()];
    return affine::AffineApplyOp::create(b, AffineMap::get(map.getNumDims(), 0, expr), at);
  });
}

/// Runs `body` for all positions of `loops`, which all threads count alike.
void ContractionWriter::loopOver(ArrayRef<unsigned> loops, llvm::function_ref<void()> body) {
  if (loops.empty())
    return body();
  unsigned loop = loops.front();
  int64_t step = loop == contraction.n                     ? kThreadColumns * columns
                 : contraction.m && loop == *contraction.m ? kThreadRows * rows
                                                           : 1;
  auto range = scf::ForOp::create(b, constant(0), bounds[loop], constant(step));
  position[loop] = range.getInductionVar();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(range.getBody());
  loopOver(loops.drop_front(), body);
}

/// Brings the `depth` first k from `first` on of an operand to workgroup memory.
void ContractionWriter::fill(const Staged &staged, Value first) {
  int64_t elements = depth * staged.extent;
  auto range = scf::ForOp::create(b, thread, constant(elements), constant(threads));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(range.getBody());
  Value linear = range.getInductionVar();
  Value fast = constant(staged.alongDepth ? depth : staged.extent);
  Value low = arith::RemUIOp::create(b, linear, fast);
  Value high = arith::DivUIOp::create(b, linear, fast);
  Value k = staged.alongDepth ? low : high, across = staged.alongDepth ? high : low;
  SmallVector<Value> at(position);
  at[staged.loop] = inside(add(position[staged.loop], across), bounds[staged.loop]);
  Value rest = inside(add(first, k), reduced);
  ArrayRef<unsigned> outer(contraction.k);
  for (; outer.size() > 1; outer = outer.drop_back()) {
    at[outer.back()] = b.createOrFold<arith::RemUIOp>(rest, bounds[outer.back()]);
    rest = b.createOrFold<arith::DivUIOp>(rest, bounds[outer.back()]);
  }
  at[outer.front()] = rest;
  Value value = memref::LoadOp::create(b, staged.operand->get(), indicesOf(*staged.operand, at));
  memref::StoreOp::create(b, value, staged.memory, ValueRange{k, across});
}

Value ContractionWriter::computeBody(Value row, Value column, Value sum) {
  IRMapping mapping;
  mapping.map(op.getMatchingBlockArgument(contraction.rowOperand), row);
  mapping.map(op.getMatchingBlockArgument(contraction.columnOperand), column);
  mapping.map(op.getMatchingBlockArgument(op.getDpsInitOperand(0)), sum);
  for (Operation &inner : op.getBlock()->without_terminator())
    b.clone(inner, mapping);
  return mapping.lookupOrDefault(op.getBlock()->getTerminator()->getOperand(0));
}

/// The sums with the products of what is staged, of which the loop's first argument
/// tells how much there is.
SmallVector<Value> ContractionWriter::accumulate(ValueRange sums) {
  auto loop = scf::ForOp::create(b, constant(0), reduced, constant(depth), sums);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  mlir::gpu::BarrierOp::create(b);
  fill(rowStage, loop.getInductionVar());
  fill(columnStage, loop.getInductionVar());
  mlir::gpu::BarrierOp::create(b);
  Value left = arith::SubIOp::create(b, reduced, loop.getInductionVar());
  Value count = arith::MinSIOp::create(b, left, constant(depth));
  auto inner = scf::ForOp::create(b, constant(0), count, constant(1), loop.getRegionIterArgs());
  {
    OpBuilder::InsertionGuard innerGuard(b);
    b.setInsertionPointToStart(inner.getBody());
    Value k = inner.getInductionVar();
    auto read = [&](const Staged &staged, Value first, int64_t step, int64_t number) -> Value {
      Value at = add(first, constant(step * number));
      return memref::LoadOp::create(b, staged.memory, ValueRange{k, at});
    };
    SmallVector<Value> rowValues, columnValues, next;
    for (int64_t i = 0; i < rows; ++i)
      rowValues.push_back(read(rowStage, threadRow, kThreadRows, i));
    for (int64_t j = 0; j < columns; ++j)
      columnValues.push_back(read(columnStage, threadColumn, kThreadColumns, j));
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        next.push_back(computeBody(rowValues[static_cast<size_t>(i)],
                                   columnValues[static_cast<size_t>(j)],
                                   inner.getRegionIterArg(static_cast<unsigned>(i * columns + j))));
    scf::YieldOp::create(b, next);
  }
  scf::YieldOp::create(b, inner.getResults());
  return SmallVector<Value>(loop.getResults());
}

void ContractionWriter::computeTile() {
  OpOperand &out = *op.getDpsInitOperand(0);
  unsigned m = *contraction.m, n = contraction.n;
  SmallVector<Value> rowAt, columnAt, sums;
  for (int64_t i = 0; i < rows; ++i)
    rowAt.push_back(add(position[m], add(threadRow, constant(kThreadRows * i))));
  for (int64_t j = 0; j < columns; ++j)
    columnAt.push_back(add(position[n], add(threadColumn, constant(kThreadColumns * j))));
  SmallVector<Value> at(position);
  for (Value row : rowAt)
    for (Value column : columnAt) {
      at[m] = inside(row, bounds[m]);
      at[n] = inside(column, bounds[n]);
      sums.push_back(memref::LoadOp::create(b, out.get(), indicesOf(out, at)));
    }
  SmallVector<Value> results = accumulate(sums);
  for (auto [i, row] : llvm::enumerate(rowAt))
    for (auto [j, column] : llvm::enumerate(columnAt)) {
      auto isLess = [&](Value index, Value bound) -> Value {
        return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, index, bound);
      };
      Value isResult = arith::AndIOp::create(b, isLess(row, bounds[m]), isLess(column, bounds[n]));
      auto guarded = scf::IfOp::create(b, isResult, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(guarded.thenBlock());
      at[m] = row;
      at[n] = column;
      memref::StoreOp::create(b, results[i * columnAt.size() + j], out.get(), indicesOf(out, at));
    }
}

void ContractionWriter::run() {
  b.setInsertionPoint(op);
  for (const Range &range : op.createLoopRanges(b, op.getLoc()))
    bounds.push_back(getValueOrCreateConstantIndexOp(b, op.getLoc(), range.size));
  position.assign(bounds.size(), constant(0));
  reduced = constant(1);
  for (unsigned loop : contraction.k)
    reduced = b.createOrFold<arith::MulIOp>(reduced, bounds[loop]);
  thread = mlir::gpu::ThreadIdOp::create(b, mlir::gpu::Dimension::x);
  threadRow = arith::DivUIOp::create(b, thread, constant(kThreadColumns));
  threadColumn = arith::RemUIOp::create(b, thread, constant(kThreadColumns));
  rowStage = stage(contraction.rowOperand, *contraction.m, kThreadRows * rows, kPadding);
  columnStage = stage(contraction.columnOperand, contraction.n, kThreadColumns * columns, kPadding);
  SmallVector<unsigned> loops(contraction.others);
  loops.append({*contraction.m, contraction.n});
  loopOver(loops, [&] { computeTile(); });
  op->erase();
}

LogicalResult weft::gpu::distributeContraction(RewriterBase &rewriter,
                                               const Contraction &contraction, const Grid &grid,
                                               int64_t rows, int64_t columns) {
  if (!contraction.m || grid.threads != kThreadRows * kThreadColumns)
    return failure();
  OpBuilder::InsertionGuard guard(rewriter);
  ContractionWriter(rewriter, contraction, grid, rows, columns).run();
  return success();
}
