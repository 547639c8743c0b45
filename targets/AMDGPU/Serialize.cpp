//===- Serialize.cpp - Code objects for AMD GPUs --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/Serialize.h"
#include "Package/Linker.h"
#include "targets/AMDGPU/Chips.h"
#include "targets/AMDGPU/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVM/ROCDL/Utils.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/IR/Module.h"

namespace weft {
#define GEN_PASS_DEF_SERIALIZEAMDGPU
#include "targets/AMDGPU/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::gpu;

/// The version of the code object's format, times 100; drivers from ROCm 5.6 on
/// take the fifth.
static constexpr unsigned kCodeObjectVersion = 500;

/// What the metadata of `object` says of its functions.
static void readResources(MLIRContext *context, DeviceObject &object) {
  Builder b(context);
  auto metadata =
      ROCDL::getAMDHSAKernelsELFMetadata(b, ArrayRef(object.bytes.data(), object.bytes.size()));
  if (!metadata)
    return;
  for (auto &[name, attributes] : *metadata) {
    auto read = [&, &list = attributes](StringRef key) -> int64_t {
      auto number = dyn_cast_or_null<IntegerAttr>(list.get(key));
      return number ? number.getInt() : 0;
    };
    Resources &resources = object.resources[name.str()];
    resources.registers = read("vgpr_count");
    resources.scalarRegisters = read("sgpr_count");
    resources.spills = read("vgpr_spill_count");
    resources.scalarSpills = read("sgpr_spill_count");
    resources.workgroupBytes = read("group_segment_fixed_size");
    resources.privateBytes = read("private_segment_fixed_size");
  }
}

namespace {
class AMDGPUSerializer : public Serializer {
public:
  explicit AMDGPUSerializer(MLIRContext *context) : context(context) {}

  ArrayRef<Chip> chips() const override { return weft::amdgpu::kChips; }
  StringRef triple() const override { return "amdgcn-amd-amdhsa"; }

  void buildLowering(OpPassManager &pm, const Chip &chip) const override {
    buildCommonLowering(pm, chip);
    ConvertGpuOpsToROCDLOpsOptions options;
    options.chipset = chip.name.str();
    options.indexBitwidth = 64;
    options.useBarePtrCallConv = true;
    options.runtime = mlir::gpu::amd::HIP;
    pm.addPass(createConvertGpuOpsToROCDLOps(options));
    pm.addPass(createReconcileUnrealizedCastsPass());
    pm.addPass(createCanonicalizerPass());
    pm.addPass(createCSEPass());
  }

  Attribute makeTarget(MLIRContext *context, const Chip &chip, int64_t optLevel) const override {
    return ROCDL::ROCDLTargetAttr::get(context, static_cast<int>(optLevel), triple(), chip.name,
                                       chip.features, std::to_string(kCodeObjectVersion));
  }

  StringRef assemblyExtension() const override { return ".s"; }

  llvm::Expected<DeviceObject> emit(llvm::Module &module, const Chip &, const EmitOptions &options,
                                    bool wantsAssembly) const override {
    module.addModuleFlag(llvm::Module::Error, "amdhsa_code_object_version", kCodeObjectVersion);
    EmitOptions objectOptions = options;
    llvm::SmallVector<char, 0> assembly;
    if (wantsAssembly)
      objectOptions.assembly = &assembly;
    llvm::Expected<ObjectBuffer> object = emitObject(module, objectOptions);
    if (!object)
      return object.takeError();
    llvm::Expected<std::string> linked = linkCodeObject(*object);
    if (!linked)
      return linked.takeError();
    DeviceObject result{mlir::gpu::CompilationTarget::Binary,
                        std::move(*linked),
                        std::string(assembly.begin(), assembly.end()),
                        {}};
    readResources(context, result);
    return result;
  }

private:
  MLIRContext *context;
};

struct SerializeAMDGPU : weft::impl::SerializeAMDGPUBase<SerializeAMDGPU> {
  using SerializeAMDGPUBase::SerializeAMDGPUBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<mlir::gpu::GPUDialect, ROCDL::ROCDLDialect, LLVM::LLVMDialect>();
    registerAllToLLVMIRTranslations(registry);
  }

  void runOnOperation() override {
    AMDGPUSerializer serializer(&getContext());
    if (failed(serialize(
            getOperation(), serializer, assemblyFolder,
            [&](OpPassManager &passes, Operation *op) { return runPipeline(passes, op); })))
      signalPassFailure();
  }
};
} // namespace
