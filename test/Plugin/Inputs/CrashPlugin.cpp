//===- CrashPlugin.cpp - A pass that ends badly ---------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before the stage `tile`, in the way that the option `how` says: `abort`,
// `kill` (as the kernel does where memory is short), `exhaust` (`new` finds no
// memory), `fail`
// with an error, or `silent` without one.
//
//===----------------------------------------------------------------------===//

#include "weft/Plugin.h"

#include <csignal>
#include <cstdlib>
#include <new>

using namespace mlir;

namespace {
struct CrashPass : PassWrapper<CrashPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CrashPass)
  CrashPass() = default;
  CrashPass(const CrashPass &other) : PassWrapper(other) {}
  explicit CrashPass(StringRef text) { how = text.str(); }

  StringRef getArgument() const final { return "crashtest-end"; }
  StringRef getDescription() const final { return "End badly"; }
  void runOnOperation() final {
    if (how == "abort")
      std::abort();
    if (how == "kill")
      ::raise(SIGKILL);
    if (how == "exhaust")
      for (volatile auto *memory = static_cast<char *>(nullptr);;) {
        constexpr size_t size = size_t(1) << 40;
        memory = static_cast<char *>(::operator new(size));
        memory[0] = 1;
      }
    if (how == "fail")
      getOperation().emitError("this pass always fails");
    if (how == "fail" || how == "silent")
      signalPassFailure();
  }

  Option<std::string> how{*this, "how", llvm::cl::desc("Which end"),
                          llvm::cl::init("")};
};
} // namespace

static LogicalResult registerCrash(weft::Registrar &registrar) {
  registrar.addPass<CrashPass>();
  registrar.addOption(
      {"how", "abort, kill, exhaust, fail or silent", "", nullptr});
  registrar.addStageCallback(
      weft::Stage::Tile, weft::StagePosition::Before,
      [](OpPassManager &passManager, const weft::StageContext &context) {
        passManager.addPass(std::make_unique<CrashPass>(context.option("how")));
      });
  return success();
}

WEFT_PLUGIN("crashtest", "1", registerCrash);
