//===- GeneralizeContractions.cpp - One form for contractions -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "transforms/Model/Passes.h"

namespace weft {
#define GEN_PASS_DEF_GENERALIZECONTRACTIONS
#include "transforms/Model/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
struct GeneralizeContractions : weft::impl::GeneralizeContractionsBase<GeneralizeContractions> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> contractions;
    getOperation()->walk([&](linalg::LinalgOp op) {
      if (!isa<linalg::GenericOp>(op) && linalg::isaContractionOpInterface(op))
        contractions.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : contractions) {
      rewriter.setInsertionPoint(op);
      if (succeeded(linalg::generalizeNamedOp(rewriter, op)))
        ++numGeneralized;
    }
  }
};
} // namespace
