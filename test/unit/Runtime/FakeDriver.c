/*===- FakeDriver.c - A driver library without a device -------------------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Built as libcuda.so.1 and, with -DHIP, as libamdhip64.so. Memory is the host's;
 * a launch copies, as the kernel `copy` of TestDeviceModule.c does. It keeps a log
 * of calls, counts what is alive and fails where a test says so.
 *
 *===----------------------------------------------------------------------===*/
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HIP
#define NAME(cuda, hip) hip
#else
#define NAME(cuda, hip) cuda
#endif

struct FakeDriver {
  char log[4096];
  char fails[64]; /* the call that fails, or "" */
  int devices, major, minor;
  char chip[64];
  int contexts, allocations, streams, modules; /* alive */
  void *current;
} fakeDriver = {.devices = 1, .major = 9, .minor = 0, .chip = "gfx90a:sramecc+:xnack-"};

static int called(const char *name) {
  size_t length = strlen(fakeDriver.log);
  snprintf(fakeDriver.log + length, sizeof(fakeDriver.log) - length, "%s ", name);
  return strcmp(fakeDriver.fails, name) == 0 ? 2 : 0;
}
#define CALLED(name)                                                                               \
  do {                                                                                             \
    int status = called(name);                                                                     \
    if (status)                                                                                    \
      return status;                                                                               \
  } while (0)

int NAME(cuInit, hipInit)(unsigned flags) {
  CALLED("init");
  return 0;
}
int NAME(cuDriverGetVersion, hipDriverGetVersion)(int *version) {
  *version = 12040;
  return 0;
}
int NAME(cuDeviceGetCount, hipGetDeviceCount)(int *count) {
  CALLED("count");
  *count = fakeDriver.devices;
  return 0;
}
int NAME(cuDeviceGetName, hipDeviceGetName)(char *name, int size, int device) {
  snprintf(name, (size_t)size, "Fake %d", device);
  return 0;
}
int NAME(cuDeviceTotalMem_v2, hipDeviceTotalMem)(size_t *bytes, int device) {
  *bytes = (size_t)80 << 30;
  return 0;
}
int NAME(cuMemAlloc_v2, hipMalloc)(void **memory, size_t bytes) {
  CALLED("malloc");
  *memory = malloc(bytes);
  ++fakeDriver.allocations;
  return 0;
}
int NAME(cuMemFree_v2, hipFree)(void *memory) {
  called("free");
  free(memory);
  --fakeDriver.allocations;
  return 0;
}
int NAME(cuMemcpyHtoDAsync_v2, hipMemcpyHtoDAsync)(void *to, const void *from, size_t bytes,
                                                   void *stream) {
  CALLED("to-device");
  memcpy(to, from, bytes);
  return 0;
}
int NAME(cuMemcpyDtoHAsync_v2, hipMemcpyDtoHAsync)(void *to, const void *from, size_t bytes,
                                                   void *stream) {
  CALLED("to-host");
  memcpy(to, from, bytes);
  return 0;
}
int NAME(cuMemcpyDtoDAsync_v2, hipMemcpyDtoDAsync)(void *to, const void *from, size_t bytes,
                                                   void *stream) {
  CALLED("on-device");
  memcpy(to, from, bytes);
  return 0;
}
int NAME(cuStreamCreate, hipStreamCreateWithFlags)(void **stream, unsigned flags) {
  CALLED("stream");
  *stream = malloc(1);
  ++fakeDriver.streams;
  return 0;
}
int NAME(cuStreamDestroy_v2, hipStreamDestroy)(void *stream) {
  called("end-stream");
  free(stream);
  --fakeDriver.streams;
  return 0;
}
int NAME(cuStreamSynchronize, hipStreamSynchronize)(void *stream) {
  CALLED("wait");
  return 0;
}
int NAME(cuModuleLoadData, hipModuleLoadData)(void **module, const void *data) {
  called("load");
  CALLED(data); /* the test's code says what it is */
  *module = malloc(1);
  ++fakeDriver.modules;
  return 0;
}
int NAME(cuModuleUnload, hipModuleUnload)(void *module) {
  called("unload");
  free(module);
  --fakeDriver.modules;
  return 0;
}
int NAME(cuModuleGetFunction, hipModuleGetFunction)(void **function, void *module,
                                                    const char *name) {
  if (strcmp(fakeDriver.fails, name) == 0)
    return 500;
  *function = module;
  return 0;
}
int NAME(cuLaunchKernel, hipModuleLaunchKernel)(void *function, unsigned gridX, unsigned gridY,
                                                unsigned gridZ, unsigned blockX, unsigned blockY,
                                                unsigned blockZ, unsigned shared, void *stream,
                                                void **arguments, void **extra) {
  CALLED("launch");
  const int64_t *x = *(const int64_t **)arguments[0], n = *(const int64_t *)arguments[2];
  int64_t *y = *(int64_t **)arguments[1];
  for (int64_t i = 0; i < n && i < (int64_t)gridX * blockX; ++i)
    y[i] = x[i];
  return 0;
}
#ifdef HIP
int hipSetDevice(int device) { return 0; }
int hipGetDevicePropertiesR0600(void *properties, int device) {
  CALLED("properties");
  strcpy((char *)properties + 1160, fakeDriver.chip);
  return 0;
}
const char *hipGetErrorString(int status) { return "the fake fails"; }
#else
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  CALLED("attribute");
  *value = attribute == 75 ? fakeDriver.major : fakeDriver.minor;
  return 0;
}
int cuDevicePrimaryCtxRetain(void **context, int device) {
  CALLED("retain");
  *context = &fakeDriver;
  ++fakeDriver.contexts;
  return 0;
}
int cuDevicePrimaryCtxRelease_v2(int device) {
  called("release");
  --fakeDriver.contexts;
  return 0;
}
int cuCtxSetCurrent(void *context) {
  fakeDriver.current = context;
  return 0;
}
int cuGetErrorString(int status, const char **text) {
  *text = "the fake fails";
  return 0;
}
#ifndef OLD
int cuFuncSetAttribute(void *function, int attribute, int value) {
  CALLED("shared");
  return 0;
}
#endif
#endif
