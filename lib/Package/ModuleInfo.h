//===- ModuleInfo.h - What a module's descriptor says ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The C++ side of `weft_module` (include/weft-runtime/module.h): each struct
// mirrors the C struct of the same name, with functions given by their symbol
// in the module's objects. Field meanings are documented there, once.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PACKAGE_MODULEINFO_H
#define WEFT_PACKAGE_MODULEINFO_H

#include "weft-runtime/module.h"

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace weft {

struct SymbolInfo {
  std::string name;
  int64_t min = 0;
  int64_t max = std::numeric_limits<int64_t>::max();
};

/// One extent: `size` if it is static, else the index of a symbol of the
/// function, else (outputs only) unknown before the call.
struct DimInfo {
  int64_t size = -1;
  int32_t symbol = -1;

  static DimInfo fixed(int64_t size) { return {size, -1}; }
  static DimInfo symbolic(int32_t symbol) { return {-1, symbol}; }
  static DimInfo unknown() { return {-1, -1}; }
};

struct ArgumentInfo {
  std::string name;
  weft_dtype dtype{WEFT_DTYPE_FLOAT, 32, 1};
  std::vector<DimInfo> dims;
  int32_t alias = -1;
};

struct FunctionInfo {
  std::string name;
  std::vector<ArgumentInfo> inputs, outputs;
  std::vector<SymbolInfo> symbols;
  /// Symbols of `i64 (ptr symbols, i64 workers)` and of
  /// `i32 (ptr env, ptr symbols, ptr inputs)`.
  std::string workspaceSymbol, invokeSymbol;
  /// As workspaceSymbol, of the workspace on the device, if there are device kernels.
  std::string deviceWorkspaceSymbol;
};

struct SiteInfo {
  std::string node, op, message;
};

struct KernelInfo {
  std::string name;
  uint32_t flags = 0; ///< of weft_kernel_flags
  uint32_t site = 0;  ///< of a fallback: index of ModuleInfo::sites
};

struct VariantInfo {
  std::string cpu;
  std::string features;                   ///< comma-separated cpuid features
  std::vector<std::string> kernelSymbols; ///< one per ModuleInfo::kernels
};

struct WeightInfo {
  std::string name;
  uint64_t offset = 0, size = 0; ///< bytes
};

struct DeviceKernelInfo {
  std::string name;
  uint32_t flags = 0;                 ///< of weft_device_kernel_flags
  std::vector<uint8_t> argumentSizes; ///< bytes; 0 is an address
  int64_t sharedBytes = 0;
};

/// What code takes of a chip for one kernel; as weft_device_resources.
struct DeviceResourcesInfo {
  int32_t registers = -1, scalarRegisters = 0, spills = 0, scalarSpills = 0;
  int64_t sharedBytes = 0, privateBytes = 0;
};

/// Code of consecutive kernels for one chip: bytes, or symbols of functions.
struct DeviceCodeInfo {
  std::string family, chip;
  uint32_t kind = WEFT_DEVICE_PTX; ///< of weft_device_code_kind
  uint32_t firstKernel = 0, kernelCount = 0;
  std::string bytes;
  std::vector<std::string> functionSymbols;
  std::vector<DeviceResourcesInfo> resources; ///< of each kernel, or empty
};

struct TransferInfo {
  std::string value, bytes, reason;
  uint32_t direction = WEFT_TO_DEVICE; ///< of weft_direction
};

struct ModuleInfo {
  std::string name;
  std::string compilerVersion;
  std::string options; ///< a JSON object
  std::array<uint8_t, 32> sourceHash{};
  std::vector<KernelInfo> kernels;
  std::vector<VariantInfo> variants; ///< best first
  std::vector<SiteInfo> sites;
  std::vector<FunctionInfo> functions;
  std::vector<DeviceKernelInfo> deviceKernels;
  std::vector<DeviceCodeInfo> deviceCode;
  std::vector<TransferInfo> transfers;
  /// Of each weight, if there are device kernels.
  std::vector<uint8_t> weightFlags;

  // The weights. writeModule() fills these in from the weights it is given.
  std::array<uint8_t, 32> weightsHash{};
  /// Size in bytes of the section, or of the whole weights file.
  uint64_t weightsSize = 0;
  /// Name of the file beside the module; empty where they are embedded.
  std::string weightsFile;
  std::vector<WeightInfo> weights;
};

} // namespace weft

#endif // WEFT_PACKAGE_MODULEINFO_H
