/*===- TestModule.c - A module as the compiler would write it -------------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Written by hand, so that the runtime is tested without a compiler. Built into
 * several shared objects by these macros:
 *   EXTERNAL_WEIGHTS   the weight lies in a file beside the module
 *   NEVER_CPU          the only variant needs a feature that does not exist
 *   DESCRIPTION_DEFECT one of the numbered defects below
 *
 *===----------------------------------------------------------------------===*/
#include "weft-runtime/module.h"

#include <stddef.h>

#ifndef DESCRIPTION_DEFECT
#define DESCRIPTION_DEFECT 0
#endif
#define DEFECT(n) (DESCRIPTION_DEFECT == (n))

#define F32                                                                                        \
  { WEFT_DTYPE_FLOAT, 32, 1 }
#define I64                                                                                        \
  { WEFT_DTYPE_INT, 64, 1 }
#define I8                                                                                         \
  { WEFT_DTYPE_INT, 8, 1 }
#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define STATIC(n)                                                                                  \
  { n, -1, 0 }
#define SYMBOL(s)                                                                                  \
  { -1, s, 0 }
#define UNKNOWN                                                                                    \
  { -1, -1, 0 }

enum {
  KERNEL_AFFINE,
  KERNEL_SUM,
  KERNEL_GATHER,
  KERNEL_HALVE,
  KERNEL_BUSY,
  KERNEL_EMPTY,
  KERNEL_EMPTY_LOOP,
  KERNEL_SILENT,
  KERNEL_WIDE,
  KERNEL_WHO,
  KERNEL_COUNT
};
enum { SITE_AFFINE, SITE_SUM, SITE_GATHER, SITE_HALVE, SITE_BUSY, SITE_COUNT };

/* Costs far above and below the runtime's threshold. */
static const int64_t large = 10000000, small = 100;

/*===-- Kernels
 * ------------------------------------------------------------===*/

/* y[i, j] = x[i, j] * w[j] + bias[j]; scratch by worker proves that no two
   ranges share one. */
static int32_t affineRange(const weft_env *env, void *const *buffers, const int64_t *sizes,
                           int64_t site, int64_t begin, int64_t end, int64_t worker) {
  const float *x = buffers[0], *w = buffers[1], *bias = buffers[2];
  float *y = buffers[3];
  float *scratch = (float *)((char *)buffers[4] + 64 * worker);
  if (worker < 0 || worker >= env->max_workers)
    return WEFT_INTERNAL;
  for (int64_t i = begin; i < end; ++i) {
    for (int j = 0; j < 4; ++j)
      scratch[j] = x[4 * i + j] * w[j];
    for (int j = 0; j < 4; ++j)
      y[4 * i + j] = scratch[j] + bias[j];
  }
  return WEFT_OK;
}
static int32_t affine(const weft_env *env, void *const *buffers, const int64_t *sizes,
                      int64_t site) {
  return env->parallel_for(env, affineRange, buffers, sizes, site, sizes[0], large);
}

static int32_t sum(const weft_env *env, void *const *buffers, const int64_t *sizes, int64_t site) {
  const float *y = buffers[0];
  float total = 0;
  for (int64_t i = 0; i < sizes[0]; ++i)
    total += y[i];
  *(float *)buffers[1] = total;
  return WEFT_OK;
}

/* A body that fails at its first bad index. */
static int32_t gatherRange(const weft_env *env, void *const *buffers, const int64_t *sizes,
                           int64_t site, int64_t begin, int64_t end, int64_t worker) {
  const float *data = buffers[0];
  const int64_t *indices = buffers[1];
  float *y = buffers[2];
  for (int64_t i = begin; i < end; ++i) {
    if (indices[i] < 0 || indices[i] >= 5)
      return env->fail(env, site, WEFT_OUT_OF_RANGE, indices[i], i);
    y[i] = data[indices[i]];
  }
  return WEFT_OK;
}
static int32_t gather(const weft_env *env, void *const *buffers, const int64_t *sizes,
                      int64_t site) {
  return env->parallel_for(env, gatherRange, buffers, sizes, site, sizes[0], large);
}

