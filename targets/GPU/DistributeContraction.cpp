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
// neighbouring results; matrix instructions have an order of their own (MatrixProduct.h). What lies
// beyond the operands' extents is read at their last element and not written.
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/DistributeContraction.h"
#include "targets/GPU/MatrixProduct.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace weft;
using namespace weft::gpu;

/// Bytes of both operands that lie in workgroup memory at once, at most.
static constexpr int64_t kStagedBytes = 12 * 1024;

/// How many k are computed without a branch. LLVM would unroll all that are staged, and keep
/// what they read in more registers than there are.
static constexpr int32_t kUnrolledDepth = 8;

/// A row of staged rows is longer by this, so that threads which write a column of it
/// use different banks.
static constexpr int64_t kPadding = 1;

/// The same where rows are across: 8 rows by 4 pairs of k lie in different banks, and rows
/// begin at multiples of 16 bytes.
static constexpr int64_t kMatrixPadding = 8;

/// Rows and columns of results that a block computes by matrix instructions at once.
static constexpr int64_t kMatrixTileRows = 64, kMatrixTileColumns = 64;

namespace {
/// Writes the code of one contraction.
class ContractionWriter {
public:
  ContractionWriter(RewriterBase &rewriter, const Contraction &source, const Grid &grid,
                    RegisterTile tile, MatrixInstruction instruction);
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
  /// Row and column of a result in the contraction.
  using Place = std::pair<Value, Value>;
  SmallVector<Place> placeResults();
  SmallVector<Value> multiply(Value k, ValueRange sums);
  SmallVector<Value> multiplyMatrices(Value k, ValueRange sums);
  bool isMatrix() const { return instruction != MatrixInstruction::None; }
  int64_t tileRows() const { return isMatrix() ? kMatrixTileRows : kThreadRows * rows; }
  int64_t tileColumns() const { return isMatrix() ? kMatrixTileColumns : kThreadColumns * columns; }
  /// Subgroups along the columns of a tile; there are four along the rows.
  int64_t subgroupColumns() const {
    return threads / MatrixProduct::countLanes(instruction) / (kMatrixTileRows / kMatrixExtent);
  }
  /// Products of matrices that a subgroup has beside each other.
  int64_t products() const { return kMatrixTileColumns / kMatrixExtent / subgroupColumns(); }
  SmallVector<Value> accumulate(ValueRange sums);
  void fill(const Staged &staged, Value depth);
  Value computeBody(Value row, Value column, Value sum);

