//===- ToolMain.cpp - What the MLIR-style tools begin with ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Session/ToolMain.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/WithColor.h"

using namespace weft;

PluginFlags::PluginFlags()
    : loadPlugin("load-plugin",
                 llvm::cl::desc("Load a Weft plugin (also: WEFT_PLUGIN_PATH, "
                                "files and folders separated by colons)"),
                 llvm::cl::value_desc("file")) {}

static llvm::Error fillRegistry(int argc, char **argv, Registry &registry) {
  if (llvm::Error error = registry.addBuiltins())
    return error;
  if (llvm::Error error =
          loadToolPlugins(llvm::ArrayRef<const char *>(argv, size_t(argc)), registry))
    return error;
  mlir::registerAllPasses();
  return registry.publishPipelines();
}

bool weft::initializeTool(int argc, char **argv, Registry &registry,
                          mlir::DialectRegistry &dialects) {
  if (llvm::Error error = fillRegistry(argc, argv, registry)) {
    llvm::WithColor::error(llvm::errs(), llvm::sys::path::filename(argv[0]))
        << llvm::toString(std::move(error)) << "\n";
    return false;
  }
  mlir::registerAllDialects(dialects);
  mlir::registerAllExtensions(dialects);
  // Constants are evaluated by code that is generated from the LLVM dialect.
  mlir::registerAllToLLVMIRTranslations(dialects);
  registry.appendDialectsTo(dialects);
  return true;
}
