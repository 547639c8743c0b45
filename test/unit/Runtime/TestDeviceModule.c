/*===- TestDeviceModule.c - A module with device kernels ------------------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * `run(which [1], x [n]) -> y [n]`, all int64: copies x to the device, launches
 * device kernel number which[0] on blocks of 64 threads, and copies y back.
 *
 *   SUBGROUP   lanes of a subgroup: 32 or 64
 *   DRIVER     code for NVIDIA's and AMD's chips, not for the emulation
 *
 *===----------------------------------------------------------------------===*/
#include "weft-runtime/module.h"

#include <stddef.h>

#ifndef SUBGROUP
#define SUBGROUP 32
#endif
#define STRING2(x) #x
#define STRING(x) STRING2(x)

enum { BLOCK = 64 };
typedef weft_emulated_thread Thread;

static int64_t positionOf(const Thread *thread) {
  return thread->block_id[0] * thread->block_dim[0] + thread->thread_id[0];
}

#define ARGUMENTS                                                                                  \
  const int64_t *x = *(const int64_t *const *)arguments[0];                                        \
  int64_t *y = *(int64_t *const *)arguments[1];                                                    \
  const int64_t n = *(const int64_t *)arguments[2], i = positionOf(thread);                        \
  int64_t *shared = (int64_t *)thread->shared;                                                     \
  (void)x, (void)y, (void)n, (void)i, (void)shared

static void copy(Thread *thread, void *const *arguments) {
  ARGUMENTS;
  if (i < n)
    y[i] = x[i];
}

/* Reverses each block through shared memory. */
static void reverse(Thread *thread, void *const *arguments) {
  ARGUMENTS;
  const int64_t t = thread->thread_id[0];
  if (i < n)
    shared[t] = x[i];
  thread->barrier(thread, 0);
  if (i < n)
    y[i] = shared[BLOCK - 1 - t];
}

/* Each lane gets the sum of its subgroup, by exchanges over growing distances. */
static void sum(Thread *thread, void *const *arguments) {
  ARGUMENTS;
  int64_t value = i < n ? x[i] : 0;
  for (int64_t distance = 1; distance < thread->subgroup_size; distance *= 2) {
    const unsigned char *all = thread->exchange(thread, 0, &value, sizeof(value), SUBGROUP);
    value += *(const int64_t *)(all + (thread->lane ^ distance) * WEFT_EMULATED_SLOT);
  }
  if (i < n)
    y[i] = value;
}

static void oddThreadsLeave(Thread *thread, void *const *arguments) {
  ARGUMENTS;
  if (thread->thread_id[0] % 2 == 0)
    thread->barrier(thread, 0);
}

static void twoBarriers(Thread *thread, void *const *arguments) {
  thread->barrier(thread, thread->thread_id[0] < 16);
}

static void outOfBounds(Thread *thread, void *const *arguments) {
  ARGUMENTS;
  if (i == 70)
    thread->out_of_bounds(thread, 77, 64);
}

static void lanesMissing(Thread *thread, void *const *arguments) {
  int64_t value = 1;
  if (thread->lane != 5)
    thread->exchange(thread, 0, &value, sizeof(value), SUBGROUP);
}

/* What shared memory and memory of the device hold before they are written. */
static void readPoison(Thread *thread, void *const *arguments) {
  ARGUMENTS;
  if (i < n)
    y[i] = i % 2 ? y[i] : shared[thread->thread_id[0]];
}

static void overflowStack(Thread *thread, void *const *arguments) {
  volatile char memory[110000];
  volatile char *at = memory;
  for (int i = 0; i < 6000; ++i)
    *--at = 0;
  thread->barrier(thread, 0);
}

enum { HOST_ARGUMENT = 9, LARGE_BLOCK, WRONG_TRANSFER, EMPTY_GRID, BAD_KERNEL, TEMPORARY };

static int32_t run(const weft_env *env, const int64_t *symbols, const void *const *inputs) {
  const int64_t n = symbols[0], which = *(const int64_t *)inputs[0], bytes = n * 8;
  char *deviceX = (char *)env->device_arena, *deviceY = deviceX + (bytes + 63) / 64 * 64;
  int64_t *y = env->output(env, 0, 1, &n);
  if (!y)
    return WEFT_RESOURCE_EXHAUSTED;
  int32_t status = env->transfer(env, 0, deviceX, inputs[1], bytes, 0);
  if (status)
    return status;
  int64_t kernel = which < HOST_ARGUMENT ? which : 0;
  int64_t shape[7] = {(n + BLOCK - 1) / BLOCK, 1, 1, BLOCK, 1, 1, 0};
  void *from = deviceX, *to = deviceY;
  int64_t extent = n;
  if (which == HOST_ARGUMENT)
    to = y;
  if (which == LARGE_BLOCK)
    shape[3] = 1025;
  if (which == EMPTY_GRID)
    shape[0] = 0;
  if (which == BAD_KERNEL)
    kernel = 1000;
  if (which == TEMPORARY) {
    void *first = env->device_alloc(env, bytes);
    to = env->device_alloc(env, bytes);
    if (!first || !to)
      return WEFT_RESOURCE_EXHAUSTED;
    env->device_release(env, first);
    env->device_release(env, NULL);
  }
  void *arguments[3] = {&from, &to, &extent};
  if ((status = env->launch(env, kernel, shape, arguments, 0)))
    return status;
  if (which == WRONG_TRANSFER)
    to = y;
  if (which == EMPTY_GRID) { /* the weight instead */
    const void *weight = env->device_weights[0];
    for (int64_t i = 0; i + 4 <= n; i += 4)
      if ((status = env->transfer(env, 1, y + i, weight, 32, 0)))
        return status;
    return env->device_weights[1] ? WEFT_INTERNAL : WEFT_OK;
  }
  return env->transfer(env, 1, y, to, bytes, 0);
}