static int32_t halveRange(const weft_env *env, void *const *buffers, const int64_t *sizes,
                          int64_t site, int64_t begin, int64_t end, int64_t worker) {
  const float *x = buffers[0];
  float *y = buffers[1];
  for (int64_t i = begin; i < end; ++i) {
    volatile float half = 0.5f; /* no constant folding: the state counts */
    y[i] = x[i] * half;
    for (volatile int spin = 0; spin < 2000; ++spin)
      ; /* long enough for every worker to get some */
  }
  return WEFT_OK;
}
static int32_t halve(const weft_env *env, void *const *buffers, const int64_t *sizes,
                     int64_t site) {
  return env->parallel_for(env, halveRange, buffers, sizes, site, sizes[0], large);
}

/* About a day on one core; the cost says so. */
static int32_t busyRange(const weft_env *env, void *const *buffers, const int64_t *sizes,
                         int64_t site, int64_t begin, int64_t end, int64_t worker) {
  for (int64_t i = begin; i < end; ++i)
    for (volatile int spin = 0; spin < 100000; ++spin)
      ;
  return WEFT_OK;
}
static int32_t busy(const weft_env *env, void *const *buffers, const int64_t *sizes, int64_t site) {
  return env->parallel_for(env, busyRange, buffers, sizes, site, 1000000000,
                           INT64_C(100000000000000));
}

static int32_t empty(const weft_env *env, void *const *buffers, const int64_t *sizes,
                     int64_t site) {
  return WEFT_OK;
}
static int32_t emptyRange(const weft_env *env, void *const *buffers, const int64_t *sizes,
                          int64_t site, int64_t begin, int64_t end, int64_t worker) {
  return WEFT_OK;
}
static int32_t emptyLoop(const weft_env *env, void *const *buffers, const int64_t *sizes,
                         int64_t site) {
  return env->parallel_for(env, emptyRange, buffers, sizes, site, 16, 20000);
}

static int32_t silent(const weft_env *env, void *const *buffers, const int64_t *sizes,
                      int64_t site) {
  return WEFT_UNIMPLEMENTED;
}

/* Temporaries and a nested loop inside a parallel body. */
static int32_t wideInner(const weft_env *env, void *const *buffers, const int64_t *sizes,
                         int64_t site, int64_t begin, int64_t end, int64_t worker) {
  for (int64_t i = begin; i < end; ++i)
    ((int64_t *)buffers[0])[i] = i;
  return WEFT_OK;
}
static int32_t wideRange(const weft_env *env, void *const *buffers, const int64_t *sizes,
                         int64_t site, int64_t begin, int64_t end, int64_t worker) {
  for (int64_t i = begin; i < end; ++i) {
    int64_t *row = env->alloc(env, 1000 * sizeof(int64_t));
    if (!row)
      return WEFT_RESOURCE_EXHAUSTED;
    void *inner[] = {row};
    int32_t status = env->parallel_for(env, wideInner, inner, sizes, site, 1000, large);
    if (status)
      return status;
    int64_t total = 0;
    for (int k = 0; k < 1000; ++k)
      total += row[k];
    ((int64_t *)buffers[0])[i] = total;
    if (i % 2) /* the others are freed when the call ends */
      env->release(env, row);
  }
  return WEFT_OK;
}
static int32_t wide(const weft_env *env, void *const *buffers, const int64_t *sizes, int64_t site) {
  return env->parallel_for(env, wideRange, buffers, sizes, site, sizes[0], large);
}

/* y[i] = the worker that computed it */
static int32_t whoRange(const weft_env *env, void *const *buffers, const int64_t *sizes,
                        int64_t site, int64_t begin, int64_t end, int64_t worker) {
  for (int64_t i = begin; i < end; ++i) {
    for (volatile int spin = 0; spin < 2000; ++spin)
      ;
    ((int64_t *)buffers[0])[i] = worker;
  }
  return WEFT_OK;
}
static int32_t who(const weft_env *env, void *const *buffers, const int64_t *sizes, int64_t site) {
  return env->parallel_for(env, whoRange, buffers, sizes, site, sizes[0], large);
}

/*===-- Functions
 * ----------------------------------------------------------===*/

