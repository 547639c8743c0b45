//===- ContractionTiling.cpp - Chooses the tiles of a contraction ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/CPU/ContractionTiling.h"
#include "targets/CPU/EstimateCost.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

/// Multiply-adds that one work item of a contraction should compute.
static constexpr int64_t kContractionWork = 1 << 20;

/// The same of one that reads windows, which does fewer of them in a cycle.
static constexpr int64_t kWindowWork = 1 << 16;

/// Elements of decoded or packed factors that a work item holds at a time: 64 KB of f32.
static constexpr int64_t kDecodedElements = 1 << 14;

/// The tile, a multiple of `unit`, that cuts `extent` into as many pieces as
/// `tile` does, all of about the same size.
static int64_t balance(int64_t extent, int64_t tile, int64_t unit) {
  return llvm::alignTo(llvm::divideCeil(extent, llvm::divideCeil(extent, tile)), unit);
}

/// Whether a factor is computed from where its elements lie, by an operation that has no
/// operands: that of a format.
static bool isDecoded(OpOperand *factor) {
  auto producer = factor->get().getDefiningOp<linalg::GenericOp>();
  return producer && producer.getNumDpsInputs() == 0 && producer.hasIndexSemantics() &&
         producer.getNumParallelLoops() == producer.getNumLoops();
}

ContractionTiling::ContractionTiling(Contraction contraction, int64_t vectorBits, bool isItem)
    : contraction(contraction), extents(contraction.op.getStaticLoopRanges()),
      vectorLanes(vectorBits / contraction.accumulatorType.getIntOrFloatBitWidth()),
      m(contraction.m ? extentOf(*contraction.m) : 1), n(extentOf(contraction.n)),
      readsWindows(contraction.readsWindows()), matrixTiles(extents.size(), 1) {
  for (unsigned loop : contraction.k)
    k = std::min<int64_t>(k * std::max<int64_t>(extentOf(loop), 1), 1 << 20);
  for (unsigned loop : contraction.others)
    matrices = std::min<int64_t>(matrices * std::max<int64_t>(extentOf(loop), 1), 1 << 20);
  chooseRegisterTile(vectorBits);
  item = {m, n};
  if (isItem)
    return;
  chooseItemTile();
  chooseMatrixTiles();
}

/// More than a million counts as a million: products of extents stay small.
int64_t ContractionTiling::extentOf(unsigned loop) const {
  return std::min<int64_t>(
      ShapedType::isDynamic(extents[loop]) ? kAssumedExtent * 4 : extents[loop], 1 << 20);
}

/// Fewer vectors, as long as they cover `columns` better.
int64_t ContractionTiling::fewestVectors(int64_t columns, int64_t vectors) const {
  while (vectors > 1 && covered(columns, vectors - 1) < covered(columns, vectors))
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

/// Whether columns that lie apart are packed for so few rows that they leave the cache
/// before they are read.
bool ContractionTiling::packsFewRows() const {
  linalg::GenericOp op = contraction.op;
  AffineMap map = op.getMatchingIndexingMap(contraction.columnOperand);
  bool areContiguous =
      map.getNumResults() != 0 && map.getResults().back().isFunctionOfDim(contraction.n);
  return !areContiguous && !(contraction.m && ShapedType::isDynamic(extents[*contraction.m])) &&
         m <= 2 * registerTile.rows;
}

SmallVector<int64_t> ContractionTiling::reduction() const {
  bool holdsColumns = isDecoded(contraction.columnOperand) || packsFewRows();
  int64_t decoded =
      (holdsColumns ? itemColumns() : 0) + (isDecoded(contraction.rowOperand) ? itemRows() : 0);
  if (decoded == 0 || contraction.k.size() != 1)
    return {};
  unsigned loop = contraction.k.front();
  int64_t most = std::max(kDecodedElements / decoded / vectorLanes, int64_t(1)) * vectorLanes;
  bool isDynamic = ShapedType::isDynamic(extents[loop]);
  if (!isDynamic && extents[loop] <= most)
    return {};
  SmallVector<int64_t> tiles(extents.size(), 0);
  tiles[loop] = isDynamic ? most : balance(extents[loop], most, vectorLanes);
  return tiles;
}

int64_t ContractionTiling::itemCost() const {
  if (!readsWindows)
    return 0;
  // Windows take longer to read than to multiply: about three vectors of
  // multiply-adds in eight nanoseconds.
  int64_t perNanosecond = std::max<int64_t>(1, vectorLanes * 3 / 8);
  return std::max<int64_t>(1, work / perNanosecond);
}
