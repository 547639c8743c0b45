//===- Descriptor.cpp - A module's description as constants ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each struct of module.h is emitted as an LLVM struct whose members are
// written in the header's order with the header's types. Their natural layout
// is then C's; `checkedStruct` holds every one against sizeof of the header's
// struct, so that a field which is added there and forgotten here is found at
// once.
//
//===----------------------------------------------------------------------===//

#include "Package/Descriptor.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FormatVariadic.h"

using namespace weft;
using llvm::Constant;
using llvm::formatv;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Consistency
//===----------------------------------------------------------------------===//

template <typename... Ts> static llvm::Error invalid(const char *format, Ts &&...values) {
  return llvm::createStringError("module description: " +
                                 formatv(format, std::forward<Ts>(values)...).str());
}

static llvm::Error checkString(StringRef what, StringRef text) {
  if (size_t at = text.find('\0'); at != StringRef::npos)
    return invalid("{0} '{1}' contains a NUL at position {2}, which a C string "
                   "cannot hold",
                   what, text.take_front(at), at);
  return llvm::Error::success();
}

/// A count has to fit in the descriptor's 32-bit fields.
static llvm::Error checkCount(StringRef what, size_t count) {
  if (count > size_t(std::numeric_limits<int32_t>::max()))
    return invalid("expected fewer than 2^31 {0}, found {1}", what, count);
  return llvm::Error::success();
}

static llvm::Error checkArgument(const FunctionInfo &function, const ArgumentInfo &argument,
                                 bool isInput) {
  const char *kind = isInput ? "input" : "output";
  if (auto error = checkString(kind, argument.name))
    return error;
  if (auto error = checkCount("dimensions", argument.dims.size()))
    return error;
  for (auto [axis, dim] : llvm::enumerate(argument.dims)) {
    if (dim.symbol >= 0 && size_t(dim.symbol) >= function.symbols.size())
      return invalid("axis {0} of {1} '{2}' names symbol {3}, but function "
                     "'{4}' has {5}",
                     axis, kind, argument.name, dim.symbol, function.name, function.symbols.size());
    if (dim.symbol < 0 && dim.size < 0 && isInput)
      return invalid("axis {0} of input '{1}' has neither a size nor a symbol", axis,
                     argument.name);
    if (dim.symbol < -1 || dim.size < -1 || (dim.symbol >= 0 && dim.size >= 0))
      return invalid("axis {0} of {1} '{2}' has size {3} and symbol {4}; "
                     "expected one of them, the other -1",
                     axis, kind, argument.name, dim.size, dim.symbol);
  }
  if (argument.alias != -1 &&
      (isInput || argument.alias < 0 || size_t(argument.alias) >= function.inputs.size()))
    return invalid("{0} '{1}' shares memory with input {2}, but only outputs "
                   "can, and function '{3}' has {4} inputs",
                   kind, argument.name, argument.alias, function.name, function.inputs.size());
  return llvm::Error::success();
}

static llvm::Error checkFunction(const FunctionInfo &function) {
  if (auto error = checkString("function", function.name))
    return error;
  if (function.invokeSymbol.empty() || function.workspaceSymbol.empty())
    return invalid("function '{0}' lacks its invoke or workspace symbol", function.name);
  for (auto count : {function.inputs.size(), function.outputs.size(), function.symbols.size()})
    if (auto error = checkCount("arguments and symbols", count))
      return error;
  // The runtime takes each symbol's value from the inputs' shapes.
  llvm::SmallVector<bool> isBound(function.symbols.size());
  for (const ArgumentInfo &input : function.inputs)
    for (const DimInfo &dim : input.dims)
      if (dim.symbol >= 0 && size_t(dim.symbol) < isBound.size())
        isBound[dim.symbol] = true;
  for (auto [symbol, bound] : llvm::zip(function.symbols, isBound)) {
    if (!bound)
      return invalid("symbol '{0}' of function '{1}' is no dimension of any "
                     "input",
                     symbol.name, function.name);
    if (auto error = checkString("symbol", symbol.name))
      return error;
    if (symbol.min < 0 || symbol.min > symbol.max)
      return invalid("symbol '{0}' has the range [{1}, {2}]; expected 0 <= min "
                     "<= max",
                     symbol.name, symbol.min, symbol.max);
  }
  for (const ArgumentInfo &input : function.inputs)
    if (auto error = checkArgument(function, input, /*isInput=*/true))
      return error;
  for (const ArgumentInfo &output : function.outputs)
    if (auto error = checkArgument(function, output, /*isInput=*/false))
      return error;
  return llvm::Error::success();
}

