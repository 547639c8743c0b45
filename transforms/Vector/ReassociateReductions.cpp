//===- ReassociateReductions.cpp - Sums that can use vectors --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Vector/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace weft {
#define GEN_PASS_DEF_REASSOCIATEREDUCTIONS
#include "transforms/Vector/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Marks `op` if it combines `accumulator`, used nowhere else, with a term.
template <typename OpTy> static void allowReassociation(Operation *op, BlockArgument accumulator) {
  auto combine = dyn_cast_or_null<OpTy>(op);
  if (!combine || !accumulator.hasOneUse() ||
      (combine.getLhs() != accumulator && combine.getRhs() != accumulator))
    return;
  combine.setFastmath(combine.getFastmath() | arith::FastMathFlags::reassoc);
}

namespace {
struct ReassociateReductions : weft::impl::ReassociateReductionsBase<ReassociateReductions> {
  void runOnOperation() override {
    getOperation()->walk([](linalg::GenericOp op) {
      SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
      if (iterators.empty() || iterators.back() != utils::IteratorType::reduction)
        return;
      for (auto [result, accumulator] :
           llvm::zip(op.getBody()->getTerminator()->getOperands(), op.getRegionOutputArgs())) {
        allowReassociation<arith::AddFOp>(result.getDefiningOp(), accumulator);
        allowReassociation<arith::MulFOp>(result.getDefiningOp(), accumulator);
      }
    });
  }
};
} // namespace
