//===- AMDGPUTarget.cpp - AMD GPUs ----------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/AMDGPU/Chips.h"
#include "targets/AMDGPU/Passes.h"
#include "targets/GPU/GPUTarget.h"
#include "weft/Pipelines.h"
#include "weft/Registry.h"

#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace weft;

namespace {
/// Compiles for AMD GPUs through LLVM's AMDGPU backend.
class AMDGPUTarget : public GPUTarget {
public:
  AMDGPUTarget() : GPUTarget(amdgpu::kChips) {}
  StringRef name() const override { return "amdgpu"; }
  StringRef description() const override { return "AMD GPUs, through LLVM and lld"; }

protected:
  void buildSerialization(OpPassManager &pm, const PipelineOptions &options) const override {
    SerializeAMDGPUOptions passOptions;
    passOptions.assemblyFolder = options.assemblyFolder;
    pm.addPass(createSerializeAMDGPU(passOptions));
  }
};
} // namespace

namespace weft {

LogicalResult registerAMDGPUTarget(Registrar &registrar) {
  registrar.addTarget(std::make_unique<AMDGPUTarget>());
  registrar.addPass([] { return createSerializeAMDGPU(); });
  return success();
}

} // namespace weft
