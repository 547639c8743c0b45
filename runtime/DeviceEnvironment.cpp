//===- DeviceEnvironment.cpp - What generated code calls of a device ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Context.h"

#include <cinttypes>

using namespace weft::runtime;

static Worker &workerOf(const weft_env *env) { return *static_cast<Worker *>(env->context); }

/// Notes a failure of the device for the call, at `site`.
static int32_t report(Worker &worker, Failure failure, int64_t site) {
  if (failure.kind == Failure::None) // noted before
    return failure.code;
  if (failure.site < 0)
    failure.site = site;
  return recordFailure(worker, failure);
}

static int32_t launch(const weft_env *env, int64_t kernel, const int64_t *values,
                      void *const *arguments, int64_t site) {
  Worker &worker = workerOf(env);
  weft_context &context = *worker.context;
  if (__atomic_load_n(&context.cancelled, __ATOMIC_RELAXED))
    return recordFailure(worker, {Failure::Cancelled, WEFT_CANCELLED, -1, 0, 0});
  const weft_module &description = *context.module->description;
  // Launches keep their order, which ranges of a loop have not.
  if (kernel < 0 || kernel >= int64_t(description.device_kernel_count) || worker.inLoop)
    return recordFailure(worker, {Failure::Status, WEFT_INTERNAL, site, 0, 0});
  const LaunchShape shape(values);
  if (!shape.isValid()) {
    Failure failure{Failure::BadLaunch, WEFT_INVALID_ARGUMENT, site, 0, 0};
    failure.text = description.device_kernels[kernel].name;
    return recordFailure(worker, failure);
  }
  if (shape.isEmpty())
    return WEFT_OK;
  ++context.launches;
  Failure failure;
  if (context.device->get().launch(context.queue, env, kernel, shape, arguments, site, failure))
    return WEFT_OK;
  return report(worker, failure, site);
}

static int32_t transfer(const weft_env *env, int64_t index, void *to, const void *from,
                        int64_t bytes, int64_t site) {
  Worker &worker = workerOf(env);
  weft_context &context = *worker.context;
  const weft_module &description = *context.module->description;
  if (index < 0 || index >= int64_t(description.transfer_count) || bytes < 0 || worker.inLoop)
    return recordFailure(worker, {Failure::Status, WEFT_INTERNAL, site, 0, 0});
  if (!bytes)
    return WEFT_OK;
  const uint32_t direction = description.transfers[index].direction;
  ++context.transfers[direction];
  context.transferredBytes[direction] += uint64_t(bytes);
  Failure failure;
  if (context.device->get().copy(context.queue, to, from, size_t(bytes), direction, failure))
    return WEFT_OK;
  return report(worker, failure, site);
}

static void *allocate(const weft_env *env, int64_t bytes) {
  Worker &worker = workerOf(env);
  weft_context &context = *worker.context;
  Device &device = context.device->get();
  void *memory = bytes >= 0 ? device.allocate(size_t(bytes ? bytes : 1)) : nullptr;
  auto *block = memory ? context.allocator.create<DeviceTemporary>() : nullptr;
  if (!block) {
    device.release(memory);
    recordFailure(worker, {Failure::DeviceMemory, WEFT_RESOURCE_EXHAUSTED, -1, bytes, 0});
    return nullptr;
  }
  Locked guard(context.temporariesLock);
  ++context.unboundedAllocations;
  context.unboundedBytes += uint64_t(bytes);
  *block = {context.deviceTemporaries, memory};
  context.deviceTemporaries = block;
  return memory;
}

static void release(const weft_env *env, void *memory) {
  weft_context &context = *workerOf(env).context;
  DeviceTemporary *found = nullptr;
  {
    Locked guard(context.temporariesLock);
    for (DeviceTemporary **at = &context.deviceTemporaries; memory && *at; at = &(*at)->next)
      if ((*at)->memory == memory) {
        found = *at;
        *at = found->next;
        break;
      }
  }
  if (!found)
    return;
  context.device->get().release(memory);
  context.allocator.destroy(found);
}

void weft::runtime::fillDeviceEnvironment(weft_env &env) {
  const weft_context &context = *workerOf(&env).context;
  env.device_weights = context.device->weightTable();
  env.device_alloc = allocate;
  env.device_release = release;
  env.launch = launch;
  env.transfer = transfer;
}

//===----------------------------------------------------------------------===//
// The context's part of a device
//===----------------------------------------------------------------------===//

weft_error *weft_context::openDevice(const char *wanted) {
  if (weft_error *error = findModuleDevice(*module, wanted, device))
    return error;
  return device ? device->get().createQueue(team->size(), queue) : nullptr;
}

void weft_context::closeDevice() {
  if (!device)
    return;
  device->get().release(deviceArena);
  if (queue)
    device->get().destroyQueue(queue);
}

/// Takes the workspace on the device for the bound symbols.
weft_error *weft_context::prepareDevice() {
  const weft_module &description = *module->description;
  const int64_t index = &function - description.functions;
  const int64_t size = description.device_functions[index].workspace_size(symbols, team->size());
  if (size < 0)
    return makeError(allocator, WEFT_RESOURCE_EXHAUSTED,
                     "function '%s' needs more workspace on the device for these shapes than "
                     "fits in 63 bits",
                     function.name);
  deviceWorkspaceBytes = uint64_t(size);
  if (deviceWorkspaceBytes > deviceArenaBytes) {
    device->get().release(deviceArena);
    deviceArena = device->get().allocate(deviceWorkspaceBytes);
    deviceArenaBytes = deviceArena ? deviceWorkspaceBytes : 0;
    if (!deviceArena)
      return makeError(allocator, WEFT_RESOURCE_EXHAUSTED,
                       "out of memory on %s: the workspace of function '%s' needs %" PRIu64
                       " bytes for these shapes",
                       device->get().name(), function.name, deviceWorkspaceBytes);
  }
  for (int32_t i = 0; i < team->size(); ++i)
    environments[i].device_arena = static_cast<unsigned char *>(deviceArena);
  return nullptr;
}
