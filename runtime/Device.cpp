//===- Device.cpp - Devices by name, and what modules have there --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Device.h"
#include "Context.h"

#include <cinttypes>
#include <cstdlib>

using namespace weft::runtime;

static const DeviceFamily *const families[] = {&cudaFamily, &hipFamily, &emulationFamily};

bool LaunchShape::isValid() const {
  for (int i = 0; i < 3; ++i)
    if (grid[i] < 0 || grid[i] > INT32_MAX || block[i] < 0 || block[i] > 1024)
      return false;
  return block[0] * block[1] * block[2] <= 1024 && sharedBytes >= 0 && sharedBytes <= INT32_MAX;
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

/// Reads "<family>" or "<family>:<index>".
static weft_error *parseDevice(const Allocator &allocator, const char *text,
                               const DeviceFamily *&family, int32_t &index) {
  const char *colon = strchr(text, ':');
  const size_t length = colon ? size_t(colon - text) : strlen(text);
  family = nullptr;
  for (const DeviceFamily *candidate : families)
    if (strlen(candidate->name) == length && strncmp(candidate->name, text, length) == 0)
      family = candidate;
  char *end = nullptr;
  const long number = colon ? strtol(colon + 1, &end, 10) : 0;
  const bool isNumber = !colon || (colon[1] >= '0' && colon[1] <= '9' && !*end && number < 4096);
  if (!family || !isNumber)
    return makeError(allocator, WEFT_INVALID_ARGUMENT,
                     "'%s' is no device: expected cuda:<number>, hip:<number> or emulation", text);
  index = int32_t(number);
  return nullptr;
}

static weft_error *checkIndex(const Allocator &allocator, const DeviceFamily &family,
                              int32_t index) {
  int32_t count = 0;
  if (weft_error *error = family.count(allocator, count))
    return error;
  if (index < count)
    return nullptr;
  return makeError(allocator, WEFT_NOT_FOUND, "there is no device %s:%d: there %s %d", family.name,
                   index, count == 1 ? "is" : "are", count);
}

static bool hasCode(const weft_module &module, const DeviceFamily &family) {
  for (uint32_t i = 0; i < module.device_code_count; ++i)
    if (strcmp(module.device_code[i].family, family.name) == 0)
      return true;
  return false;
}

static void appendFamilies(Text &text, const weft_module &module) {
  const char *separator = "";
  for (const DeviceFamily *family : families)
    if (hasCode(module, *family)) {
      text.append("%s%s", separator, family->name);
      separator = ", ";
    }
}

weft_error *weft_device_count(const char *name, int32_t *count) {
  Allocator allocator;
  if (!name || !count)
    return makeError(allocator, WEFT_INVALID_ARGUMENT, "weft_device_count: an argument is null");
  for (const DeviceFamily *family : families)
    if (strcmp(family->name, name) == 0)
      return family->count(allocator, *count);
  return makeError(allocator, WEFT_INVALID_ARGUMENT,
                   "'%s' is no family of devices: expected cuda, hip or emulation", name);
}

weft_error *weft_device_describe(const char *device, char *text, size_t size) {
  Allocator allocator;
  if (!device || (size && !text))
    return makeError(allocator, WEFT_INVALID_ARGUMENT, "weft_device_describe: an argument is null");
  const DeviceFamily *family;
  int32_t index;
  Text line;
  if (weft_error *error = parseDevice(allocator, device, family, index))
    return error;
  if (weft_error *error = checkIndex(allocator, *family, index))
    return error;
  if (weft_error *error = family->describe(allocator, index, line))
    return error;
  if (size)
    snprintf(text, size, "%s", line.get());
  return nullptr;
}

//===----------------------------------------------------------------------===//
// What a module has on a device
//===----------------------------------------------------------------------===//

ModuleDevice::~ModuleDevice() {
  if (!device)
    return;
  for (uint32_t i = 0; i < weightCount && table.data(); ++i)
    if (void *weight = table.as<void *>()[i])
      device->release(weight);
  family.destroy(allocator, device);
}

weft_error *ModuleDevice::uploadWeights(const weft_module &module, const void *const *weights) {
  if (!module.weight_count)
    return nullptr;
  if (!table.allocate(allocator, module.weight_count * sizeof(void *), alignof(void *)))
    return makeError(allocator, WEFT_RESOURCE_EXHAUSTED, "out of memory for a table of weights");
  memset(table.data(), 0, table.size());
  weightCount = module.weight_count;
  void *queue = nullptr;
  if (weft_error *error = device->createQueue(1, queue))
    return error;
  weft_error *error = nullptr;
  for (uint32_t i = 0; i < weightCount && !error; ++i) {
    const uint64_t bytes = module.weight_table[i].size;
    if (!(module.weight_flags[i] & WEFT_WEIGHT_DEVICE) || !bytes)
      continue;
    void *copy = table.as<void *>()[i] = device->allocate(bytes);
    Failure failure;
    if (!copy)
      error = makeError(allocator, WEFT_RESOURCE_EXHAUSTED,
                        "device %s: no %" PRIu64 " bytes for weight '%s'", device->name(), bytes,
                        module.weight_table[i].name);
    else if (!device->copy(queue, copy, weights[i], bytes, WEFT_TO_DEVICE, failure) ||
             !device->finish(queue, failure))
      error = makeError(allocator, failure.code, "device %s: weight '%s' cannot be copied: %s",
                        device->name(), module.weight_table[i].name,
                        failure.text ? failure.text : weft_code_name(failure.code));
  }
  device->destroyQueue(queue);
  return error;
}

weft_error *ModuleDevice::open(int32_t number, const weft_module &module,
                               const void *const *weights) {
  index = number;
  if (weft_error *error = family.open(allocator, index, device))
    return error;
  if (weft_error *error = device->load(module))
    return error;
  return uploadWeights(module, weights);
}

weft_error *weft::runtime::findModuleDevice(weft_loaded_module &module, const char *wanted,
                                            ModuleDevice *&device) {
  const weft_module &description = *module.description;
  const Allocator &allocator = module.allocator;
  device = nullptr;
  const DeviceFamily *family;
  int32_t index;
  if (!hasDeviceTables(description) || !description.device_kernel_count) {
    if (!wanted)
      return nullptr;
    if (weft_error *error = parseDevice(allocator, wanted, family, index))
      return error;
    return makeError(allocator, WEFT_FAILED_PRECONDITION,
                     "module '%s' has no code for '%s': it was compiled for the CPU alone",
                     description.name, wanted);
  }
  if (!wanted)
    wanted = getenv("WEFT_DEVICE");
  if (!wanted || !*wanted)
    wanted = description.device_code_count ? description.device_code[0].family : "";
  if (weft_error *error = parseDevice(allocator, wanted, family, index))
    return error;
  if (!hasCode(description, *family)) {
    Text text;
    appendFamilies(text, description);
    return makeError(allocator, WEFT_FAILED_PRECONDITION,
                     "module '%s' has no code for '%s', only for %s", description.name, wanted,
                     text.get());
  }
  Locked guard(module.devicesLock);
  for (ModuleDevice *known = module.devices; known; known = known->next)
    if (&known->getFamily() == family && known->getIndex() == index) {
      device = known;
      return nullptr;
    }
  if (weft_error *error = checkIndex(allocator, *family, index))
    return error;
  auto *opened = allocator.create<ModuleDevice>(allocator, *family);
  if (!opened)
    return makeError(allocator, WEFT_RESOURCE_EXHAUSTED, "out of memory for device '%s'", wanted);
  if (weft_error *error = opened->open(index, description, module.weightTable.as<const void *>())) {
    allocator.destroy(opened);
    return error;
  }
  opened->next = module.devices;
  device = module.devices = opened;
  return nullptr;
}
