//===- BuildModuleInfo.cpp - From the IR's attributes to the descriptor ---===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Session/BuildModuleInfo.h"

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Printing/WeightFiles.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace weft;

std::optional<weft_dtype> weft::parseDtype(StringRef name) {
  auto dtype = [](uint8_t code, uint8_t bits) { return weft_dtype{code, bits, 1}; };
  return llvm::StringSwitch<std::optional<weft_dtype>>(name)
      .Case("f16", dtype(WEFT_DTYPE_FLOAT, 16))
      .Case("f32", dtype(WEFT_DTYPE_FLOAT, 32))
      .Case("f64", dtype(WEFT_DTYPE_FLOAT, 64))
      .Case("bf16", dtype(WEFT_DTYPE_BFLOAT, 16))
      .Case("bool", dtype(WEFT_DTYPE_BOOL, 8))
      .Case("i8", dtype(WEFT_DTYPE_INT, 8))
      .Case("i16", dtype(WEFT_DTYPE_INT, 16))
      .Case("i32", dtype(WEFT_DTYPE_INT, 32))
      .Case("i64", dtype(WEFT_DTYPE_INT, 64))
      .Case("u8", dtype(WEFT_DTYPE_UINT, 8))
      .Case("u16", dtype(WEFT_DTYPE_UINT, 16))
      .Case("u32", dtype(WEFT_DTYPE_UINT, 32))
      .Case("u64", dtype(WEFT_DTYPE_UINT, 64))
      .Case("i4", dtype(WEFT_DTYPE_INT, 4))
      .Case("i2", dtype(WEFT_DTYPE_INT, 2))
      .Case("u4", dtype(WEFT_DTYPE_UINT, 4))
      .Case("u2", dtype(WEFT_DTYPE_UINT, 2))
      .Case("f8E4M3FN", dtype(WEFT_DTYPE_FLOAT8_E4M3FN, 8))
      .Case("f8E4M3FNUZ", dtype(WEFT_DTYPE_FLOAT8_E4M3FNUZ, 8))
      .Case("f8E5M2", dtype(WEFT_DTYPE_FLOAT8_E5M2, 8))
      .Case("f8E5M2FNUZ", dtype(WEFT_DTYPE_FLOAT8_E5M2FNUZ, 8))
      .Case("f8E8M0FNU", dtype(WEFT_DTYPE_FLOAT8_E8M0FNU, 8))
      .Case("f6E2M3FN", dtype(WEFT_DTYPE_FLOAT6_E2M3FN, 6))
      .Case("f6E3M2FN", dtype(WEFT_DTYPE_FLOAT6_E3M2FN, 6))
      .Case("f4E2M1FN", dtype(WEFT_DTYPE_FLOAT4_E2M1FN, 4))
      .Case("string", dtype(WEFT_DTYPE_STRING, 64))
      .Default(std::nullopt);
}

/// The element type that is told to callers, who hand in elements of its width.
static FailureOr<weft_dtype> dtypeOf(ModuleOp module, StringRef argument, StringRef dtype,
                                     Type element) {
  if (dtype.empty())
    return dtypeOf(element);
  std::optional<weft_dtype> parsed = parseDtype(dtype);
  if (!parsed)
    return module.emitError("'") << argument << "' has the unknown weft.dtype '" << dtype << "'";
  // Narrower elements share bytes.
  unsigned bits = std::max(8u, element.getIntOrFloatBitWidth());
  if (std::max<unsigned>(8, parsed->bits) != bits)
    return module.emitError("'") << argument << "' has the weft.dtype '" << dtype
                                 << "', but elements of " << bits << " bits";
  return *parsed;
}