static int64_t noWorkspace(const int64_t *symbols, int64_t workers) { return 0; }

/* main: y[batch, 4] = x * w + bias, total = sum(y) */
static int64_t mainWorkspace(const int64_t *symbols, int64_t workers) {
  int64_t bytes;
  if (__builtin_mul_overflow(symbols[0], INT64_C(16), &bytes) ||
      __builtin_add_overflow(bytes, 64 * workers, &bytes))
    return -1;
  return bytes;
}
static int32_t mainInvoke(const weft_env *env, const int64_t *symbols, const void *const *inputs) {
  int64_t batch = symbols[0], dims[] = {batch, 4}, elements = batch * 4;
  unsigned char *scratch = env->arena + batch * 16;
  float *copy = (float *)env->arena;
  for (int64_t i = 0; i < elements; ++i) /* x through the workspace */
    ((volatile float *)copy)[i] = ((const float *)inputs[0])[i];
  void *y = env->output(env, 0, 2, dims);
  if (!y)
    return WEFT_RESOURCE_EXHAUSTED;
  void *total = env->output(env, 1, 0, NULL);
  if (!total)
    return WEFT_RESOURCE_EXHAUSTED;
  void *buffers[] = {copy, (void *)env->weights[0], (void *)inputs[1], y, scratch};
  int32_t status = env->dispatch(env, KERNEL_AFFINE, buffers, &batch, SITE_AFFINE);
  if (status)
    return status;
  void *sums[] = {y, total};
  return env->dispatch(env, KERNEL_SUM, sums, &elements, SITE_SUM);
}
static const weft_dim batchBy4[] = {SYMBOL(0), STATIC(4)};
static const weft_dim four[] = {STATIC(4)};
static const weft_argument mainInputs[] = {{"x", F32, 2, batchBy4, -1, 0},
                                           {"bias", F32, 1, four, -1, 0}};
static const weft_argument mainOutputs[] = {{"y", F32, 2, batchBy4, -1, 0},
                                            {"total", F32, 0, NULL, -1, 0}};
static const weft_symbol mainSymbols[] = {{"batch", 1, INT64_MAX}};

/* gather: y[n] = data[indices[n]] */
static int32_t gatherInvoke(const weft_env *env, const int64_t *symbols,
                            const void *const *inputs) {
  int64_t n = symbols[0];
  void *y = env->output(env, 0, 1, &n);
  if (!y)
    return WEFT_RESOURCE_EXHAUSTED;
  void *buffers[] = {(void *)inputs[0], (void *)inputs[1], y};
  return env->dispatch(env, KERNEL_GATHER, buffers, &n, SITE_GATHER);
}
static const weft_dim five[] = {STATIC(5)};
static const weft_dim symbol0[] = {SYMBOL(0)};
static const weft_argument gatherInputs[] = {{"data", F32, 1, five, -1, 0},
                                             {"indices", I64, 1, symbol0, -1, 0}};
static const weft_argument gatherOutputs[] = {{"y", F32, 1, symbol0, -1, 0}};
static const weft_symbol gatherSymbols[] = {{"n", 0, 1000000}};

/* nonzero: positions of x's nonzero elements, through a temporary */
static int32_t nonzeroInvoke(const weft_env *env, const int64_t *symbols,
                             const void *const *inputs) {
  const float *x = inputs[0];
  int64_t *found = env->alloc(env, symbols[0] * 8), count = 0;
  if (!found)
    return WEFT_RESOURCE_EXHAUSTED;
  for (int64_t i = 0; i < symbols[0]; ++i)
    if (x[i] != 0)
      found[count++] = i;
  int64_t *y = env->output(env, 0, 1, &count);
  if (!y)
    return WEFT_RESOURCE_EXHAUSTED;
  for (int64_t i = 0; i < count; ++i)
    ((volatile int64_t *)y)[i] = found[i];
  return WEFT_OK;
}
static const weft_dim unknown[] = {UNKNOWN};
static const weft_argument vectorInput[] = {{"x", F32, 1, symbol0, -1, 0}};
static const weft_argument nonzeroOutputs[] = {{"positions", I64, 1, unknown, -1, 0}};

