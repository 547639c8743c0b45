//===- Pipelines.cpp - The stages as pass pipelines -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weft/Pipelines.h"

#include "Session/HostEvaluator.h"
#include "dialects/Attn/Transforms/Passes.h"
#include "dialects/LowP/Transforms/Passes.h"
#include "dialects/MoE/Transforms/Passes.h"
#include "dialects/SSM/Transforms/Passes.h"
#include "dialects/Sparse/Transforms/Passes.h"
#include "dialects/Weft/IR/Weft.h"
#include "transforms/Buffer/DeviceWorkers.h"
#include "transforms/Buffer/Passes.h"
#include "transforms/Fuse/Passes.h"
#include "transforms/Model/Passes.h"
#include "transforms/Printing/Passes.h"
#include "transforms/Tile/Passes.h"
#include "transforms/Vector/Passes.h"
#include "weft/Registry.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace weft;

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

llvm::Error PipelineOptions::setPluginOption(llvm::StringRef assignment) {
  auto [name, value] = assignment.split('=');
  if (name.size() == assignment.size() || !name.contains('.'))
    return llvm::createStringError("plugin option '" + assignment +
                                   "': expected <plugin>.<option>=<value>");
  pluginOptions[name.str()] = value.str();
  return llvm::Error::success();
}

static const OptionInfo *findOption(const Contribution &contribution, llvm::StringRef name) {
  for (const OptionInfo &option : contribution.options)
    if (option.name == name)
      return &option;
  return nullptr;
}

llvm::Error weft::checkPipelineOptions(const Registry &registry, const PipelineOptions &options) {
  if (!registry.findTarget(options.target)) {
    std::string names = registry.targetNames();
    return llvm::createStringError("unknown target '" + options.target +
                                   "'; the targets are: " + (names.empty() ? "(none)" : names));
  }
  for (const auto &[key, value] : options.pluginOptions) {
    auto [plugin, name] = llvm::StringRef(key).split('.');
    const Contribution *contribution = registry.find(plugin);
    if (!contribution)
      return llvm::createStringError("plugin option '" + key + "': there is no plugin '" + plugin +
                                     "'");
    const OptionInfo *option = findOption(*contribution, name);
    if (!option) {
      std::string names = llvm::join(
          llvm::map_range(contribution->options,
                          [](const OptionInfo &other) -> llvm::StringRef { return other.name; }),
          ", ");
      return llvm::createStringError("plugin '" + plugin + "' has no option '" + name +
                                     "'; its options are: " + (names.empty() ? "(none)" : names));
    }
    if (option->accepts && !option->accepts(value))
      return llvm::createStringError("plugin option '" + key + "' does not take the value '" +
                                     value + "': expected " + option->description);
  }
  return llvm::Error::success();
}

llvm::StringRef StageContext::option(llvm::StringRef name) const {
  auto set = options.pluginOptions.find((plugin + "." + name).str());
  if (set != options.pluginOptions.end())
    return set->second;
  const Contribution *contribution = registry.find(plugin);
  const OptionInfo *declared = contribution ? findOption(*contribution, name) : nullptr;
  return declared ? llvm::StringRef(declared->defaultValue) : llvm::StringRef();
}

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

static void addCleanup(mlir::OpPassManager &passManager) {
  passManager.addPass(mlir::createCanonicalizerPass());
  passManager.addPass(mlir::createCSEPass());
}

/// The host computes scalars of conditions and of sizes itself.
static void addMathExpansion(mlir::OpPassManager &passManager) {
  passManager.addNestedPass<KernelOp>(createExpandMath());
  passManager.addNestedPass<mlir::func::FuncOp>(createExpandMath());
}

