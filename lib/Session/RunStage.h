//===- RunStage.h - One stage of a compilation ----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_SESSION_RUNSTAGE_H
#define WEFT_SESSION_RUNSTAGE_H

#include "weft/Pipelines.h"
#include "weft/Stage.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Support/Timing.h"

#include <string>

namespace weft {

class Registry;

/// Runs the passes of `stage` on `module` and verifies what they leave. A pass
/// that fails, or crashes the process, leaves a reproducer for `weft-opt
/// --run-reproducer` (the IR before the stage and its passes) in a new file of
/// the temporary folder, of whose path `onReproducer` is told; `model` is a
/// part of its name. Computed weights lie beside it, in a file with ".weights"
/// after its name. In a crash this happens in the signal handler. `lastPass` is the
/// name of the pass that began last.
mlir::LogicalResult runStage(Stage stage, mlir::ModuleOp module, const Registry &registry,
                             const PipelineOptions &options, bool verifyEach,
                             mlir::TimingScope &timing, llvm::StringRef model,
                             llvm::function_ref<void(llvm::StringRef path)> onReproducer,
                             std::string &lastPass);

/// Whether `diagnostic` is what MLIR adds to a failed pass for its reproducer.
bool isReproducerDiagnostic(const mlir::Diagnostic &diagnostic);

} // namespace weft

#endif // WEFT_SESSION_RUNSTAGE_H