static llvm::Error checkVariant(const ModuleInfo &info, const VariantInfo &variant) {
  if (auto error = checkString("CPU", variant.cpu))
    return error;
  if (auto error = checkString("features", variant.features))
    return error;
  if (variant.kernelSymbols.size() != info.kernels.size())
    return invalid("variant '{0}' has {1} kernels; expected {2}", variant.cpu,
                   variant.kernelSymbols.size(), info.kernels.size());
  for (auto [kernel, symbol] : llvm::zip(info.kernels, variant.kernelSymbols))
    if (symbol.empty())
      return invalid("variant '{0}' lacks kernel '{1}'", variant.cpu, kernel.name);
  return llvm::Error::success();
}

static llvm::Error checkWeights(const ModuleInfo &info) {
  if (auto error = checkString("weights file", info.weightsFile))
    return error;
  // The runtime opens the file beside the module, never anywhere else.
  if (StringRef(info.weightsFile).contains('/'))
    return invalid("weights file '{0}' has a folder in its name", info.weightsFile);
  for (const WeightInfo &weight : info.weights) {
    if (auto error = checkString("weight", weight.name))
      return error;
    if (weight.offset % WEFT_BUFFER_ALIGNMENT)
      return invalid("weight '{0}' lies at offset {1}; expected a multiple of "
                     "{2}",
                     weight.name, weight.offset, WEFT_BUFFER_ALIGNMENT);
    if (weight.offset > info.weightsSize || weight.size > info.weightsSize - weight.offset)
      return invalid("weight '{0}' has {1} bytes at offset {2} of {3}", weight.name, weight.size,
                     weight.offset, info.weightsSize);
  }
  return llvm::Error::success();
}

static llvm::Error checkDeviceCode(const ModuleInfo &info) {
  for (const DeviceKernelInfo &kernel : info.deviceKernels)
    if (auto error = checkString("device kernel", kernel.name))
      return error;
  for (const DeviceCodeInfo &code : info.deviceCode) {
    if (auto error = checkString("chip", code.chip))
      return error;
    if (code.firstKernel > info.deviceKernels.size() ||
        code.kernelCount > info.deviceKernels.size() - code.firstKernel)
      return invalid("code for '{0}' has kernels [{1}, {1} + {2}) of {3}", code.chip,
                     code.firstKernel, code.kernelCount, info.deviceKernels.size());
    if (code.kind == WEFT_DEVICE_FUNCTIONS ? code.functionSymbols.size() != code.kernelCount
                                           : code.bytes.empty())
      return invalid("code for '{0}' lacks bytes or functions", code.chip);
    if (!code.resources.empty() && code.resources.size() != code.kernelCount)
      return invalid("code for '{0}' says of {1} kernels what they take, but has {2}", code.chip,
                     code.resources.size(), code.kernelCount);
  }
  for (const TransferInfo &transfer : info.transfers)
    for (const std::string *text : {&transfer.value, &transfer.bytes, &transfer.reason})
      if (auto error = checkString("transfer", *text))
        return error;
  for (const FunctionInfo &function : info.functions)
    if (!info.deviceKernels.empty() && function.deviceWorkspaceSymbol.empty())
      return invalid("function '{0}' lacks a plan of memory on the device", function.name);
  if (!info.deviceKernels.empty() && info.weightFlags.size() != info.weights.size())
    return invalid("{0} weights have {1} flags", info.weights.size(), info.weightFlags.size());
  return llvm::Error::success();
}

