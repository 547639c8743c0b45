//===- DeviceCode.cpp - What a module has for devices ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceCode.h"

#include "Peer.h"
#include "TempFolder.h"
#include "Tool.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <map>

using namespace weft;

bool weft::hasDeviceCode(const weft_module &module) {
  return module.struct_size >= offsetof(weft_module, device_resources) &&
         module.device_kernel_count > 0;
}

bool weft::hasDeviceKernel(const weft_module &module, std::string_view name) {
  std::vector<std::string_view> names;
  appendDeviceKernels(module, names);
  return std::find(names.begin(), names.end(), name) != names.end();
}

void weft::appendDeviceKernels(const weft_module &module, std::vector<std::string_view> &names) {
  if (hasDeviceCode(module))
    for (uint32_t i = 0; i < module.device_kernel_count; ++i)
      names.push_back(module.device_kernels[i].name);
}

//===----------------------------------------------------------------------===//
// What there is
//===----------------------------------------------------------------------===//

/// An entry for each kernel and chip where it is known.
static Json resourcesJson(const weft_module &module) {
  Json result = Json::array();
  if (module.struct_size < sizeof(weft_module) || !module.device_resources)
    return result;
  const weft_device_resources *resources = module.device_resources;
  for (uint32_t i = 0; i < module.device_code_count; ++i) {
    const weft_device_code &code = module.device_code[i];
    for (uint32_t k = 0; k < code.kernel_count; ++k, ++resources) {
      if (resources->registers < 0)
        continue;
      Json entry = Json::object();
      entry.set("kernel", module.device_kernels[code.first_kernel + k].name);
      entry.set("chip", code.chip);
      entry.set("registers", int64_t(resources->registers));
      entry.set("scalar_registers", int64_t(resources->scalar_registers));
      entry.set("spills", int64_t(resources->spills));
      entry.set("scalar_spills", int64_t(resources->scalar_spills));
      entry.set("shared_bytes", resources->shared_bytes);
      entry.set("private_bytes", resources->private_bytes);
      result.append(std::move(entry));
    }
  }
  return result;
}

Json weft::deviceJson(const weft_module &module) {
  Json kernels = Json::array(), code = Json::array(), transfers = Json::array();
  for (uint32_t i = 0; i < module.device_kernel_count; ++i)
    kernels.append(module.device_kernels[i].name);
  // Of a family and chip, all kernels together.
  std::map<std::pair<std::string, std::string>, std::pair<int64_t, uint64_t>> chips;
  for (uint32_t i = 0; i < module.device_code_count; ++i) {
    const weft_device_code &entry = module.device_code[i];
    auto &[count, bytes] = chips[{entry.family, entry.chip}];
    count += entry.kernel_count;
    bytes += entry.size;
  }
  for (const auto &[chip, figures] : chips) {
    Json entry = Json::object();
    entry.set("family", chip.first);
    entry.set("chip", chip.second);
    entry.set("kernels", figures.first);
    entry.set("bytes", static_cast<int64_t>(figures.second));
    code.append(std::move(entry));
  }
  static constexpr const char *directions[] = {"to device", "to host", "on device"};
  for (uint32_t i = 0; i < module.transfer_count; ++i) {
    const weft_transfer &transfer = module.transfers[i];
    Json entry = Json::object();
    entry.set("direction", directions[transfer.direction]);
    entry.set("value", transfer.value);
    entry.set("bytes", transfer.bytes);
    entry.set("reason", transfer.reason);
    transfers.append(std::move(entry));
  }
  Json json = Json::object();
  json.set("kernels", std::move(kernels));
  json.set("code", std::move(code));
  json.set("resources", resourcesJson(module));
  json.set("transfers", std::move(transfers));
  return json;
}