/// The passes of a stage that every target has, `forDevice` or not.
static void buildGenericPasses(Stage stage, mlir::OpPassManager &passManager, bool forDevice) {
  switch (stage) {
  case Stage::Input:
  case Stage::Target:
  case Stage::Module:
    return;
  case Stage::Model:
    passManager.addPass(createInlineFunctions());
    passManager.addPass(createPrepareEntry());
    passManager.addPass(createInlineComposites());
    passManager.addPass(createVerifyPackedConstants());
    passManager.addPass(mlir::createConvertElementwiseToLinalgPass());
    passManager.addPass(createRaiseContractions());
    passManager.addNestedPass<mlir::func::FuncOp>(createSimplifyDims());
    addCleanup(passManager);
    // With products of 16 bits convolutions of codes take 1.5 times as long as those of floats
    // (mobilenet_v2 on AVX-512 with VNNI).
    passManager.addPass(lowp::createRaiseQuantization({/*integerConvolutions=*/false}));
    passManager.addPass(attn::createRaiseSoftmax());
    passManager.addPass(moe::createRaiseExperts());
    passManager.addPass(moe::createRaiseDenseExperts());
    passManager.addPass(moe::createRaiseDispatch());
    passManager.addPass(moe::createRaiseRouting());
    addCleanup(passManager);
    passManager.addPass(lowp::createFoldBasis());
    passManager.addPass(createFoldScales());
    passManager.addPass(createRewriteTransposedConvolutions());
    passManager.addPass(createEvaluateConstants(evaluateOnHost));
    passManager.addNestedPass<mlir::func::FuncOp>(createSimplifyDims());
    addCleanup(passManager);
    // Once more: exporters compute how often to repeat tokens.
    passManager.addPass(moe::createRaiseDenseExperts());
    passManager.addPass(moe::createRaiseRouting());
    passManager.addPass(createEvaluateConstants(evaluateOnHost));
    passManager.addNestedPass<mlir::func::FuncOp>(ssm::createRaiseCausalConvolutions());
    passManager.addNestedPass<mlir::func::FuncOp>(ssm::createRaiseRecurrences());
    passManager.addNestedPass<mlir::func::FuncOp>(ssm::createRaiseUnrolledLoops());
    passManager.addNestedPass<mlir::func::FuncOp>(ssm::createRaiseLoops());
    passManager.addNestedPass<mlir::func::FuncOp>(ssm::createRaiseSegmentSums());
    passManager.addNestedPass<mlir::func::FuncOp>(ssm::createRaiseChunkedScans());
    passManager.addPass(attn::createRaiseAttention());
    addCleanup(passManager);
    return;
  case Stage::Fuse:
    passManager.addPass(createCheckOperands());
    passManager.addPass(moe::createDecomposeDepth());
    passManager.addPass(moe::createDecomposeAggregates());
    passManager.addPass(attn::createDecomposeAttend());
    passManager.addPass(sparse::createDecomposeSparse());
    passManager.addNestedPass<mlir::func::FuncOp>(ssm::createSplitScans());
    passManager.addPass(createConvertPacked());
    passManager.addPass(createPadConvolutions());
    passManager.addPass(createFoldUnitExtents());
    passManager.addPass(createFuseElementwise());
    addCleanup(passManager);
    passManager.addPass(createOutlineKernels());
    addCleanup(passManager);
    passManager.addPass(createShareKernels());
    addCleanup(passManager);
    return;
  case Stage::Tile:
    // A thread of a device reads its windows where they are.
    if (!forDevice) {
      passManager.addPass(createLowerConvolutions());
      addCleanup(passManager);
    }
    passManager.addPass(createLowerScan());
    passManager.addPass(createLowerSort());
    passManager.addPass(createLowerNonZero());
    passManager.addPass(createLowerScatter());
    passManager.addPass(createLowerToReference());
    addCleanup(passManager);
    passManager.addPass(createCloneVariants());
    passManager.addPass(createSelectSchedules());
    passManager.addNestedPass<KernelOp>(createTileRows());
    passManager.addNestedPass<KernelOp>(createTileKernels());
    addCleanup(passManager);
    return;
  case Stage::Vector:
    if (forDevice) {
      addMathExpansion(passManager);
      addCleanup(passManager);
      return;
    }
    passManager.addNestedPass<KernelOp>(createVectorizeContractions());
    passManager.addNestedPass<KernelOp>(createVectorizeIm2col());
    passManager.addNestedPass<KernelOp>(createVectorizeTransposes());
    passManager.addNestedPass<KernelOp>(createVectorizeReductions());
    passManager.addNestedPass<KernelOp>(createVectorizeElementwise());
    passManager.addNestedPass<KernelOp>(createReassociateReductions());
    passManager.addPass(createReportFallbacks());
    addMathExpansion(passManager);
    addCleanup(passManager);
    return;
  case Stage::Buffer:
    passManager.addPass(createBufferizeKernels());
    passManager.addPass(createBufferizeHost());
    addCleanup(passManager);
    passManager.addNestedPass<KernelOp>(createSwapCarriedBuffers());
    passManager.addPass(createHoistScratch({forDevice ? kDeviceWorkers : 0}));
    addCleanup(passManager);
    passManager.addNestedPass<mlir::func::FuncOp>(createSwapCarriedBuffers());
    if (forDevice) {
      passManager.addPass(createPlaceTransfers());
      addCleanup(passManager);
    }
    passManager.addPass(createPlanMemory());
    passManager.addPass(createReleaseMemory());
    addCleanup(passManager);
    return;
  }
}

