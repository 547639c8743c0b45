//===- LowerScatter.cpp - Scatters windows in parallel --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/IndexMath.h"
#include "dialects/Weft/IR/Weft.h"
#include "transforms/Tile/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace weft {
#define GEN_PASS_DEF_LOWERSCATTER
#include "transforms/Tile/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Elements of a window that one work item writes at least: a cache line of floats.
static constexpr int64_t kMinColumns = 16;

/// Work items that a scatter is cut into at most.
static constexpr int64_t kMaxItems = 16;

/// Elements of updates below which one thread does.
static constexpr int64_t kMinElements = 8192;

/// What a dynamic extent counts as.
static constexpr int64_t kAssumedExtent = 64;

static int64_t assumed(int64_t extent) {
  return ShapedType::isDynamic(extent) ? kAssumedExtent : std::min<int64_t>(extent, 1 << 20);
}

namespace {
/// The dimension of the updates that is cut, and the extent of a part.
struct Cut {
  int64_t dimension, tile;
};
} // namespace

/// Cuts the longest dimension of the windows, if there is enough to do.
static std::optional<Cut> chooseCut(ScatterOp op) {
  auto updates = cast<RankedTensorType>(op.getUpdates().getType());
  int64_t rows = cast<RankedTensorType>(op.getIndices().getType()).getRank() - 1;
  int64_t elements = 1;
  Cut cut{-1, 0};
  for (auto [i, extent] : llvm::enumerate(updates.getShape())) {
    elements = std::min<int64_t>(elements * assumed(extent), int64_t(1) << 40);
    auto dimension = static_cast<int64_t>(i);
    if (dimension >= rows &&
        (cut.dimension < 0 || assumed(extent) > assumed(updates.getDimSize(cut.dimension))))
      cut.dimension = dimension;
  }
  if (cut.dimension < 0 || elements < kMinElements)
    return std::nullopt;
  int64_t inner = 1;
  for (int64_t extent : updates.getShape().drop_front(cut.dimension + 1))
    inner = std::min<int64_t>(inner * assumed(extent), 1 << 20);
  int64_t extent = assumed(updates.getDimSize(cut.dimension));
  cut.tile = std::max<int64_t>(llvm::divideCeil(kMinColumns, std::max<int64_t>(inner, 1)),
                               llvm::divideCeil(extent, kMaxItems));
  return cut.tile < extent ? std::optional(cut) : std::nullopt;
}

