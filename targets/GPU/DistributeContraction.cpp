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
// neighbouring results; tensor cores have an order of their own. What lies beyond the operands'
// extents is read at their last element and not written.
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/DistributeContraction.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
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

/// The same where rows are across: 8 rows by 4 pairs of k lie in different banks.
static constexpr int64_t kMatrixPadding = 8;

/// Threads that a tensor core serves at once, and the shape of what it computes.
static constexpr int64_t kWarp = 32, kMatrixRows = 16, kMatrixColumns = 8, kMatrixDepth = 16;

namespace {
/// Writes the code of one contraction.
class ContractionWriter {
public:
  ContractionWriter(RewriterBase &rewriter, const Contraction &source, const Grid &grid,
                    RegisterTile tile);
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
  Staged stage(OpOperand *operand, unsigned loop, int64_t extent);
  void loopOver(ArrayRef<unsigned> loops, llvm::function_ref<void()> body);
  void placeThread();
  void computeTile();
  void placeResults(SmallVectorImpl<Value> &rowAt, SmallVectorImpl<Value> &columnAt);
  SmallVector<Value> multiply(Value k, ValueRange sums);
  SmallVector<Value> multiplyMatrices(Value k, ValueRange sums);
  /// Of tensor cores: two warps along the columns, the others along the rows.
  int64_t tileRows() const {
    return isMatrix ? threads / kWarp / 2 * kMatrixRows : kThreadRows * rows;
  }
  int64_t tileColumns() const {
    return isMatrix ? 2 * columns / 2 * kMatrixColumns : kThreadColumns * columns;
  }
  SmallVector<Value> accumulate(ValueRange sums);
  void fill(const Staged &staged, Value depth);
  Value computeBody(Value row, Value column, Value sum);

  Contraction contraction;
  linalg::LinalgOp op;
  ImplicitLocOpBuilder b;
  int64_t threads, rows, columns, depth;
  bool isMatrix;
  Value thread, reduced;
  Value threadRow, threadColumn; ///< of the thread's first result in a tile
  /// For tensor cores: the thread's first k, and its column of the operand.
  Value pairInGroup, columnInTile;
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
                                     const Grid &grid, RegisterTile tile)
    : contraction(source), op(cast<linalg::LinalgOp>(contraction.op.getOperation())),
      b(op.getLoc(), rewriter), threads(grid.threads), rows(tile.rows), columns(tile.columns),
      isMatrix(tile.lanes == kMatrixTile.lanes) {
  // As many k as fit, a power of two so that threads divide what is staged evenly.
  depth = 32;
  int64_t perDepth = tileRows() * bytesOf(contraction.rowOperand) +
                     tileColumns() * bytesOf(contraction.columnOperand);
  while (depth > 4 && depth * perDepth > kStagedBytes)
    depth /= 2;
}

/// Workgroup memory for an operand: [k, across], and for tensor cores, which take pairs
/// along k, [across, k].
ContractionWriter::Staged ContractionWriter::stage(OpOperand *operand, unsigned loop,
                                                   int64_t extent) {
  Type element = getElementTypeOrSelf(operand->get().getType());
  AffineMap map = op.getMatchingIndexingMap(operand);
  bool alongDepth = map.getNumResults() > 0 && !map.getResults().back().isFunctionOfDim(loop);
  int64_t shape[] = {depth, extent + kPadding};
  if (isMatrix) {
    shape[0] = extent;
    shape[1] = depth + kMatrixPadding;
  }
  Value memory = memref::AllocaOp::create(b, MemRefType::get(shape, element));
  return {operand, loop, extent, memory, alongDepth};
}

/// Runs `body` for all positions of `loops`, which all threads count alike.
void ContractionWriter::loopOver(ArrayRef<unsigned> loops, llvm::function_ref<void()> body) {
  if (loops.empty())
    return body();
  unsigned loop = loops.front();
  int64_t step = loop == contraction.n ? tileColumns() : loop == *contraction.m ? tileRows() : 1;
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
  Value value = loadOperand(b, op, *staged.operand, at);
  if (!isMatrix) {
    memref::StoreOp::create(b, value, staged.memory, ValueRange{k, across});
    return;
  }
  // Tensor cores take whole groups of k: beyond the last one there are zeros.
  Value isInside = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, add(first, k), reduced);
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(value.getType()));
  value = arith::SelectOp::create(b, isInside, value, zero);
  memref::StoreOp::create(b, value, staged.memory, ValueRange{across, k});
}

