//===- TestPlugin.cpp - One of everything that a plugin contributes -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The pass appends its label to `plugintest.trace` of the module, so that tests
// see what ran and in which order.
//
//===----------------------------------------------------------------------===//

#include "weft/Plugin.h"

using namespace mlir;

namespace {

class TestDialect : public Dialect {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TestDialect)
  static StringRef getDialectNamespace() { return "plugintest"; }
  explicit TestDialect(MLIRContext *context)
      : Dialect(getDialectNamespace(), context, TypeID::get<TestDialect>()) {}
};

struct TracePass : PassWrapper<TracePass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TracePass)
  TracePass() = default;
  TracePass(const TracePass &other) : PassWrapper(other) {}
  explicit TracePass(StringRef text) { label = text.str(); }

  StringRef getArgument() const final { return "plugintest-trace"; }
  StringRef getDescription() const final { return "Append a label"; }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<TestDialect>();
  }
  void runOnOperation() final {
    Operation *module = getOperation();
    std::string trace;
    if (auto before = module->getAttrOfType<StringAttr>("plugintest.trace"))
      trace = before.str() + " ";
    module->setAttr("plugintest.trace",
                    StringAttr::get(&getContext(), trace + label));
  }

  Option<std::string> label{*this, "label", llvm::cl::desc("What to append"),
                            llvm::cl::init("ran")};
};

struct TraceOptions : PassPipelineOptions<TraceOptions> {
  Option<std::string> label{*this, "label", llvm::cl::desc("What to append"),
                            llvm::cl::init("ran")};
  Option<int64_t> times{*this, "times", llvm::cl::desc("How often"),
                        llvm::cl::init(1)};
};

/// A target whose stages only leave a trace.
class TestTarget : public weft::Target {
public:
  StringRef name() const final { return "plugintest"; }
  StringRef description() const final { return "leaves a trace"; }
  void buildStage(weft::Stage stage, OpPassManager &passManager,
                  const weft::PipelineOptions &) const final {
    passManager.addPass(
        std::make_unique<TracePass>(weft::stageName(stage).upper()));
  }
};

} // namespace

static LogicalResult registerTest(weft::Registrar &registrar) {
  registrar.addDialect<TestDialect>();
  registrar.addPass<TracePass>();
  registrar.addPipeline<TraceOptions>(
      "plugintest-traces", "Append a label several times",
      [](OpPassManager &passManager, const TraceOptions &options) {
        for (int64_t i = 0; i < options.times; ++i)
          passManager.addPass(std::make_unique<TracePass>(options.label));
      });
  registrar.addTarget(std::make_unique<TestTarget>());
  registrar.addOption(
      {"suffix", "a text without digits", "", [](StringRef value) {
         return value.find_first_of("0123456789") == StringRef::npos;
       }});
  for (weft::Stage stage : weft::allStages)
    for (auto position :
         {weft::StagePosition::Before, weft::StagePosition::After})
      registrar.addStageCallback(
          stage, position,
          [](OpPassManager &passManager, const weft::StageContext &context) {
            passManager.addPass(std::make_unique<TracePass>(
                (weft::stagePositionName(context.position) + "-" +
                 weft::stageName(context.stage) + context.option("suffix"))
                    .str()));
          });
  return success();
}

WEFT_PLUGIN("plugintest", "3.14", registerTest);
