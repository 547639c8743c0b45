//===- ThreadTest.cpp - Threads: same results, failures, cancellation ---===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>
#include <xmmintrin.h>

using namespace weft;
using namespace weft::test;
using testing::HasSubstr;

namespace {
/// A pool as a caller may have one: a new thread for every task, in reverse.
void runOnThreads(void *user, int32_t count, weft_task_fn task, void *argument) {
  if (user)
    ++*static_cast<std::atomic<int> *>(user);
  std::vector<std::thread> threads;
  for (int32_t i = count; i-- > 0;)
    threads.emplace_back([=] { task(argument, i); });
  for (std::thread &thread : threads)
    thread.join();
}

class ThreadTest : public testing::Test {
protected:
  rt::Module module = rt::Module::load(modulePath("plain"));
};

std::vector<float> makeInput(int64_t count) {
  std::vector<float> x(static_cast<size_t>(count));
  uint32_t state = 1;
  for (float &value : x) {
    state = state * 1664525u + 1013904223u;
    value = float(int32_t(state)) * 1e-7f;
  }
  return x;
}

bool sameBits(const std::vector<float> &a, const float *b) {
  return memcmp(a.data(), b, a.size() * sizeof(float)) == 0;
}
} // namespace

TEST_F(ThreadTest, EqualBitsForEveryThreadCount) {
  const int64_t rows = 5000;
  auto x = makeInput(rows * 4);
  std::vector<float> bias{0.1f, 0.2f, 0.3f, 0.4f}, expected;
  for (int32_t threads : {1, 2, 3, 8})
    for (bool own : {false, true}) {
      auto options = rt::contextOptions(threads);
      options.parallel = own ? runOnThreads : nullptr;
      rt::Context context(module, 0, &options);
      EXPECT_EQ(context.threads(), threads);
      for (int repeat = 0; repeat < (own ? 2 : 50); ++repeat) {
        auto y = context({rt::view(x.data(), {rows, 4}), rt::view(bias.data(), {4})})[0];
        if (expected.empty())
          expected.assign(y.data<float>(), y.data<float>() + y.size());
        ASSERT_TRUE(sameBits(expected, y.data<float>())) << threads;
      }
      EXPECT_EQ(context.stats().parallel_loops, threads == 1 ? 0u : 1u);
    }
}

TEST_F(ThreadTest, LowestFailureWinsForEveryThreadCount) {
  std::vector<float> data(5, 1.f);
  std::vector<int64_t> indices(20000, 1);
  for (size_t i = 777; i < indices.size(); i += 13)
    indices[i] = -int64_t(i);
  for (int32_t threads : {1, 2, 3, 8}) {
    auto options = rt::contextOptions(threads);
    rt::Context gather(module, "gather", &options);
    for (int repeat = 0; repeat < 100; ++repeat)
      ASSERT_EQ(errorOf([&] {
                  gather({rt::view(data.data(), {5}), rt::view(indices.data(), {20000})});
                }),
                "OUT_OF_RANGE: node 'gather_3' (Gather): index -777 at "
                "position 777 is out of range [0, 4]")
          << threads;
  }
}

TEST_F(ThreadTest, IgnoresTheCallersFloatState) {
  // Denormals: flushed anywhere, the halves would be zero.
  std::vector<float> x(512, 3e-39f);
  const unsigned before = _mm_getcsr();
  const unsigned strange = 0x1F80 | 0x8040 | 0x6000; // FTZ, DAZ, toward zero
  for (int32_t threads : {1, 2, 3, 8})
    for (bool own : {false, true}) {
      auto options = rt::contextOptions(threads);
      options.parallel = own ? runOnThreads : nullptr;
      rt::Context halve(module, "halve", &options);
      for (int repeat = 0; repeat < 5; ++repeat) {
        _mm_setcsr(strange);
        auto y = halve({rt::view(x.data(), {512})})[0];
        const unsigned after = _mm_getcsr();
        _mm_setcsr(before);
        ASSERT_EQ(after, strange);
        for (int64_t i = 0; i < 512; ++i)
          ASSERT_EQ(y.data<float>()[i], 1.5e-39f) << threads;
      }
    }
  // Threads that the pool created keep their state for other users.
  EXPECT_EQ(_mm_getcsr() & ~0x3Fu, before & ~0x3Fu);
}

TEST_F(ThreadTest, CancelsALoopWithinASecond) {
  for (const char *function : {"busy", "forever"})
    for (int32_t threads : {1, 2, 8}) {
      auto options = rt::contextOptions(threads);
      rt::Context context(module, function, &options);
      std::chrono::steady_clock::time_point asked;
      std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        asked = std::chrono::steady_clock::now();
        context.cancel();
      });
      std::string error = errorOf([&] { context({}); });
      const auto now = std::chrono::steady_clock::now();
      other.join();
      EXPECT_THAT(error, HasSubstr("CANCELLED: "));
      EXPECT_LT(now - asked, std::chrono::seconds(1)) << function << threads;
      // The request stands until it is taken back.
      EXPECT_THAT(errorOf([&] { context({}); }), HasSubstr("CANCELLED"));
    }
  rt::Context cache(module, "cache");
  std::vector<float> state(4);
  cache.cancel();
  EXPECT_THAT(errorOf([&] { cache({rt::view(state.data(), {4})}); }),
              HasSubstr("the call was cancelled"));
  cache.resetCancel();
  EXPECT_EQ(errorOf([&] { cache({rt::view(state.data(), {4})}); }), "");
}

