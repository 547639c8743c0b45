//===- TileRows.cpp - Tiles kernels that work row by row ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Fuse/RowOperations.h"
#include "transforms/Tile/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace weft {
#define GEN_PASS_DEF_TILEROWS
#include "transforms/Tile/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
/// Writes the loop over tiles of rows and what computes one tile.
class RowTiler {
public:
  RowTiler(KernelOp kernel, RowKernel rows, RewriterBase &b)
      : kernel(kernel), rows(std::move(rows)), b(b), loc(kernel.getLoc()) {}
  void run(ArrayRef<int64_t> tiles);

private:
  void computeTile(ArrayRef<int64_t> tiles, scf::ForallOp loop, ArrayRef<OpFoldResult> extents);
  /// The part of `source`, a value indexed by `map`, that belongs to the tile.
  Value slice(Value source, AffineMap map);
  Value tileOfInit(linalg::LinalgOp op, AffineMap map);
  Value destination(Value base, AffineMap map, Operation *result);
  SmallVector<OpFoldResult> sizesOf(Value source, AffineMap map);
  SmallVector<OpFoldResult> offsetsOf(AffineMap map);

  KernelOp kernel;
  RowKernel rows;
  RewriterBase &b;
  Location loc;
  SmallVector<OpFoldResult> offsets, sizes; ///< of the tile, one a row dimension
  DenseMap<Value, Value> tileOf;            ///< of results of the kernel's operations
  DenseMap<Operation *, Value> outOf;       ///< the loop's view of the out that is yielded
};
} // namespace

/// The row dimension that `expr` is, if it is one.
static std::optional<unsigned> rowDimension(AffineExpr expr, unsigned rowRank) {
  auto dim = dyn_cast<AffineDimExpr>(expr);
  if (dim && dim.getPosition() < rowRank)
    return dim.getPosition();
  return std::nullopt;
}

SmallVector<OpFoldResult> RowTiler::offsetsOf(AffineMap map) {
  return llvm::map_to_vector(map.getResults(), [&](AffineExpr expr) -> OpFoldResult {
    std::optional<unsigned> row = rowDimension(expr, rows.rowRank);
    return row ? offsets[*row] : b.getIndexAttr(0);
  });
}

SmallVector<OpFoldResult> RowTiler::sizesOf(Value source, AffineMap map) {
  SmallVector<OpFoldResult> result;
  auto empty = source.getDefiningOp<tensor::EmptyOp>();
  SmallVector<OpFoldResult> whole = empty ? empty.getMixedSizes() : SmallVector<OpFoldResult>();
  for (auto [i, expr] : llvm::enumerate(map.getResults())) {
    if (std::optional<unsigned> row = rowDimension(expr, rows.rowRank))
      result.push_back(sizes[*row]);
    else
      result.push_back(empty ? whole[i]
                             : tensor::getMixedSize(b, loc, source, static_cast<int64_t>(i)));
  }
  return result;
}

