//===- LowerScan.cpp - Scans in parallel rows -----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Tile/Passes.h"
#include "transforms/Tile/Rows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace weft {
#define GEN_PASS_DEF_LOWERSCAN
#include "transforms/Tile/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Columns that a work item scans: at least a cache line of floats, and at most
/// kMaxItems items where extents are known.
static constexpr int64_t kMinColumns = 16, kAssumedColumns = 64, kMaxItems = 16;

/// What a scan starts from.
static Value createStart(OpBuilder &b, ScanOp op) {
  Type element = getElementTypeOrSelf(op.getInput().getType());
  bool isSum = op.getKind() == ScanKind::Sum, isFloat = isa<FloatType>(element);
  TypedAttr neutral = isFloat ? TypedAttr(b.getFloatAttr(element, isSum ? 0.0 : 1.0))
                              : TypedAttr(b.getIntegerAttr(element, isSum ? 0 : 1));
  return arith::ConstantOp::create(b, op.getLoc(), neutral);
}

static Value combine(OpBuilder &b, ScanOp op, Value x, Value y) {
  Location loc = op.getLoc();
  bool isSum = op.getKind() == ScanKind::Sum;
  if (isa<FloatType>(x.getType()))
    return isSum ? Value(arith::AddFOp::create(b, loc, x, y))
                 : Value(arith::MulFOp::create(b, loc, x, y));
  return isSum ? Value(arith::AddIOp::create(b, loc, x, y))
               : Value(arith::MulIOp::create(b, loc, x, y));
}

/// Scans the tensor<?> `input` into `init`.
static Value scanRow(OpBuilder &b, ScanOp op, Value input, Value init) {
  Location loc = op.getLoc();
  Value start = createStart(b, op);
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  Value length = tensor::DimOp::create(b, loc, input, zero);
  auto loop = scf::ForOp::create(
      b, loc, zero, length, one, ValueRange{start, init},
      [&](OpBuilder &b, Location loc, Value step, ValueRange carried) {
        Value at = step;
        if (op.getReverse())
          at = arith::SubIOp::create(b, loc, arith::SubIOp::create(b, loc, length, one), step);
        Value x = tensor::ExtractOp::create(b, loc, input, at);
        Value next = combine(b, op, carried[0], x);
        Value written =
            tensor::InsertOp::create(b, loc, op.getExclusive() ? carried[0] : next, carried[1], at);
        scf::YieldOp::create(b, loc, ValueRange{next, written});
      });
  return loop.getResult(1);
}

/// Scans the columns of `input`, a tensor<?x?>, into those of `init` row by row: each
/// row of the result is the one before it combined with a row of the input.
static Value scanColumns(OpBuilder &b, ScanOp op, Value input, Value init) {
  Location loc = op.getLoc();
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  Value length = tensor::DimOp::create(b, loc, input, zero);
  Value width = tensor::DimOp::create(b, loc, input, one);
  Value last = arith::SubIOp::create(b, loc, length, one);
  Value start = createStart(b, op);
  auto rowAt = [&](Value step) -> Value {
    return op.getReverse() ? Value(arith::SubIOp::create(b, loc, last, step)) : step;
  };
  auto forColumns = [&](Value rows, llvm::function_ref<Value(Value, Value)> element, Value row) {
    auto loop = scf::ForOp::create(
        b, loc, zero, width, one, rows, [&](OpBuilder &, Location, Value i, ValueRange args) {
          Value position[] = {row, i};
          Value written = tensor::InsertOp::create(b, loc, element(args[0], i), args[0], position);
          scf::YieldOp::create(b, loc, written);
        });
    return loop.getResult(0);
  };
  auto at = [&](Value tensor, Value row, Value column) -> Value {
    Value position[] = {row, column};
    return tensor::ExtractOp::create(b, loc, tensor, position);
  };
  // The first row, if there is one, and the others.
  Value some = arith::MinSIOp::create(b, loc, length, one);
  auto first = scf::ForOp::create(
      b, loc, zero, some, one, init, [&](OpBuilder &, Location, Value step, ValueRange args) {
        Value row = rowAt(step);
        Value written = forColumns(
            args[0],
            [&](Value, Value i) {
              return op.getExclusive() ? start : combine(b, op, start, at(input, row, i));
            },
            row);
        scf::YieldOp::create(b, loc, written);
      });
  auto rest = scf::ForOp::create(b, loc, one, length, one, first.getResults(),
                                 [&](OpBuilder &, Location, Value step, ValueRange args) {
                                   Value row = rowAt(step),
                                         before = rowAt(arith::SubIOp::create(b, loc, step, one));
                                   Value written = forColumns(
                                       args[0],
                                       [&](Value rows, Value i) {
                                         Value x = at(input, op.getExclusive() ? before : row, i);
                                         return combine(b, op, at(rows, before, i), x);
                                       },
                                       row);
                                   scf::YieldOp::create(b, loc, written);
                                 });
  return rest.getResult(0);
}

