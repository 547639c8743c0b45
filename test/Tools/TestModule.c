/*===- TestModule.c - A module by hand for the tests of the tool ----------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * y[batch, 3] = SCALE * x[batch, 3] + 1. An x[0, 0] of 666 fails at a node, one
 * of 777 runs until the call is cancelled.
 *
 *===----------------------------------------------------------------------===*/
#include "weft-runtime/module.h"

#ifndef SCALE
#define SCALE 2.0f
#endif

static int32_t kernel(const weft_env *env, void *const *buffers, const int64_t *sizes,
                      int64_t site) {
  const float *x = (const float *)buffers[0];
  float *y = (float *)buffers[1];
  if (sizes[0] > 0 && x[0] == 666.0f)
    return env->fail(env, site, WEFT_OUT_OF_RANGE, 666, 3);
  for (int64_t i = 0; i < sizes[0]; ++i)
    y[i] = SCALE * x[i] + 1.0f;
  return WEFT_OK;
}

static int64_t workspaceSize(const int64_t *symbols, int64_t workers) {
  return symbols[0] * 64 * workers;
}

static int32_t invoke(const weft_env *env, const int64_t *symbols, const void *const *inputs) {
  const float *x = (const float *)inputs[0];
  while (symbols[0] > 0 && x[0] == 777.0f)
    if (*env->cancelled)
      return WEFT_CANCELLED;
  int64_t dims[2] = {symbols[0], 3};
  void *y = env->output(env, 0, 2, dims);
  if (!y)
    return WEFT_RESOURCE_EXHAUSTED;
  void *buffers[2] = {(void *)inputs[0], y};
  int64_t sizes[1] = {symbols[0] * 3};
  return env->dispatch(env, 0, buffers, sizes, 0);
}

static const weft_dim dims[] = {{-1, 0, 0}, {3, -1, 0}};
static const weft_symbol symbols[] = {{"batch", 0, 1000}};
static const weft_argument inputs[] = {{"x", {WEFT_DTYPE_FLOAT, 32, 1}, 2, dims, -1, 0}};
static const weft_argument outputs[] = {{"y", {WEFT_DTYPE_FLOAT, 32, 1}, 2, dims, -1, 0}};
static const weft_function functions[] = {
    {"main", 1, 1, 1, 0, inputs, outputs, symbols, workspaceSize, invoke}};
static const weft_kernel_fn kernels[] = {kernel};
static const weft_kernel_info kernelInfos[] = {{"scale", 0, 0}};
static const weft_variant variants[] = {{"x86-64", "sse2", kernels}};
static const weft_site sites[] = {{"scale_0", "Scale", "the value {0} is above {1}"}};

static const weft_module module = {.magic = WEFT_MODULE_MAGIC,
                                   .struct_size = sizeof(weft_module),
                                   .abi_major = WEFT_MODULE_ABI_MAJOR,
                                   .abi_minor = WEFT_MODULE_ABI_MINOR,
                                   .name = "scale",
                                   .compiler_version = "test",
                                   .options = "{\"flops\": 6}",
                                   .kernel_count = 1,
                                   .variant_count = 1,
                                   .site_count = 1,
                                   .function_count = 1,
                                   .kernels = kernelInfos,
                                   .variants = variants,
                                   .sites = sites,
                                   .functions = functions};

__attribute__((visibility("default"))) const weft_module *weft_module_query(uint32_t abi_major) {
  return abi_major == WEFT_MODULE_ABI_MAJOR ? &module : 0;
}
