//===- RestoreModule.cpp - Gives a printed module what text lacks ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/SourceNodes.h"
#include "dialects/Weft/IR/Weft.h"
#include "transforms/Printing/Passes.h"
#include "transforms/Printing/WeightFiles.h"

namespace weft {
#define GEN_PASS_DEF_RESTOREMODULE
#include "transforms/Printing/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
struct RestoreModule : weft::impl::RestoreModuleBase<RestoreModule> {
  using RestoreModuleBase::RestoreModuleBase;
  void runOnOperation() override {
    placeBlockArguments(getOperation());
    if (llvm::Error error = loadWeightFiles(getOperation(), folder)) {
      emitError(UnknownLoc::get(&getContext())) << llvm::toString(std::move(error));
      signalPassFailure();
    }
  }
};
} // namespace