Value ContractionWriter::computeBody(Value row, Value column, Value sum) {
  IRMapping mapping;
  mapping.map(op.getMatchingBlockArgument(contraction.rowOperand), row);
  mapping.map(op.getMatchingBlockArgument(contraction.columnOperand), column);
  mapping.map(op.getMatchingBlockArgument(op.getDpsInitOperand(0)), sum);
  return cloneBody(b, op, mapping, position).front();
}

/// The sums with the products of one k.
SmallVector<Value> ContractionWriter::multiply(Value k, ValueRange sums) {
  auto read = [&](const Staged &staged, Value first, int64_t step, int64_t number) -> Value {
    Value at = add(first, constant(step * number));
    return memref::LoadOp::create(b, staged.memory, ValueRange{k, at});
  };
  SmallVector<Value> rowValues, columnValues, next;
  for (int64_t i = 0; i < rows; ++i)
    rowValues.push_back(read(rowStage, threadRow, kThreadRows, i));
  for (int64_t j = 0; j < columns; ++j)
    columnValues.push_back(read(columnStage, threadColumn, kThreadColumns, j));
  for (Value row : rowValues)
    for (Value column : columnValues)
      next.push_back(computeBody(row, column, sums[next.size()]));
  return next;
}

/// The sums with the products of 16 k by `mma.sync` (PTX ISA, "Matrix Fragments for
/// mma.m16n8k16"): thread t of a group of four has the k at 2t and 2t + 8 and those after
/// them, of the rows g and g + 8 and of the column g, where g is the group.
SmallVector<Value> ContractionWriter::multiplyMatrices(Value k, ValueRange sums) {
  Type element = cast<MemRefType>(rowStage.memory.getType()).getElementType();
  bool isBFloat = element.isBF16();
  auto pairType = VectorType::get({2}, element);
  auto read = [&](const Staged &staged, Value across, int64_t group) -> Value {
    Value at = add(add(k, pairInGroup), constant(group));
    Value pair = vector::LoadOp::create(b, pairType, staged.memory, ValueRange{across, at},
                                        /*nontemporal=*/false, llvm::MaybeAlign(4));
    return isBFloat ? LLVM::BitcastOp::create(b, b.getI32Type(), pair) : pair;
  };
  auto type = isBFloat ? NVVM::MMATypes::bf16 : NVVM::MMATypes::f16;
  SmallVector<Value> rowPairs;
  for (int64_t group : {0, 8})
    for (int64_t row : {0, 8})
      rowPairs.push_back(read(rowStage, add(threadRow, constant(row)), group));
  auto resultType = LLVM::LLVMStructType::getLiteral(
      b.getContext(), SmallVector<Type>(4, contraction.accumulatorType));
  SmallVector<Value> next(sums);
  for (int64_t j = 0; j < columns; j += 2) {
    // Sums are in the order of rows, then columns.
    SmallVector<size_t> places;
    for (int64_t place : {j, j + 1, columns + j, columns + j + 1})
      places.push_back(static_cast<size_t>(place));
    Value column = add(columnInTile, constant(j / 2 * kMatrixColumns));
    SmallVector<Value> columnPairs{read(columnStage, column, 0), read(columnStage, column, 8)};
    SmallVector<Value> before =
        llvm::map_to_vector(places, [&](size_t place) { return next[place]; });
    Value result = NVVM::MmaOp::create(
        b, resultType, rowPairs, columnPairs, before,
        ArrayRef<int64_t>{kMatrixRows, kMatrixColumns, kMatrixDepth}, /*b1Op=*/std::nullopt,
        /*intOverflow=*/std::nullopt, std::array<NVVM::MMATypes, 2>{type, type},
        std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row, NVVM::MMALayout::col});
    for (auto [i, place] : llvm::enumerate(places))
      next[place] = LLVM::ExtractValueOp::create(b, result, static_cast<int64_t>(i));
  }
  return next;
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
  auto inner = scf::ForOp::create(b, constant(0), count, constant(isMatrix ? kMatrixDepth : 1),
                                  loop.getRegionIterArgs());
  {
    OpBuilder::InsertionGuard innerGuard(b);
    b.setInsertionPointToStart(inner.getBody());
    Value k = inner.getInductionVar();
    scf::YieldOp::create(b, isMatrix ? multiplyMatrices(k, inner.getRegionIterArgs())
                                     : multiply(k, inner.getRegionIterArgs()));
  }
  scf::YieldOp::create(b, inner.getResults());
  return SmallVector<Value>(loop.getResults());
}

