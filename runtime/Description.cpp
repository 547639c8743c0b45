//===- Description.cpp - Checks of a module's description ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A module is trusted as code, but a compiler's mistake or a wrong version must
// be an error here and not a crash in the middle of a call.
//
//===----------------------------------------------------------------------===//

#include "Module.h"
#include "Tensor.h"

#include <cinttypes>
#include <cstddef>

using namespace weft::runtime;

/// More arguments, symbols, kernels ... than this are a damaged description.
static constexpr uint32_t maxCount = 1u << 24;

namespace {
class DescriptionChecker {
public:
  explicit DescriptionChecker(const weft_module &module) : module(module) {}

  bool check() {
    return checkHeader() && checkTables() && checkWeights() && checkVariants() &&
           checkFunctions() && checkDeviceCode();
  }
  const char *reason() const { return text.get(); }

private:
  bool fail(const char *format, ...) WEFT_PRINTF(2, 3) {
    va_list args;
    va_start(args, format);
    text.appendList(format, args);
    va_end(args);
    return false;
  }

  bool checkHeader() {
    if (!module.name || !module.compiler_version || !module.options)
      return fail("it has no name, compiler version or options");
    return true;
  }

  bool checkTable(uint32_t count, const void *table, const char *what) {
    if (count > maxCount || (count && !table))
      return fail("its table of %u %s is missing or too long", count, what);
    return true;
  }

  bool checkTables() {
    if (!checkTable(module.weight_count, module.weight_table, "weights") ||
        !checkTable(module.kernel_count, module.kernels, "kernels") ||
        !checkTable(module.variant_count, module.variants, "variants") ||
        !checkTable(module.site_count, module.sites, "sites") ||
        !checkTable(module.function_count, module.functions, "functions"))
      return false;
    if (!module.function_count)
      return fail("it has no function");
    for (uint32_t i = 0; i < module.kernel_count; ++i) {
      const weft_kernel_info &kernel = module.kernels[i];
      if (!kernel.name)
        return fail("kernel %u has no name", i);
      if ((kernel.flags & WEFT_KERNEL_FALLBACK) &&
          (kernel.site >= module.site_count || !module.sites[kernel.site].message))
        return fail("kernel '%s' names site %u, which does not say why it is a "
                    "fallback",
                    kernel.name, kernel.site);
    }
    for (uint32_t i = 0; i < module.site_count; ++i)
      if (!module.sites[i].node || !module.sites[i].op)
        return fail("site %u has no node or operator", i);
    return true;
  }

  bool checkWeights() {
    if (module.weights && reinterpret_cast<uintptr_t>(module.weights) % WEFT_BUFFER_ALIGNMENT)
      return fail("its weights are not aligned to %d bytes", WEFT_BUFFER_ALIGNMENT);
    if (module.weight_count && !module.weights && !module.weights_file)
      return fail("it has %u weights but neither embedded ones nor a file", module.weight_count);
    if (const char *file = module.weights_file)
      if (!*file || strchr(file, '/') || strcmp(file, "..") == 0 || strcmp(file, ".") == 0)
        return fail("its weights file '%s' is not a plain file name", file);
    for (uint32_t i = 0; i < module.weight_count; ++i) {
      const weft_weight &weight = module.weight_table[i];
      if (!weight.name)
        return fail("weight %u has no name", i);
      if (weight.offset % WEFT_BUFFER_ALIGNMENT)
        return fail("weight '%s' is not aligned to %d bytes", weight.name, WEFT_BUFFER_ALIGNMENT);
      if (weight.offset > module.weights_size || weight.size > module.weights_size - weight.offset)
        return fail("weight '%s' of %" PRIu64 " bytes at %" PRIu64
                    " reaches beyond the weights' %" PRIu64 " bytes",
                    weight.name, weight.size, weight.offset, module.weights_size);
    }
    return true;
  }

  bool checkVariants() {
    if (!module.variant_count)
      return fail("it has no variant for any CPU");
    for (uint32_t i = 0; i < module.variant_count; ++i) {
      const weft_variant &variant = module.variants[i];
      if (!variant.cpu || !variant.features)
        return fail("variant %u has no CPU or features", i);
      if (module.kernel_count && !variant.kernels)
        return fail("variant '%s' has no kernels", variant.cpu);
      for (uint32_t k = 0; k < module.kernel_count; ++k)
        if (!variant.kernels[k])
          return fail("variant '%s' lacks kernel '%s'", variant.cpu, module.kernels[k].name);
    }
    return true;
  }

  bool checkDeviceCode() {
    if (!hasDeviceTables(module) || !module.device_kernel_count)
      return true;
    if (!checkTable(module.device_kernel_count, module.device_kernels, "device kernels") ||
        !checkTable(module.device_code_count, module.device_code, "pieces of device code") ||
        !checkTable(module.transfer_count, module.transfers, "transfers"))
      return false;
    if (!module.device_functions || (module.weight_count && !module.weight_flags))
      return fail("it has device kernels but no plan of memory on the device");
    for (uint32_t i = 0; i < module.function_count; ++i)
      if (!module.device_functions[i].workspace_size)
        return fail("function '%s' has no plan of memory on the device", module.functions[i].name);
    for (uint32_t i = 0; i < module.device_kernel_count; ++i) {
      const weft_device_kernel &kernel = module.device_kernels[i];
      if (!kernel.name || (kernel.argument_count && !kernel.argument_sizes) ||
          kernel.shared_bytes < 0)
        return fail("device kernel %u has no name or arguments", i);
    }
    for (uint32_t i = 0; i < module.device_code_count; ++i)
      if (!checkCode(module.device_code[i], i))
        return false;
    for (uint32_t i = 0; i < module.transfer_count; ++i) {
      const weft_transfer &transfer = module.transfers[i];
      if (!transfer.value || !transfer.bytes || !transfer.reason ||
          transfer.direction > WEFT_ON_DEVICE)
        return fail("transfer %u does not say what it copies", i);
    }
    return true;
  }

