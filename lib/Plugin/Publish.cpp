//===- Publish.cpp - Passes and pipelines in MLIR's own tables ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weft/Plugin.h"

#include "mlir/Pass/PassOptions.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Process.h"

using namespace weft;

/// MLIR keeps passes and pipelines in tables of the process, without a word
/// when a name is taken twice, and makes each a flag of its tools, which ends
/// the process when the flag exists. So both are asked first.
static llvm::Error checkFree(const PluginInfo &plugin, llvm::StringRef kind, llvm::StringRef name) {
  const char *owner = nullptr;
  if (mlir::PassInfo::lookup(name) || mlir::PassPipelineInfo::lookup(name))
    owner = "' is already one of MLIR's, or registered before";
  else if (llvm::cl::getRegisteredOptions().contains(name))
    owner = "' is already a flag";
  if (!owner)
    return llvm::Error::success();
  return llvm::createStringError("plugin '" + plugin.name + "' cannot be registered: " + kind +
                                 " '" + name + owner);
}

static llvm::Error publish(const Contribution &contribution) {
  for (const PassInfo &pass : contribution.passes) {
    if (llvm::Error error = checkFree(contribution.info, "pass", pass.argument))
      return error;
    mlir::registerPass(pass.create);
  }
  for (const PipelineInfo &pipeline : contribution.pipelines) {
    if (llvm::Error error = checkFree(contribution.info, "pipeline", pipeline.name))
      return error;
    mlir::registerPassPipeline(pipeline.name, pipeline.description, pipeline.build,
                               pipeline.showOptions);
  }
  return llvm::Error::success();
}

namespace {
/// PipelineOptions as text: `weft-fuse{target=cpu plugin-option=p.name=value}`.
struct StagePipelineOptions : mlir::PassPipelineOptions<StagePipelineOptions> {
  Option<std::string> target{*this, "target", llvm::cl::desc("The target's name"),
                             llvm::cl::init("cpu")};
  ListOption<std::string> pluginOptions{
      *this, "plugin-option", llvm::cl::desc("An option of a plugin: <plugin>.<option>=<value>")};
};
} // namespace

static mlir::LogicalResult
buildStageFromText(Stage stage, mlir::OpPassManager &passManager, const Registry &registry,
                   llvm::StringRef text,
                   llvm::function_ref<mlir::LogicalResult(const llvm::Twine &)> report) {
  StagePipelineOptions parsed;
  if (mlir::failed(parsed.parseFromString(text)))
    return mlir::failure();
  PipelineOptions options;
  options.target = parsed.target;
  for (const std::string &assignment : parsed.pluginOptions)
    if (llvm::Error error = options.setPluginOption(assignment))
      return report(llvm::toString(std::move(error)));
  if (llvm::Error error = checkPipelineOptions(registry, options))
    return report(llvm::toString(std::move(error)));
  buildStagePipeline(stage, passManager, registry, options);
  return mlir::success();
}

llvm::Error Registry::publishPipelines() const {
  for (const auto &contribution : contributionList)
    if (llvm::Error error = publish(*contribution))
      return error;
  for (Stage stage : allStages)
    mlir::registerPassPipeline(
        stagePipelineName(stage),
        ("Stage '" + stageName(stage) + "' with the plugins' callbacks").str(),
        [this, stage](mlir::OpPassManager &passManager, llvm::StringRef text,
                      llvm::function_ref<mlir::LogicalResult(const llvm::Twine &)> report) {
          return buildStageFromText(stage, passManager, *this, text, report);
        },
        [](llvm::function_ref<void(const mlir::detail::PassOptions &)> show) {
          show(StagePipelineOptions());
        });
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Inside the stock MLIR tools
//===----------------------------------------------------------------------===//

/// The tools ignore a plugin that does not load and go on with exit code 0; a
/// plugin that loads but cannot register must not end like that.
[[noreturn]] static void exitWith(llvm::Error error) {
  llvm::errs() << "error: " << llvm::toString(std::move(error)) << "\n";
  llvm::sys::Process::Exit(1);
}

void weft::detail::publishPluginPipelines(PluginInfo info, RegisterFunction registerFunction) {
  // Passes and pipelines are copied, so that the registry may go.
  Registry registry;
  if (llvm::Error error = registry.add(std::move(info), registerFunction))
    exitWith(std::move(error));
  if (llvm::Error error = publish(*registry.contributions().front()))
    exitWith(std::move(error));
}

void weft::detail::appendPluginDialects(PluginInfo info, RegisterFunction registerFunction,
                                        mlir::DialectRegistry &dialects) {
  Registry registry;
  if (llvm::Error error = registry.addBuiltins())
    exitWith(std::move(error));
  if (llvm::Error error = registry.add(std::move(info), registerFunction))
    exitWith(std::move(error));
  for (const auto &contribution : registry.contributions())
    contribution->dialectRegistry.appendTo(dialects);
}
