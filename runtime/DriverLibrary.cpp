//===- DriverLibrary.cpp - The vendors' driver libraries ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DriverLibrary.h"

#include <dlfcn.h>

using namespace weft::runtime;

namespace {
/// Where a function goes and how the two libraries call it; null where one has none.
struct Entry {
  size_t offset;
  const char *cuda, *hip;
};
} // namespace

#define ENTRY(member, cuda, hip)                                                                   \
  { offsetof(DriverLibrary::Functions, member), cuda, hip }
static const Entry entries[] = {
    ENTRY(init, "cuInit", "hipInit"),
    ENTRY(driverGetVersion, "cuDriverGetVersion", "hipDriverGetVersion"),
    ENTRY(getDeviceCount, "cuDeviceGetCount", "hipGetDeviceCount"),
    ENTRY(deviceGetName, "cuDeviceGetName", "hipDeviceGetName"),
    ENTRY(deviceTotalMem, "cuDeviceTotalMem_v2", "hipDeviceTotalMem"),
    ENTRY(malloc, "cuMemAlloc_v2", "hipMalloc"),
    ENTRY(free, "cuMemFree_v2", "hipFree"),
    ENTRY(copyToDevice, "cuMemcpyHtoDAsync_v2", "hipMemcpyHtoDAsync"),
    ENTRY(copyToHost, "cuMemcpyDtoHAsync_v2", "hipMemcpyDtoHAsync"),
    ENTRY(copyOnDevice, "cuMemcpyDtoDAsync_v2", "hipMemcpyDtoDAsync"),
    ENTRY(streamCreate, "cuStreamCreate", "hipStreamCreateWithFlags"),
    ENTRY(streamDestroy, "cuStreamDestroy_v2", "hipStreamDestroy"),
    ENTRY(streamSynchronize, "cuStreamSynchronize", "hipStreamSynchronize"),
    ENTRY(moduleLoadData, "cuModuleLoadData", "hipModuleLoadData"),
    ENTRY(moduleUnload, "cuModuleUnload", "hipModuleUnload"),
    ENTRY(moduleGetFunction, "cuModuleGetFunction", "hipModuleGetFunction"),
    ENTRY(launchKernel, "cuLaunchKernel", "hipModuleLaunchKernel"),
    ENTRY(funcSetAttribute, "cuFuncSetAttribute", nullptr),
    ENTRY(deviceGetAttribute, "cuDeviceGetAttribute", nullptr),
    ENTRY(primaryContextRetain, "cuDevicePrimaryCtxRetain", nullptr),
    ENTRY(primaryContextRelease, "cuDevicePrimaryCtxRelease_v2", nullptr),
    ENTRY(contextSetCurrent, "cuCtxSetCurrent", nullptr),
    ENTRY(getErrorStringCuda, "cuGetErrorString", nullptr),
    ENTRY(setDevice, nullptr, "hipSetDevice"),
    ENTRY(getDeviceProperties, nullptr, "hipGetDevicePropertiesR0600"),
    ENTRY(getErrorStringHip, nullptr, "hipGetErrorString"),
};
#undef ENTRY

const char *DriverLibrary::errorText(int status) const {
  const char *text = nullptr;
  if (isCuda ? call.getErrorStringCuda != nullptr : call.getErrorStringHip != nullptr) {
    if (isCuda)
      call.getErrorStringCuda(status, &text);
    else
      text = call.getErrorStringHip(status);
  }
  return text ? text : "an error that the driver has no text for";
}

weft_error *DriverLibrary::load(const Allocator &allocator) {
  if (!handle)
    handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return makeError(allocator, WEFT_UNAVAILABLE, "the driver library %s is not found: %s", file,
                     dlerror());
  for (const Entry &entry : entries) {
    const char *name = isCuda ? entry.cuda : entry.hip;
    if (!name)
      continue;
    void *function = dlsym(handle, name);
    if (!function)
      return makeError(allocator, WEFT_UNAVAILABLE,
                       "the driver library %s is too old: it has no %s", file, name);
    memcpy(reinterpret_cast<char *>(&call) + entry.offset, &function, sizeof(function));
  }
  if (int status = call.init(0))
    return makeError(allocator, WEFT_UNAVAILABLE, "the driver of %s cannot be used: %s (%d)", file,
                     errorText(status), status);
  return nullptr;
}

weft_error *DriverLibrary::open(const Allocator &allocator) {
  Locked guard(lock);
  if (isReady)
    return nullptr;
  weft_error *error = load(allocator);
  isReady = !error;
  return error;
}

weft_error *DriverLibrary::count(const Allocator &allocator, int32_t &devices) {
  if (weft_error *error = open(allocator))
    return error;
  int found = 0;
  if (int status = call.getDeviceCount(&found))
    return makeError(allocator, WEFT_UNAVAILABLE, "%s cannot list devices: %s (%d)", file,
                     errorText(status), status);
  if (found <= 0)
    return makeError(allocator, WEFT_UNAVAILABLE, "%s finds no device", file);
  devices = found;
  return nullptr;
}