static void printResources(const Json &device) {
  const std::vector<Json> &entries = device.find("resources")->elements();
  if (entries.empty())
    return;
  static constexpr const char *figures[] = {"registers",     "scalar_registers", "spills",
                                            "scalar_spills", "shared_bytes",     "private_bytes"};
  std::printf("  %-40s %-8s %9s %9s %9s %9s %9s %9s\n", "", "", "registers", "scalar", "spills",
              "scalar", "shared", "private");
  for (const Json &entry : entries) {
    std::printf("  %-40s %-8s", entry.find("kernel")->asString().c_str(),
                entry.find("chip")->asString().c_str());
    for (const char *figure : figures)
      std::printf(" %9lld", static_cast<long long>(entry.find(figure)->asNumber()));
    std::printf("\n");
  }
}

void weft::printDevice(const Json &device) {
  auto text = [](const Json &entry, const char *name) { return entry.find(name)->asString(); };
  std::printf("device      %zu kernels\n", device.find("kernels")->elements().size());
  for (const Json &code : device.find("code")->elements())
    std::printf("  code      %s %s: %lld kernels, %s\n", text(code, "family").c_str(),
                text(code, "chip").c_str(),
                static_cast<long long>(code.find("kernels")->asNumber()),
                formatBytes(static_cast<uint64_t>(code.find("bytes")->asNumber())).c_str());
  printResources(device);
  std::printf("  transfers %zu\n", device.find("transfers")->elements().size());
  for (const Json &transfer : device.find("transfers")->elements())
    std::printf("    %-9s %s, %s bytes: %s\n", text(transfer, "direction").c_str(),
                text(transfer, "value").c_str(), text(transfer, "bytes").c_str(),
                text(transfer, "reason").c_str());
}

//===----------------------------------------------------------------------===//
// Its code
//===----------------------------------------------------------------------===//

static Result<std::string> runFirst(const std::vector<std::vector<std::string>> &commands,
                                    const std::string &missing) {
  Error last{missing};
  for (const std::vector<std::string> &words : commands) {
    Result<std::string> text = runProgram(words);
    if (text)
      return text;
    if (text.error().message.find("cannot run") == std::string::npos)
      last = text.error();
  }
  return last;
}

static Result<std::string> disassembleObject(const weft_device_code &code,
                                             const std::string &kernel) {
  if (code.kind == WEFT_DEVICE_PTX)
    return std::string(static_cast<const char *>(code.data));
  Result<TempFolder> folder = TempFolder::create(TempFolder::systemFolder());
  if (!folder)
    return folder.error();
  std::string path = folder->path() + "/code";
  std::ofstream file(path, std::ios::binary);
  file.write(static_cast<const char *>(code.data), static_cast<std::streamsize>(code.size));
  file.close();
  if (!file)
    return Error{path + ": cannot be written"};
  if (code.kind == WEFT_DEVICE_CUBIN)
    return runFirst({{"nvdisasm", "-c", path}, {"cuobjdump", "-sass", path}},
                    "no disassembler found: install CUDA's nvdisasm or cuobjdump");
  std::string symbol = "--disassemble-symbols=" + kernel;
  return runFirst({{"llvm-objdump-22", "-d", "--no-show-raw-insn", symbol, path},
                   {"llvm-objdump", "-d", "--no-show-raw-insn", symbol, path}},
                  "no disassembler found: install llvm");
}

Result<std::string> weft::disassembleDeviceKernel(const weft_module &module,
                                                  std::string_view name) {
  std::string result;
  for (uint32_t i = 0; i < module.device_code_count; ++i) {
    const weft_device_code &code = module.device_code[i];
    for (uint32_t k = code.first_kernel; k < code.first_kernel + code.kernel_count; ++k) {
      if (module.device_kernels[k].name != name)
        continue;
      if (code.kind == WEFT_DEVICE_FUNCTIONS)
        return Error{"'" + std::string(name) + "' is code for the CPU, which plays a device: " +
                     "'weft compile --save-asm' keeps it"};
      Result<std::string> text = disassembleObject(code, std::string(name));
      if (!text)
        return text.error();
      result += std::string(code.family) + " " + code.chip + ":\n" + *text + "\n";
    }
  }
  return result;
}
