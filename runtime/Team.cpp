//===- Team.cpp - The threads of a context ------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The one file that is compiled with exceptions: oneTBB throws where it has no
// memory. Nothing escapes from here.
//
//===----------------------------------------------------------------------===//

#include "Team.h"

#include <atomic>
#include <cstring>
#include <ctime>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <sched.h>
#include <type_traits>
#include <utility>

// oneTBB's library is not instrumented, so the thread sanitizer sees neither
// what orders the uses of a task's memory nor who used it before. It is told
// what enqueueing a task orders, and kept from looking at that memory: from
// here on everything in oneTBB's headers is compiled without it. The standard
// headers that they include come before.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_TSAN 1
#endif
#endif

#if WEFT_RUNTIME_TBB
#if WEFT_TSAN
#pragma clang attribute push(__attribute__((no_sanitize("thread"))), apply_to = function)
#endif
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#if WEFT_TSAN
#pragma clang attribute pop
#endif
#endif

#if WEFT_TSAN
extern "C" void __tsan_acquire(void *address);
extern "C" void __tsan_release(void *address);
#define WEFT_UNSANITIZED __attribute__((no_sanitize("thread")))
#else
#define __tsan_acquire(address) (void)(address)
#define __tsan_release(address) (void)(address)
#define WEFT_UNSANITIZED
#endif

using namespace weft::runtime;

/// How long an idle worker stays, in nanoseconds.
static constexpr int64_t stayInCall = 200000, stayAfterCall = 20000;
/// After this long it lets other threads have the processor between looks.
static constexpr int64_t politeAfter = 5000;

static int64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t(time.tv_sec) * 1000000000 + time.tv_nsec;
}

static void pauseProcessor() {
#if defined(__x86_64__)
  _mm_pause();
#else
  __asm__ volatile("yield");
#endif
}

#if WEFT_RUNTIME_TBB
struct Team::Threads {
  explicit Threads(int32_t size) : arena(size, 1) {
    // oneTBB has one thread for each processor unless told otherwise. More are
    // only wanted by who asks for more.
    if (size > tbb::info::default_concurrency())
      more.emplace(tbb::global_control::max_allowed_parallelism, size_t(size));
    arena.initialize();
  }

  std::optional<tbb::global_control> more;
  tbb::task_arena arena;
  tbb::task_group group;
};
#else
struct Team::Threads {};
#endif

Team *Team::create(const Allocator &allocator, const Options &options, weft_error *&error) {
  void *memory = allocator.allocate(sizeof(Team), alignof(Team));
  Team *team = memory ? new (memory) Team(options) : nullptr;
  if (!team || !team->presence.allocate(allocator, size_t(options.size) * sizeof(std::atomic<bool>),
                                        alignof(std::atomic<bool>))) {
    destroy(allocator, team);
    error =
        makeError(allocator, WEFT_RESOURCE_EXHAUSTED, "out of memory for %d threads", options.size);
    return nullptr;
  }
  team->present = team->presence.as<std::atomic<bool>>();
  for (int32_t i = 0; i < options.size; ++i)
    new (&team->present[i]) std::atomic<bool>(false);
  if (options.size == 1 || options.parallel)
    return team;
#if WEFT_RUNTIME_TBB
  memory = allocator.allocate(sizeof(Threads), alignof(Threads));
  if (memory) {
    try {
      team->threads = new (memory) Threads(options.size);
      return team;
    } catch (...) {
      allocator.deallocate(memory, sizeof(Threads), alignof(Threads));
    }
  }
  error = makeError(allocator, WEFT_RESOURCE_EXHAUSTED,
                    "out of memory: oneTBB cannot set up %d threads", options.size);
#else
  error = makeError(allocator, WEFT_UNIMPLEMENTED,
                    "this runtime was built without oneTBB: give a parallel "
                    "function, or ask for one thread instead of %d",
                    options.size);
#endif
  destroy(allocator, team);
  return nullptr;
}

