//===- EmulatedBlock.h - The threads of one block on the CPU ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_EMULATEDBLOCK_H
#define WEFT_RUNTIME_EMULATEDBLOCK_H

#include "Context.h"
#include "Fiber.h"

namespace weft::runtime {

/// One launch, the same for all blocks.
struct EmulatedLaunch {
  weft_emulated_fn function;
  void *const *arguments;
  LaunchShape shape;
  const weft_device_kernel *kernel;
  int64_t subgroupSize;
  int64_t site;

  int64_t threads() const { return shape.block[0] * shape.block[1] * shape.block[2]; }
};

/// Runs blocks one after the other, each thread of a block on a stack of its own.
/// Threads take turns in the order of their numbers, each until it waits or ends,
/// so that what a block computes, and how it fails, is always the same.
class EmulatedBlock {
public:
  explicit EmulatedBlock(const Allocator &allocator) : allocator(allocator) {}
  ~EmulatedBlock();

  /// Takes the memory that blocks of this launch need; false without it.
  bool prepare(const EmulatedLaunch &launch);
  /// Runs block number `index` of the grid; false with the failure.
  bool run(const EmulatedLaunch &launch, int64_t index, Failure &failure);

private:
  enum State : uint8_t { Runnable, AtBarrier, AtExchange, Finished };
  struct Thread {
    weft_emulated_thread position; // what generated code knows; first
    EmulatedBlock *block;
    Fiber fiber;
    int64_t point, width; // where it waits, and for how many lanes
    State state;
    uint8_t parity; // which half of the slots its last exchange used
  };
  // The lowest bytes of a stack are there to be overwritten by who overflows, up to
  // the mark above them.
  static constexpr size_t stackBytes = 128 * 1024, reservedBytes = 16 * 1024;
  static constexpr uint64_t mark = UINT64_C(0x5765667446696265);

  static void runThread(void *thread);
  static void barrier(weft_emulated_thread *thread, int64_t point);
  static const unsigned char *exchange(weft_emulated_thread *thread, int64_t point,
                                       const void *value, int64_t bytes, int64_t width);
  static void outOfBounds(weft_emulated_thread *thread, int64_t index, int64_t size);

  bool takeStacks(int64_t count);
  void setPositions(const EmulatedLaunch &launch, int64_t index);
  void wait(Thread &thread, State state, int64_t point, int64_t width = 0);
  bool releaseLanes(int64_t lane);
  bool runAll();
  bool release(int64_t begin, int64_t end, State state);
  void failWaiting();
  void fail(Failure::Kind kind, int32_t code, int64_t value, int64_t bound);
  unsigned char *stackOf(int64_t thread) { return stacks + size_t(thread) * stackBytes; }
  unsigned char *markOf(int64_t thread) { return stackOf(thread) + reservedBytes; }
  unsigned char *slotsOf(const Thread &thread) {
    return slots.as<unsigned char>() +
           (2 * thread.position.subgroup + thread.parity) * subgroupSize * WEFT_EMULATED_SLOT;
  }

  const Allocator &allocator;
  const EmulatedLaunch *launch = nullptr;
  Fiber scheduler;
  Buffer threads, slots, shared;
  unsigned char *stacks = nullptr;
  int64_t stackCount = 0, count = 0, subgroupSize = 0, sharedBytes = 0;
  bool failed = false;
  Failure failure;
};

} // namespace weft::runtime

#endif // WEFT_RUNTIME_EMULATEDBLOCK_H