static FailureOr<ArgumentInfo> buildArgument(ModuleOp module, DictionaryAttr attributes,
                                             StringRef fallbackName,
                                             const llvm::StringMap<int32_t> &symbols) {
  ArgumentInfo info;
  auto text = [&](StringRef key, StringRef alternative) {
    auto value = attributes.getAs<StringAttr>(key);
    if (!value)
      value = attributes.getAs<StringAttr>(alternative);
    return value ? value.getValue() : StringRef();
  };
  StringRef name = text("name", WeftDialect::nameAttrName);
  info.name = name.empty() ? fallbackName.str() : name.str();
  auto type = dyn_cast<RankedTensorType>(attributes.getAs<TypeAttr>("type").getValue());
  FailureOr<weft_dtype> dtype =
      dtypeOf(module, info.name, text("dtype", WeftDialect::dtypeAttrName), type.getElementType());
  if (failed(dtype))
    return failure();
  info.dtype = *dtype;
  auto dims = attributes.getAs<ArrayAttr>("dims");
  if (!dims)
    dims = attributes.getAs<ArrayAttr>(WeftDialect::dimsAttrName);
  for (auto [i, extent] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(extent)) {
      info.dims.push_back(DimInfo::fixed(extent));
      continue;
    }
    auto symbol = dims && i < dims.size() ? dyn_cast<StringAttr>(dims[i]) : StringAttr();
    auto it = symbol ? symbols.find(symbol) : symbols.end();
    info.dims.push_back(it == symbols.end() ? DimInfo::unknown() : DimInfo::symbolic(it->second));
  }
  return info;
}

/// Chips by the targets that GPU modules are compiled for, which say it in an
/// attribute of their own.
static std::pair<std::string, std::string> familyAndChipOf(gpu::ObjectAttr object) {
  if (auto target = dyn_cast<NVVM::NVVMTargetAttr>(object.getTarget()))
    return {"cuda", target.getChip().str()};
  if (auto target = dyn_cast<ROCDL::ROCDLTargetAttr>(object.getTarget()))
    return {"hip", target.getChip().str()};
  return {"", ""};
}

/// What `object` says of its kernel `name`.
static DeviceResourcesInfo resourcesOf(gpu::ObjectAttr object, StringRef name) {
  DeviceResourcesInfo info;
  gpu::KernelTableAttr table = object.getKernels();
  gpu::KernelMetadataAttr kernel = table ? table.lookup(name) : gpu::KernelMetadataAttr();
  DictionaryAttr metadata = kernel ? kernel.getMetadata() : DictionaryAttr();
  if (!metadata)
    return info;
  auto read = [&](StringRef key) {
    auto number = metadata.getAs<IntegerAttr>(key);
    return number ? number.getInt() : 0;
  };
  info.registers = static_cast<int32_t>(read("registers"));
  info.scalarRegisters = static_cast<int32_t>(read("scalar_registers"));
  info.spills = static_cast<int32_t>(read("spills"));
  info.scalarSpills = static_cast<int32_t>(read("scalar_spills"));
  info.sharedBytes = read("workgroup_bytes");
  info.privateBytes = read("private_bytes");
  return info;
}

/// The objects of a device module whose kernels begin with `firstKernel`.
static LogicalResult addObjects(gpu::BinaryOp binary, uint32_t firstKernel, uint32_t kernelCount,
                                ModuleInfo &info) {
  for (auto object : binary.getObjects().getAsRange<gpu::ObjectAttr>()) {
    DeviceCodeInfo code;
    std::tie(code.family, code.chip) = familyAndChipOf(object);
    if (code.family.empty())
      return binary.emitOpError("has an object for an unknown kind of device");
    bool isText = object.getFormat() == gpu::CompilationTarget::Assembly;
    code.kind = code.family == "hip" ? WEFT_DEVICE_HSACO
                : isText             ? WEFT_DEVICE_PTX
                                     : WEFT_DEVICE_CUBIN;
    code.firstKernel = firstKernel;
    code.kernelCount = kernelCount;
    code.bytes = object.getObject().getValue().str();
    for (uint32_t i = 0; i < kernelCount; ++i)
      code.resources.push_back(resourcesOf(object, info.deviceKernels[firstKernel + i].name));
    if (code.kind == WEFT_DEVICE_PTX && !StringRef(code.bytes).ends_with(StringRef("\0", 1)))
      code.bytes.push_back(0); // the driver takes text
    info.deviceCode.push_back(std::move(code));
  }
  return success();
}

