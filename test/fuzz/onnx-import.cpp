//===- onnx-import.cpp - Fuzz target of the ONNX importer -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whatever the bytes are, there is a module that verifies, or an error about
// the model.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Reader/Reader.h"
#include "weft/Registry.h"

#include "mlir/IR/Diagnostics.h"

#include <cstdlib>

using namespace mlir;
using namespace weft;

/// MLIR's libraries are not instrumented: memory that inlined allocators of
/// LLVM poison in this program, they use without a word.
extern "C" const char *__asan_default_options() { return "allow_user_poisoning=0"; }

static constexpr StringRef kFile = "m.onnx";

static void check(bool promise, StringRef what) {
  if (promise)
    return;
  llvm::errs() << "not kept: " << what << "\n";
  std::abort();
}

namespace {
/// A context keeps each type, attribute and weight that it has seen: one serves
/// a number of models only.
class Session {
public:
  Session() {
    llvm::Error error = registry.addBuiltins();
    check(!error, "built-ins are registered");
  }
  MLIRContext &nextContext() {
    if (!context || ++models > 500) {
      DialectRegistry dialects;
      registry.appendDialectsTo(dialects);
      context.reset();
      context = std::make_unique<MLIRContext>(dialects, MLIRContext::Threading::DISABLED);
      models = 0;
    }
    return *context;
  }
  const Registry &getRegistry() const { return registry; }

private:
  Registry registry;
  std::unique_ptr<MLIRContext> context;
  unsigned models = 0;
};
} // namespace

static void importModel(MLIRContext &context, const Registry &registry, onnx::Model model) {
  unsigned errors = 0;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
      return success();
    ++errors;
    // An operation that does not verify is not the model's error.
    std::string text = diagnostic.str();
    check(StringRef(text).starts_with((kFile + ": ").str()), text);
    return success();
  });
  ImportOptions options;
  ImportContext import(context, registry, kFile.str(), options);
  OwningOpRef<ModuleOp> module = onnx::Importer(import, std::move(model)).run();
  if (module)
    return check(errors == 0, "a model with errors gives no module");
  check(errors > 0, "a model that gives no module has errors");
  check(import.failure != ImportFailure::None, "a model that gives no module has a kind of error");
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static Session session;
  Result<onnx::Model> model = onnx::readModel(std::span(data, size), kFile.str());
  if (!model)
    return -1; // Only what is read is worth mutating further; see fuzz-onnx-reader.
  importModel(session.nextContext(), session.getRegistry(), std::move(*model));
  return 0;
}
