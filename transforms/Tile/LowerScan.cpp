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
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace weft {
#define GEN_PASS_DEF_LOWERSCAN
#include "transforms/Tile/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Scans the tensor<?> `input` into `init`.
static Value scanRow(OpBuilder &b, ScanOp op, Value input, Value init) {
  Location loc = op.getLoc();
  Type element = cast<RankedTensorType>(input.getType()).getElementType();
  bool isSum = op.getKind() == ScanKind::Sum, isFloat = isa<FloatType>(element);
  TypedAttr neutral =
      isFloat ? TypedAttr(b.getFloatAttr(element, isSum ? 0.0 : 1.0))
              : TypedAttr(b.getIntegerAttr(element, isSum ? 0 : 1));
  Value start = arith::ConstantOp::create(b, loc, neutral);
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  Value length = tensor::DimOp::create(b, loc, input, zero);
  auto loop = scf::ForOp::create(
      b, loc, zero, length, one, ValueRange{start, init},
      [&](OpBuilder &b, Location loc, Value step, ValueRange carried) {
        Value at = step;
        if (op.getReverse())
          at = arith::SubIOp::create(
              b, loc, arith::SubIOp::create(b, loc, length, one), step);
        Value x = tensor::ExtractOp::create(b, loc, input, at), next;
        if (isFloat)
          next = isSum ? Value(arith::AddFOp::create(b, loc, carried[0], x))
                       : Value(arith::MulFOp::create(b, loc, carried[0], x));
        else
          next = isSum ? Value(arith::AddIOp::create(b, loc, carried[0], x))
                       : Value(arith::MulIOp::create(b, loc, carried[0], x));
        Value written = tensor::InsertOp::create(
            b, loc, op.getExclusive() ? carried[0] : next, carried[1], at);
        scf::YieldOp::create(b, loc, ValueRange{next, written});
      });
  return loop.getResult(1);
}

namespace {
struct LowerScan : weft::impl::LowerScanBase<LowerScan> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<ScanOp> scans;
    getOperation().walk([&](ScanOp op) { scans.push_back(op); });
    for (ScanOp op : scans) {
      rewriter.setInsertionPoint(op);
      rewriter.replaceOp(op, createRowLoop(rewriter, op.getLoc(), op.getInput(),
                                           op.getInit(), op.getDimension(),
                                           [&](Value input, ValueRange outs) {
                                             return SmallVector<Value>{scanRow(
                                                 rewriter, op, input, outs[0])};
                                           }));
    }
  }
};
} // namespace