/* halve: y = x / 2 */
static int32_t halveInvoke(const weft_env *env, const int64_t *symbols, const void *const *inputs) {
  int64_t n = symbols[0];
  void *y = env->output(env, 0, 1, &n);
  if (!y)
    return WEFT_RESOURCE_EXHAUSTED;
  void *buffers[] = {(void *)inputs[0], y};
  return env->dispatch(env, KERNEL_HALVE, buffers, &n, SITE_HALVE);
}
static const weft_argument vectorOutput[] = {{"y", F32, 1, symbol0, -1, 0}};

/* transpose: y[m, n] = x[n, m] + z[n]; two symbols, one of them twice */
static int32_t transposeInvoke(const weft_env *env, const int64_t *symbols,
                               const void *const *inputs) {
  int64_t n = symbols[0], m = symbols[1], dims[] = {m, n};
  const float *x = inputs[0], *z = inputs[1];
  float *y = env->output(env, 0, 2, dims);
  if (!y)
    return WEFT_RESOURCE_EXHAUSTED;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < m; ++j)
      y[j * n + i] = x[i * m + j] + z[i];
  return WEFT_OK;
}
static const weft_dim nByM[] = {SYMBOL(0), SYMBOL(1)};
static const weft_dim mByN[] = {SYMBOL(1), SYMBOL(0)};
static const weft_argument transposeInputs[] = {{"x", F32, 2, nByM, -1, 0},
                                                {"z", F32, 1, symbol0, -1, 0}};
static const weft_argument transposeOutputs[] = {{"y", F32, 2, mByN, -1, 0}};
static const weft_symbol transposeSymbols[] = {{"n", 1, INT64_MAX}, {"m", 2, 64}};

/* cache: next[4] = state + 1, in place if the caller wants it */
static int32_t cacheInvoke(const weft_env *env, const int64_t *symbols, const void *const *inputs) {
  int64_t dims[] = {4};
  const volatile float *state = inputs[0];
  float *next = env->output(env, 0, 1, dims);
  if (!next)
    return WEFT_RESOURCE_EXHAUSTED;
  for (int i = 0; i < 4; ++i)
    next[i] = state[i] + 1;
  return WEFT_OK;
}
static const weft_argument cacheInputs[] = {{"state", F32, 1, four, -1, 0}};
static const weft_argument cacheOutputs[] = {{"next", F32, 1, four, DEFECT(9) ? 7 : 0, 0}};

/* busy: a parallel loop that does not end; forever: a host loop that does not
 */
static int32_t busyInvoke(const weft_env *env, const int64_t *symbols, const void *const *inputs) {
  return env->dispatch(env, KERNEL_BUSY, NULL, NULL, SITE_BUSY);
}
static int32_t foreverInvoke(const weft_env *env, const int64_t *symbols,
                             const void *const *inputs) {
  for (;;) {
    int32_t status = env->dispatch(env, KERNEL_EMPTY, NULL, NULL, SITE_BUSY);
    if (status)
      return status;
  }
}

/* overhead: as many serial and parallel empty kernels as its inputs are long */
static int32_t overheadInvoke(const weft_env *env, const int64_t *symbols,
                              const void *const *inputs) {
  int32_t status = 0;
  for (int64_t i = 0; i < symbols[0] && !status; ++i)
    status = env->dispatch(env, KERNEL_EMPTY, NULL, NULL, SITE_BUSY);
  for (int64_t i = 0; i < symbols[1] && !status; ++i)
    status = env->dispatch(env, KERNEL_EMPTY_LOOP, NULL, NULL, SITE_BUSY);
  return status;
}
static const weft_dim symbol1[] = {SYMBOL(1)};
static const weft_argument overheadInputs[] = {{"serial", I8, 1, symbol0, -1, 0},
                                               {"parallel", I8, 1, symbol1, -1, 0}};
static const weft_symbol overheadSymbols[] = {{"s", 0, INT64_MAX}, {"p", 0, INT64_MAX}};

