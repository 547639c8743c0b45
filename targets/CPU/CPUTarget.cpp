//===- CPUTarget.cpp - The x86-64 target ----------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/CPU/Lowering.h"
#include "targets/CPU/Passes.h"
#include "targets/CPU/SelectSchedules.h"
#include "weft/Pipelines.h"
#include "weft/Registry.h"
#include "weft/Target.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace weft;

void cpu::buildLowering(OpPassManager &pm,
                        llvm::function_ref<void(OpPassManager &)> lowerDeviceCode) {
  pm.addPass(createLowerCPUReshapes());
  pm.addNestedPass<KernelOp>(createLowerCPUCopies());
  pm.addNestedPass<func::FuncOp>(createLowerCPUCopies());
  pm.addNestedPass<KernelOp>(createConvertLinalgToLoopsPass());
  pm.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
  pm.addPass(createLowerCPUKernels());
  pm.addPass(createSCFToControlFlowPass());
  if (lowerDeviceCode) {
    pm.addPass(createLowerLaunches());
    lowerDeviceCode(pm);
  }
  pm.addPass(createLowerCPUHost());
  pm.addPass(createLowerCPUStrings());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createConvertVectorToSCFPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(arith::createArithExpandOpsPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

namespace {
/// Compiles for x86-64 processors through LLVM.
class CPUTarget : public Target {
public:
  StringRef name() const override { return "cpu"; }
  StringRef description() const override { return "x86-64 processors, through LLVM"; }

  LogicalResult selectSchedule(Operation *kernel) const override {
    return cpu::selectSchedule(cast<KernelOp>(kernel));
  }

  void buildStage(Stage stage, OpPassManager &pm, const PipelineOptions &) const override {
    if (stage == Stage::Target)
      cpu::buildLowering(pm);
  }
};
} // namespace

namespace weft {

LogicalResult registerCPUTarget(Registrar &registrar) {
  registrar.addTarget(std::make_unique<CPUTarget>());
  registrar.addPass(createLowerCPUCopies);
  registrar.addPass(createLowerCPUReshapes);
  registrar.addPass(createLowerCPUKernels);
  registrar.addPass(createLowerLaunches);
  registrar.addPass(createLowerCPUHost);
  registrar.addPass(createLowerCPUStrings);
  return success();
}

} // namespace weft
