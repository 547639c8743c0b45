//===- SelectSchedules.cpp - Chooses schedules for CPUs -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/CPU/SelectSchedules.h"
#include "dialects/Weft/IR/Variants.h"
#include "targets/CPU/EstimateCost.h"
#include "transforms/Fuse/RowOperations.h"
#include "transforms/Tile/Contraction.h"
#include "transforms/Tile/Schedule.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/Interfaces/LoopLikeInterface.h"

using namespace mlir;
using namespace weft;
using cpu::kAssumedExtent;

/// Scalar operations that one work item should compute.
static constexpr int64_t kItemWork = 32768;

/// Multiply-adds that one work item of a contraction should compute.
static constexpr int64_t kContractionWork = 1 << 20;

/// The same of one that reads windows, which does fewer of them in a cycle.
static constexpr int64_t kWindowWork = 1 << 16;

/// What a loop inside of an operation's body counts as: how often it runs is data.
static constexpr int64_t kLoopWork = 1 << 12;

/// Scalar operations for each element of the root's result that the kernel's
/// other operations, its reductions and loops in bodies add.
static int64_t workPerElement(KernelOp kernel) {
  int64_t most = 1;
  kernel->walk([&](linalg::LinalgOp op) {
    bool loops = llvm::any_of(op.getBlock()->without_terminator(),
                              [](Operation &inner) { return isa<LoopLikeOpInterface>(inner); });
    int64_t work = loops ? kLoopWork : 1;
    SmallVector<int64_t> extents = op.getStaticLoopRanges();
    for (auto [extent, iterator] : llvm::zip(extents, op.getIteratorTypesArray()))
      if (iterator == utils::IteratorType::reduction)
        work *= std::min<int64_t>(ShapedType::isDynamic(extent) ? kAssumedExtent : extent, 1 << 20);
    most = std::max(most, std::min<int64_t>(work, 1 << 30));
  });
  return most;
}

namespace {
/// Rows and columns of a register tile, or of a work item.
struct Tile {
  int64_t rows, columns;
};

/// Chooses the tiles of a contraction.
///
/// - Columns: as many vectors as leave registers for the row broadcasts; 12 x 2
///   accumulators of 32 registers (AVX-512), 6 x 2 of 16 (AVX2).
/// - An unknown number of rows: lower and wider tiles besides.
/// - Work items: all of k, a multiple of the register tile, sized so that the
///   packed columns (k x columns) stay in half of a 1 MiB L2 cache.
class ContractionTiling {
public:
  ContractionTiling(Contraction contraction, int64_t vectorBits);

  Tile registers() const { return registerTile; }
  /// Pairs of rows and columns of lower register tiles; none if there are always as
  /// many rows.
  SmallVector<int64_t> fewRows() const;
  int64_t lanes() const { return vectorLanes; }
  /// Of the result's loop `loop` of the contraction; 0: all of it.
  int64_t itemTile(unsigned loop) const;
  /// Estimated nanoseconds of an item; 0: as of any kernel.
  int64_t itemCost() const;

private:
  void chooseRegisterTile(int64_t vectorBits);
  void chooseItemTile();
  void chooseMatrixTiles();
  int64_t extentOf(unsigned loop) const;
  int64_t elementBits() const { return contraction.accumulatorType.getIntOrFloatBitWidth(); }
  int64_t countItems() const {
    return matrices * llvm::divideCeil(n, item.columns) * llvm::divideCeil(m, item.rows);
  }
  /// Columns that register tiles of so many vectors compute for `columns`.
  int64_t covered(int64_t columns, int64_t vectors) const {
    return llvm::alignTo(columns, vectors * vectorLanes);
  }
  int64_t fewestVectors(int64_t columns, int64_t vectors) const;
  int64_t itemRows() const { return std::min(m, item.rows); }
  int64_t itemColumns() const { return std::min(n, item.columns); }

  const Contraction contraction;
  SmallVector<int64_t> extents; ///< of the contraction's loops
  int64_t vectorLanes;
  int64_t m, n, k = 1, matrices = 1;
  bool readsWindows;
  Tile registerTile, item;
  SmallVector<int64_t> matrixTiles; ///< of the loops that are no rows or columns
  int64_t work = 0;                 ///< multiply-adds of an item
};
} // namespace