/// Device kernels, their code and the transfers around them.
static LogicalResult buildDeviceInfo(ModuleOp module, ModuleInfo &info, size_t weightCount) {
  auto kernels = module->getAttrOfType<ArrayAttr>(WeftDialect::deviceKernelsAttrName);
  if (!kernels || kernels.empty())
    return success();
  for (size_t i = 0; i < kernels.size();) {
    auto first = static_cast<uint32_t>(i);
    StringAttr name = cast<DictionaryAttr>(kernels[i]).getAs<StringAttr>("module");
    DeviceCodeInfo emulated;
    for (; i < kernels.size(); ++i) {
      auto kernel = cast<DictionaryAttr>(kernels[i]);
      if (kernel.getAs<StringAttr>("module") != name)
        break;
      DeviceKernelInfo entry;
      entry.name = kernel.getAs<StringAttr>("name").str();
      for (int64_t size : kernel.getAs<DenseI64ArrayAttr>("arguments").asArrayRef())
        entry.argumentSizes.push_back(static_cast<uint8_t>(size));
      if (auto shared = kernel.getAs<IntegerAttr>("shared"))
        entry.sharedBytes = shared.getInt();
      if (kernel.contains("cooperates"))
        entry.flags |= WEFT_DEVICE_KERNEL_COOPERATES;
      emulated.functionSymbols.push_back(name.str() + "." + entry.name);
      info.deviceKernels.push_back(std::move(entry));
    }
    auto count = static_cast<uint32_t>(i) - first;
    if (auto binary = module.lookupSymbol<gpu::BinaryOp>(name)) {
      if (failed(addObjects(binary, first, count, info)))
        return failure();
      binary.erase();
      continue;
    }
    auto subgroup = module->getAttrOfType<IntegerAttr>(WeftDialect::subgroupSizeAttrName);
    emulated.family = "emulation";
    emulated.chip = std::to_string(subgroup ? subgroup.getInt() : 32);
    emulated.kind = WEFT_DEVICE_FUNCTIONS;
    emulated.firstKernel = first;
    emulated.kernelCount = count;
    info.deviceCode.push_back(std::move(emulated));
  }
  if (auto transfers = module->getAttrOfType<ArrayAttr>(WeftDialect::transfersAttrName))
    for (auto transfer : transfers.getAsRange<DictionaryAttr>()) {
      auto text = [&](StringRef key) { return transfer.getAs<StringAttr>(key).str(); };
      info.transfers.push_back(
          {text("value"), text("bytes"), text("reason"),
           static_cast<uint32_t>(transfer.getAs<IntegerAttr>("direction").getInt())});
    }
  info.weightFlags.resize(weightCount);
  if (auto read = module->getAttrOfType<DenseI64ArrayAttr>(WeftDialect::deviceWeightsAttrName))
    for (int64_t index : read.asArrayRef())
      info.weightFlags[static_cast<size_t>(index)] = WEFT_WEIGHT_DEVICE;
  for (FunctionInfo &function : info.functions)
    function.deviceWorkspaceSymbol = function.name + ".device_workspace";
  return success();
}

