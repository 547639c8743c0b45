//===- RaiseLoops.cpp - Loops over tokens become scans --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/Transforms/LoopRaiser.h"
#include "dialects/SSM/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"

namespace weft::ssm {
#define GEN_PASS_DEF_RAISELOOPS
#include "dialects/SSM/Transforms/Passes.h.inc"
} // namespace weft::ssm

using namespace mlir;

namespace {
struct RaiseLoops : weft::ssm::impl::RaiseLoopsBase<RaiseLoops> {
  void runOnOperation() override {
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp op) { loops.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (scf::ForOp loop : loops)
      if (auto results = weft::ssm::LoopRaiser(rewriter, loop).raise()) {
        rewriter.replaceOp(loop, *results);
        ++raised;
      }
  }
};
} // namespace