TEST_F(ThreadTest, ReleaseEndsARunningCall) {
  auto options = rt::contextOptions(2);
  weft_context *context = nullptr;
  rt::check(weft_context_create(module.get(), module.findFunction("forever"), &options, &context));
  std::atomic<bool> started{false};
  std::string error;
  std::thread other([&] {
    started = true;
    error = describe(weft_context_run(context));
  });
  while (!started)
    std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_THAT(describe(weft_context_run(context)),
              HasSubstr("FAILED_PRECONDITION: a call with this context is in "
                        "progress"));
  weft_context_release(context);
  other.join();
  EXPECT_THAT(error, HasSubstr("CANCELLED"));
}

TEST_F(ThreadTest, ManyThreadsShareAModule) {
  const int64_t rows = 600;
  auto x = makeInput(rows * 4);
  std::vector<float> bias{1, 2, 3, 4};
  auto single = rt::contextOptions(1);
  rt::Context reference(module, 0, &single);
  auto y = reference({rt::view(x.data(), {rows, 4}), rt::view(bias.data(), {4})})[0];
  std::vector<float> expected(y.data<float>(), y.data<float>() + y.size());
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i)
    callers.emplace_back([&, i] {
      auto options = rt::contextOptions(1 + i % 3);
      rt::Context context(module, 0, &options);
      for (int repeat = 0; repeat < 50; ++repeat) {
        auto y = context({rt::view(x.data(), {rows, 4}), rt::view(bias.data(), {4})})[0];
        wrong += !sameBits(expected, y.data<float>());
      }
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(ThreadTest, UsesTheCallersPool) {
  std::atomic<int> loops{0};
  auto options = rt::contextOptions(3);
  options.parallel = runOnThreads;
  options.parallel_user = &loops;
  rt::Context context(module, 0, &options);
  auto x = makeInput(400);
  context({rt::view(x.data(), {100, 4}), rt::view(x.data(), {4})});
  EXPECT_EQ(loops, 1);
}

TEST_F(ThreadTest, ReallyRunsInParallel) {
  // Workers come when they can, which on a busy machine may take many calls;
  // that one does not come for half a minute is a bug.
  using Clock = std::chrono::steady_clock;
  std::vector<float> x(2000);
  for (int32_t threads : {2, 4}) {
    auto options = rt::contextOptions(threads);
    rt::Context who(module, "who", &options);
    std::set<int64_t> workers;
    const auto deadline = Clock::now() + std::chrono::seconds(30);
    while (int(workers.size()) < threads && Clock::now() < deadline) {
      auto y = who({rt::view(x.data(), {2000})})[0];
      workers.insert(y.data<int64_t>(), y.data<int64_t>() + y.size());
    }
    EXPECT_EQ(int(workers.size()), threads);
    EXPECT_EQ(*workers.begin(), 0);
    EXPECT_EQ(*workers.rbegin(), threads - 1);
  }
}

TEST_F(ThreadTest, TemporariesOfParallelBodies) {
  std::vector<float> x(300);
  for (int32_t threads : {1, 2, 8}) {
    auto options = rt::contextOptions(threads);
    rt::Context wide(module, "wide", &options);
    auto y = wide({rt::view(x.data(), {300})})[0];
    for (int64_t i = 0; i < 300; ++i)
      ASSERT_EQ(y.data<int64_t>()[i], 499500);
    EXPECT_EQ(wide.stats().unbounded_allocations, 300u);
    EXPECT_EQ(wide.stats().unbounded_bytes, 300u * 8000);
  }
}

TEST_F(ThreadTest, ContextsComeAndGo) {
  auto x = makeInput(4000);
  for (int i = 0; i < 200; ++i) {
    auto options = rt::contextOptions(1 + i % 5);
    options.spin_us = i % 3 - 1;
    rt::Context context(module, 0, &options);
    if (i % 4)
      context({rt::view(x.data(), {1000, 4}), rt::view(x.data(), {4})});
  }
}

TEST_F(ThreadTest, DefaultIsWhatTheMachineAllows) {
  EXPECT_GE(weft_usable_threads(), 1);
  EXPECT_LE(weft_usable_threads(), int(std::thread::hardware_concurrency()));
  cpu_set_t all, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(i, &all)) {
      CPU_SET(i, &one);
      break;
    }
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(weft_usable_threads(), 1);
  EXPECT_EQ(rt::Context(module).threads(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof(all), &all), 0);
}