/// Where the thread's results are.
void ContractionWriter::placeResults(SmallVectorImpl<Value> &rowAt,
                                     SmallVectorImpl<Value> &columnAt) {
  Value firstRow = add(position[*contraction.m], threadRow);
  Value firstColumn = add(position[contraction.n], threadColumn);
  for (int64_t i = 0; i < rows; ++i)
    rowAt.push_back(add(firstRow, constant(isMatrix ? 8 * i : kThreadRows * i)));
  for (int64_t j = 0; j < columns; ++j)
    columnAt.push_back(
        add(firstColumn, constant(isMatrix ? j / 2 * kMatrixColumns + j % 2 : kThreadColumns * j)));
}

void ContractionWriter::computeTile() {
  OpOperand &out = *op.getDpsInitOperand(0);
  unsigned m = *contraction.m, n = contraction.n;
  SmallVector<Value> rowAt, columnAt, sums;
  placeResults(rowAt, columnAt);
  SmallVector<Value> at(position);
  for (Value row : rowAt)
    for (Value column : columnAt) {
      at[m] = inside(row, bounds[m]);
      at[n] = inside(column, bounds[n]);
      sums.push_back(memref::LoadOp::create(b, out.get(), indicesOf(b, op, out, at)));
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
      memref::StoreOp::create(b, results[i * columnAt.size() + j], out.get(),
                              indicesOf(b, op, out, at));
    }
}

/// The thread's place in a tile.
void ContractionWriter::placeThread() {
  auto divide = [&](Value x, int64_t by) -> Value {
    return arith::DivUIOp::create(b, x, constant(by));
  };
  auto rest = [&](Value x, int64_t by) -> Value {
    return arith::RemUIOp::create(b, x, constant(by));
  };
  if (!isMatrix) {
    threadRow = divide(thread, kThreadColumns);
    threadColumn = rest(thread, kThreadColumns);
    return;
  }
  Value warp = divide(thread, kWarp), lane = rest(thread, kWarp);
  Value group = divide(lane, 4);
  pairInGroup = arith::MulIOp::create(b, rest(lane, 4), constant(2));
  Value warpRow = arith::MulIOp::create(b, divide(warp, 2), constant(kMatrixRows));
  Value warpColumn = arith::MulIOp::create(b, rest(warp, 2), constant(tileColumns() / 2));
  threadRow = add(warpRow, group);
  threadColumn = add(warpColumn, pairInGroup);
  columnInTile = add(warpColumn, group);
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
  placeThread();
  rowStage = stage(contraction.rowOperand, *contraction.m, tileRows());
  columnStage = stage(contraction.columnOperand, contraction.n, tileColumns());
  SmallVector<unsigned> loops(contraction.others);
  loops.append({*contraction.m, contraction.n});
  loopOver(loops, [&] { computeTile(); });
  op->erase();
}

bool weft::gpu::fitsMatrixInstruction(const Contraction &contraction) {
  auto elementOf = [](OpOperand *operand) {
    return getElementTypeOrSelf(operand->get().getType());
  };
  Type element = elementOf(contraction.rowOperand);
  return contraction.m && (element.isF16() || element.isBF16()) &&
         elementOf(contraction.columnOperand) == element && contraction.accumulatorType.isF32();
}

LogicalResult weft::gpu::distributeContraction(RewriterBase &rewriter,
                                               const Contraction &contraction, const Grid &grid,
                                               RegisterTile tile) {
  if (!contraction.m || grid.threads != kThreadRows * kThreadColumns)
    return failure();
  if (tile.lanes == kMatrixTile.lanes &&
      (tile.rows != kMatrixTile.rows || tile.columns != kMatrixTile.columns ||
       !fitsMatrixInstruction(contraction)))
    return failure();
  OpBuilder::InsertionGuard guard(rewriter);
  ContractionWriter(rewriter, contraction, grid, tile).run();
  return success();
}
