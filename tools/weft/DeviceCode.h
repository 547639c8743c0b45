//===- DeviceCode.h - What a module has for devices -------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TOOLS_WEFT_DEVICECODE_H
#define WEFT_TOOLS_WEFT_DEVICECODE_H

#include "Base/Result.h"
#include "Tensor/Json.h"
#include "weft-runtime/module.h"

#include <string>
#include <string_view>
#include <vector>

namespace weft {

/// Whether there are kernels for a device.
bool hasDeviceCode(const weft_module &module);
bool hasDeviceKernel(const weft_module &module, std::string_view name);
void appendDeviceKernels(const weft_module &module, std::vector<std::string_view> &names);

/// Device kernels, their code by chip, what it takes of the chip for each of them, and what
/// is copied between host and device.
Json deviceJson(const weft_module &module);
/// The same for a reader, from `deviceJson`.
void printDevice(const Json &device);

/// The code of the device kernel `name` for each chip: PTX as it is, else what a
/// disassembler makes of it.
Result<std::string> disassembleDeviceKernel(const weft_module &module, std::string_view name);

} // namespace weft

#endif // WEFT_TOOLS_WEFT_DEVICECODE_H
