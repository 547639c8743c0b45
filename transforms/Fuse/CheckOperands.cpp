//===- CheckOperands.cpp - Fails calls with data out of range -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/OperandChecks.h"
#include "transforms/Fuse/ComponentExtents.h"
#include "transforms/Fuse/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace weft {
#define GEN_PASS_DEF_CHECKOPERANDS
#include "transforms/Fuse/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
struct CheckOperands : weft::impl::CheckOperandsBase<CheckOperands> {
  void runOnOperation() override {
    OperandChecks::Done done;
    SmallVector<OperandCheckInterface> ops;
    getOperation()->walk([&](OperandCheckInterface op) {
      if (!op->hasAttr(kCheckedAttrName))
        ops.push_back(op);
    });
    for (OperandCheckInterface op : ops) {
      Operation *before = op->getPrevNode();
      OperandChecks checks(op, done);
      op.buildChecks(checks);
      if (checks.hasAny()) {
        // Components of other extents are that, not wrong data.
        if (auto assemble = dyn_cast<AssembleOp>(op.getOperation())) {
          OpBuilder b(&getContext());
          before ? b.setInsertionPointAfter(before) : b.setInsertionPointToStart(op->getBlock());
          assertComponentExtents(b, op->getLoc(), assemble.getType(), assemble.getComponents());
        }
        op->setAttr(kCheckedAttrName, UnitAttr::get(&getContext()));
        ++numChecked;
      }
    }
  }
};
} // namespace
