//===- GPUTarget.h - What GPU targets have in common ------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_GPU_GPUTARGET_H
#define WEFT_TARGETS_GPU_GPUTARGET_H

#include "targets/GPU/Chip.h"
#include "weft/Target.h"

#include "mlir/IR/BuiltinOps.h"

namespace weft {

/// A GPU: kernels are mapped to blocks and threads.
class GPUTarget : public Target {
public:
  explicit GPUTarget(llvm::ArrayRef<gpu::Chip> known = {}) {
    for (const gpu::Chip &chip : known)
      chipNames.push_back(chip.name);
  }

  bool isDevice() const override { return true; }
  llvm::ArrayRef<llvm::StringLiteral> chips() const override { return chipNames; }

  /// Tiles what works row by row into rows, a block each.
  mlir::LogicalResult selectSchedule(mlir::Operation *kernel) const override;

  void buildStage(Stage stage, mlir::OpPassManager &passManager,
                  const PipelineOptions &options) const override;

protected:
  /// Whether the chips that `module` is for have instructions for matrices.
  virtual bool hasMatrixInstruction(mlir::ModuleOp) const { return true; }

  /// Appends what makes device functions code objects, after they are mapped. The
  /// default appends nothing: they stay `gpu.module`s.
  virtual void buildSerialization(mlir::OpPassManager &passManager,
                                  const PipelineOptions &options) const;
  /// Appends what lowers the host: its function and the kernels that launch.
  virtual void buildHostLowering(mlir::OpPassManager &passManager) const;

private:
  std::vector<llvm::StringLiteral> chipNames;
};

} // namespace weft

#endif // WEFT_TARGETS_GPU_GPUTARGET_H
