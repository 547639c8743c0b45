//===- Pipelines.h - The stages as pass pipelines ---------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PIPELINES_H
#define WEFT_PIPELINES_H

#include "weft/Stage.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <map>
#include <string>

namespace weft {

class Registry;

/// What shapes a pipeline. Everything that a pass needs to know besides is in
/// the module's target attribute. A session owns one; two sessions of one
/// process differ freely.
struct PipelineOptions {
  /// Name of a registered target.
  std::string target = "cpu";

  /// Folder for the assembly of code for devices; empty: it is not kept.
  std::string assemblyFolder;

  /// Values of the options that plugins declared, by "<plugin>.<option>".
  std::map<std::string, std::string, std::less<>> pluginOptions;

  /// Sets a plugin's option from "<plugin>.<option>=<value>".
  llvm::Error setPluginOption(llvm::StringRef assignment);
};

/// Fails with one sentence if `options` names a target or an option of a plugin
/// that `registry` does not have, or a value that its plugin refuses.
llvm::Error checkPipelineOptions(const Registry &registry, const PipelineOptions &options);

/// Appends a stage to `passManager`, which is anchored on builtin.module: the
/// plugins' callbacks before it, its own passes, the callbacks after it.
/// `options` have passed checkPipelineOptions.
void buildStagePipeline(Stage stage, mlir::OpPassManager &passManager, const Registry &registry,
                        const PipelineOptions &options);

/// Prints all stages as one pipeline, a pass a line, that `weft-opt
/// --pass-pipeline=` takes back. Stages and extension points are comments
/// (`/* before fuse */`), which weft-opt removes.
void printPipeline(llvm::raw_ostream &os, const Registry &registry, const PipelineOptions &options);

/// `text` without `/* */` comments; fails if one is not closed.
llvm::Expected<std::string> stripPipelineComments(llvm::StringRef text);

} // namespace weft

#endif // WEFT_PIPELINES_H
