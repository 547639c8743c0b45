//===- Serialize.cpp - Device functions as code objects -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/Serialize.h"
#include "dialects/Weft/IR/Weft.h"
#include "targets/GPU/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"

using namespace mlir;
using namespace weft;
using namespace weft::gpu;
using mlir::gpu::GPUFuncOp;
using mlir::gpu::GPUModuleOp;

void weft::gpu::buildCommonLowering(OpPassManager &pm, const Chip &chip) {
  LowerMatrixProductsOptions products;
  products.instruction = chip.matrix;
  pm.addPass(createLowerMatrixProducts(products));
  pm.addPass(createExpandRemainders());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(arith::createArithExpandOpsPass());
  pm.addPass(createLowerGPUMath());
  pm.addPass(createConvertMathToLLVMPass());
}

/// The chips that `module` asks for.
static FailureOr<SmallVector<const Chip *>> findChips(ModuleOp module, ArrayRef<Chip> known) {
  SmallVector<const Chip *> chips;
  auto wanted = module->getAttrOfType<ArrayAttr>(WeftDialect::chipsAttrName);
  if (!wanted) {
    for (const Chip &chip : known)
      chips.push_back(&chip);
    return chips;
  }
  for (auto name : wanted.getAsRange<StringAttr>()) {
    const Chip *found =
        llvm::find_if(known, [&](const Chip &chip) { return chip.name == name.getValue(); });
    if (found == known.end())
      return module.emitError("unknown chip '")
             << name.getValue() << "'; the chips are: "
             << llvm::join(llvm::map_range(known, [](const Chip &chip) { return chip.name; }),
                           ", ");
    chips.push_back(found);
  }
  return chips;
}

namespace {
/// Makes the objects of the modules of one compilation.
class ModuleSerializer {
public:
  ModuleSerializer(ModuleOp module, const Serializer &serializer, StringRef assemblyFolder,
                   llvm::function_ref<LogicalResult(OpPassManager &, Operation *)> runPipeline)
      : serializer(serializer), assemblyFolder(assemblyFolder), runPipeline(runPipeline) {
    if (auto target = module->getAttrOfType<TargetAttr>(WeftDialect::targetAttrName))
      optLevel = target.getOptLevel();
  }
  FailureOr<Attribute> run(GPUModuleOp module, const Chip &chip);

private:
  mlir::gpu::KernelTableAttr describe(GPUModuleOp module, const DeviceObject &object);

  const Serializer &serializer;
  StringRef assemblyFolder;
  llvm::function_ref<LogicalResult(OpPassManager &, Operation *)> runPipeline;
  int64_t optLevel = 3;
};
} // namespace

/// The functions of `module` with what `object` says of them.
mlir::gpu::KernelTableAttr ModuleSerializer::describe(GPUModuleOp module,
                                                      const DeviceObject &object) {
  Builder b(module.getContext());
  SmallVector<mlir::gpu::KernelMetadataAttr> kernels;
  for (auto function : module.getOps<GPUFuncOp>()) {
    SmallVector<NamedAttribute> metadata;
    if (auto found = object.resources.find(function.getName()); found != object.resources.end()) {
      const Resources &resources = found->second;
      auto add = [&](StringRef name, int64_t value) {
        metadata.push_back(b.getNamedAttr(name, b.getI64IntegerAttr(value)));
      };
      add("registers", resources.registers);
      add("scalar_registers", resources.scalarRegisters);
      add("scalar_spills", resources.scalarSpills);
      add("spills", resources.spills);
      add("workgroup_bytes", resources.workgroupBytes);
      add("private_bytes", resources.privateBytes);
    }
    kernels.push_back(mlir::gpu::KernelMetadataAttr::get(
        function.getNameAttr(), function.getFunctionType(), /*argAttrs=*/nullptr,
        metadata.empty() ? DictionaryAttr() : b.getDictionaryAttr(metadata)));
  }
  return mlir::gpu::KernelTableAttr::get(module.getContext(), kernels);
}

FailureOr<Attribute> ModuleSerializer::run(GPUModuleOp module, const Chip &chip) {
  OpBuilder b(module);
  auto copy = cast<GPUModuleOp>(b.clone(*module));
  copy.setName((module.getName() + "." + chip.name).str());
  auto erase = llvm::make_scope_exit([&] { copy->erase(); });
  OpPassManager passes(GPUModuleOp::getOperationName());
  serializer.buildLowering(passes, chip);
  if (failed(runPipeline(passes, copy)))
    return failure();

  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code = translateModuleToLLVMIR(copy, context, module.getName());
  if (!code)
    return module.emitError("cannot be translated to LLVM IR");
  EmitOptions options;
  options.triple = serializer.triple().str();
  options.cpu = chip.name.str();
  options.features = chip.features.str();
  options.optLevel = static_cast<unsigned>(optLevel);
  for (auto function : module.getOps<GPUFuncOp>())
    options.exports.push_back(function.getName().str());
  auto warn = [&](StringRef text) { module.emitWarning(text); };
  options.onWarning = warn;
  llvm::Expected<DeviceObject> object =
      serializer.emit(*code, chip, options, !assemblyFolder.empty());
  if (!object)
    return module.emitError("for ") << chip.name << ": " << llvm::toString(object.takeError());
  if (!assemblyFolder.empty())
    if (llvm::Error error = writeAssembly(
            assemblyFolder,
            (module.getName() + "." + chip.name + serializer.assemblyExtension()).str(),
            object->assembly))
      return module.emitError() << llvm::toString(std::move(error));
  return Attribute(mlir::gpu::ObjectAttr::get(serializer.makeTarget(b.getContext(), chip, optLevel),
                                              object->format, b.getStringAttr(object->bytes),
                                              /*properties=*/nullptr, describe(module, *object)));
}

LogicalResult
weft::gpu::serialize(ModuleOp module, const Serializer &serializer, StringRef assemblyFolder,
                     llvm::function_ref<LogicalResult(OpPassManager &, Operation *)> runPipeline) {
  FailureOr<SmallVector<const Chip *>> chips = findChips(module, serializer.chips());
  if (failed(chips))
    return failure();
  ModuleSerializer modules(module, serializer, assemblyFolder, runPipeline);
  for (GPUModuleOp device : llvm::to_vector(module.getOps<GPUModuleOp>())) {
    SmallVector<Attribute> objects;
    for (const Chip *chip : *chips) {
      FailureOr<Attribute> object = modules.run(device, *chip);
      if (failed(object))
        return failure();
      objects.push_back(*object);
    }
    OpBuilder b(device);
    mlir::gpu::BinaryOp::create(b, device.getLoc(), device.getName(),
                                /*offloadingHandler=*/nullptr, objects);
    device.erase();
  }
  return success();
}