Value RowTiler::slice(Value source, AffineMap map) {
  if (auto known = tileOf.find(source); known != tileOf.end())
    return known->second;
  bool whole = llvm::none_of(map.getResults(), [&](AffineExpr expr) {
    return rowDimension(expr, rows.rowRank).has_value();
  });
  if (whole)
    return source;
  SmallVector<OpFoldResult> strides(map.getNumResults(), b.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(b, loc, source, offsetsOf(map), sizesOf(source, map),
                                        strides);
}

/// What the tile of `result` is computed into: the out that the kernel yields it
/// to, or memory of its own.
Value RowTiler::destination(Value base, AffineMap map, Operation *result) {
  if (Value out = outOf.lookup(result)) {
    SmallVector<OpFoldResult> strides(map.getNumResults(), b.getIndexAttr(1));
    return tensor::ExtractSliceOp::create(b, loc, out, offsetsOf(map), sizesOf(base, map), strides);
  }
  return tensor::EmptyOp::create(b, loc, sizesOf(base, map),
                                 cast<RankedTensorType>(base.getType()).getElementType());
}

Value RowTiler::tileOfInit(linalg::LinalgOp op, AffineMap map) {
  OpOperand *init = op.getDpsInitOperand(0);
  if (auto fill = init->get().getDefiningOp<linalg::FillOp>()) {
    Value base = destination(fill.getDpsInitOperand(0)->get(), map, op);
    return linalg::FillOp::create(b, loc, fill.getInputs()[0], base).getResult(0);
  }
  if (op.payloadUsesValueFromOperand(init) && !init->get().getDefiningOp<tensor::EmptyOp>())
    return slice(init->get(), map);
  return destination(init->get(), map, op);
}

void RowTiler::computeTile(ArrayRef<int64_t> tiles, scf::ForallOp loop,
                           ArrayRef<OpFoldResult> extents) {
  b.setInsertionPointToStart(loop.getBody());
  unsigned next = 0;
  for (auto [tile, extent] : llvm::zip(tiles, extents)) {
    if (tile == 0) {
      offsets.push_back(b.getIndexAttr(0));
      sizes.push_back(extent);
      continue;
    }
    Value offset = loop.getInductionVars()[next++];
    offsets.push_back(offset);
    std::optional<int64_t> known = getConstantIntValue(extent);
    if (tile == 1 || (known && *known % tile == 0)) {
      sizes.push_back(b.getIndexAttr(tile));
      continue;
    }
    AffineExpr d0 = b.getAffineDimExpr(0), s0 = b.getAffineSymbolExpr(0);
    AffineMap map = AffineMap::get(1, 1, {b.getAffineConstantExpr(tile), s0 - d0}, b.getContext());
    sizes.push_back(affine::makeComposedFoldedAffineMin(b, loc, map, {offset, extent}));
  }
  for (auto [value, out] : llvm::zip(kernel.getYield().getValues(), loop.getRegionIterArgs()))
    outOf[value.getDefiningOp()] = out;

  for (linalg::LinalgOp op : rows.ops) {
    SmallVector<Value> operands;
    for (OpOperand &operand : op->getOpOperands()) {
      AffineMap map = op.getMatchingIndexingMap(&operand);
      if (op.isDpsInit(&operand))
        operands.push_back(tileOfInit(op, map));
      else if (isa<RankedTensorType>(operand.get().getType()))
        operands.push_back(slice(operand.get(), map));
      else
        operands.push_back(operand.get());
    }
    auto tiled = cast<linalg::LinalgOp>(
        clone(b, op.getOperation(), TypeRange{operands.back().getType()}, operands));
    linalg::offsetIndices(b, tiled, offsets);
    tileOf[op->getResult(0)] = tiled->getResult(0);
  }

  b.setInsertionPointToStart(loop.getTerminator().getBody());
  for (auto [value, out] : llvm::zip(kernel.getYield().getValues(), loop.getRegionIterArgs())) {
    auto op = cast<linalg::LinalgOp>(value.getDefiningOp());
    AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    Value tile = tileOf[value];
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(loop.getTerminator());
    SmallVector<OpFoldResult> where = offsetsOf(map), shape = tensor::getMixedSizes(b, loc, tile);
    for (auto [i, expr] : llvm::enumerate(map.getResults()))
      if (std::optional<unsigned> row = rowDimension(expr, rows.rowRank))
        shape[i] = sizes[*row];
    SmallVector<OpFoldResult> strides(map.getNumResults(), b.getIndexAttr(1));
    b.setInsertionPointToEnd(loop.getTerminator().getBody());
    tensor::ParallelInsertSliceOp::create(b, loc, tile, out, where, shape, strides);
  }
}

void RowTiler::run(ArrayRef<int64_t> tiles) {
  linalg::LinalgOp first = rows.ops.front();
  b.setInsertionPoint(first);
  SmallVector<OpFoldResult> extents;
  Value init = first.getDpsInitOperand(0)->get();
  if (auto fill = init.getDefiningOp<linalg::FillOp>())
    init = fill.getDpsInitOperand(0)->get();
  auto empty = init.getDefiningOp<tensor::EmptyOp>();
  for (unsigned i = 0; i < rows.rowRank; ++i)
    extents.push_back(empty ? empty.getMixedSizes()[i] : tensor::getMixedSize(b, loc, init, i));
  SmallVector<OpFoldResult> lower, upper, steps;
  for (auto [tile, extent] : llvm::zip(tiles, extents))
    if (tile > 0) {
      lower.push_back(b.getIndexAttr(0));
      upper.push_back(extent);
      steps.push_back(b.getIndexAttr(tile));
    }
  YieldOp yield = kernel.getYield();
  b.setInsertionPoint(yield);
  SmallVector<Value> outs(kernel.getOutArguments().begin(), kernel.getOutArguments().end());
  auto loop = scf::ForallOp::create(b, loc, lower, upper, steps, outs, std::nullopt);
  computeTile(tiles, loop, extents);
  b.modifyOpInPlace(yield, [&] { yield.getValuesMutable().assign(loop.getResults()); });
  for (linalg::LinalgOp op : llvm::reverse(rows.ops))
    b.eraseOp(op);
}

namespace {
struct TileRows : weft::impl::TileRowsBase<TileRows> {
  void runOnOperation() override {
    KernelOp kernel = getOperation();
    ScheduleAttr schedule = kernel.getScheduleAttr();
    if (!schedule)
      return;
    std::optional<RowKernel> rows = RowKernel::match(kernel);
    // A schedule that cuts inside of rows is for weft-tile-kernels.
    ArrayRef<int64_t> tiles = schedule.getParallel();
    if (!rows || tiles.size() < rows->rowRank ||
        llvm::any_of(tiles.drop_front(rows->rowRank), [](int64_t tile) { return tile != 0; }))
      return;
    tiles = tiles.take_front(rows->rowRank);
    if (llvm::all_of(tiles, [](int64_t tile) { return tile == 0; }))
      return;
    // Each out is what one operation computes.
    DenseSet<Value> yielded;
    for (Value value : kernel.getYield().getValues())
      if (!yielded.insert(value).second)
        return;
    IRRewriter rewriter(&getContext());
    RowTiler(kernel, std::move(*rows), rewriter).run(tiles);
    Block &body = kernel.getBody().front();
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
      if (isOpTriviallyDead(&op))
        rewriter.eraseOp(&op);
  }
};
} // namespace
