//===- EmulationTarget.cpp - Device kernels on the CPU --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "targets/CPU/Lowering.h"
#include "targets/Emulation/Chips.h"
#include "targets/Emulation/Passes.h"
#include "targets/GPU/GPUTarget.h"
#include "targets/GPU/LowerMatrixProducts.h"
#include "weft/Registry.h"

#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace weft;

namespace weft {
#define GEN_PASS_DEF_LOWEREMULATEDMATRIXPRODUCTS
#include "targets/Emulation/Passes.h.inc"
} // namespace weft

FailureOr<weft::gpu::Chip> weft::emulation::chooseChip(ModuleOp module) {
  auto chips = module->getAttrOfType<ArrayAttr>(WeftDialect::chipsAttrName);
  if (!chips || chips.empty())
    return kChips[0];
  if (chips.size() > 1)
    return module.emitError("one chip can be emulated at a time, but there are ") << chips.size();
  for (const weft::gpu::Chip &chip : kChips)
    if (chip.name == cast<StringAttr>(chips[0]).getValue())
      return chip;
  return module.emitError("unknown chip ") << chips[0];
}

namespace {
struct LowerEmulatedMatrixProducts
    : weft::impl::LowerEmulatedMatrixProductsBase<LowerEmulatedMatrixProducts> {
  void runOnOperation() override {
    FailureOr<weft::gpu::Chip> chip = emulation::chooseChip(getOperation());
    if (failed(chip))
      return signalPassFailure();
    for (auto module : getOperation().getOps<mlir::gpu::GPUModuleOp>())
      if (failed(weft::gpu::lowerMatrixProducts(module, chip->matrix)))
        return signalPassFailure();
  }
};

/// Compiles kernels as for a GPU, and what a GPU would run for the CPU.
class EmulationTarget : public GPUTarget {
public:
  EmulationTarget() : GPUTarget(emulation::kChips) {}
  StringRef name() const override { return "emulation"; }
  StringRef description() const override {
    return "GPU kernels on the CPU, for checking: neither memory ordering nor speed";
  }

protected:
  bool hasMatrixInstruction(ModuleOp module) const override {
    // Chips that do not fit are refused later.
    auto chips = module->getAttrOfType<ArrayAttr>(WeftDialect::chipsAttrName);
    return llvm::any_of(emulation::kChips, [&](const weft::gpu::Chip &chip) {
      return chip.matrix != weft::gpu::MatrixInstruction::None && chips &&
             llvm::is_contained(chips, StringAttr::get(module.getContext(), chip.name));
    });
  }
  void buildSerialization(OpPassManager &pm, const PipelineOptions &) const override {
    pm.addPass(createLowerEmulatedMatrixProducts());
  }
  void buildHostLowering(OpPassManager &pm) const override {
    cpu::buildLowering(pm, [](OpPassManager &pm) { pm.addPass(createEmulateKernels()); });
  }
};
} // namespace

namespace weft {

LogicalResult registerEmulationTarget(Registrar &registrar) {
  registrar.addTarget(std::make_unique<EmulationTarget>());
  registrar.addPass([] { return createEmulateKernels(); });
  registrar.addPass(createLowerEmulatedMatrixProducts);
  return success();
}

} // namespace weft