/// The tile, a multiple of `unit`, that cuts `extent` into as many pieces as
/// `tile` does, all of about the same size.
static int64_t balance(int64_t extent, int64_t tile, int64_t unit) {
  return llvm::alignTo(llvm::divideCeil(extent, llvm::divideCeil(extent, tile)), unit);
}

ContractionTiling::ContractionTiling(Contraction contraction, int64_t vectorBits)
    : contraction(contraction), extents(contraction.op.getStaticLoopRanges()),
      vectorLanes(vectorBits / contraction.accumulatorType.getIntOrFloatBitWidth()),
      m(contraction.m ? extentOf(*contraction.m) : 1), n(extentOf(contraction.n)),
      readsWindows(contraction.readsWindows()), matrixTiles(extents.size(), 1) {
  for (unsigned loop : contraction.k)
    k = std::min<int64_t>(k * std::max<int64_t>(extentOf(loop), 1), 1 << 20);
  for (unsigned loop : contraction.others)
    matrices = std::min<int64_t>(matrices * std::max<int64_t>(extentOf(loop), 1), 1 << 20);
  chooseRegisterTile(vectorBits);
  chooseItemTile();
  chooseMatrixTiles();
}

/// More than a million counts as a million: products of extents stay small.
int64_t ContractionTiling::extentOf(unsigned loop) const {
  return std::min<int64_t>(
      ShapedType::isDynamic(extents[loop]) ? kAssumedExtent * 4 : extents[loop], 1 << 20);
}

/// Fewer vectors, as long as they cover `columns` no worse.
int64_t ContractionTiling::fewestVectors(int64_t columns, int64_t vectors) const {
  while (vectors > 1 && covered(columns, vectors - 1) <= covered(columns, vectors))
    --vectors;
  return vectors;
}

void ContractionTiling::chooseRegisterTile(int64_t vectorBits) {
  // Vectors that cover n with the least waste, two of them if it does not matter.
  int64_t accumulators = vectorBits >= 512 ? 24 : 12, vectors = 2;
  for (int64_t v : {4, 3, 1})
    if (covered(n, v) < covered(n, vectors))
      vectors = v;
  int64_t rows = accumulators / vectors;
  if (m < rows) {
    // Few rows: more columns, so that enough multiply-adds are in flight.
    rows = std::max<int64_t>(m, 1);
    vectors =
        std::min<int64_t>(vectorBits >= 512 ? 8 : 4, std::max<int64_t>(1, accumulators / rows));
    vectors = fewestVectors(n, vectors);
  }
  registerTile = {rows, vectors * vectorLanes};
}

/// As many vectors as there are registers for accumulators, columns and a row, at most
/// eight, and no more than cover the columns best.
SmallVector<int64_t> ContractionTiling::fewRows() const {
  SmallVector<int64_t> tiles;
  if (!contraction.m || !ShapedType::isDynamic(extents[*contraction.m]) || readsWindows)
    return tiles;
  int64_t most = registerTile.rows, registers = vectorLanes * elementBits() >= 512 ? 32 : 16;
  for (int64_t rows : {int64_t(1), most / 3, 2 * most / 3}) {
    if (rows >= most || rows <= (tiles.empty() ? 0 : tiles[tiles.size() - 2]))
      continue;
    int64_t vectors = std::min<int64_t>(8, (registers - 1) / (rows + 1));
    tiles.append({rows, fewestVectors(itemColumns(), vectors) * vectorLanes});
  }
  return tiles;
}

void ContractionTiling::chooseItemTile() {
  auto [rows, columns] = registerTile;
  int64_t elementBytes = std::max<int64_t>(1, elementBits() / 8);
  item.columns = std::max<int64_t>(columns, (512 * 1024 / (elementBytes * k)) / columns * columns);
  item.columns = std::min<int64_t>(item.columns, 256 / columns * columns + columns);
  item.rows = std::max<int64_t>(rows, 240 / rows * rows);
  // Windows are read row by row, which may be as long as they like.
  if (readsWindows)
    item.columns = llvm::alignTo(n, columns);
  // At least a few items for each of some threads.
  while (item.columns > columns && countItems() < 8)
    item.columns -= columns;
  if (!readsWindows && n > item.columns)
    item.columns = balance(n, item.columns, columns);
  // Few columns: rows are divided too.
  while (item.rows > 2 * rows && countItems() < 4 &&
         itemRows() * itemColumns() * k > kContractionWork)
    item.rows = llvm::alignTo(item.rows / 2, rows);
  if (m > item.rows)
    item.rows = balance(m, item.rows, rows);
}