static int64_t noWorkspace(const int64_t *symbols, int64_t workers) { return 0; }
static int64_t deviceWorkspace(const int64_t *symbols, int64_t workers) {
  return 2 * ((symbols[0] * 8 + 63) / 64 * 64);
}

static const int64_t weightBytes[12] __attribute__((aligned(64))) = {1, 2, 3, 4, 0, 0, 0, 0, 5};
static const weft_weight weights[] = {{"w", 0, 32}, {"v", 64, 8}};
static const uint8_t weightFlags[] = {WEFT_WEIGHT_DEVICE, 0};

static int32_t unused(const weft_env *env, void *const *buffers, const int64_t *sizes,
                      int64_t site) {
  return WEFT_OK;
}
static const weft_kernel_info kernels[] = {{"unused", 0, 0}};
static const weft_kernel_fn kernelTable[] = {unused};
static const weft_variant variants[] = {{"x86-64", "", kernelTable}};
static const weft_site sites[] = {{"node", "Op", ""}};

#define I64                                                                                        \
  { WEFT_DTYPE_INT, 64, 1 }
static const weft_dim one[] = {{1, -1, 0}}, many[] = {{-1, 0, 0}};
static const weft_symbol symbolTable[] = {{"n", 0, 1 << 20}};
static const weft_argument inputTable[] = {{"which", I64, 1, one, -1, 0},
                                           {"x", I64, 1, many, -1, 0}};
static const weft_argument outputTable[] = {{"y", I64, 1, many, -1, 0}};
static const weft_function functions[] = {
    {"main", 2, 1, 1, 0, inputTable, outputTable, symbolTable, noWorkspace, run}};
static const weft_device_function deviceFunctions[] = {{deviceWorkspace}};

static const uint8_t argumentSizes[] = {0, 0, 8};
#define KERNEL(name, flags, bytes)                                                                 \
  { name, flags, 3, argumentSizes, bytes }
#define COOPERATES WEFT_DEVICE_KERNEL_COOPERATES
static const weft_device_kernel deviceKernels[] = {
    KERNEL("copy", 0, 0),
    KERNEL("reverse", COOPERATES, BLOCK * 8),
    KERNEL("sum", COOPERATES, 0),
    KERNEL("odd_threads_leave", COOPERATES, 0),
    KERNEL("two_barriers", COOPERATES, 0),
    KERNEL("out_of_bounds", COOPERATES, BLOCK * 8),
    KERNEL("lanes_missing", COOPERATES, 0),
    KERNEL("read_poison", COOPERATES, BLOCK * 8),
    KERNEL("overflow_stack", COOPERATES, 0),
};
enum { KERNEL_COUNT = sizeof(deviceKernels) / sizeof(*deviceKernels) };

#ifdef DRIVER
#define CODE(family, chip, kind, text)                                                             \
  { family, chip, kind, 0, KERNEL_COUNT, 0, text, sizeof(text) }
static const weft_device_code deviceCode[] = {
    CODE("cuda", "sm_80", WEFT_DEVICE_CUBIN, "cubin 80"),
    CODE("cuda", "sm_80", WEFT_DEVICE_PTX, "ptx 80"),
    CODE("cuda", "sm_90a", WEFT_DEVICE_CUBIN, "cubin 90a"),
    CODE("hip", "gfx90a", WEFT_DEVICE_HSACO, "hsaco 90a"),
};
#else
static const weft_emulated_fn emulated[] = {
    copy,        reverse,      sum,        oddThreadsLeave, twoBarriers,
    outOfBounds, lanesMissing, readPoison, overflowStack};
static const weft_device_code deviceCode[] = {{"emulation", STRING(SUBGROUP), WEFT_DEVICE_FUNCTIONS,
                                               0, KERNEL_COUNT, 0, emulated, sizeof(emulated)}};
#endif

static const weft_transfer transfers[] = {
    {"x", "8 * n", "an input that a device kernel reads", WEFT_TO_DEVICE, 0},
    {"y", "8 * n", "an output", WEFT_TO_HOST, 0},
};

static const weft_module description = {
    .magic = WEFT_MODULE_MAGIC,
    .struct_size = sizeof(weft_module),
    .abi_major = WEFT_MODULE_ABI_MAJOR,
    .abi_minor = WEFT_MODULE_ABI_MINOR,
    .name = "device",
    .compiler_version = "by hand",
    .options = "{}",
    .weights = (const unsigned char *)weightBytes,
    .weights_size = sizeof(weightBytes),
    .weight_count = 2,
    .kernel_count = 1,
    .variant_count = 1,
    .site_count = 1,
    .function_count = 1,
    .weight_table = weights,
    .kernels = kernels,
    .variants = variants,
    .sites = sites,
    .functions = functions,
    .device_kernel_count = KERNEL_COUNT,
    .device_code_count = sizeof(deviceCode) / sizeof(*deviceCode),
    .transfer_count = 2,
    .device_kernels = deviceKernels,
    .device_code = deviceCode,
    .transfers = transfers,
    .device_functions = deviceFunctions,
    .weight_flags = weightFlags,
};

__attribute__((visibility("default"))) const weft_module *weft_module_query(uint32_t major) {
  return major == WEFT_MODULE_ABI_MAJOR ? &description : NULL;
}
