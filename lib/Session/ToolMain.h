//===- ToolMain.h - What the MLIR-style tools begin with ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_LIB_SESSION_TOOLMAIN_H
#define WEFT_LIB_SESSION_TOOLMAIN_H

#include "weft/Plugin.h"

#include "llvm/Support/CommandLine.h"

namespace weft {

/// The flags that loadToolPlugins reads before a command line is parsed, so
/// that the parser knows them and `--help` shows them.
struct PluginFlags {
  PluginFlags();
  llvm::cl::list<std::string> loadPlugin;
};

/// Fills `registry` with the built-ins and the plugins that the environment and
/// `argv` name, `dialects` with theirs and MLIR's, and MLIR's tables with all
/// passes. Returns false after a message that begins with the tool's name.
bool initializeTool(int argc, char **argv, Registry &registry, mlir::DialectRegistry &dialects);

} // namespace weft

#endif // WEFT_LIB_SESSION_TOOLMAIN_H
