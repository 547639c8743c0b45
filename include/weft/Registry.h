//===- Registry.h - What plugins and built-ins contribute -------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A Registrar takes what one plugin contributes; a Registry holds the
// contributions of all of them. Built-in dialects, targets and frontends come
// in through the same Registrar. There is no registry of the process: a tool or
// a session owns its Registry, which outlives every MLIRContext made from it.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_REGISTRY_H
#define WEFT_REGISTRY_H

#include "weft/Pipelines.h"
#include "weft/Stage.h"
#include "weft/Target.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weft {

class ImportContext;
class Registry;

namespace onnx {
class NodeContext;
using NodeBuilder = std::function<mlir::LogicalResult(NodeContext &)>;
} // namespace onnx

/// Who contributes. `name` is unique in a Registry.
struct PluginInfo {
  std::string name;
  std::string version;
  /// The library's path; empty for what is built in.
  std::string file;
  /// SHA-256 of the library's bytes, in hexadecimal; empty for what is built
  /// in.
  std::string digest;
};

/// A pass, found by its argument in textual pipelines.
struct PassInfo {
  std::string argument;
  std::string description;
  mlir::PassAllocatorFunction create;
};

/// A pipeline with a name, found in textual pipelines.
struct PipelineInfo {
  std::string name;
  std::string description;
  mlir::PassRegistryFunction build;
  /// Shows an instance of the options, for `--help`.
  std::function<void(llvm::function_ref<void(const mlir::detail::PassOptions &)>)> showOptions;
};

/// What a stage callback may read.
struct StageContext {
  Stage stage;
  StagePosition position;
  const Registry &registry;
  const PipelineOptions &options;
  /// The plugin whose callback this is.
  llvm::StringRef plugin;

  /// The session's value of an option that this plugin declared, else the
  /// default it declared; empty for an option that it never declared.
  llvm::StringRef option(llvm::StringRef name) const;
};

/// Appends passes before or after a stage's own. The pass manager is anchored
/// on builtin.module.
using StageCallback = std::function<void(mlir::OpPassManager &, const StageContext &)>;

struct StageCallbackInfo {
  Stage stage;
  StagePosition position;
  StageCallback callback;
};

/// An option of a plugin, set per session (`--plugin-option=p.name=value`) and
/// read by its stage callbacks.
struct OptionInfo {
  std::string name;
  std::string description;
  std::string defaultValue;
  /// Whether a value is acceptable; every value is when this is empty.
  std::function<bool(llvm::StringRef)> accepts;
};

/// A source format.
struct FrontendInfo {
  std::string name;
  /// File name endings, with the dot: ".onnx".
  std::vector<std::string> fileExtensions;
  /// Whether a file that begins with these bytes (up to 4 KiB) is of the
  /// format; asked when no file extension decides. May be empty.
  std::function<bool(llvm::ArrayRef<uint8_t>)> probe;
  /// The imported module, or nothing after a diagnostic.
  std::function<mlir::OwningOpRef<mlir::ModuleOp>(ImportContext &)> import;
};

/// How an ONNX operator of a domain becomes IR, for a range of opset versions.
struct ImporterOpInfo {
  /// "" is the standard's default domain.
  std::string domain;
  std::string name;
  /// First and last opset version of the domain that the builder takes.
  int64_t sinceVersion = 1;
  int64_t untilVersion = INT64_MAX;
  onnx::NodeBuilder builder;
};

/// A storage format of `!weft.packed`: an attribute of a registered dialect
/// that implements FormatInterface.
struct FormatInfo {
  /// As written in IR without the #: "weft.format".
  std::string attribute;
  std::string description;
};

/// Everything that one plugin contributed, in the order of its calls.
struct Contribution {
  PluginInfo info;
  std::vector<std::string> dialects;
  std::vector<PassInfo> passes;
  std::vector<PipelineInfo> pipelines;
  std::vector<StageCallbackInfo> stageCallbacks;
  std::vector<OptionInfo> options;
  std::vector<FrontendInfo> frontends;
  std::vector<ImporterOpInfo> importerOps;
  std::vector<std::unique_ptr<Target>> targets;
  std::vector<FormatInfo> formats;
  /// Dialects and extensions as MLIR takes them.
  mlir::DialectRegistry dialectRegistry;
};

/// Takes one plugin's contributions. What cannot be taken (a name that is
/// already taken, a stage that does not exist, ...) is recorded as a sentence
/// and makes the registration fail as a whole; calls themselves never fail, so
/// that a plugin's registration function is a plain list.
class Registrar {
public:
  Registrar(const Registrar &) = delete;
  Registrar &operator=(const Registrar &) = delete;

  /// A dialect; its dependent dialects need no registration.
  template <typename Dialect> void addDialect() {
    if (claimDialect(Dialect::getDialectNamespace()))
      contribution->dialectRegistry.insert<Dialect>();
  }

  /// An extension of dialects, applied when all of them are loaded: external
  /// models of interfaces, canonicalization patterns, ...
  template <typename Extension> void addDialectExtension() {
    contribution->dialectRegistry.addExtensions<Extension>();
  }
  template <typename... Dialects>
  void addDialectExtension(void (*extension)(mlir::MLIRContext *, Dialects *...)) {
    contribution->dialectRegistry.addExtension(extension);
  }