/// Small matrices are taken several at a time, innermost loops first.
void ContractionTiling::chooseMatrixTiles() {
  work = itemRows() * itemColumns() * std::max<int64_t>(k, 1);
  int64_t itemWork = readsWindows ? kWindowWork : kContractionWork;
  for (unsigned loop : llvm::reverse(contraction.others)) {
    if (work >= itemWork)
      break;
    int64_t extent = std::max<int64_t>(extentOf(loop), 1);
    int64_t tile =
        std::min<int64_t>(extent, llvm::divideCeil(itemWork, std::max<int64_t>(work, 1)));
    matrixTiles[loop] = balance(extent, tile, 1);
    work *= matrixTiles[loop];
  }
}

int64_t ContractionTiling::itemTile(unsigned loop) const {
  bool isDynamic = ShapedType::isDynamic(extents[loop]);
  if (loop == contraction.n)
    return item.columns < n || (isDynamic && !readsWindows) ? item.columns : 0;
  if (contraction.m && loop == *contraction.m)
    return item.rows < m || isDynamic ? item.rows : 0;
  return extents[loop] == matrixTiles[loop] ? 0 : matrixTiles[loop];
}

int64_t ContractionTiling::itemCost() const {
  if (!readsWindows)
    return 0;
  // Windows take longer to read than to multiply: about three vectors of
  // multiply-adds in eight nanoseconds.
  int64_t perNanosecond = std::max<int64_t>(1, vectorLanes * 3 / 8);
  return std::max<int64_t>(1, work / perNanosecond);
}

/// The kernel's only reduction, if it is a contraction that has vectors of at
/// least two elements and no loops without iterations: these are not worth
/// tiles, and upstream cannot cut them.
static std::optional<Contraction> matchContraction(KernelOp kernel, int64_t vectorBits) {
  std::optional<Contraction> contraction;
  unsigned reductions = 0;
  kernel->walk([&](linalg::GenericOp op) {
    if (op.getNumReductionLoops() == 0)
      return;
    ++reductions;
    contraction = Contraction::match(op);
  });
  if (!contraction || reductions != 1 || !contraction->accumulatorType.isIntOrFloat() ||
      llvm::is_contained(contraction->op.getStaticLoopRanges(), 0))
    return std::nullopt;
  // Elements below a byte lie in memory as bytes.
  unsigned bits = contraction->accumulatorType.getIntOrFloatBitWidth();
  if (bits < 8 || vectorBits / bits < 2)
    return std::nullopt;
  return contraction;
}

/// Register tile and work items of a kernel around one contraction. The root's
/// loops are those of the result; rows and columns are its last two in that
/// order of the contraction, the others are independent matrices.
static bool selectContractionSchedule(KernelOp kernel) {
  TargetAttr target = targetOf(kernel);
  int64_t vectorBits = target ? target.getVectorBits() : 128;
  std::optional<Contraction> contraction = matchContraction(kernel, vectorBits);
  TilingInterface root = getScheduledRoot(kernel);
  auto generic = dyn_cast_or_null<linalg::LinalgOp>(root.getOperation());
  if (!contraction || !generic || root->getNumResults() != 1)
    return false;
  // The root must walk the contraction's result, one loop a dimension.
  linalg::GenericOp op = contraction->op;
  auto resultType = cast<RankedTensorType>(op.getResult(0).getType());
  if (root != op.getOperation() &&
      generic.getNumLoops() != static_cast<unsigned>(resultType.getRank()))
    return false;

  ContractionTiling tiling(*contraction, vectorBits);
  AffineMap outMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  SmallVector<int64_t> tiles(generic.getNumLoops(), 0);
  for (unsigned i = 0; i < outMap.getNumResults(); ++i) {
    unsigned loop = outMap.getDimPosition(i);
    tiles[root == op.getOperation() ? loop : i] = tiling.itemTile(loop);
  }
  auto [rows, columns] = tiling.registers();
  kernel.setScheduleAttr(ScheduleAttr::get(kernel.getContext(), tiles, {},
                                           {rows, columns, tiling.lanes()}, tiling.fewRows(),
                                           tiling.itemCost()));
  return true;
}