/* Things that generated code should never do, and the runtime survives. */
static int32_t silentInvoke(const weft_env *env, const int64_t *symbols,
                            const void *const *inputs) {
  return env->dispatch(env, KERNEL_SILENT, NULL, NULL, SITE_SUM);
}
static int32_t forgetfulInvoke(const weft_env *env, const int64_t *symbols,
                               const void *const *inputs) {
  return WEFT_OK;
}
static int32_t wrongShapeInvoke(const weft_env *env, const int64_t *symbols,
                                const void *const *inputs) {
  int64_t dims[] = {3};
  return env->output(env, 0, 1, dims) ? WEFT_OK : WEFT_INTERNAL;
}
static int32_t hungryInvoke(const weft_env *env, const int64_t *symbols,
                            const void *const *inputs) {
  return env->alloc(env, INT64_MAX) ? WEFT_OK : WEFT_RESOURCE_EXHAUSTED;
}
static int64_t endlessWorkspace(const int64_t *symbols, int64_t workers) { return -1; }

/* wide: y[i] = 0 + ... + 999 through temporaries of parallel bodies */
static int32_t wideInvoke(const weft_env *env, const int64_t *symbols, const void *const *inputs) {
  int64_t n = symbols[0];
  void *buffers[] = {env->output(env, 0, 1, &n)};
  if (!buffers[0])
    return WEFT_RESOURCE_EXHAUSTED;
  return env->dispatch(env, KERNEL_WIDE, buffers, &n, SITE_SUM);
}
static int32_t whoInvoke(const weft_env *env, const int64_t *symbols, const void *const *inputs) {
  int64_t n = symbols[0];
  void *buffers[] = {env->output(env, 0, 1, &n)};
  if (!buffers[0])
    return WEFT_RESOURCE_EXHAUSTED;
  return env->dispatch(env, KERNEL_WHO, buffers, &n, SITE_SUM);
}
static const weft_argument wideOutputs[] = {{"y", I64, 1, symbol0, -1, 0}};
static const weft_symbol badSymbols[] = {{"n", 5, 2}};

#define FUNCTION(name, inputs, outputs, symbols, size, invoke)                                     \
  { name, COUNT(inputs), COUNT(outputs), COUNT(symbols), 0, inputs, outputs, symbols, size, invoke }
#define PLAIN(name, invoke)                                                                        \
  { name, 0, 0, 0, 0, NULL, NULL, NULL, noWorkspace, invoke }
#define ONE_OUTPUT(name, size, invoke)                                                             \
  { name, 0, 1, 0, 0, NULL, cacheOutputs + 0, NULL, size, invoke }

static const weft_argument lonelyOutput[] = {{"next", F32, 1, four, -1, 0}};
static const weft_argument badType[] = {{"x", {99, 7, 3}, 1, symbol0, -1, 0}};

static const weft_function functions[] = {
    FUNCTION("main", mainInputs, mainOutputs, mainSymbols, mainWorkspace, mainInvoke),
    FUNCTION("gather", gatherInputs, gatherOutputs, gatherSymbols, noWorkspace, gatherInvoke),
    FUNCTION("nonzero", vectorInput, nonzeroOutputs, gatherSymbols, noWorkspace, nonzeroInvoke),
    FUNCTION("halve", vectorInput, vectorOutput, gatherSymbols, noWorkspace, halveInvoke),
    FUNCTION("transpose", transposeInputs, transposeOutputs, transposeSymbols, noWorkspace,
             transposeInvoke),
    {"cache", 1, 1, 0, 0, cacheInputs, cacheOutputs, NULL, noWorkspace, cacheInvoke},
    PLAIN("busy", busyInvoke),
    PLAIN("forever", foreverInvoke),
    {"overhead", 2, 0, 2, 0, overheadInputs, NULL, overheadSymbols, noWorkspace, overheadInvoke},
    PLAIN("silent", silentInvoke),
    {"forgetful", 0, 1, 0, 0, NULL, lonelyOutput, NULL, noWorkspace, forgetfulInvoke},
    {"wrong_shape", 0, 1, 0, 0, NULL, lonelyOutput, NULL, noWorkspace, wrongShapeInvoke},
    PLAIN("hungry", hungryInvoke),
    {"endless", 0, 0, 0, 0, NULL, NULL, NULL, endlessWorkspace, silentInvoke},
    FUNCTION("wide", vectorInput, wideOutputs, gatherSymbols, noWorkspace, wideInvoke),
    FUNCTION("who", vectorInput, wideOutputs, gatherSymbols, noWorkspace, whoInvoke),
#if DESCRIPTION_DEFECT == 6
    PLAIN("no_code", NULL),
#elif DESCRIPTION_DEFECT == 7
    FUNCTION("bad_symbol", vectorInput, vectorOutput, badSymbols, noWorkspace, halveInvoke),
#elif DESCRIPTION_DEFECT == 8
    FUNCTION("bad_type", badType, vectorOutput, gatherSymbols, noWorkspace, halveInvoke),
#elif DESCRIPTION_DEFECT == 10
    {"unbound", 0, 0, 1, 0, NULL, NULL, gatherSymbols, noWorkspace, silentInvoke},
#endif
};