static llvm::Error check(const ModuleInfo &info) {
  for (auto [what, text] :
       {std::pair("model", &info.name), std::pair("compiler version", &info.compilerVersion),
        std::pair("options", &info.options)})
    if (auto error = checkString(what, *text))
      return error;
  for (auto [what, count] :
       {std::pair("kernels", info.kernels.size()), std::pair("variants", info.variants.size()),
        std::pair("sites", info.sites.size()), std::pair("functions", info.functions.size()),
        std::pair("weights", info.weights.size())})
    if (auto error = checkCount(what, count))
      return error;
  if (info.variants.empty())
    return invalid("expected at least one variant, for some CPU");
  if (info.functions.empty())
    return invalid("expected at least one function");
  for (const KernelInfo &kernel : info.kernels) {
    if (auto error = checkString("kernel", kernel.name))
      return error;
    if ((kernel.flags & WEFT_KERNEL_FALLBACK) && kernel.site >= info.sites.size())
      return invalid("kernel '{0}' names site {1} of {2}", kernel.name, kernel.site,
                     info.sites.size());
  }
  for (const VariantInfo &variant : info.variants)
    if (auto error = checkVariant(info, variant))
      return error;
  for (const SiteInfo &site : info.sites)
    for (auto [what, text] : {std::pair("node", &site.node), std::pair("operation", &site.op),
                              std::pair("message", &site.message)})
      if (auto error = checkString(what, *text))
        return error;
  for (const FunctionInfo &function : info.functions)
    if (auto error = checkFunction(function))
      return error;
  if (auto error = checkDeviceCode(info))
    return error;
  return checkWeights(info);
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

namespace {

class DescriptorBuilder {
public:
  explicit DescriptorBuilder(llvm::Module &module)
      : module(module), context(module.getContext()),
        pointer(llvm::PointerType::getUnqual(context)) {}

  llvm::Error build(const ModuleInfo &info, StringRef querySymbol);

private:
  Constant *u8(uint8_t value) { return integer(8, value); }
  Constant *u16(uint16_t value) { return integer(16, value); }
  Constant *u32(uint32_t value) { return integer(32, value); }
  Constant *i32(int32_t value) { return integer(32, uint32_t(value)); }
  Constant *u64(uint64_t value) { return integer(64, value); }
  Constant *i64(int64_t value) { return integer(64, uint64_t(value)); }
  Constant *null() { return llvm::ConstantPointerNull::get(pointer); }

  /// A NUL-terminated string; equal ones are shared.
  Constant *string(StringRef text);
  /// 32 bytes, as a value.
  Constant *hash(const std::array<uint8_t, 32> &value);
  /// An object of the C struct `CStruct`.
  template <typename CStruct> Constant *checkedStruct(std::initializer_list<Constant *> members);
  /// The address of an array of `elements`; NULL if there are none.
  Constant *array(llvm::ArrayRef<Constant *> elements, StringRef name);
  /// A function that another object of the module defines.
  Constant *external(StringRef symbol, llvm::FunctionType *type);

  Constant *argument(const ArgumentInfo &info);
  Constant *arguments(const std::vector<ArgumentInfo> &infos, StringRef name);
  Constant *function(const FunctionInfo &info);
  Constant *variant(const VariantInfo &info);
  Constant *bytes(llvm::ArrayRef<uint8_t> values, StringRef name);
  Constant *deviceKernel(const DeviceKernelInfo &info);
  Constant *deviceCode(const DeviceCodeInfo &info);
  Constant *deviceResources(const DeviceResourcesInfo &info);
  void query(StringRef symbol, Constant *descriptor);

  Constant *integer(unsigned bits, uint64_t value) {
    return llvm::ConstantInt::get(llvm::Type::getIntNTy(context, bits), value);
  }
  llvm::GlobalVariable *global(Constant *value, const llvm::Twine &name) {
    auto *variable = new llvm::GlobalVariable(module, value->getType(), /*isConstant=*/true,
                                              llvm::GlobalValue::PrivateLinkage, value, name);
    return variable;
  }

  llvm::Module &module;
  llvm::LLVMContext &context;
  llvm::PointerType *pointer;
  llvm::StringMap<Constant *> strings;
  /// The first struct whose size differs from the header's.
  const char *wrongStruct = nullptr;
};

} // namespace

Constant *DescriptorBuilder::string(StringRef text) {
  Constant *&entry = strings[text];
  if (!entry) {
    llvm::GlobalVariable *variable =
        global(llvm::ConstantDataArray::getString(context, text), "string");
    // Lets the linker merge equal strings of several objects.
    variable->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
    variable->setAlignment(llvm::Align(1));
    entry = variable;
  }
  return entry;
}

Constant *DescriptorBuilder::hash(const std::array<uint8_t, 32> &value) {
  return llvm::ConstantDataArray::get(context, llvm::ArrayRef(value));
}

template <typename CStruct>
Constant *DescriptorBuilder::checkedStruct(std::initializer_list<Constant *> members) {
  Constant *value = llvm::ConstantStruct::getAnon(llvm::ArrayRef(members.begin(), members.size()));
  const llvm::DataLayout &layout = module.getDataLayout();
  if (layout.getTypeAllocSize(value->getType()) != sizeof(CStruct) ||
      layout.getABITypeAlign(value->getType()).value() != alignof(CStruct))
    wrongStruct = __PRETTY_FUNCTION__;
  return value;
}

Constant *DescriptorBuilder::array(llvm::ArrayRef<Constant *> elements, StringRef name) {
  if (elements.empty())
    return null();
  return global(llvm::ConstantArray::get(
                    llvm::ArrayType::get(elements.front()->getType(), elements.size()), elements),
                name);
}

Constant *DescriptorBuilder::external(StringRef symbol, llvm::FunctionType *type) {
  auto *function = llvm::cast<llvm::Function>(module.getOrInsertFunction(symbol, type).getCallee());
  function->setVisibility(llvm::GlobalValue::HiddenVisibility);
  function->setDSOLocal(true);
  return function;
}

Constant *DescriptorBuilder::argument(const ArgumentInfo &info) {
  llvm::SmallVector<Constant *> dims;
  for (const DimInfo &dim : info.dims)
    dims.push_back(checkedStruct<weft_dim>({i64(dim.size), i32(dim.symbol), i32(0)}));
  Constant *dtype =
      checkedStruct<weft_dtype>({u8(info.dtype.code), u8(info.dtype.bits), u16(info.dtype.lanes)});
  return checkedStruct<weft_argument>({string(info.name), dtype, i32(info.dims.size()),
                                       array(dims, "dims"), i32(info.alias), i32(0)});
}

Constant *DescriptorBuilder::arguments(const std::vector<ArgumentInfo> &infos, StringRef name) {
  llvm::SmallVector<Constant *> values;
  for (const ArgumentInfo &info : infos)
    values.push_back(argument(info));
  return array(values, name);
}

Constant *DescriptorBuilder::function(const FunctionInfo &info) {
  llvm::SmallVector<Constant *> symbols;
  for (const SymbolInfo &symbol : info.symbols)
    symbols.push_back(
        checkedStruct<weft_symbol>({string(symbol.name), i64(symbol.min), i64(symbol.max)}));
  llvm::Type *i32Type = llvm::Type::getInt32Ty(context);
  llvm::Type *i64Type = llvm::Type::getInt64Ty(context);
  auto *workspaceType = llvm::FunctionType::get(i64Type, {pointer, i64Type}, false);
  auto *invokeType = llvm::FunctionType::get(i32Type, {pointer, pointer, pointer}, false);
  return checkedStruct<weft_function>(
      {string(info.name), u32(info.inputs.size()), u32(info.outputs.size()),
       u32(info.symbols.size()), u32(0), arguments(info.inputs, "inputs"),
       arguments(info.outputs, "outputs"), array(symbols, "symbols"),
       external(info.workspaceSymbol, workspaceType), external(info.invokeSymbol, invokeType)});
}

Constant *DescriptorBuilder::variant(const VariantInfo &info) {
  llvm::Type *i64Type = llvm::Type::getInt64Ty(context);
  auto *kernelType = llvm::FunctionType::get(llvm::Type::getInt32Ty(context),
                                             {pointer, pointer, pointer, i64Type}, false);
  llvm::SmallVector<Constant *> kernels;
  for (const std::string &symbol : info.kernelSymbols)
    kernels.push_back(external(symbol, kernelType));
  return checkedStruct<weft_variant>(
      {string(info.cpu), string(info.features), array(kernels, "variant_kernels")});
}

/// The address of bytes, where any object may lie; NULL for none.
Constant *DescriptorBuilder::bytes(llvm::ArrayRef<uint8_t> values, StringRef name) {
  if (values.empty())
    return null();
  llvm::GlobalVariable *variable = global(llvm::ConstantDataArray::get(context, values), name);
  variable->setAlignment(llvm::Align(WEFT_BUFFER_ALIGNMENT));
  return variable;
}

Constant *DescriptorBuilder::deviceKernel(const DeviceKernelInfo &info) {
  return checkedStruct<weft_device_kernel>(
      {string(info.name), u32(info.flags), u32(info.argumentSizes.size()),
       bytes(info.argumentSizes, "argument_sizes"), i64(info.sharedBytes)});
}

Constant *DescriptorBuilder::deviceCode(const DeviceCodeInfo &info) {
  Constant *data;
  uint64_t size = info.bytes.size();
  if (info.kind == WEFT_DEVICE_FUNCTIONS) {
    auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), {pointer, pointer}, false);
    llvm::SmallVector<Constant *> functions;
    for (const std::string &symbol : info.functionSymbols)
      functions.push_back(external(symbol, type));
    data = array(functions, "device_functions");
    size = functions.size() * sizeof(weft_emulated_fn);
  } else {
    data = bytes(llvm::arrayRefFromStringRef(info.bytes), "device_code");
  }
  return checkedStruct<weft_device_code>({string(info.family), string(info.chip), u32(info.kind),
                                          u32(info.firstKernel), u32(info.kernelCount), u32(0),
                                          data, u64(size)});
}

