//===- Team.h - The threads of a context --------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Threads come from oneTBB (or from the caller), so that all contexts of a
// process and the host application's own oneTBB loops share one set of workers.
// What oneTBB does not give is a cheap loop: a fork-join costs microseconds,
// and a model has hundreds of loops of tens of microseconds. So a worker, once
// it has come, stays for a bounded time and takes loops by a handshake on one
// atomic word; oneTBB is asked again only for workers that have left.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_TEAM_H
#define WEFT_RUNTIME_TEAM_H

#include "Error.h"

#include <atomic>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace weft::runtime {

/// Default floating-point state for the life of the object: round to nearest,
/// no flush to zero, exceptions masked and their flags clear.
class FloatState {
public:
#if defined(__x86_64__)
  FloatState() : saved(_mm_getcsr()) { _mm_setcsr(0x1F80); }
  ~FloatState() { _mm_setcsr(saved); }

private:
  unsigned saved;
#else
  FloatState() {
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
    __asm__ volatile("msr fpcr, %0" : : "r"(uint64_t(0)));
  }
  ~FloatState() { __asm__ volatile("msr fpcr, %0" : : "r"(saved)); }

private:
  uint64_t saved;
#endif
  FloatState(const FloatState &) = delete;
};

class Team {
public:
  /// Runs on worker `worker`, 0 <= worker < size.
  using Body = void (*)(void *argument, int32_t worker);

  struct Options {
    int32_t size = 1;
    weft_parallel_fn parallel = nullptr;
    void *parallelUser = nullptr;
    int32_t spin = 0; // weft_context_options.spin_us
  };

  /// Null, with an error, without memory.
  static Team *create(const Allocator &allocator, const Options &options, weft_error *&error);
  static void destroy(const Allocator &allocator, Team *team);

  /// Runs `body` on this thread, as worker 0, and at most once on each of the
  /// other workers that are there. Returns when all of them are done. With the
  /// caller's threads, worker 0 may be another thread.
  void run(Body body, void *argument);

  /// Idle workers stay longer between the two.
  void beginCall();
  void endCall();
  /// Asks for all workers now.
  void wake();

  int32_t size() const { return options.size; }

private:
  explicit Team(const Options &options) : options(options) {}
  ~Team() = default;

  struct Threads; // oneTBB's part
  __attribute__((noinline)) void join(int32_t worker);
  void work(int32_t worker);
  bool idle(int64_t &since) const;

  // `state` is epoch << 32 | open << 31 | number of workers inside. Body and
  // argument are written while it is closed and nobody is inside.
  static constexpr uint64_t openBit = uint64_t(1) << 31;
  static constexpr uint64_t epochOne = uint64_t(1) << 32;
  alignas(64) std::atomic<uint64_t> state{0};
  Body body = nullptr;
  void *argument = nullptr;
  alignas(64) std::atomic<bool> stopping{false};
  std::atomic<bool> inCall{false};
  Options options;
  Threads *threads = nullptr;
  // One flag for each worker: it is there or has been asked for.
  Buffer presence;
  std::atomic<bool> *present = nullptr;
};

} // namespace weft::runtime

#endif // WEFT_RUNTIME_TEAM_H
