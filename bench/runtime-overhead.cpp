//===- runtime-overhead.cpp - What the runtime adds to a call -----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Empty kernels through dispatch, empty loops through parallel_for, empty
// calls. The module is test/unit/Runtime/TestModule.c's "overhead" function,
// linked in. Budgets: 0.1 us a serial kernel, 1 us a parallel kernel in a call,
// 5 us a call.
//
//===----------------------------------------------------------------------===//

#include "weft-runtime/runtime.hpp"

#include <benchmark/benchmark.h>

#include <atomic>
#include <thread>

using namespace weft;

extern "C" const weft_module *weft_module_query_linked(uint32_t);

/// Time of a call with `serial` empty kernels and `parallel` empty loops on
/// `threads` threads; and of one of them, if there are any.
static void runOverhead(benchmark::State &state, int64_t serial, int64_t parallel, int32_t threads,
                        weft_parallel_fn pool = nullptr) {
  auto module = rt::Module::loadStatic(weft_module_query_linked);
  auto options = rt::contextOptions(threads);
  options.parallel = pool;
  rt::Context context(module, "overhead", &options);
  std::vector<int8_t> bytes(100000);
  context.bindInput(0, rt::view(bytes.data(), {serial}));
  context.bindInput(1, rt::view(bytes.data(), {parallel}));
  for (auto _ : state)
    if (weft_error *error = weft_context_run(context.get())) {
      state.SkipWithError(weft_error_message(error));
      return;
    }
  if (const int64_t count = serial + parallel)
    state.counters["per_kernel"] =
        benchmark::Counter(double(count) * double(state.iterations()),
                           benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

static void Call(benchmark::State &state) { runOverhead(state, 0, 0, int32_t(state.range(0))); }
BENCHMARK(Call)->ArgName("threads")->Arg(1)->Arg(2)->Arg(8)->UseRealTime();

static void SerialKernel(benchmark::State &state) {
  runOverhead(state, 1000, 0, int32_t(state.range(0)));
}
BENCHMARK(SerialKernel)->ArgName("threads")->Arg(1)->Arg(2)->UseRealTime();

static void ParallelKernel(benchmark::State &state) {
  runOverhead(state, 0, 1000, int32_t(state.range(0)));
}
BENCHMARK(ParallelKernel)->ArgName("threads")->Arg(1)->Arg(2)->Arg(4)->Arg(8)->UseRealTime();

/// One parallel kernel in a call, calls at intervals: workers have left.
static void ParallelKernelAfterPause(benchmark::State &state) {
  auto module = rt::Module::loadStatic(weft_module_query_linked);
  auto options = rt::contextOptions(2);
  rt::Context context(module, "overhead", &options);
  std::vector<int8_t> bytes(1);
  context.bindInput(0, rt::view(bytes.data(), {0}));
  context.bindInput(1, rt::view(bytes.data(), {1}));
  for (auto _ : state) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const auto begin = std::chrono::steady_clock::now();
    rt::check(weft_context_run(context.get()));
    state.SetIterationTime(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
}
BENCHMARK(ParallelKernelAfterPause)->UseManualTime()->Iterations(500);

static void Invoke(benchmark::State &state) {
  auto module = rt::Module::loadStatic(weft_module_query_linked);
  auto options = rt::contextOptions(1);
  rt::Context context(module, "main", &options);
  std::vector<float> x(4), bias(4), y(4);
  float total;
  const int64_t dims[] = {1, 4}, four[] = {4};
  const weft_dtype f32 = rt::dtypeOf<float>();
  const weft_tensor inputs[] = {{x.data(), f32, 2, dims, nullptr},
                                {bias.data(), f32, 1, four, nullptr}};
  weft_tensor outputs[] = {{y.data(), f32, 2, dims, nullptr}, {&total, f32, 0, nullptr, nullptr}};
  for (auto _ : state)
    rt::check(weft_invoke(context.get(), inputs, 2, outputs, 2));
}
BENCHMARK(Invoke);

BENCHMARK_MAIN();