/*===-- Description
 * --------------------------------------------------------===*/

static const weft_kernel_fn kernels[KERNEL_COUNT] = {
    affine, sum, gather, halve, busy, DEFECT(5) ? NULL : empty, emptyLoop, silent, wide, who};
static const weft_kernel_info kernelInfos[KERNEL_COUNT] = {
    {"affine", 0, 0},     {"sum", WEFT_KERNEL_FALLBACK, 1},
    {"gather", 0, 0},     {"halve", 0, 0},
    {"busy", 0, 0},       {"empty", 0, 0},
    {"empty_loop", 0, 0}, {"silent", 0, 0},
    {"wide", 0, 0},       {"who", 0, 0}};
static const weft_variant variants[] = {
#ifndef NEVER_CPU
    {"future", "sse2,quantum-leap", kernels},
    {"x86-64", "sse2,cx8", kernels},
#else
    {"future", "sse2,quantum-leap,time-travel", kernels},
#endif
};
static const weft_site sites[SITE_COUNT] = {
    {"affine_0", "Gemm", NULL},
    {"sum_1", "ReduceSum", "sums serially"},
    {"gather_3", "Gather", "index {0} at position {1} is out of range [0, 4]"},
    {"halve_2", "Mul", NULL},
    {"busy_4", "Loop", NULL}};

#ifdef EXTERNAL_WEIGHTS
/* Written by the test: an 8-byte length, 184 bytes of JSON, then the data. */
#define WEIGHTS_SIZE 208
static const weft_weight weights[] = {{"w", 192, 16}};
#else
#define WEIGHTS_SIZE 64
static const _Alignas(64) float weightData[16] = {1, 2, 3, 4};
static const weft_weight weights[] = {{"w", DEFECT(4) ? 64 : 0, 16}};
#endif

static const weft_module module = {
    .magic = DEFECT(1) ? 1 : WEFT_MODULE_MAGIC,
    .struct_size = DEFECT(2) ? 16 : sizeof(weft_module),
    .abi_major = WEFT_MODULE_ABI_MAJOR,
    .abi_minor = DEFECT(11) ? 77 : WEFT_MODULE_ABI_MINOR,
    .name = DEFECT(3) ? NULL : "test",
    .compiler_version = "hand-written 1.0",
    .options = "{\"cpu\": \"x86-64\"}",
    .source_hash = {1, 2, 3},
    .weights_hash = {0xAB, 0xCD, 0xEF},
#ifdef EXTERNAL_WEIGHTS
    .weights_file = DEFECT(12) ? "../w.safetensors" : "test.safetensors",
#else
    .weights = (const unsigned char *)weightData,
#endif
    .weights_size = WEIGHTS_SIZE,
    .weight_count = 1,
    .kernel_count = KERNEL_COUNT,
    .variant_count = COUNT(variants),
    .site_count = SITE_COUNT,
    .function_count = COUNT(functions),
    .weight_table = weights,
    .kernels = kernelInfos,
    .variants = variants,
    .sites = sites,
    .functions = functions,
};

#ifndef QUERY
#define QUERY weft_module_query
#endif
__attribute__((visibility("default"))) const weft_module *QUERY(uint32_t abi_major) {
  return abi_major == WEFT_MODULE_ABI_MAJOR && !DEFECT(13) ? &module : NULL;
}
