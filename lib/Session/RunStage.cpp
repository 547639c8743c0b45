//===- RunStage.cpp - One stage of a compilation --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Session/RunStage.h"

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Printing/Passes.h"
#include "transforms/Printing/WeightFiles.h"
#include "weft/Registry.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <mutex>

using namespace mlir;
using namespace weft;

namespace {

class ReproducerFile : public ReproducerStream {
public:
  ReproducerFile(int descriptor, StringRef path)
      : path(path), stream(descriptor, /*shouldClose=*/true) {}
  StringRef description() override { return path; }
  raw_ostream &os() override { return stream; }

private:
  std::string path;
  llvm::raw_fd_ostream stream;
};

/// Remembers the pass that began last: the one that a crash is of, or, where functions
/// are worked on by several threads, one of those.
class LastPass : public PassInstrumentation {
public:
  explicit LastPass(std::string &name) : name(name) {}
  void runBeforePass(Pass *pass, Operation *) override {
    StringRef argument = pass->getArgument();
    if (argument.empty())
      return; // an adaptor around others
    std::lock_guard<std::mutex> lock(mutex);
    name = argument.str();
  }

private:
  std::mutex mutex;
  std::string &name;
};

} // namespace

LogicalResult weft::runStage(Stage stage, ModuleOp module, const Registry &registry,
                             const PipelineOptions &options, bool verifyEach, TimingScope &timing,
                             StringRef model, llvm::function_ref<void(StringRef)> onReproducer,
                             std::string &lastPass) {
  PassManager passManager(module.getContext());
  passManager.enableVerifier(verifyEach);
  passManager.enableTiming(timing);
  passManager.addInstrumentation(std::make_unique<LastPass>(lastPass));
  // MLIR copies the module before it runs a pass, so that a reproducer's weights
  // have their names by now; they are written when it is made.
  SmallString<128> path;
  llvm::sys::fs::createUniquePath("weft-" + model + "-" + stageName(stage) + "-%%%%%%.mlir", path,
                                  /*MakeAbsolute=*/true);
  std::string spillCopy = (path + ".weights").str();
  nameWeightFiles(module, spillCopy);
  WeightStore &store = module.getContext()->getOrLoadDialect<WeftDialect>()->getWeightStore();
  passManager.enableCrashReproducerGeneration(
      [path, spillCopy, &store,
       onReproducer](std::string &error) -> std::unique_ptr<ReproducerStream> {
        int descriptor;
        if (std::error_code code =
                llvm::sys::fs::openFileForWrite(path, descriptor, llvm::sys::fs::CD_CreateNew)) {
          error = "cannot write a reproducer: " + code.message();
          return nullptr;
        }
        llvm::consumeError(store.copySpill(spillCopy)); // who reads it says so
        onReproducer(path);
        return std::make_unique<ReproducerFile>(descriptor, path);
      });
  passManager.addPass(createRestoreModule()); // for who runs the reproducer
  buildStagePipeline(stage, passManager, registry, options);
  if (failed(passManager.run(module)))
    return failure();
  // Stages keep their contract: what they leave is valid IR.
  return verify(module);
}

bool weft::isReproducerDiagnostic(const Diagnostic &diagnostic) {
  std::string text = diagnostic.str();
  return StringRef(text).starts_with("Failures have been detected while processing") ||
         StringRef(text).starts_with("A signal was caught while processing");
}
