//===- SaveWeights.cpp - Names the files of the weights -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Printing/Passes.h"
#include "transforms/Printing/WeightFiles.h"

namespace weft {
#define GEN_PASS_DEF_SAVEWEIGHTS
#include "transforms/Printing/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
struct SaveWeights : weft::impl::SaveWeightsBase<SaveWeights> {
  using SaveWeightsBase::SaveWeightsBase;
  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::Expected<unsigned> leftOut = saveWeightFiles(module, output);
    if (!leftOut) {
      emitError(UnknownLoc::get(&getContext())) << llvm::toString(leftOut.takeError());
      return signalPassFailure();
    }
    // IR that did not come from the driver is printed to be looked at.
    if (*leftOut && module->hasAttr(WeftDialect::sourceAttrName))
      emitWarning(UnknownLoc::get(&getContext()))
          << *leftOut << " computed weights are not kept; -o FILE writes them beside it";
  }
};
} // namespace
