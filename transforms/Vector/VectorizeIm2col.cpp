//===- VectorizeIm2col.cpp - Gathers the columns of convolutions ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Vector/Passes.h"
#include "transforms/Vector/WindowReader.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace weft {
#define GEN_PASS_DEF_VECTORIZEIM2COL
#include "transforms/Vector/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Elements of a vector where the kernel has no schedule that says so.
static constexpr int64_t kDefaultLanes = 8;

/// Loops over batch, groups, channels, kernel positions, and the rows of output
/// positions, each a run of vectors.
static void vectorize(Im2colOp op, int64_t lanes, RewriterBase &b) {
  Location loc = op.getLoc();
  WindowReader reader(op, lanes, b);
  Value zero = reader.constant(0), one = reader.constant(1);
  int64_t outerRank = reader.outerRank();
  Value channels = reader.channelsPerGroup();
  SmallVector<Value> upper{b.createOrFold<tensor::DimOp>(loc, op.getInit(), 0),
                           b.createOrFold<tensor::DimOp>(loc, op.getInit(), 1), channels};
  for (int64_t extent : op.getKernel())
    upper.push_back(reader.constant(extent));
  SmallVector<Value> lower(upper.size(), zero), steps(upper.size(), one);
  lower.push_back(reader.firstRow);
  upper.push_back(reader.endRow);
  steps.push_back(one);
  scf::LoopNest nest = scf::buildLoopNest(
      b, loc, lower, upper, steps, op.getInit(),
      [&](OpBuilder &, Location, ValueRange ivs, ValueRange carried) -> scf::ValueVector {
        Value n = ivs[0], group = ivs[1], channel = ivs[2];
        ValueRange kernel = ivs.slice(3, outerRank + 1);
        WindowReader::Row row = reader.row(ivs.back());
        Value k = channel;
        for (auto [extent, position] : llvm::zip(op.getKernel(), kernel))
          k = reader.apply(reader.d(0) * extent + reader.d(1), {k, position});
        // Where the row lies in the input, or nowhere.
        Value limit = reader.extent(outerRank);
        Value inputChannel =
            arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, group, channels), channel);
        SmallVector<Value> outer{n, inputChannel};
        for (int64_t i = 0; i < outerRank; ++i) {
          Value position = reader.outerPosition(i, row.outer[i], kernel[i]);
          Value inside =
              arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, position, reader.extent(i));
          limit = arith::SelectOp::create(b, loc, inside, limit, zero);
          outer.push_back(arith::SelectOp::create(b, loc, inside, position, zero));
        }
        auto copy = scf::ForOp::create(
            b, loc, row.begin, row.end, reader.constant(lanes), carried,
            [&](OpBuilder &, Location, Value position, ValueRange args) {
              Value values = reader.read(outer, position, kernel.back(), limit);
              Value column = reader.apply(reader.d(0) + reader.d(1) - reader.d(2),
                                          {row.firstColumn, position, row.begin});
              Value left = reader.apply(reader.d(0) - reader.d(1), {row.end, position});
              auto map = AffineMap::getMinorIdentityMap(4, 1, b.getContext());
              Value result = vector::TransferWriteOp::create(
                                 b, loc, op.getInit().getType(), values, args[0],
                                 ValueRange{n, group, k, column}, AffineMapAttr::get(map),
                                 reader.mask(left), b.getBoolArrayAttr({true}))
                                 .getResult();
              scf::YieldOp::create(b, loc, result);
            });
        return {copy.getResult(0)};
      });
  b.replaceOp(op, nest.results.front());
}

namespace {
struct VectorizeIm2col : weft::impl::VectorizeIm2colBase<VectorizeIm2col> {
  void runOnOperation() override {
    KernelOp kernel = getOperation();
    ScheduleAttr schedule = kernel.getScheduleAttr();
    int64_t lanes = kDefaultLanes;
    if (schedule && schedule.getVector().size() == 3)
      lanes = schedule.getVector()[2];
    SmallVector<Im2colOp> operations;
    kernel->walk([&](Im2colOp op) { operations.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (Im2colOp op : operations) {
      rewriter.setInsertionPoint(op);
      if (op->use_empty())
        rewriter.eraseOp(op);
      else
        vectorize(op, lanes, rewriter);
    }
  }
};
} // namespace
