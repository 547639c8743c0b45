//===- DecomposeSparse.cpp - Operations become their references -----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Sparse/Transforms/Passes.h"

#include "dialects/Sparse/IR/Sparse.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace weft::sparse {
#define GEN_PASS_DEF_DECOMPOSESPARSE
#include "dialects/Sparse/Transforms/Passes.h.inc"
} // namespace weft::sparse

using namespace mlir;
using namespace weft;
using namespace weft::sparse;

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
