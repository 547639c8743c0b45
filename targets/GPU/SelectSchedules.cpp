//===- SelectSchedules.cpp - Chooses schedules for GPUs -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/SelectSchedules.h"
#include "targets/GPU/DistributeContraction.h"
#include "transforms/Fuse/RowOperations.h"
#include "transforms/Tile/Schedule.h"

using namespace mlir;
using namespace weft;
using namespace weft::gpu;

/// Fewer rows or columns than this do not fill a tile's threads.
static constexpr int64_t kMinRows = 8, kMinColumns = 16;

/// Rows of a matrix product that a thread keeps of numbers of 64 bits, which take twice the
/// registers and workgroup memory.
static constexpr int64_t kWideRows = 2;

/// The kernel's only reduction, if it is a matrix product that is worth tiles.
static std::optional<Contraction> matchContraction(KernelOp kernel) {
  std::optional<Contraction> contraction;
  unsigned reductions = 0;
  kernel->walk([&](linalg::LinalgOp op) {
    if (op.getNumReductionLoops() == 0)
      return;
    ++reductions;
    if (auto generic = dyn_cast<linalg::GenericOp>(op.getOperation()))
      contraction = Contraction::match(generic);
  });
  if (!contraction || reductions != 1 || !contraction->m ||
      !contraction->accumulatorType.isIntOrFloat())
    return std::nullopt;
  SmallVector<int64_t> extents = contraction->op.getStaticLoopRanges();
  auto isAtLeast = [](int64_t extent, int64_t least) {
    return ShapedType::isDynamic(extent) || extent >= least;
  };
  // MLIR cannot cut loops without iterations.
  if (llvm::is_contained(extents, 0) || !isAtLeast(extents[*contraction->m], kMinRows) ||
      !isAtLeast(extents[contraction->n], kMinColumns))
    return std::nullopt;
  return contraction;
}

/// Tiles of the root around a matrix product, whose loops must be those of the
/// product's result.
static bool selectContractionSchedule(KernelOp kernel, bool hasMatrixInstruction) {
  std::optional<Contraction> contraction = matchContraction(kernel);
  TilingInterface root = getScheduledRoot(kernel);
  auto structured = dyn_cast_or_null<linalg::LinalgOp>(root.getOperation());
  if (!contraction || !structured || root->getNumResults() != 1)
    return false;
  linalg::GenericOp op = contraction->op;
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  bool isRoot = root == op.getOperation();
  if (!isRoot && structured.getNumLoops() != static_cast<unsigned>(type.getRank()))
    return false;
  int64_t rows =
      contraction->accumulatorType.getIntOrFloatBitWidth() > 32 ? kWideRows : kScalarTile.rows;
  AffineMap outMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  SmallVector<int64_t> tiles(structured.getNumLoops(), 0);
  for (unsigned i = 0; i < outMap.getNumResults(); ++i) {
    unsigned loop = outMap.getDimPosition(i);
    int64_t tile = loop == contraction->n    ? kThreadColumns * kScalarTile.columns
                   : loop == *contraction->m ? kThreadRows * rows
                                             : 1;
    tiles[isRoot ? loop : i] = tile;
  }
  RegisterTile registers{rows, kScalarTile.columns, 1};
  if (hasMatrixInstruction && fitsMatrixInstruction(*contraction))
    registers = kMatrixTile;
  kernel.setScheduleAttr(ScheduleAttr::get(kernel.getContext(), tiles, {},
                                           {registers.rows, registers.columns, registers.depth}));
  return true;
}

/// A row a block.
static void selectRowSchedule(KernelOp kernel) {
  std::optional<RowKernel> rows = RowKernel::match(kernel);
  if (!rows)
    return;
  SmallVector<int64_t> extents = rows->getRowExtents();
  // MLIR takes no slice at the end of a dimension, which is where a slice of an
  // empty one begins.
  auto isEmpty = [](Type type) {
    auto shaped = dyn_cast<ShapedType>(type);
    return shaped && llvm::is_contained(shaped.getShape(), 0);
  };
  if (llvm::is_contained(extents, 0) || llvm::any_of(kernel.getArgumentTypes(), isEmpty))
    return;
  kernel.setScheduleAttr(
      ScheduleAttr::get(kernel.getContext(), SmallVector<int64_t>(extents.size(), 1), {}, {}));
}

void weft::gpu::selectSchedule(KernelOp kernel, bool hasMatrixInstruction) {
  if (!selectContractionSchedule(kernel, hasMatrixInstruction))
    selectRowSchedule(kernel);
}