  /// A pass. `create` is called once here, for the argument and description.
  void addPass(mlir::PassAllocatorFunction create);
  template <typename Pass> void addPass() {
    addPass([] { return std::make_unique<Pass>(); });
  }

  /// A named pipeline with options (a PassPipelineOptions class).
  template <typename Options>
  void addPipeline(llvm::StringRef name, llvm::StringRef description,
                   std::function<void(mlir::OpPassManager &, const Options &)> build) {
    addPipeline(
        {name.str(), description.str(),
         [build = std::move(build)](
             mlir::OpPassManager &passManager, llvm::StringRef text,
             llvm::function_ref<mlir::LogicalResult(const llvm::Twine &)>) -> mlir::LogicalResult {
           Options options;
           if (mlir::failed(options.parseFromString(text)))
             return mlir::failure();
           build(passManager, options);
           return mlir::success();
         },
         [](llvm::function_ref<void(const mlir::detail::PassOptions &)> show) {
           show(Options());
         }});
  }
  /// A named pipeline without options.
  void addPipeline(llvm::StringRef name, llvm::StringRef description,
                   std::function<void(mlir::OpPassManager &)> build);
  void addPipeline(PipelineInfo pipeline);

  /// Runs `callback` before or after a stage, in the order of registration.
  void addStageCallback(Stage stage, StagePosition position, StageCallback callback);
  /// The same by the stage's name; an unknown name is an error that lists the
  /// stages there are.
  void addStageCallback(llvm::StringRef stage, StagePosition position, StageCallback callback);

  void addOption(OptionInfo option);
  void addFrontend(FrontendInfo frontend);
  void addImporterOp(ImporterOpInfo importerOp);
  void addTarget(std::unique_ptr<Target> target);
  void addFormat(FormatInfo format);

  /// Makes the registration fail with a reason: one sentence for the user.
  void error(const llvm::Twine &sentence);

  /// The plugin that registers.
  const PluginInfo &plugin() const { return contribution->info; }

private:
  friend class Registry;
  Registrar(const Registry &registry, PluginInfo info);

  bool claim(llvm::StringRef kind, llvm::StringRef name);
  bool claimDialect(llvm::StringRef name);

  const Registry &registry;
  std::unique_ptr<Contribution> contribution;
  /// What this contribution claims: "<kind> '<name>'".
  llvm::StringMap<std::string> claims;
  llvm::StringMap<std::vector<size_t>> ownImporterOps;
  std::vector<std::string> errors;
};

/// A plugin's registration function.
using RegisterFunction = llvm::function_ref<mlir::LogicalResult(Registrar &)>;

/// All contributions. Not copied and not moved: contexts and pipelines point to
/// it. Reading it from several threads is safe once registration is over.
class Registry {
public:
  Registry();
  ~Registry();
  Registry(const Registry &) = delete;
  Registry &operator=(const Registry &) = delete;

  /// Runs `registerFunction`. Either everything it contributed is taken, or
  /// nothing and the error says why.
  llvm::Error add(PluginInfo info, RegisterFunction registerFunction);

  /// Adds what is part of Weft itself.
  llvm::Error addBuiltins();

  /// In order of registration.
  llvm::ArrayRef<std::unique_ptr<Contribution>> contributions() const { return contributionList; }
  /// The contribution of a plugin, or null.
  const Contribution *find(llvm::StringRef plugin) const;

  /// What loaded plugins add to the key of every cache and to what a module
  /// records of its making: a line of name, version and digest for each. Empty
  /// without plugins.
  std::string identity() const;

  /// Adds all dialects and extensions, and makes this registry known to every
  /// context that `dialects` is given to.
  void appendDialectsTo(mlir::DialectRegistry &dialects) const;

  /// The registry that a context's dialects came from, or null. This is how a
  /// pass finds the target that the IR names.
  static const Registry *get(mlir::MLIRContext *context);

  /// Enters passes, pipelines and the stages (`weft-<stage>`) into MLIR's
  /// process-wide tables, where textual pipelines find them. For tools, once,
  /// before the command line is parsed. Fails if a name is already there.
  llvm::Error publishPipelines() const;

  const Target *findTarget(llvm::StringRef name) const;
  /// "cpu, nvptx", for messages.
  std::string targetNames() const;

  /// The builder for an operator at an opset version, or null.
  const ImporterOpInfo *findImporterOp(llvm::StringRef domain, llvm::StringRef name,
                                       int64_t version) const;
  /// All version ranges of an operator, for messages; empty if unknown.
  llvm::ArrayRef<const ImporterOpInfo *> importerOpVersions(llvm::StringRef domain,
                                                            llvm::StringRef name) const;

  /// The frontend for a file by its name, else by its first bytes, or null.
  const FrontendInfo *findFrontend(llvm::StringRef fileName,
                                   llvm::ArrayRef<uint8_t> firstBytes) const;

private:
  friend class Registrar;

  bool isUpstreamDialect(llvm::StringRef name) const;

  std::vector<std::unique_ptr<Contribution>> contributionList;
  /// Who has claimed a name: "<kind> '<name>'" to the plugin.
  llvm::StringMap<std::string> claims;
  /// By "<domain>::<name>".
  llvm::StringMap<std::vector<const ImporterOpInfo *>> importerOps;
};

} // namespace weft

#endif // WEFT_REGISTRY_H
