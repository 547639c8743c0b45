//===- Compilation.h - One run of the compiler ------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_SESSION_COMPILATION_H
#define WEFT_SESSION_COMPILATION_H

#include "Package/Writer.h"
#include "Session/Report.h"
#include "targets/CPU/Chip.h"
#include "weft/Registry.h"
#include "weft/Session.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Support/Timing.h"
#include "llvm/ADT/StringExtras.h"

#include <chrono>

namespace weft {

/// One compilation: the context and what the stages leave.
class Compilation {
public:
  Compilation(const Registry &registry, const CompileOptions &options, Session::Progress progress,
              Session::Diagnose diagnose, Session::Reproduce reproduce)
      : registry(registry), options(options), progress(progress), diagnose(diagnose),
        reproduce(reproduce), start(std::chrono::steady_clock::now()) {}
  ExitCode run();

private:
  ExitCode fail(const llvm::Twine &message, ExitCode code = ExitCode::Error) {
    diagnose(("error: " + message).str());
    return code;
  }
  /// A warning or remark: to the user, and into the report.
  void tell(const std::string &line) {
    report.addMessage(line);
    diagnose(line);
  }

  // Stages: Session.cpp.
  ExitCode runStages(mlir::TimingScope &timing);
  ExitCode runPasses(Stage stage, mlir::TimingScope &timing);
  std::string summaryOf(Stage stage);
  /// Since the last call, or since the start.
  double secondsOfStage() {
    auto before = std::exchange(stageStart, std::chrono::steady_clock::now());
    return std::chrono::duration<double>(stageStart - before).count();
  }

  // What it begins with: CompilationInput.cpp.
  ExitCode import();
  ExitCode importPrinted();
  void recordSource();
  ExitCode chooseTarget();
  /// Records the chips that --chip names, and refuses those that the target has not.
  ExitCode chooseChips();
  /// The first stage that `module` has not been through.
  ExitCode findFirstStage(Stage &first);

  // What it writes: CompilationOutput.cpp.
  /// Whether files can come into being where the options want them; said before
  /// time is spent on what goes into them.
  ExitCode checkOutputs();
  std::string outputPath() const;
  /// Where text goes that is not a module.
  std::string textPath() const { return options.output.empty() ? "-" : options.output; }
  /// Writes `print`'s text to the file `path`; "-" is standard output.
  ExitCode writeText(const std::string &path, llvm::function_ref<void(llvm::raw_ostream &)> print);
  ExitCode drawGraph();
  /// Prints the module; its computed weights go to a file beside it.
  ExitCode print(const std::string &path);
  ExitCode dump(Stage stage);
  ExitCode writeModule(mlir::TimingScope &timing);
  llvm::Error writeReport(const ModuleInfo &info, llvm::ArrayRef<Weight> weights,
                          const WrittenModule &written);
  std::string optionsText() const;
  /// "x86-64-v4,x86-64-v3".
  std::string chipNames() const {
    return llvm::join(llvm::map_range(chips, [](const cpu::Chip &chip) { return chip.cpu; }), ",");
  }

  const Registry &registry;
  const CompileOptions &options;
  Session::Progress progress;
  Session::Diagnose diagnose;
  Session::Reproduce reproduce;
  const std::chrono::steady_clock::time_point start;
  std::chrono::steady_clock::time_point stageStart = start;
  std::vector<cpu::Chip> chips; ///< best first
  unsigned optLevel = 3;
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  int64_t nodeCount = 0;
  Report report;
  bool hasReported = false; ///< an error, since the stage began
};

} // namespace weft

#endif // WEFT_SESSION_COMPILATION_H
