//===- NVPTXTarget.cpp - NVIDIA GPUs --------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/GPUTarget.h"
#include "targets/NVPTX/Chips.h"
#include "targets/NVPTX/Passes.h"
#include "weft/Pipelines.h"
#include "weft/Registry.h"

#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace weft;

namespace {
/// Compiles for NVIDIA GPUs through LLVM's NVPTX backend.
class NVPTXTarget : public GPUTarget {
public:
  NVPTXTarget() : GPUTarget(nvptx::kChips) {}
  StringRef name() const override { return "nvptx"; }
  StringRef description() const override { return "NVIDIA GPUs, through LLVM and PTX"; }

protected:
  void buildSerialization(OpPassManager &pm, const PipelineOptions &options) const override {
    SerializeNVPTXOptions passOptions;
    passOptions.assemblyFolder = options.assemblyFolder;
    pm.addPass(createSerializeNVPTX(passOptions));
  }
};
} // namespace

namespace weft {

LogicalResult registerNVPTXTarget(Registrar &registrar) {
  registrar.addTarget(std::make_unique<NVPTXTarget>());
  registrar.addPass([] { return createSerializeNVPTX(); });
  return success();
}

} // namespace weft