void Team::destroy(const Allocator &allocator, Team *team) {
  if (!team)
    return;
#if WEFT_RUNTIME_TBB
  if (Threads *threads = team->threads) {
    team->stopping.store(true, std::memory_order_release);
    try {
      // Inside the arena this thread also runs what no worker has taken yet.
      threads->arena.execute([&] { threads->group.wait(); });
    } catch (...) {
      // The tasks do not throw, so only a failure to enter the arena gets here;
      // the workers then come by themselves.
    }
    for (int32_t i = 1; i < team->size(); ++i)
      while (team->present[i].load(std::memory_order_acquire))
        sched_yield();
    allocator.destroy(threads);
  }
#endif
  team->~Team();
  allocator.deallocate(team, sizeof(Team), alignof(Team));
}

/// Waits a little. False once the worker has been idle for too long; `since` is
/// 0 at the start of idleness.
bool Team::idle(int64_t &since) const {
  for (int i = 0; i < 16; ++i)
    pauseProcessor();
  const int64_t time = now();
  if (!since)
    since = time;
  int64_t limit = inCall.load(std::memory_order_relaxed) ? stayInCall : stayAfterCall;
  if (options.spin)
    limit = options.spin < 0 ? 0 : int64_t(options.spin) * 1000;
  if (time - since > politeAfter)
    sched_yield();
  return time - since <= limit;
}

void Team::work(int32_t worker) {
  FloatState floats;
  uint64_t done = 0; // the last epoch worked for
  int64_t since = 0;
  while (!stopping.load(std::memory_order_relaxed)) {
    uint64_t seen = state.load(std::memory_order_relaxed);
    if (!(seen & openBit) || seen / epochOne == done) {
      if (!idle(since))
        break;
      continue;
    }
    if (!state.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire))
      continue;
    body(argument, worker);
    done = seen / epochOne;
    state.fetch_sub(1, std::memory_order_release);
    since = 0;
  }
}

/// A worker's whole stay. Its last act here is to say that it has left.
void Team::join(int32_t worker) {
  __tsan_acquire(this);
  work(worker);
  present[worker].store(false, std::memory_order_release);
}

void Team::wake() {
#if WEFT_RUNTIME_TBB
  if (!threads)
    return;
  for (int32_t i = 1; i < size(); ++i) {
    if (present[i].load(std::memory_order_acquire))
      continue;
    present[i].store(true, std::memory_order_relaxed);
    try {
      __tsan_release(this);
      threads->arena.enqueue(threads->group.defer([this, i]() WEFT_UNSANITIZED { join(i); }));
    } catch (...) {
      // The loop runs with the workers that are there.
      present[i].store(false, std::memory_order_relaxed);
      return;
    }
  }
#endif
}

void Team::beginCall() { inCall.store(true, std::memory_order_relaxed); }
void Team::endCall() { inCall.store(false, std::memory_order_relaxed); }

namespace {
struct CallerTask {
  Team::Body body;
  void *argument;
};
} // namespace

void Team::run(Body newBody, void *newArgument) {
  if (options.parallel) {
    CallerTask task{newBody, newArgument};
    options.parallel(
        options.parallelUser, size(),
        [](void *given, int32_t index) {
          FloatState floats;
          const auto *task = static_cast<CallerTask *>(given);
          task->body(task->argument, index);
        },
        &task);
    return;
  }
  body = newBody;
  argument = newArgument;
  const uint64_t epoch = state.load(std::memory_order_relaxed) / epochOne + 1;
  state.store(epoch * epochOne | openBit, std::memory_order_release);
  wake();
  newBody(newArgument, 0);
  uint64_t left = state.fetch_and(~openBit, std::memory_order_acquire) & (openBit - 1);
  for (int spins = 0; left; ++spins) {
    if (spins < 256)
      pauseProcessor();
    else
      sched_yield();
    left = state.load(std::memory_order_acquire) & (openBit - 1);
  }
}