/// A stage's own passes: the generic ones, then the target's, then a note of it.
static void buildStagePasses(Stage stage, mlir::OpPassManager &passManager,
                             const Registry &registry, const PipelineOptions &options) {
  const Target *target = registry.findTarget(options.target);
  buildGenericPasses(stage, passManager, target && target->isDevice());
  if (target)
    target->buildStage(stage, passManager, options);
  if (stage != Stage::Module)
    passManager.addPass(createRecordStage({stageName(stage).str()}));
}

/// Appends what one plugin adds before or after a stage.
static void buildCallbacks(const Contribution &contribution, Stage stage, StagePosition position,
                           mlir::OpPassManager &passManager, const Registry &registry,
                           const PipelineOptions &options) {
  StageContext context{stage, position, registry, options, contribution.info.name};
  for (const StageCallbackInfo &info : contribution.stageCallbacks)
    if (info.stage == stage && info.position == position)
      info.callback(passManager, context);
}

void weft::buildStagePipeline(Stage stage, mlir::OpPassManager &passManager,
                              const Registry &registry, const PipelineOptions &options) {
  for (const auto &contribution : registry.contributions())
    buildCallbacks(*contribution, stage, StagePosition::Before, passManager, registry, options);
  buildStagePasses(stage, passManager, registry, options);
  for (const auto &contribution : registry.contributions())
    buildCallbacks(*contribution, stage, StagePosition::After, passManager, registry, options);
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

namespace {
/// Collects lines so that only those that are passes are followed by a comma,
/// and the last of them by none.
class PipelinePrinter {
public:
  PipelinePrinter(const Registry &registry, const PipelineOptions &options)
      : registry(registry), options(options) {}

  void addStage(Stage stage) {
    addExtensionPoint(stage, StagePosition::Before);
    lines.push_back({("/* stage " + stageName(stage) + " */").str(), false});
    addPasses([&](mlir::OpPassManager &passManager) {
      buildStagePasses(stage, passManager, registry, options);
    });
    addExtensionPoint(stage, StagePosition::After);
  }

  void print(llvm::raw_ostream &os) const {
    size_t last = lines.size();
    for (size_t i = 0; i < lines.size(); ++i)
      if (lines[i].isPass)
        last = i;
    os << "builtin.module(\n";
    for (size_t i = 0; i < lines.size(); ++i)
      os << "  " << lines[i].text << (lines[i].isPass && i != last ? ",\n" : "\n");
    os << ")\n";
  }

private:
  struct Line {
    std::string text;
    bool isPass;
  };

  void addPasses(llvm::function_ref<void(mlir::OpPassManager &)> build) {
    mlir::OpPassManager passManager(mlir::ModuleOp::getOperationName());
    build(passManager);
    for (mlir::Pass &pass : passManager.getPasses()) {
      std::string text;
      llvm::raw_string_ostream os(text);
      pass.printAsTextualPipeline(os);
      lines.push_back({text, true});
    }
  }

  void addExtensionPoint(Stage stage, StagePosition position) {
    std::string point = (stagePositionName(position) + " " + stageName(stage)).str();
    lines.push_back({"/* " + point + " */", false});
    for (const auto &contribution : registry.contributions()) {
      size_t header = lines.size();
      addPasses([&](mlir::OpPassManager &passManager) {
        buildCallbacks(*contribution, stage, position, passManager, registry, options);
      });
      if (lines.size() != header)
        lines.insert(lines.begin() + header,
                     {"/* " + point + ": plugin " + contribution->info.name + " */", false});
    }
  }

  const Registry &registry;
  const PipelineOptions &options;
  std::vector<Line> lines;
};
} // namespace

void weft::printPipeline(llvm::raw_ostream &os, const Registry &registry,
                         const PipelineOptions &options) {
  PipelinePrinter printer(registry, options);
  for (Stage stage : allStages)
    printer.addStage(stage);
  printer.print(os);
}

llvm::Expected<std::string> weft::stripPipelineComments(llvm::StringRef text) {
  std::string result;
  while (!text.empty()) {
    size_t open = text.find("/*");
    result += text.take_front(open);
    if (open == llvm::StringRef::npos)
      break;
    size_t close = text.find("*/", open + 2);
    if (close == llvm::StringRef::npos)
      return llvm::createStringError("pass pipeline: the comment '" +
                                     text.substr(open).take_front(20) + "' is not closed by */");
    result += ' ';
    text = text.drop_front(close + 2);
  }
  return result;
}
