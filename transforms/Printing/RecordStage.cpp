//===- RecordStage.cpp - Notes the stage that a module has been through ---===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/SourceNodes.h"
#include "dialects/Weft/IR/Weft.h"
#include "transforms/Printing/Passes.h"
#include "weft/Stage.h"

namespace weft {
#define GEN_PASS_DEF_RECORDSTAGE
#include "transforms/Printing/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
struct RecordStage : weft::impl::RecordStageBase<RecordStage> {
  using RecordStageBase::RecordStageBase;
  void runOnOperation() override {
    if (!parseStage(stage)) {
      emitError(UnknownLoc::get(&getContext()))
          << "'" << stage << "' is no stage; expected one of " << allStageNames();
      return signalPassFailure();
    }
    getOperation()->setAttr(WeftDialect::stageAttrName, StringAttr::get(&getContext(), stage));
    placeBlockArguments(getOperation());
  }
};
} // namespace