Constant *DescriptorBuilder::deviceResources(const DeviceResourcesInfo &info) {
  return checkedStruct<weft_device_resources>({i32(info.registers), i32(info.scalarRegisters),
                                               i32(info.spills), i32(info.scalarSpills),
                                               i64(info.sharedBytes), i64(info.privateBytes)});
}

void DescriptorBuilder::query(StringRef symbol, Constant *descriptor) {
  llvm::IRBuilder<> builder(context);
  auto *type = llvm::FunctionType::get(pointer, {builder.getInt32Ty()}, false);
  auto *function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, symbol, module);
  function->setDSOLocal(true);
  function->setDoesNotThrow();
  builder.SetInsertPoint(llvm::BasicBlock::Create(context, "", function));
  llvm::Value *serves =
      builder.CreateICmpEQ(function->getArg(0), builder.getInt32(WEFT_MODULE_ABI_MAJOR));
  builder.CreateRet(builder.CreateSelect(serves, descriptor, null()));
}

llvm::Error DescriptorBuilder::build(const ModuleInfo &info, StringRef querySymbol) {
  llvm::SmallVector<Constant *> weights, kernels, variants, sites, functions;
  for (const WeightInfo &weight : info.weights)
    weights.push_back(
        checkedStruct<weft_weight>({string(weight.name), u64(weight.offset), u64(weight.size)}));
  for (const KernelInfo &kernel : info.kernels)
    kernels.push_back(checkedStruct<weft_kernel_info>(
        {string(kernel.name), u32(kernel.flags), u32(kernel.site)}));
  for (const VariantInfo &entry : info.variants)
    variants.push_back(variant(entry));
  for (const SiteInfo &site : info.sites)
    sites.push_back(
        checkedStruct<weft_site>({string(site.node), string(site.op), string(site.message)}));
  for (const FunctionInfo &entry : info.functions)
    functions.push_back(function(entry));

  llvm::SmallVector<Constant *> deviceKernels, deviceCodes, resources, transfers, deviceFunctions;
  for (const DeviceKernelInfo &entry : info.deviceKernels)
    deviceKernels.push_back(deviceKernel(entry));
  for (const DeviceCodeInfo &entry : info.deviceCode)
    deviceCodes.push_back(deviceCode(entry));
  for (const DeviceCodeInfo &entry : info.deviceCode)
    for (uint32_t i = 0; i < entry.kernelCount; ++i)
      resources.push_back(
          deviceResources(entry.resources.empty() ? DeviceResourcesInfo() : entry.resources[i]));
  for (const TransferInfo &entry : info.transfers)
    transfers.push_back(
        checkedStruct<weft_transfer>({string(entry.value), string(entry.bytes),
                                      string(entry.reason), u32(entry.direction), u32(0)}));
  auto *workspaceType = llvm::FunctionType::get(llvm::Type::getInt64Ty(context),
                                                {pointer, llvm::Type::getInt64Ty(context)}, false);
  for (const FunctionInfo &entry : info.functions)
    if (!entry.deviceWorkspaceSymbol.empty())
      deviceFunctions.push_back(checkedStruct<weft_device_function>(
          {external(entry.deviceWorkspaceSymbol, workspaceType)}));

  Constant *embedded = null();
  if (info.weightsSize && info.weightsFile.empty()) {
    auto *section = new llvm::GlobalVariable(
        module, llvm::ArrayType::get(llvm::Type::getInt8Ty(context), 0),
        /*isConstant=*/true, llvm::GlobalValue::ExternalLinkage, nullptr, kWeightsSymbol);
    section->setVisibility(llvm::GlobalValue::HiddenVisibility);
    section->setDSOLocal(true);
    embedded = section;
  }
  Constant *descriptor =
      checkedStruct<weft_module>({u64(WEFT_MODULE_MAGIC),
                                  u32(sizeof(weft_module)),
                                  u16(WEFT_MODULE_ABI_MAJOR),
                                  u16(WEFT_MODULE_ABI_MINOR),
                                  string(info.name),
                                  string(info.compilerVersion),
                                  string(info.options),
                                  hash(info.sourceHash),
                                  hash(info.weightsHash),
                                  embedded,
                                  u64(info.weightsSize),
                                  info.weightsFile.empty() ? null() : string(info.weightsFile),
                                  u32(weights.size()),
                                  u32(kernels.size()),
                                  u32(variants.size()),
                                  u32(sites.size()),
                                  u32(functions.size()),
                                  u32(0),
                                  array(weights, "weights"),
                                  array(kernels, "kernels"),
                                  array(variants, "variants"),
                                  array(sites, "sites"),
                                  array(functions, "functions"),
                                  u32(deviceKernels.size()),
                                  u32(deviceCodes.size()),
                                  u32(transfers.size()),
                                  u32(0),
                                  array(deviceKernels, "device_kernels"),
                                  array(deviceCodes, "device_codes"),
                                  array(transfers, "transfers"),
                                  array(deviceFunctions, "device_functions"),
                                  bytes(info.weightFlags, "weight_flags"),
                                  array(resources, "device_resources")});
  query(querySymbol, global(descriptor, "descriptor"));
  if (wrongStruct)
    return invalid("a struct differs in size from the C header's: {0}", wrongStruct);
  return llvm::Error::success();
}

std::string weft::staticQuerySymbol(StringRef name) {
  std::string symbol = WEFT_MODULE_QUERY_NAME "_";
  for (char c : name)
    symbol += llvm::isAlnum(c) ? c : '_';
  return symbol;
}

llvm::Expected<std::unique_ptr<llvm::Module>>
weft::buildDescriptor(llvm::LLVMContext &context, const ModuleInfo &info, StringRef querySymbol) {
  if (auto error = check(info))
    return std::move(error);
  auto module = std::make_unique<llvm::Module>("weft-descriptor", context);
  // 64-bit pointers and naturally aligned integers; the target's own layout
  // replaces this when the object is emitted.
  module->setDataLayout("e-p:64:64-i64:64");
  if (auto error = DescriptorBuilder(*module).build(info, querySymbol))
    return std::move(error);
  return module;
}
