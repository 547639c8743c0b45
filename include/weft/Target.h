//===- Target.h - What a target decides and adds ----------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Decision apart from mechanism: a target *decides* by setting attributes, and
// generic passes execute them. A target is stateless and shared by every
// session; what it decides depends on the IR alone (the chip is part of the
// module's target attribute).
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGET_H
#define WEFT_TARGET_H

#include "weft/Stage.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace weft {

struct PipelineOptions;

/// A device family that Weft generates code for.
class Target {
public:
  virtual ~Target();

  /// The value of `--target=`: "cpu", "nvptx", ...
  virtual llvm::StringRef name() const = 0;

  /// One line for `--list-plugins`.
  virtual llvm::StringRef description() const = 0;

  /// Whether kernels run on a device of its own, by threads that each compute some
  /// elements: the stage `vector` then makes no vector code, and the stage
  /// `buffer` leaves nothing on a stack that the host's threads have. The default
  /// is false.
  virtual bool isDevice() const;

  /// The chips that `--chip=` can name, the most capable ones first. The default
  /// has none.
  virtual llvm::ArrayRef<llvm::StringLiteral> chips() const;

  /// Chooses the layouts of activations, in stage `model`. Sets attributes
  /// only; a failure has emitted a diagnostic. The default keeps the source's
  /// layouts.
  virtual mlir::LogicalResult selectLayouts(mlir::ModuleOp module) const;

  /// Chooses which operations of `module` become one kernel, in stage `fuse`.
  /// Same conditions; the default leaves the choice to the generic heuristic.
  virtual mlir::LogicalResult selectFusion(mlir::ModuleOp module) const;

  /// Gives `kernel` its schedule and the pack layouts of its constant operands,
  /// in stage `tile`. Same conditions; the default leaves it to the fallback.
  virtual mlir::LogicalResult selectSchedule(mlir::Operation *kernel) const;

  /// Appends the passes of `stage` that only this target has, where the stage's
  /// generic passes hand over to the target. The default appends none.
  virtual void buildStage(Stage stage, mlir::OpPassManager &passManager,
                          const PipelineOptions &options) const;
};

} // namespace weft

#endif // WEFT_TARGET_H