/// The root's loops along which another operation of the kernel reduces: a tile
/// of them would compute the whole reduction again.
static SmallVector<bool> reducedByProducers(KernelOp kernel, linalg::LinalgOp root) {
  SmallVector<bool> reduced(root.getNumLoops(), false);
  kernel->walk([&](linalg::LinalgOp op) {
    if (op == root || op.getNumReductionLoops() == 0)
      return;
    SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
    for (OpOperand &operand : op->getOpOperands()) {
      AffineMap map = op.getMatchingIndexingMap(&operand);
      if (map.getNumResults() != root.getNumLoops())
        continue;
      for (auto [i, expr] : llvm::enumerate(map.getResults()))
        if (auto dim = dyn_cast<AffineDimExpr>(expr))
          if (iterators[dim.getPosition()] == utils::IteratorType::reduction)
            reduced[i] = true;
    }
  });
  return reduced;
}

/// Extents of a block of a transposition: along the result's last dimension, and along
/// that of the operand, for elements of four bytes or more and for narrower ones. Both
/// are whole cache lines and squares in registers. The operand is read in 16 streams,
/// which the longer extent is for; twice of it is no faster, and lines of the result
/// that lie a power of two apart would leave the cache before they are full.
static constexpr int64_t kBlockColumns = 64, kBlockRows = 128, kBlockNarrowRows = 64;

/// Shorter rows than this are not transposed in registers.
static constexpr int64_t kMinTransposed = 4;

namespace {
/// A loop along which an operand is contiguous, where the result is not.
struct TransposedLoop {
  unsigned loop;
  int64_t rows; ///< of a block
};
} // namespace

/// What the root reads, in its loops; where a transposition gives an operand, what
/// that reads.
static SmallVector<std::pair<AffineMap, Type>> readsOf(linalg::LinalgOp root) {
  SmallVector<std::pair<AffineMap, Type>> reads;
  for (OpOperand *operand : root.getDpsInputOperands()) {
    AffineMap map = root.getMatchingIndexingMap(operand);
    Value value = operand->get();
    if (auto transpose = value.getDefiningOp<linalg::TransposeOp>()) {
      auto producer = cast<linalg::LinalgOp>(transpose.getOperation());
      map = producer.getMatchingIndexingMap(producer.getDpsInputOperand(0)).compose(map);
    }
    reads.emplace_back(map, getElementTypeOrSelf(value.getType()));
  }
  return reads;
}

/// The loop along which an operand is contiguous, where the result is not: walking it
/// in the result's order would read a cache line for each element.
static std::optional<TransposedLoop> findTransposedLoop(linalg::LinalgOp root) {
  unsigned loops = root.getNumLoops();
  if (loops < 2 || root.getNumParallelLoops() != loops)
    return std::nullopt;
  SmallVector<int64_t> extents = root.getStaticLoopRanges();
  int64_t elements = 1;
  for (int64_t extent : extents)
    elements = std::min<int64_t>(elements * (ShapedType::isDynamic(extent) ? kItemWork : extent),
                                 kItemWork);
  if (elements < kItemWork)
    return std::nullopt; // stays in the cache
  auto isLong = [&](unsigned loop) {
    return ShapedType::isDynamic(extents[loop]) || extents[loop] >= kMinTransposed;
  };
  for (auto [map, type] : readsOf(root)) {
    if (map.getNumResults() == 0 || !map.isFunctionOfDim(loops - 1) || !type.isIntOrFloat())
      continue;
    auto last = dyn_cast<AffineDimExpr>(map.getResults().back());
    if (!last || last.getPosition() == loops - 1 || !isLong(loops - 1) ||
        !isLong(last.getPosition()))
      continue;
    return TransposedLoop{last.getPosition(),
                          type.getIntOrFloatBitWidth() < 32 ? kBlockNarrowRows : kBlockRows};
  }
  return std::nullopt;
}

