//===- DecomposeSparse.cpp - Operations become their references -----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Sparse/Transforms/Passes.h"

#include "dialects/Sparse/IR/Sparse.h"
#include "dialects/Weft/IR/ExtentChecks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

namespace weft::sparse {
#define GEN_PASS_DEF_DECOMPOSESPARSE
#include "dialects/Sparse/Transforms/Passes.h.inc"
} // namespace weft::sparse

using namespace mlir;
using namespace weft;
using namespace weft::sparse;

/// Extents that belong together are equal, also those that only a call knows.
static void checkExtents(ExtentChecks &calls, Operation *op) {
  // All dimensions of `value` but one, which has an extent of its own.
  auto checkOthers = [&](Value value, Value other, int64_t along) {
    for (int64_t i = 0, rank = cast<ShapedType>(value.getType()).getRank(); i < rank; ++i)
      if (i != along)
        calls.requireEqual("values", value, i, calls.extentOf(other, i));
  };
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](CompactOp op) {
        int64_t along = op.getDimension();
        calls.requireEqual("mask", op.getMask(), 0, calls.extentOf(op.getInput(), along));
        calls.requireEqual("values", op.getValuesInit(), along,
                           calls.extentOf(op.getPositionsInit(), 0));
        checkOthers(op.getValuesInit(), op.getInput(), along);
      })
      .Case([&](ExpandOp op) {
        int64_t along = op.getDimension();
        calls.requireEqual("values", op.getValues(), along, calls.extentOf(op.getPositions(), 0));
        checkOthers(op.getValues(), op.getInit(), along);
      })
      .Case([&](TopKMaskOp op) { calls.requireShape("mask", op.getInit(), op.getInput()); })
      .Case([&](PruneOp op) {
        calls.requireShape("scores", op.getScores(), op.getInput());
        calls.requireShape("result", op.getInit(), op.getInput());
      });
}

namespace {
struct DecomposeSparse : weft::sparse::impl::DecomposeSparseBase<DecomposeSparse> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) {
      if (isa<SparseDialect>(op->getDialect()) && isa<ReferenceOpInterface>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      IRRewriter rewriter(op);
      ExtentChecks calls(rewriter, op->getLoc());
      checkExtents(calls, op);
      FailureOr<SmallVector<Value>> results =
          cast<ReferenceOpInterface>(op).lowerToReference(rewriter);
      if (failed(results)) {
        op->emitOpError("has no reference");
        return signalPassFailure();
      }
      rewriter.replaceOp(op, *results);
    }
  }
};
} // namespace
