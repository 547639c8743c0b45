//===- Registrar.cpp - Taking one plugin's contributions ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weft/Registry.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace weft;

/// What may stand in a textual pipeline and after the dashes of a flag.
static bool isPipelineName(llvm::StringRef name) {
  return !name.empty() && llvm::isAlnum(name.front()) && llvm::all_of(name, [](char c) {
    return llvm::isAlnum(c) || c == '-' || c == '_' || c == '.';
  });
}

Registrar::Registrar(const Registry &registry, PluginInfo info)
    : registry(registry), contribution(std::make_unique<Contribution>()) {
  contribution->info = std::move(info);
}

void Registrar::error(const llvm::Twine &sentence) { errors.push_back(sentence.str()); }

/// Claims a name that is unique in a registry. Passes and pipelines share a
/// kind because they share textual pipelines.
bool Registrar::claim(llvm::StringRef kind, llvm::StringRef name) {
  std::string key = (kind + " '" + name + "'").str();
  auto owner = registry.claims.find(key);
  if (owner != registry.claims.end()) {
    error(key + " is already registered by '" + owner->second + "'");
    return false;
  }
  if (!claims.try_emplace(key, contribution->info.name).second) {
    error(key + " is registered twice");
    return false;
  }
  return true;
}

bool Registrar::claimDialect(llvm::StringRef name) {
  // MLIR ends the process when two dialects of one name meet.
  if (registry.isUpstreamDialect(name)) {
    error("dialect '" + name +
          "' is one of MLIR's own; a dialect that depends "
          "on it needs no registration of it");
    return false;
  }
  if (!claim("dialect", name))
    return false;
  contribution->dialects.push_back(name.str());
  return true;
}

void Registrar::addPass(mlir::PassAllocatorFunction create) {
  std::unique_ptr<mlir::Pass> pass = create ? create() : nullptr;
  if (!pass)
    return error("a pass's factory gives no pass");
  std::string argument = pass->getArgument().str();
  if (!isPipelineName(argument))
    return error("pass '" + pass->getName() + "' has the argument '" + argument +
                 "', expected letters, digits and dashes");
  if (claim("pass or pipeline", argument))
    contribution->passes.push_back({argument, pass->getDescription().str(), std::move(create)});
}

void Registrar::addPipeline(llvm::StringRef name, llvm::StringRef description,
                            std::function<void(mlir::OpPassManager &)> build) {
  addPipeline({name.str(), description.str(),
               [build = std::move(build)](
                   mlir::OpPassManager &passManager, llvm::StringRef options,
                   llvm::function_ref<mlir::LogicalResult(const llvm::Twine &)> report)
                   -> mlir::LogicalResult {
                 if (!options.empty())
                   return report("this pipeline has no options");
                 build(passManager);
                 return mlir::success();
               },
               [](llvm::function_ref<void(const mlir::detail::PassOptions &)>) {}});
}

void Registrar::addPipeline(PipelineInfo pipeline) {
  if (!isPipelineName(pipeline.name))
    return error("pipeline name '" + pipeline.name +
                 "' should consist of letters, digits and dashes");
  if (!pipeline.build)
    return error("pipeline '" + pipeline.name + "' has no builder");
  for (Stage stage : allStages)
    if (pipeline.name == stagePipelineName(stage))
      return error("pipeline '" + pipeline.name + "' is a stage; extend it by a stage callback");
  if (claim("pass or pipeline", pipeline.name))
    contribution->pipelines.push_back(std::move(pipeline));
}

void Registrar::addStageCallback(Stage stage, StagePosition position, StageCallback callback) {
  if (!callback)
    return error("the callback " + stagePositionName(position) + " stage '" + stageName(stage) +
                 "' is empty");
  contribution->stageCallbacks.push_back({stage, position, std::move(callback)});
}

void Registrar::addStageCallback(llvm::StringRef stage, StagePosition position,
                                 StageCallback callback) {
  if (std::optional<Stage> known = parseStage(stage))
    return addStageCallback(*known, position, std::move(callback));
  error("there is no extension point " + stagePositionName(position) + " stage '" + stage +
        "'; the stages are " + allStageNames());
}

void Registrar::addOption(OptionInfo option) {
  if (!isPipelineName(option.name))
    return error("option name '" + option.name + "' should consist of letters, digits and dashes");
  if (llvm::any_of(contribution->options,
                   [&](const OptionInfo &other) { return other.name == option.name; }))
    return error("option '" + option.name + "' is registered twice");
  contribution->options.push_back(std::move(option));
}

void Registrar::addFrontend(FrontendInfo frontend) {
  if (!frontend.import)
    return error("frontend '" + frontend.name + "' has no import function");
  bool free = claim("frontend", frontend.name);
  for (const std::string &extension : frontend.fileExtensions)
    free &= claim("file extension", llvm::StringRef(extension).lower());
  if (free)
    contribution->frontends.push_back(std::move(frontend));
}

void Registrar::addImporterOp(ImporterOpInfo importerOp) {
  std::string what = "importer op '" + importerOp.domain + (importerOp.domain.empty() ? "" : "::") +
                     importerOp.name + "'";
  if (importerOp.name.empty() || !importerOp.builder)
    return error(what + " has no name or no builder");
  if (importerOp.sinceVersion < 1 || importerOp.untilVersion < importerOp.sinceVersion)
    return error(what + " has the empty version range " + llvm::Twine(importerOp.sinceVersion) +
                 " to " + llvm::Twine(importerOp.untilVersion));
  auto overlaps = [&](const ImporterOpInfo &other) {
    return other.domain == importerOp.domain && other.name == importerOp.name &&
           other.sinceVersion <= importerOp.untilVersion &&
           importerOp.sinceVersion <= other.untilVersion;
  };
  for (const ImporterOpInfo *other :
       registry.importerOpVersions(importerOp.domain, importerOp.name))
    if (overlaps(*other))
      return error(what + " from version " + llvm::Twine(importerOp.sinceVersion) +
                   " on is already registered for some of these versions");
  // A frontend registers several hundred of these: the search among its own is
  // by name.
  std::vector<size_t> &own = ownImporterOps[what];
  for (size_t index : own)
    if (overlaps(contribution->importerOps[index]))
      return error(what + " is registered twice for version " +
                   llvm::Twine(std::max(importerOp.sinceVersion,
                                        contribution->importerOps[index].sinceVersion)));
  own.push_back(contribution->importerOps.size());
  contribution->importerOps.push_back(std::move(importerOp));
}

void Registrar::addTarget(std::unique_ptr<Target> target) {
  if (!target || target->name().empty())
    return error("a target is null or has no name");
  if (claim("target", target->name()))
    contribution->targets.push_back(std::move(target));
}

void Registrar::addFormat(FormatInfo format) {
  if (claim("format", format.attribute))
    contribution->formats.push_back(std::move(format));
}
