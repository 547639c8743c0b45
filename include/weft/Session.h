//===- Session.h - Compiling a model --------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_SESSION_H
#define WEFT_SESSION_H

#include "weft/Frontend/Import.h"
#include "weft/Pipelines.h"
#include "weft/Stage.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>
#include <vector>

namespace weft {

class Registry;

/// Exit codes of the command line.
enum class ExitCode : int {
  Success = 0,
  Error = 1,
  Usage = 2,
  Unsupported = 3,
  Different = 4,
  Internal = 70,
};

struct CompileOptions {
  /// A model, or .mlir: what has been through a stage goes on with the next.
  std::string input;
  std::string output; ///< empty: the input's name with ".so"
  ImportOptions import;
  PipelineOptions pipeline; ///< target and plugins' options
  /// Empty: this machine's. IR that has been through a stage keeps its own.
  std::string cpu;
  /// --chip: the chips of the target's devices, separated by commas; empty: all of
  /// them.
  std::string chip;
  std::optional<unsigned> optLevel; ///< 3 if it is not given
  Stage lastStage = Stage::Module;  ///< --compile-to
  enum class Emit { Module, Object, MLIR } emit = Emit::Module;
  std::string dumpStages;   ///< folder for the IR after every stage
  std::string report;       ///< --report: HTML file about the compilation
  std::string graph;        ///< --graph: "dot" or "svg" of the model instead of a module
  std::string saveAssembly; ///< folder for the assembly of every object
  unsigned jobs = 0;        ///< threads that generate code; 0: as many as there are cores
  uint64_t embedLimit = uint64_t(64) << 20;
  std::vector<std::string> plugins;
  bool timing = false;
  /// --remarks: a regular expression of the categories whose remarks are shown.
  std::optional<std::string> remarks;
  bool verifyEach = false;
};

/// Reads the flags of `weft compile`; the error is a sentence for the user.
llvm::Error parseCompileOptions(llvm::ArrayRef<std::string> arguments, CompileOptions &options);

/// Compiles one model in this process; MLIR and LLVM can end it. `progress` gets
/// the number of the stage, its name and what came out of it; `diagnose` gets
/// each error, warning and the closing summary, as lines of text; `reproduce` the
/// path of a reproducer, when a pass has failed or is about to end the process.
class Session {
public:
  Session(const Registry &registry, CompileOptions options)
      : registry(registry), options(std::move(options)) {}

  using Progress =
      llvm::function_ref<void(int step, llvm::StringRef stage, llvm::StringRef summary)>;
  using Diagnose = llvm::function_ref<void(llvm::StringRef)>;
  using Reproduce = llvm::function_ref<void(llvm::StringRef path)>;
  ExitCode run(Progress progress, Diagnose diagnose, Reproduce reproduce);

private:
  const Registry &registry;
  CompileOptions options;
};

} // namespace weft

#endif // WEFT_SESSION_H
