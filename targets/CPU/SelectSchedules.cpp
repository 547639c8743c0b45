//===- SelectSchedules.cpp - Chooses schedules for CPUs -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/CPU/SelectSchedules.h"
#include "dialects/Weft/IR/Variants.h"
#include "targets/CPU/ContractionTiling.h"
#include "targets/CPU/EstimateCost.h"
#include "transforms/Fuse/RowOperations.h"
#include "transforms/Tile/Schedule.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/Interfaces/LoopLikeInterface.h"

using namespace mlir;
using namespace weft;
using cpu::ContractionTiling;
using cpu::kAssumedExtent;

/// Scalar operations that one work item should compute.
static constexpr int64_t kItemWork = 32768;

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

/// Whether a contraction has vectors of at least two elements and no loops without
/// iterations: these are not worth tiles, and upstream cannot cut them.
static bool isVectorizable(const Contraction &contraction, int64_t vectorBits) {
  linalg::GenericOp op = contraction.op;
  if (!contraction.accumulatorType.isIntOrFloat() ||
      llvm::is_contained(op.getStaticLoopRanges(), 0))
    return false;
  // Elements below a byte lie in memory as bytes.
  unsigned bits = contraction.accumulatorType.getIntOrFloatBitWidth();
  return bits >= 8 && vectorBits / bits >= 2;
}

/// The kernel's only reduction, if it is a contraction that is worth vectors.
static std::optional<Contraction> matchContraction(KernelOp kernel, int64_t vectorBits) {
  std::optional<Contraction> contraction;
  unsigned reductions = 0;
  kernel->walk([&](linalg::GenericOp op) {
    if (op.getNumReductionLoops() == 0)
      return;
    ++reductions;
    contraction = Contraction::match(op);
  });
  if (!contraction || reductions != 1 || !isVectorizable(*contraction, vectorBits))
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
  kernel.setScheduleAttr(ScheduleAttr::get(kernel.getContext(), tiles, tiling.reduction(),
                                           {rows, columns, tiling.lanes()}, tiling.fewRows(),
                                           tiling.itemCost()));
  return true;
}

/// The register tile of contractions inside of a kernel's own loops, as the reference of
/// grouped matrix products has them; none unless all have rows and one type of sums.
static bool selectNestedContractions(KernelOp kernel) {
  if (getScheduledRoot(kernel))
    return false;
  TargetAttr target = targetOf(kernel);
  int64_t vectorBits = target ? target.getVectorBits() : 128;
  std::optional<Contraction> chosen;
  bool areAlike = true;
  kernel->walk([&](linalg::GenericOp op) {
    std::optional<Contraction> contraction = Contraction::match(op);
    if (!contraction)
      return;
    areAlike &= contraction->m.has_value() &&
                (!chosen || chosen->accumulatorType == contraction->accumulatorType);
    chosen = contraction;
  });
  if (!chosen || !areAlike || !isVectorizable(*chosen, vectorBits))
    return false;
  ContractionTiling tiling(*chosen, vectorBits, /*isItem=*/true);
  auto [rows, columns] = tiling.registers();
  kernel.setScheduleAttr(ScheduleAttr::get(kernel.getContext(), /*parallel=*/{0}, {},
                                           {rows, columns, tiling.lanes()}, tiling.fewRows(),
                                           /*cost=*/0));
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
  if (selectContractionSchedule(kernel) || selectNestedContractions(kernel)) {
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
