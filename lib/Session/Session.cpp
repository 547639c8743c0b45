//===- Session.cpp - Compiling a model ------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weft/Session.h"

#include "Session/Compilation.h"
#include "Session/Messages.h"
#include "Session/RunStage.h"
#include "dialects/Weft/IR/Weft.h"
#include "transforms/Model/Passes.h"
#include "transforms/Printing/WeightFiles.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace weft;

std::string Compilation::summaryOf(Stage stage) {
  int64_t operations = 0, dispatches = 0, kernels = 0, composites = 0;
  module->walk([&](Operation *op) {
    ++operations;
    dispatches += isa<DispatchOp>(op);
    kernels += isa<KernelOp>(op);
    composites += isa<CompositeOp>(op);
  });
  switch (stage) {
  case Stage::Input:
    return llvm::formatv("{0} nodes -> {1} ops", nodeCount, operations);
  case Stage::Fuse:
    return llvm::formatv("{0} kernels ({1} distinct)", dispatches, kernels);
  case Stage::Buffer: {
    int64_t bytes = 0, bound = 0;
    std::string assumed;
    module->walk([&](func::FuncOp op) {
      if (auto attribute = op->getAttrOfType<IntegerAttr>(WeftDialect::arenaBytesAttrName))
        bytes = attribute.getInt();
      if (auto attribute = op->getAttrOfType<IntegerAttr>(WeftDialect::arenaLowerBoundAttrName))
        bound = attribute.getInt();
      if (auto attribute = op->getAttrOfType<IntegerAttr>(WeftDialect::arenaAssumedExtentAttrName))
        assumed = llvm::formatv(", free dimensions at {0}", attribute.getInt());
    });
    return llvm::formatv("arena {0} bytes (lower bound {1}{2})", bytes, bound, assumed);
  }
  default:
    return llvm::formatv("{0} ops", operations);
  }
}

/// Constants that contradict their format are the input's fault, which a pass that
/// fails is not.
static LogicalResult verifyConstants(ModuleOp module) {
  PassManager passManager(module.getContext());
  passManager.addPass(createVerifyPackedConstants());
  return passManager.run(module);
}

ExitCode Compilation::runPasses(Stage stage, TimingScope &timing) {
  TimingScope scope = timing.nest(stageName(stage));
  hasReported = false;
  std::string lastPass;
  if (stage == Stage::Model && failed(verifyConstants(*module)))
    return ExitCode::Error;
  if (succeeded(runStage(stage, *module, registry, options.pipeline, options.verifyEach, scope,
                         llvm::sys::path::stem(options.input), reproduce, lastPass))) {
    releaseUnusedWeights(*module);
    return ExitCode::Success;
  }
  if (!hasReported)
    fail("the stage '" + stageName(stage) + "' failed without saying why" +
         (lastPass.empty() ? "" : ", in or after the pass '" + lastPass + "'"));
  return ExitCode::Internal;
}

ExitCode Compilation::runStages(TimingScope &timing) {
  TimingScope importScope = timing.nest("import");
  if (ExitCode code = import(); code != ExitCode::Success)
    return code;
  importScope.stop();
  if (ExitCode code = chooseTarget(); code != ExitCode::Success)
    return code;
  Stage first;
  if (ExitCode code = findFirstStage(first); code != ExitCode::Success)
    return code;
  recordSource();
  for (Stage stage : allStages) {
    if (stage < first)
      continue;
    if (stage == Stage::Module || stage > options.lastStage)
      break;
    if (ExitCode code = runPasses(stage, timing); code != ExitCode::Success)
      return code;
    std::string summary = summaryOf(stage);
    progress(static_cast<int>(stage) + 1, stageName(stage), summary);
    report.addStage(stage, secondsOfStage(), summary, *module);
    if (ExitCode code = dump(stage); code != ExitCode::Success)
      return code;
  }
  if (options.lastStage != Stage::Module || options.emit == CompileOptions::Emit::MLIR)
    return print(textPath());
  TimingScope scope = timing.nest(stageName(Stage::Module));
  return writeModule(scope);
}

ExitCode Compilation::run() {
  if (!options.graph.empty())
    return drawGraph();
  if (ExitCode code = checkOutputs(); code != ExitCode::Success)
    return code;
  if (llvm::Error error = checkPipelineOptions(registry, options.pipeline))
    return fail(llvm::toString(std::move(error)), ExitCode::Usage);
  llvm::Expected<std::vector<cpu::Chip>> resolved =
      cpu::resolveChips(options.cpu.empty() ? "native" : StringRef(options.cpu));
  if (!resolved)
    return fail(llvm::toString(resolved.takeError()), ExitCode::Usage);
  chips = std::move(*resolved);

  DialectRegistry dialects;
  registerAllDialects(dialects);
  registerAllExtensions(dialects);
  registerAllToLLVMIRTranslations(dialects);
  registry.appendDialectsTo(dialects);
  // One thread: workers of a compilation are processes or objects, not passes.
  context = std::make_unique<MLIRContext>(dialects, MLIRContext::Threading::DISABLED);
  context->printOpOnDiagnostic(false);
  ScopedDiagnosticHandler handler(context.get(), [&](Diagnostic &diagnostic) {
    if (isReproducerDiagnostic(diagnostic))
      return success(); // said in fewer words elsewhere
    hasReported |= diagnostic.getSeverity() == DiagnosticSeverity::Error;
    tell(renderDiagnostic(diagnostic));
    return success();
  });
  if (options.remarks && failed(enableRemarks(*context, *options.remarks, diagnose)))
    return fail("remarks cannot be enabled");
  // Builders of operators create operations of their plugin's dialects.
  for (const auto &contribution : registry.contributions())
    for (const std::string &name : contribution->dialects)
      context->getOrLoadDialect(name);

  std::string times;
  llvm::raw_string_ostream timesStream(times);
  ExitCode code;
  {
    DefaultTimingManager manager;
    manager.setEnabled(options.timing);
    manager.setOutput(createOutputStrategy(DefaultTimingManager::OutputFormat::Text, timesStream));
    TimingScope root = manager.getRootScope();
    code = runStages(root);
  }
  if (!times.empty())
    diagnose(StringRef(times).rtrim());
  return code;
}

ExitCode Session::run(Progress progress, Diagnose diagnose, Reproduce reproduce) {
  return Compilation(registry, options, progress, diagnose, reproduce).run();
}
