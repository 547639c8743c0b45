//===- EmulationTarget.cpp - Device kernels on the CPU --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/CPU/Lowering.h"
#include "targets/Emulation/Chips.h"
#include "targets/Emulation/Passes.h"
#include "targets/GPU/GPUTarget.h"
#include "weft/Registry.h"

#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace weft;

namespace {
/// Compiles kernels as for a GPU, and what a GPU would run for the CPU.
class EmulationTarget : public GPUTarget {
public:
  EmulationTarget() : GPUTarget(emulation::kChips) {}
  StringRef name() const override { return "emulation"; }
  StringRef description() const override {
    return "GPU kernels on the CPU, for checking: neither memory ordering nor speed";
  }

protected:
  void buildHostLowering(OpPassManager &pm) const override {
    cpu::buildLowering(pm, [](OpPassManager &pm) { pm.addPass(createEmulateKernels()); });
  }
};
} // namespace

namespace weft {

LogicalResult registerEmulationTarget(Registrar &registrar) {
  registrar.addTarget(std::make_unique<EmulationTarget>());
  registrar.addPass([] { return createEmulateKernels(); });
  return success();
}

} // namespace weft