/// Scans along a dimension that is not the last one: blocks of columns in parallel.
static Value scanBlocks(RewriterBase &b, ScanOp op) {
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(op.getInput().getType());
  int64_t rank = type.getRank(), along = op.getDimension();
  int64_t columns = type.getDimSize(rank - 1), block = kAssumedColumns;
  if (!type.isDynamicDim(rank - 1))
    block = std::max<int64_t>(kMinColumns, llvm::divideCeil(columns, kMaxItems));
  SmallVector<OpFoldResult> extents = tensor::getMixedSizes(b, loc, op.getInput());
  SmallVector<OpFoldResult> upper, steps, offsets(rank, b.getIndexAttr(0)),
      sizes(rank, b.getIndexAttr(1)), ones(rank, b.getIndexAttr(1));
  for (int64_t i = 0; i < rank; ++i) {
    if (i == along)
      continue;
    upper.push_back(extents[i]);
    steps.push_back(b.getIndexAttr(i + 1 == rank ? block : 1));
  }
  SmallVector<OpFoldResult> lower(upper.size(), b.getIndexAttr(0));
  auto loop = scf::ForallOp::create(b, loc, lower, upper, steps, op.getInit(),
                                    /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  unsigned next = 0;
  for (int64_t i = 0; i < rank; ++i)
    if (i != along)
      offsets[i] = loop.getInductionVar(next++);
  sizes[along] = extents[along];
  Value width = arith::SubIOp::create(
      b, loc, getValueOrCreateConstantIndexOp(b, loc, extents.back()), cast<Value>(offsets.back()));
  width = arith::MinSIOp::create(b, loc, width, arith::ConstantIndexOp::create(b, loc, block));
  sizes.back() = width;
  auto part =
      RankedTensorType::get({type.getDimSize(along), ShapedType::kDynamic}, type.getElementType());
  auto partOf = [&](Value whole) -> Value {
    return tensor::ExtractSliceOp::create(b, loc, part, whole, offsets, sizes, ones);
  };
  BlockArgument out = loop.getRegionIterArgs()[0];
  Value result = scanColumns(b, op, partOf(op.getInput()), partOf(out));
  b.setInsertionPointToEnd(loop.getTerminator().getBody());
  tensor::ParallelInsertSliceOp::create(b, loc, result, out, offsets, sizes, ones);
  return loop.getResult(0);
}

namespace {
struct LowerScan : weft::impl::LowerScanBase<LowerScan> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<ScanOp> scans;
    getOperation().walk([&](ScanOp op) { scans.push_back(op); });
    for (ScanOp op : scans) {
      rewriter.setInsertionPoint(op);
      int64_t rank = cast<RankedTensorType>(op.getInput().getType()).getRank();
      if (static_cast<int64_t>(op.getDimension()) + 1 != rank) {
        rewriter.replaceOp(op, scanBlocks(rewriter, op));
        continue;
      }
      rewriter.replaceOp(op, createRowLoop(rewriter, op.getLoc(), op.getInput(), op.getInit(),
                                           op.getDimension(), [&](Value input, ValueRange outs) {
                                             return SmallVector<Value>{
                                                 scanRow(rewriter, op, input, outs[0])};
                                           }));
    }
  }
};
} // namespace