FailureOr<ModuleContents> weft::buildModuleContents(ModuleOp module) {
  ModuleContents contents;
  auto signature = module->getAttrOfType<DictionaryAttr>(WeftDialect::signatureAttrName);
  auto kernels = module->getAttrOfType<ArrayAttr>(WeftDialect::kernelsAttrName);
  auto sites = module->getAttrOfType<ArrayAttr>(WeftDialect::sitesAttrName);
  auto weights = module->getAttrOfType<ArrayAttr>(WeftDialect::weightsAttrName);
  if (!signature || !kernels || !sites || !weights)
    return module.emitError("has not been lowered by the stage 'target'");

  FunctionInfo function;
  std::string entry = signature.getAs<StringAttr>("name").getValue().str();
  function.name = entry;
  function.invokeSymbol = entry + ".invoke";
  function.workspaceSymbol = entry + ".workspace";
  llvm::StringMap<int32_t> symbols;
  for (Attribute attribute : signature.getAs<ArrayAttr>("symbols")) {
    auto symbol = cast<DictionaryAttr>(attribute);
    SymbolInfo info;
    info.name = symbol.getAs<StringAttr>("name").getValue().str();
    if (auto range = symbol.getAs<DenseI64ArrayAttr>("range")) {
      info.min = range[0];
      info.max = range[1];
    }
    symbols[info.name] = static_cast<int32_t>(function.symbols.size());
    function.symbols.push_back(info);
  }
  for (auto [i, attribute] : llvm::enumerate(signature.getAs<ArrayAttr>("inputs"))) {
    FailureOr<ArgumentInfo> info = buildArgument(module, cast<DictionaryAttr>(attribute),
                                                 "input" + std::to_string(i), symbols);
    if (failed(info))
      return failure();
    function.inputs.push_back(*info);
  }
  for (auto [i, attribute] : llvm::enumerate(signature.getAs<ArrayAttr>("outputs"))) {
    FailureOr<ArgumentInfo> info = buildArgument(module, cast<DictionaryAttr>(attribute),
                                                 "output" + std::to_string(i), symbols);
    if (failed(info))
      return failure();
    function.outputs.push_back(*info);
  }
  contents.info.functions.push_back(std::move(function));

  // Which site says of a kernel that it is a fallback, and why.
  auto fallbacks = module->getAttrOfType<DictionaryAttr>(WeftDialect::fallbacksAttrName);
  VariantInfo variant;
  for (Attribute name : kernels) {
    std::string symbol = cast<StringAttr>(name).getValue().str();
    KernelInfo kernel{symbol};
    if (auto site = fallbacks ? fallbacks.getAs<IntegerAttr>(symbol) : IntegerAttr()) {
      kernel.flags |= WEFT_KERNEL_FALLBACK;
      kernel.site = static_cast<uint32_t>(site.getInt());
    }
    contents.info.kernels.push_back(std::move(kernel));
    variant.kernelSymbols.push_back(symbol);
  }
  contents.info.variants.push_back(std::move(variant));
  if (auto tables = module->getAttrOfType<ArrayAttr>(WeftDialect::variantKernelsAttrName))
    for (ArrayAttr table : tables.getAsRange<ArrayAttr>()) {
      VariantInfo &further = contents.info.variants.emplace_back();
      for (StringAttr name : table.getAsRange<StringAttr>())
        further.kernelSymbols.push_back(name.str());
    }
  for (Attribute attribute : sites) {
    auto site = cast<ArrayAttr>(attribute);
    auto text = [&](unsigned i) { return cast<StringAttr>(site[i]).getValue().str(); };
    contents.info.sites.push_back({text(0), text(1), text(2)});
  }

  WeightStore &store = module->getContext()->getOrLoadDialect<WeftDialect>()->getWeightStore();
  for (Attribute attribute : weights) {
    auto weight = cast<WeightAttr>(attribute);
    std::optional<ArrayRef<uint8_t>> bytes = store.lookup(weight.getKey());
    if (!bytes)
      return module.emitError("weight '")
             << weight.getKey() << "' is missing: the module names no file that has it";
    contents.weights.push_back(makeWeight(weight, *bytes));
  }
  if (failed(buildDeviceInfo(module, contents.info, contents.weights.size())))
    return failure();
  return contents;
}
