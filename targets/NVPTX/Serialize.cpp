//===- Serialize.cpp - Code objects for NVIDIA GPUs -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/Serialize.h"
#include "targets/NVPTX/Assembler.h"
#include "targets/NVPTX/Chips.h"
#include "targets/NVPTX/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "mlir/Transforms/Passes.h"

namespace weft {
#define GEN_PASS_DEF_SERIALIZENVPTX
#include "targets/NVPTX/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::gpu;

namespace {
class NVPTXSerializer : public Serializer {
public:
  explicit NVPTXSerializer(std::optional<std::string> assembler)
      : assembler(std::move(assembler)) {}

  ArrayRef<Chip> chips() const override { return nvptx::kChips; }
  StringRef triple() const override { return "nvptx64-nvidia-cuda"; }

  void buildLowering(OpPassManager &pm, const Chip &chip) const override {
    buildCommonLowering(pm, chip);
    ConvertGpuOpsToNVVMOpsOptions options;
    options.indexBitwidth = 64;
    options.useBarePtrCallConv = true;
    pm.addPass(createConvertGpuOpsToNVVMOps(options));
    pm.addPass(createReconcileUnrealizedCastsPass());
    pm.addPass(createCanonicalizerPass());
    pm.addPass(createCSEPass());
  }

  Attribute makeTarget(MLIRContext *context, const Chip &chip, int64_t optLevel) const override {
    return NVVM::NVVMTargetAttr::get(context, static_cast<int>(optLevel), triple(), chip.name,
                                     chip.features);
  }

  StringRef assemblyExtension() const override { return ".ptx"; }

  llvm::Expected<DeviceObject> emit(llvm::Module &module, const Chip &chip,
                                    const EmitOptions &options, bool wantsAssembly) const override {
    llvm::Expected<std::string> ptx = emitDeviceAssembly(module, options);
    if (!ptx)
      return ptx.takeError();
    std::string kept = wantsAssembly ? *ptx : std::string();
    if (!assembler)
      return DeviceObject{
          mlir::gpu::CompilationTarget::Assembly, std::move(*ptx), std::move(kept), {}};
    llvm::Expected<DeviceObject> object = nvptx::assemble(*assembler, *ptx, chip, options.optLevel);
    if (object)
      object->assembly = std::move(kept);
    return object;
  }

private:
  std::optional<std::string> assembler;
};

struct SerializeNVPTX : weft::impl::SerializeNVPTXBase<SerializeNVPTX> {
  using SerializeNVPTXBase::SerializeNVPTXBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<mlir::gpu::GPUDialect, NVVM::NVVMDialect, LLVM::LLVMDialect>();
    registerAllToLLVMIRTranslations(registry);
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (module.getOps<mlir::gpu::GPUModuleOp>().empty())
      return;
    std::optional<std::string> assembler;
    if (!emitPTX && !(assembler = nvptx::findAssembler()))
      module.emitRemark("ptxas is neither in PATH nor in CUDA_HOME: PTX stays in the module, "
                        "which the driver compiles when it loads it");
    NVPTXSerializer serializer(std::move(assembler));
    if (failed(serialize(
            module, serializer, assemblyFolder,
            [&](OpPassManager &passes, Operation *op) { return runPipeline(passes, op); })))
      signalPassFailure();
  }
};
} // namespace
