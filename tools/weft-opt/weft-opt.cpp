//===- weft-opt.cpp - Runs passes and stages over IR ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Session/ToolMain.h"
#include "transforms/Printing/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/WithColor.h"

static int fail(llvm::Error error) {
  llvm::WithColor::error(llvm::errs(), "weft-opt") << llvm::toString(std::move(error)) << "\n";
  return EXIT_FAILURE;
}

/// Takes the comments that --print-pipeline writes out of --pass-pipeline.
static llvm::Error stripComments(std::vector<std::string> &arguments) {
  for (std::string &argument : arguments) {
    llvm::StringRef text = argument;
    if (!text.starts_with("--pass-pipeline=") && !text.starts_with("-pass-pipeline="))
      continue;
    llvm::Expected<std::string> stripped = weft::stripPipelineComments(text);
    if (!stripped)
      return stripped.takeError();
    argument = std::move(*stripped);
  }
  return llvm::Error::success();
}

/// Empties `passManager`, which itself can only append.
static std::vector<std::unique_ptr<mlir::Pass>> takePasses(mlir::PassManager &passManager) {
  using Base = mlir::OpPassManager::pass_iterator;
  struct Iterator : Base {
    Iterator(Base other) : Base(other) {}
    std::unique_ptr<mlir::Pass> take() { return std::move(*wrapped()); }
  };
  std::vector<std::unique_ptr<mlir::Pass>> passes;
  for (auto pass = passManager.begin(); pass != passManager.end(); ++pass)
    passes.push_back(Iterator(pass).take());
  passManager.clear();
  return passes;
}

/// Has printed modules restored before the passes run, and their weights named
/// after.
static void addPrinting(mlir::MlirOptMainConfig &config, llvm::StringRef input,
                        llvm::StringRef output) {
  auto isModule = [](const mlir::PassManager &passManager) {
    return passManager.getOpAnchorName() == mlir::ModuleOp::getOperationName();
  };
  std::string folder = llvm::sys::path::parent_path(input).str();
  // The parts of a split file would overwrite each other's weights.
  std::string printed = config.inputSplitMarker().empty() ? output.str() : "-";
  config.setPassPipelineSetupFn([=, inner = config](mlir::PassManager &passManager) {
    // --pass-pipeline= replaces whatever is there: restoring is put before it.
    if (mlir::failed(inner.setupPassPipeline(passManager)))
      return mlir::failure();
    if (!isModule(passManager))
      return mlir::success();
    std::vector<std::unique_ptr<mlir::Pass>> passes = takePasses(passManager);
    passManager.addPass(weft::createRestoreModule({folder}));
    for (std::unique_ptr<mlir::Pass> &pass : passes)
      passManager.addPass(std::move(pass));
    passManager.addPass(weft::createSaveWeights({printed}));
    return mlir::success();
  });
}

/// What MlirOptMain does with files, for modules with weights.
static mlir::LogicalResult processFile(llvm::StringRef input, llvm::StringRef output,
                                       mlir::DialectRegistry &dialects) {
  mlir::MlirOptMainConfig config = mlir::MlirOptMainConfig::createFromCLOptions();
  if (input == "-" && llvm::sys::Process::FileDescriptorIsDisplayed(fileno(stdin)))
    llvm::errs() << "(processing input from stdin now, hit ctrl-c/ctrl-d to interrupt)\n";
  std::string problem;
  auto open = [&]() -> std::unique_ptr<llvm::ToolOutputFile> {
    auto file = mlir::openOutputFile(output, &problem);
    if (!file)
      llvm::errs() << problem << "\n";
    return file;
  };
  std::unique_ptr<llvm::MemoryBuffer> buffer = mlir::openInputFile(input, &problem);
  if (!buffer) {
    llvm::errs() << problem << "\n";
    return mlir::failure();
  }
  addPrinting(config, input, output);
  std::unique_ptr<llvm::ToolOutputFile> file;
  if (llvm::sys::fs::equivalent(input, output)) {
    // The file is the input, which is mapped, until there is something to put there.
    std::string text;
    llvm::raw_string_ostream os(text);
    if (mlir::failed(mlir::MlirOptMain(os, std::move(buffer), dialects, config)) ||
        !(file = open()))
      return mlir::failure();
    file->os() << text;
  } else if (!(file = open()) ||
             mlir::failed(mlir::MlirOptMain(file->os(), std::move(buffer), dialects, config))) {
    return mlir::failure();
  }
  file->keep();
  return mlir::success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM initLLVM(argc, argv);
  weft::Registry registry;
  mlir::DialectRegistry dialects;
  if (!weft::initializeTool(argc, argv, registry, dialects))
    return EXIT_FAILURE;

  std::vector<std::string> arguments(argv, argv + argc);
  if (llvm::Error error = stripComments(arguments))
    return fail(std::move(error));
  std::vector<char *> pointers;
  for (std::string &argument : arguments)
    pointers.push_back(argument.data());
  pointers.push_back(nullptr);

  weft::PluginFlags pluginFlags;
  llvm::cl::opt<bool> listPlugins(
      "list-plugins", llvm::cl::desc("List built-ins and plugins with what they register"));
  llvm::cl::opt<bool> printPipeline(
      "print-pipeline", llvm::cl::desc("Print all stages as one pipeline, extension points "
                                       "marked, that --pass-pipeline= takes back"));
  weft::PipelineOptions options;
  llvm::cl::opt<std::string, /*ExternalStorage=*/true> target(
      "target", llvm::cl::desc("The target of --print-pipeline"),
      llvm::cl::location(options.target), llvm::cl::init(options.target));
  llvm::cl::list<std::string> pluginOptions(
      "plugin-option", llvm::cl::desc("An option of a plugin, for --print-pipeline"),
      llvm::cl::value_desc("plugin.option=value"));

  auto [input, output] = mlir::registerAndParseCLIOptions(argc, pointers.data(),
                                                          "Weft's optimizer driver\n", dialects);
  if (listPlugins)
    weft::printPlugins(llvm::outs(), registry);
  for (const std::string &assignment : pluginOptions)
    if (llvm::Error error = options.setPluginOption(assignment))
      return fail(std::move(error));
  if (printPipeline) {
    if (llvm::Error error = weft::checkPipelineOptions(registry, options))
      return fail(std::move(error));
    weft::printPipeline(llvm::outs(), registry, options);
  }
  if (listPlugins || printPipeline)
    return EXIT_SUCCESS;
  mlir::MlirOptMainConfig config = mlir::MlirOptMainConfig::createFromCLOptions();
  if (!config.shouldShowDialects() && !config.shouldListPasses())
    return mlir::asMainReturnCode(processFile(input, output, dialects));
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, pointers.data(), input, output, dialects));
}
