//===- GPUTarget.cpp - What GPU targets have in common --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/GPUTarget.h"
#include "targets/CPU/Lowering.h"
#include "targets/GPU/Passes.h"
#include "targets/GPU/SelectSchedules.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace weft;

LogicalResult GPUTarget::selectSchedule(Operation *op) const {
  gpu::selectSchedule(cast<KernelOp>(op), hasMatrixInstruction(op->getParentOfType<ModuleOp>()));
  return success();
}

void GPUTarget::buildStage(Stage stage, OpPassManager &pm, const PipelineOptions &options) const {
  if (stage != Stage::Target)
    return;
  pm.addPass(createMapToGPU());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  buildSerialization(pm, options);
  buildHostLowering(pm);
}

void GPUTarget::buildSerialization(OpPassManager &, const PipelineOptions &) const {}

/// Device functions are code objects by now.
void GPUTarget::buildHostLowering(OpPassManager &pm) const {
  cpu::buildLowering(pm, [](OpPassManager &) {});
}