/// Applies the updates in order to the slice `part` of the result, which has the
/// windows' positions from `first` on along the cut dimension.
static Value applyUpdates(RewriterBase &b, ScatterOp op, Cut cut, Value part, Value first) {
  Location loc = op.getLoc();
  IndexMath m{b, loc};
  auto indicesType = cast<RankedTensorType>(op.getIndices().getType());
  auto updatesType = cast<RankedTensorType>(op.getUpdates().getType());
  int64_t rows = indicesType.getRank() - 1, tuple = indicesType.getDimSize(rows);
  int64_t rank = updatesType.getRank();
  int64_t partDimension = tuple + cut.dimension - rows;
  SmallVector<Value> rowExtents, windowExtents, extents;
  for (int64_t i = 0; i < rows; ++i)
    rowExtents.push_back(m.dim(op.getUpdates(), i));
  for (int64_t i = rows; i < rank; ++i)
    windowExtents.push_back(i == cut.dimension ? m.dim(part, partDimension)
                                               : m.dim(op.getUpdates(), i));
  for (int64_t i = 0; i < tuple; ++i)
    extents.push_back(m.dim(op.getInit(), i));
  // Nothing is written into an empty tensor.
  if (Value exists = isNotEmpty(m, op.getInit(), llvm::to_vector(llvm::seq<int64_t>(0, tuple))))
    windowExtents[0] = m.select(exists, windowExtents[0], m.constant(0));

  auto nest = [&](ArrayRef<Value> bounds, Value init,
                  llvm::function_ref<Value(ValueRange, Value)> body) -> Value {
    SmallVector<Value> zeros(bounds.size(), m.constant(0)), ones(bounds.size(), m.constant(1));
    if (bounds.empty())
      return body({}, init);
    scf::LoopNest loops = scf::buildLoopNest(
        b, loc, zeros, bounds, ones, init,
        [&](OpBuilder &, Location, ValueRange ivs, ValueRange args) -> scf::ValueVector {
          return {body(ivs, args[0])};
        });
    return loops.results[0];
  };
  return nest(rowExtents, part, [&](ValueRange row, Value result) {
    SmallVector<Value> corner;
    for (int64_t i = 0; i < tuple; ++i) {
      SmallVector<Value> at(row);
      at.push_back(m.constant(i));
      corner.push_back(
          m.position(tensor::ExtractOp::create(b, loc, op.getIndices(), at), extents[i]));
    }
    return nest(windowExtents, result, [&](ValueRange window, Value whole) {
      SmallVector<Value> position(corner), source(row);
      llvm::append_range(position, window);
      llvm::append_range(source, window);
      source[cut.dimension] = m.add(source[cut.dimension], first);
      Value update = tensor::ExtractOp::create(b, loc, op.getUpdates(), source);
      Value present = tensor::ExtractOp::create(b, loc, whole, position);
      Block &combiner = op.getCombiner().front();
      IRMapping mapping;
      mapping.map(combiner.getArgument(0), present);
      mapping.map(combiner.getArgument(1), update);
      for (Operation &inner : combiner.without_terminator())
        b.clone(inner, mapping);
      Value combined = mapping.lookupOrDefault(combiner.getTerminator()->getOperand(0));
      return Value(tensor::InsertOp::create(b, loc, combined, whole, position));
    });
  });
}

/// The parts of the windows at a time.
static Value lower(RewriterBase &b, ScatterOp op, Cut cut) {
  Location loc = op.getLoc();
  IndexMath m{b, loc};
  auto type = cast<RankedTensorType>(op.getInit().getType());
  auto indicesType = cast<RankedTensorType>(op.getIndices().getType());
  int64_t rows = indicesType.getRank() - 1, tuple = indicesType.getDimSize(rows);
  int64_t dimension = tuple + cut.dimension - rows;
  Value extent = m.dim(op.getInit(), dimension), tile = m.constant(cut.tile);
  OpFoldResult items = arith::CeilDivSIOp::create(b, loc, extent, tile).getResult();
  SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)),
      ones(type.getRank(), b.getIndexAttr(1)), sizes = tensor::getMixedSizes(b, loc, op.getInit());
  auto loop =
      scf::ForallOp::create(b, loc, ArrayRef(items), op.getInit(), /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  BlockArgument whole = loop.getRegionIterArgs()[0];
  Value first = m.mul(loop.getInductionVar(0), tile);
  offsets[dimension] = first;
  sizes[dimension] = arith::MinSIOp::create(b, loc, tile, m.sub(extent, first)).getResult();
  Value part = tensor::ExtractSliceOp::create(b, loc, whole, offsets, sizes, ones);
  part = applyUpdates(b, op, cut, part, first);
  b.setInsertionPointToEnd(loop.getTerminator().getBody());
  tensor::ParallelInsertSliceOp::create(b, loc, part, whole, offsets, sizes, ones);
  return loop.getResult(0);
}

namespace {
struct LowerScatter : weft::impl::LowerScatterBase<LowerScatter> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<std::pair<ScatterOp, Cut>> ops;
    getOperation().walk([&](ScatterOp op) {
      if (std::optional<Cut> cut = chooseCut(op))
        ops.push_back({op, *cut});
    });
    for (auto [op, cut] : ops) {
      rewriter.setInsertionPoint(op);
      rewriter.replaceOp(op, lower(rewriter, op, cut));
    }
  }
};
} // namespace