/// Cuts the parallel loops of a kernel's root so that one work item computes
/// about kItemWork scalar operations: inner loops stay whole as long as the
/// product of their extents is below it, outer ones are tiled to 1. Dynamic
/// extents count as kAssumedExtent. Transpositions are cut into blocks first. A
/// kernel with little work gets no schedule.
static void selectLoopSchedule(KernelOp kernel) {
  TilingInterface root = getScheduledRoot(kernel);
  auto generic = dyn_cast_or_null<linalg::LinalgOp>(root.getOperation());
  if (!generic)
    return;
  SmallVector<int64_t> extents = generic.getStaticLoopRanges();
  if (llvm::is_contained(extents, 0))
    return;
  SmallVector<utils::IteratorType> iterators = generic.getIteratorTypesArray();
  SmallVector<int64_t> tiles(extents.size(), 0);
  int64_t work = workPerElement(kernel);
  SmallVector<bool> isReduced = reducedByProducers(kernel, generic);
  bool tiled = false;
  auto cut = [&](unsigned loop, int64_t size) {
    if (ShapedType::isDynamic(extents[loop]) || extents[loop] > size)
      tiles[loop] = size;
    isReduced[loop] = true; // done with
    work *= ShapedType::isDynamic(extents[loop]) ? size : std::min(size, extents[loop]);
  };
  if (std::optional<TransposedLoop> transposed = findTransposedLoop(generic);
      transposed && !isReduced[transposed->loop] && !isReduced.back() && work < kItemWork) {
    cut(static_cast<unsigned>(extents.size()) - 1, kBlockColumns);
    cut(transposed->loop, transposed->rows);
    tiled = llvm::any_of(tiles, [](int64_t size) { return size != 0; });
  }
  for (int64_t i = static_cast<int64_t>(extents.size()) - 1; i >= 0; --i) {
    if (iterators[i] != utils::IteratorType::parallel || isReduced[i])
      continue;
    bool dynamic = ShapedType::isDynamic(extents[i]);
    int64_t extent = dynamic ? kAssumedExtent : extents[i];
    if (work >= kItemWork) {
      if (extents[i] == 1)
        continue;
      tiles[i] = 1;
      tiled = true;
    } else if (dynamic || work * extent > kItemWork) {
      tiles[i] = std::max<int64_t>(1, llvm::divideCeil(kItemWork, work));
      if (!dynamic && tiles[i] >= extent)
        tiles[i] = 0;
      else
        tiled = true;
      work = kItemWork;
    } else {
      work *= std::max<int64_t>(extent, 1);
    }
  }
  if (tiled)
    kernel.setScheduleAttr(ScheduleAttr::get(kernel.getContext(), tiles, {}, {}));
}

/// Elements of a work item of a kernel that works row by row: what it leaves
/// from one operation to the next stays in the first-level cache.
static constexpr int64_t kRowItemElements = 2048;

/// What a dynamic row length counts as: such rows are taken one by one.
static constexpr int64_t kAssumedRowLength = 1024;

/// Cuts a kernel that works row by row into tiles of as many whole rows as have
/// about kRowItemElements elements, inner dimensions first.
static void selectRowSchedule(KernelOp kernel, RowKernel &rows) {
  SmallVector<int64_t> extents = rows.getRowExtents();
  // Rows without elements have no tiles: MLIR takes no slice at the end of a
  // dimension, which is where a slice of an empty one begins.
  auto isEmpty = [](Type type) {
    auto shaped = dyn_cast<ShapedType>(type);
    return shaped && llvm::is_contained(shaped.getShape(), 0);
  };
  if (llvm::is_contained(extents, 0) || llvm::any_of(kernel.getArgumentTypes(), isEmpty))
    return;
  int64_t left = std::max<int64_t>(1, kRowItemElements / rows.getRowLength(kAssumedRowLength));
  SmallVector<int64_t> tiles(extents.size(), 0);
  for (size_t i = extents.size(); i-- > 0;) {
    bool isDynamic = ShapedType::isDynamic(extents[i]);
    if (!isDynamic && extents[i] <= left) {
      left /= extents[i];
      continue;
    }
    tiles[i] = left;
    left = 1;
  }
  if (llvm::all_of(tiles, [](int64_t tile) { return tile == 0; }))
    return;
  int64_t cost = cpu::estimateItemCost(kernel, extents, tiles);
  kernel.setScheduleAttr(ScheduleAttr::get(kernel.getContext(), tiles, {}, {}).withCost(cost));
}

LogicalResult cpu::selectSchedule(KernelOp kernel) {
  if (selectContractionSchedule(kernel)) {
    // Its cost follows.
  } else if (std::optional<RowKernel> rows = RowKernel::match(kernel)) {
    selectRowSchedule(kernel, *rows);
  } else {
    selectLoopSchedule(kernel);
  }
  ScheduleAttr schedule = kernel.getScheduleAttr();
  auto root = dyn_cast_or_null<linalg::LinalgOp>(getScheduledRoot(kernel).getOperation());
  if (schedule && schedule.getCost() == 0 && root)
    kernel.setScheduleAttr(schedule.withCost(
        estimateItemCost(kernel, root.getStaticLoopRanges(), schedule.getParallel())));
  return success();
}