  bool checkCode(const weft_device_code &code, uint32_t index) {
    if (!code.family || !code.chip || !code.data || code.kind > WEFT_DEVICE_FUNCTIONS)
      return fail("device code %u has no family, chip or bytes", index);
    if (code.first_kernel > module.device_kernel_count ||
        code.kernel_count > module.device_kernel_count - code.first_kernel)
      return fail("device code %u has kernels [%u, %u + %u) of %u", index, code.first_kernel,
                  code.first_kernel, code.kernel_count, module.device_kernel_count);
    return true;
  }

  bool checkFunctions() {
    for (uint32_t i = 0; i < module.function_count; ++i) {
      const weft_function &function = module.functions[i];
      if (!function.name)
        return fail("function %u has no name", i);
      if (!function.invoke || !function.workspace_size)
        return fail("function '%s' has no code", function.name);
      if (!checkTable(function.input_count, function.inputs, "inputs") ||
          !checkTable(function.output_count, function.outputs, "outputs") ||
          !checkTable(function.symbol_count, function.symbols, "symbols") ||
          !checkSymbols(function))
        return false;
      for (uint32_t k = 0; k < function.input_count; ++k)
        if (!checkArgument(function, function.inputs[k], "input", false))
          return false;
      for (uint32_t k = 0; k < function.output_count; ++k)
        if (!checkArgument(function, function.outputs[k], "output", true))
          return false;
    }
    return true;
  }

  bool checkSymbols(const weft_function &function) {
    for (uint32_t i = 0; i < function.symbol_count; ++i) {
      const weft_symbol &symbol = function.symbols[i];
      if (!symbol.name)
        return fail("symbol %u of function '%s' has no name", i, function.name);
      if (symbol.min < 0 || symbol.min > symbol.max)
        return fail("symbol '%s' has the range [%" PRId64 ", %" PRId64 "]", symbol.name, symbol.min,
                    symbol.max);
      if (!isBound(function, int32_t(i)))
        return fail("symbol '%s' is no dimension of any input", symbol.name);
    }
    return true;
  }

  /// Symbols get their values from inputs only.
  static bool isBound(const weft_function &function, int32_t symbol) {
    for (uint32_t i = 0; i < function.input_count; ++i) {
      const weft_argument &input = function.inputs[i];
      for (int32_t axis = 0; input.dims && axis < input.rank; ++axis)
        if (input.dims[axis].symbol == symbol)
          return true;
    }
    return false;
  }

  bool checkArgument(const weft_function &function, const weft_argument &argument, const char *what,
                     bool isOutput) {
    if (!argument.name)
      return fail("an %s of function '%s' has no name", what, function.name);
    if (!isKnownType(argument.dtype))
      return fail("%s '%s' has the unknown type (%u, %u, %u)", what, argument.name,
                  unsigned(argument.dtype.code), unsigned(argument.dtype.bits),
                  unsigned(argument.dtype.lanes));
    if (argument.rank < 0 || argument.rank > maxRank || (argument.rank && !argument.dims))
      return fail("%s '%s' has rank %d", what, argument.name, argument.rank);
    for (int32_t axis = 0; axis < argument.rank; ++axis) {
      const weft_dim &dim = argument.dims[axis];
      const bool isSymbol = dim.symbol >= 0 && uint32_t(dim.symbol) < function.symbol_count;
      const bool isStatic = dim.symbol < 0 && dim.size >= 0;
      const bool isUnknown = dim.symbol < 0 && dim.size == -1 && isOutput;
      if (!isSymbol && !isStatic && !isUnknown)
        return fail("%s '%s': dimension %d is neither static nor a symbol", what, argument.name,
                    axis);
    }
    if (isOutput && argument.alias >= 0 && uint32_t(argument.alias) >= function.input_count)
      return fail("output '%s' is an alias of input %d of %u", argument.name, argument.alias,
                  function.input_count);
    return true;
  }

  const weft_module &module;
  Text text;
};
} // namespace

weft_error *weft::runtime::checkDescription(const Allocator &allocator, const char *name,
                                            const weft_module *module) {
  if (!module)
    return makeError(allocator, WEFT_FAILED_PRECONDITION,
                     "module '%s' does not support ABI version %u of this "
                     "runtime (%s)",
                     name, WEFT_MODULE_ABI_MAJOR, weft_runtime_version());
  // Modules of ABI 1.0 have nothing of devices.
  if (module->magic != WEFT_MODULE_MAGIC ||
      module->struct_size < offsetof(weft_module, device_kernel_count))
    return makeError(allocator, WEFT_DATA_LOSS,
                     "module '%s' is damaged: its description has no magic "
                     "number or is too short",
                     name);
  if (module->abi_major != WEFT_MODULE_ABI_MAJOR || module->abi_minor > WEFT_MODULE_ABI_MINOR)
    return makeError(allocator, WEFT_FAILED_PRECONDITION,
                     "module '%s' has ABI version %u.%u, this runtime (%s) "
                     "supports %u.0 to %u.%u: compile the model again or take "
                     "the matching runtime",
                     name, module->abi_major, module->abi_minor, weft_runtime_version(),
                     WEFT_MODULE_ABI_MAJOR, WEFT_MODULE_ABI_MAJOR, WEFT_MODULE_ABI_MINOR);
  DescriptionChecker checker(*module);
  if (checker.check())
    return nullptr;
  return makeError(allocator, WEFT_DATA_LOSS, "module '%s' is damaged: %s", name, checker.reason());
}