  Contraction contraction;
  linalg::LinalgOp op;
  ImplicitLocOpBuilder b;
  int64_t threads, rows, columns, depth;
  MatrixInstruction instruction;
  Value thread, reduced;
  Value threadRow, threadColumn; ///< of the thread's first result in a tile
  /// For matrix instructions: where the subgroup's first matrix is in a tile.
  std::optional<MatrixProduct> product;
  Value subgroupRow, subgroupColumn;
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
                                     const Grid &grid, RegisterTile tile,
                                     MatrixInstruction instruction)
    : contraction(source), op(cast<linalg::LinalgOp>(contraction.op.getOperation())),
      b(op.getLoc(), rewriter), threads(grid.threads), rows(tile.rows), columns(tile.columns),
      instruction(instruction) {
  // As many k as fit, a power of two so that threads divide what is staged evenly.
  depth = 32;
  int64_t perDepth = tileRows() * bytesOf(contraction.rowOperand) +
                     tileColumns() * bytesOf(contraction.columnOperand);
  while (depth > 4 && depth * perDepth > kStagedBytes)
    depth /= 2;
}

/// Workgroup memory for an operand: [k, across], and for matrix instructions, which take
/// neighbours along k, [across, k].
ContractionWriter::Staged ContractionWriter::stage(OpOperand *operand, unsigned loop,
                                                   int64_t extent) {
  Type element = getElementTypeOrSelf(operand->get().getType());
  AffineMap map = op.getMatchingIndexingMap(operand);
  bool alongDepth = map.getNumResults() > 0 && !map.getResults().back().isFunctionOfDim(loop);
  int64_t shape[] = {depth, extent + kPadding};
  if (isMatrix()) {
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
  if (!isMatrix()) {
    memref::StoreOp::create(b, value, staged.memory, ValueRange{k, across});
    return;
  }
  // Instructions take whole groups of k: beyond the last one there are zeros.
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

/// The sums with the products of 16 k by matrix instructions.
SmallVector<Value> ContractionWriter::multiplyMatrices(Value k, ValueRange sums) {
  SmallVector<Value> rowValues = product->loadRows(rowStage.memory, subgroupRow, k), next;
  auto count = static_cast<size_t>(product->countResults());
  for (int64_t j = 0; j < products(); ++j) {
    Value column = add(subgroupColumn, constant(j * kMatrixExtent));
    SmallVector<Value> columnValues = product->loadColumns(columnStage.memory, column, k);
    llvm::append_range(next, product->multiply(rowValues, columnValues,
                                               sums.slice(static_cast<size_t>(j) * count, count)));
  }
  return next;
}

/// Tells LLVM how many iterations to make one.
static void setUnrolling(scf::ForOp loop, int32_t count) {
  Builder b(loop.getContext());
  auto unroll = LLVM::LoopUnrollAttr::get(
      b.getContext(), /*disable=*/count == 1 ? b.getBoolAttr(true) : BoolAttr(),
      /*count=*/count == 1 ? IntegerAttr() : b.getI32IntegerAttr(count), /*runtimeDisable=*/{},
      /*full=*/{}, /*followupUnrolled=*/{}, /*followupRemainder=*/{}, /*followupAll=*/{});
  loop->setAttr("loop_annotation", LLVM::LoopAnnotationAttr::get(
                                       b.getContext(), /*disableNonforced=*/{},
                                       /*vectorize=*/{}, /*interleave=*/{}, unroll,
                                       /*unrollAndJam=*/{}, /*licm=*/{}, /*distribute=*/{},
                                       /*pipeline=*/{}, /*peeled=*/{}, /*unswitch=*/{},
                                       /*mustProgress=*/{}, /*isVectorized=*/{},
                                       /*startLoc=*/{}, /*endLoc=*/{}, /*parallelAccesses=*/{}));
}

/// The sums with the products of what is staged, of which the loop's first argument
/// tells how much there is.
SmallVector<Value> ContractionWriter::accumulate(ValueRange sums) {
  auto loop = scf::ForOp::create(b, constant(0), reduced, constant(depth), sums);
  setUnrolling(loop, 1);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  mlir::gpu::BarrierOp::create(b);
  fill(rowStage, loop.getInductionVar());
  fill(columnStage, loop.getInductionVar());
  mlir::gpu::BarrierOp::create(b);
  Value count = constant(depth);
  if (std::optional<int64_t> known = getConstantIntValue(reduced); !known || *known % depth != 0) {
    Value left = arith::SubIOp::create(b, reduced, loop.getInductionVar());
    count = arith::MinSIOp::create(b, left, count);
  }
  auto inner = scf::ForOp::create(b, constant(0), count, constant(isMatrix() ? kMatrixExtent : 1),
                                  loop.getRegionIterArgs());
  if (!isMatrix())
    setUnrolling(inner, kUnrolledDepth);
  {
    OpBuilder::InsertionGuard innerGuard(b);
    b.setInsertionPointToStart(inner.getBody());
    Value k = inner.getInductionVar();
    scf::YieldOp::create(b, isMatrix() ? multiplyMatrices(k, inner.getRegionIterArgs())
                                       : multiply(k, inner.getRegionIterArgs()));
  }
  scf::YieldOp::create(b, inner.getResults());
  return SmallVector<Value>(loop.getResults());
}

/// Where the thread's results are, in the order of its sums.
SmallVector<ContractionWriter::Place> ContractionWriter::placeResults() {
  Value firstRow = add(position[*contraction.m], threadRow);
  Value firstColumn = add(position[contraction.n], threadColumn);
  auto placeAt = [&](int64_t row, int64_t column) -> Place {
    return {add(firstRow, constant(row)), add(firstColumn, constant(column))};
  };
  SmallVector<Place> places;
  if (isMatrix()) {
    for (int64_t j = 0; j < products(); ++j)
      for (int64_t i = 0; i < product->countResults(); ++i) {
        auto [row, column] = product->offsetOf(i);
        places.push_back(placeAt(row, j * kMatrixExtent + column));
      }
    return places;
  }
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      places.push_back(placeAt(kThreadRows * i, kThreadColumns * j));
  return places;
}

void ContractionWriter::computeTile() {
  OpOperand &out = *op.getDpsInitOperand(0);
  unsigned m = *contraction.m, n = contraction.n;
  SmallVector<Place> places = placeResults();
  SmallVector<Value> sums;
  SmallVector<Value> at(position);
  for (auto [row, column] : places) {
    at[m] = inside(row, bounds[m]);
    at[n] = inside(column, bounds[n]);
    sums.push_back(memref::LoadOp::create(b, out.get(), indicesOf(b, op, out, at)));
  }
  SmallVector<Value> results = accumulate(sums);
  auto isLess = [&](Value index, Value bound) -> Value {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, index, bound);
  };
  for (auto [place, result] : llvm::zip_equal(places, results)) {
    auto [row, column] = place;
    Value isResult = arith::AndIOp::create(b, isLess(row, bounds[m]), isLess(column, bounds[n]));
    auto guarded = scf::IfOp::create(b, isResult, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(guarded.thenBlock());
    at[m] = row;
    at[n] = column;
    memref::StoreOp::create(b, result, out.get(), indicesOf(b, op, out, at));
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
  if (!isMatrix()) {
    threadRow = divide(thread, kThreadColumns);
    threadColumn = rest(thread, kThreadColumns);
    return;
  }
  int64_t lanes = MatrixProduct::countLanes(instruction);
  Value subgroup = divide(thread, lanes);
  product.emplace(b, instruction, rest(thread, lanes));
  auto times = [&](Value x, int64_t by) -> Value {
    return b.createOrFold<arith::MulIOp>(x, constant(by));
  };
  subgroupRow = times(divide(subgroup, subgroupColumns()), kMatrixExtent);
  subgroupColumn = times(rest(subgroup, subgroupColumns()), products() * kMatrixExtent);
  threadRow = add(subgroupRow, product->firstRow());
  threadColumn = add(subgroupColumn, product->firstColumn());
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
  if (!contraction.m || grid.threads != kThreadRows * kThreadColumns || tile.depth != 1)
    return failure();
  OpBuilder::InsertionGuard guard(rewriter);
  ContractionWriter(rewriter, contraction, grid, tile, MatrixInstruction::None).run();
  return success();
}

LogicalResult weft::gpu::distributeMatrixContraction(RewriterBase &rewriter,
                                                     const Contraction &contraction,
                                                     const Grid &grid,
                                                     MatrixInstruction instruction) {
  if (grid.threads != kThreadRows * kThreadColumns || !fitsMatrixInstruction(contraction))
    return failure();
  OpBuilder::InsertionGuard guard(rewriter);
  ContractionWriter(rewriter, contraction, grid, kMatrixTile, instruction).run();
  return success();
}
