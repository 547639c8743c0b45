//===- EmulatedBlock.cpp - The threads of one block on the CPU ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EmulatedBlock.h"

#include <sys/mman.h>

using namespace weft::runtime;

/// What memory has before anything is written there: a NaN as a float, an index
/// far out of range as an integer.
static constexpr int poison = 0xFF;

EmulatedBlock::~EmulatedBlock() {
  if (stacks)
    munmap(stacks, size_t(stackCount) * stackBytes);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// Stacks are address space until they are used.
bool EmulatedBlock::takeStacks(int64_t wanted) {
  if (wanted <= stackCount)
    return true;
  if (stacks)
    munmap(stacks, size_t(stackCount) * stackBytes);
  stackCount = 0;
  void *memory = mmap(nullptr, size_t(wanted) * stackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  stacks = memory == MAP_FAILED ? nullptr : static_cast<unsigned char *>(memory);
  if (!stacks)
    return false;
  stackCount = wanted;
  for (int64_t i = 0; i < wanted; ++i)
    memcpy(markOf(i), &mark, sizeof(mark));
  return true;
}

bool EmulatedBlock::prepare(const EmulatedLaunch &next) {
  count = next.threads();
  subgroupSize = next.subgroupSize;
  sharedBytes = next.kernel->shared_bytes + next.shape.sharedBytes;
  const int64_t subgroups = (count + subgroupSize - 1) / subgroupSize;
  auto take = [&](Buffer &buffer, size_t bytes) {
    return buffer.size() >= bytes || buffer.allocate(allocator, bytes, WEFT_BUFFER_ALIGNMENT);
  };
  return takeStacks(count) && take(threads, size_t(count) * sizeof(Thread)) &&
         take(slots, size_t(2 * subgroups * subgroupSize) * WEFT_EMULATED_SLOT) &&
         take(shared, size_t(sharedBytes) + 1);
}

/// Threads are numbered with x running fastest, and so are blocks.
void EmulatedBlock::setPositions(const EmulatedLaunch &next, int64_t index) {
  const LaunchShape &shape = next.shape;
  weft_emulated_thread position = {};
  for (int i = 0; i < 3; ++i) {
    position.block_dim[i] = shape.block[i];
    position.grid_dim[i] = shape.grid[i];
    position.block_id[i] = index % shape.grid[i];
    index /= shape.grid[i];
  }
  position.subgroup_size = subgroupSize;
  position.subgroup_count = (count + subgroupSize - 1) / subgroupSize;
  position.shared = shared.as<unsigned char>();
  position.shared_bytes = sharedBytes;
  position.barrier = barrier;
  position.exchange = exchange;
  position.out_of_bounds = outOfBounds;
  for (int64_t i = 0; i < count; ++i) {
    Thread &thread = *new (&threads.as<Thread>()[i]) Thread();
    position.thread_id[0] = i % shape.block[0];
    position.thread_id[1] = i / shape.block[0] % shape.block[1];
    position.thread_id[2] = i / (shape.block[0] * shape.block[1]);
    position.lane = i % subgroupSize;
    position.subgroup = i / subgroupSize;
    const int64_t rest = count - position.subgroup * subgroupSize;
    position.lanes = rest < subgroupSize ? rest : subgroupSize;
    thread.position = position;
    thread.block = this;
    thread.state = Runnable;
    thread.fiber.prepare(stackOf(i), stackBytes, runThread, &thread);
  }
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

void EmulatedBlock::runThread(void *argument) {
  Thread &thread = *static_cast<Thread *>(argument);
  EmulatedBlock &block = *thread.block;
  block.launch->function(&thread.position, block.launch->arguments);
  block.wait(thread, Finished, 0);
}

/// Lets the others run until the scheduler finds that what the thread waits for
/// has come.
void EmulatedBlock::wait(Thread &thread, State state, int64_t point, int64_t width) {
  thread.state = state;
  thread.point = point;
  thread.width = width;
  scheduler.switchTo(thread.fiber);
}

void EmulatedBlock::barrier(weft_emulated_thread *position, int64_t point) {
  Thread &thread = *reinterpret_cast<Thread *>(position);
  thread.block->wait(thread, AtBarrier, point);
}

const unsigned char *EmulatedBlock::exchange(weft_emulated_thread *position, int64_t point,
                                             const void *value, int64_t bytes, int64_t width) {
  Thread &thread = *reinterpret_cast<Thread *>(position);
  EmulatedBlock &block = *thread.block;
  // A lane that is ahead writes the other half; it cannot be two ahead, since
  // all have to arrive before it goes on.
  thread.parity ^= 1;
  unsigned char *base = block.slotsOf(thread);
  if (bytes < 0 || bytes > WEFT_EMULATED_SLOT || width < 1 || width > position->subgroup_size) {
    block.fail(Failure::Status, WEFT_INTERNAL, 0, 0);
    block.wait(thread, Finished, 0);
  }
  memcpy(base + position->lane * WEFT_EMULATED_SLOT, value, size_t(bytes));
  block.wait(thread, AtExchange, point, width);
  return base;
}

void EmulatedBlock::outOfBounds(weft_emulated_thread *position, int64_t index, int64_t size) {
  Thread &thread = *reinterpret_cast<Thread *>(position);
  thread.block->fail(Failure::SharedBounds, WEFT_OUT_OF_RANGE, index, size);
  thread.block->wait(thread, Finished, 0);
}

void EmulatedBlock::fail(Failure::Kind kind, int32_t code, int64_t value, int64_t bound) {
  if (failed)
    return;
  failed = true;
  failure = {kind, code, launch->site, value, bound};
  failure.text = launch->kernel->name;
}

//===----------------------------------------------------------------------===//
// The scheduler
//===----------------------------------------------------------------------===//

/// Lets threads [begin, end) go on if all of them are at the same place.
bool EmulatedBlock::release(int64_t begin, int64_t end, State state) {
  Thread *all = threads.as<Thread>();
  for (int64_t i = begin; i < end; ++i)
    if (all[i].state != state || all[i].point != all[begin].point ||
        all[i].width != all[begin].width)
      return false;
  for (int64_t i = begin; i < end; ++i)
    all[i].state = Runnable;
  return true;
}

/// The same for the lanes that thread `number`, the first of them, exchanges with.
bool EmulatedBlock::releaseLanes(int64_t number) {
  const Thread &first = threads.as<Thread>()[number];
  if (first.state != AtExchange || first.position.lane % first.width != 0)
    return false;
  const int64_t rest = first.position.lanes - first.position.lane;
  return release(number, number + (first.width < rest ? first.width : rest), AtExchange);
}

/// Nobody can go on: says of the first thread that waits how many have come to
/// where it is, and how many would have to.
void EmulatedBlock::failWaiting() {
  Thread *all = threads.as<Thread>();
  int64_t first = 0;
  while (all[first].state == Finished)
    ++first;
  const bool isBarrier = all[first].state == AtBarrier;
  int64_t begin = 0, end = count, arrived = 0;
  if (!isBarrier) {
    const int64_t width = all[first].width, lane = all[first].position.lane;
    begin = first - lane % width;
    end = all[first].position.subgroup * subgroupSize + all[first].position.lanes;
    end = begin + width < end ? begin + width : end;
  }
  for (int64_t i = begin; i < end; ++i)
    arrived += all[i].state == all[first].state && all[i].point == all[first].point;
  fail(isBarrier ? Failure::Barrier : Failure::Subgroup, WEFT_FAILED_PRECONDITION, arrived,
       end - begin);
}

/// False after a failure; the threads that have not ended are left where they are.
bool EmulatedBlock::runAll() {
  Thread *all = threads.as<Thread>();
  for (;;) {
    int64_t finished = 0;
    for (int64_t i = 0; i < count; ++i) {
      if (all[i].state == Runnable) {
        all[i].fiber.switchTo(scheduler);
        if (memcmp(markOf(i), &mark, sizeof(mark)) != 0)
          fail(Failure::DeviceStack, WEFT_RESOURCE_EXHAUSTED, int64_t(stackBytes - reservedBytes),
               0);
        if (failed)
          return false;
      }
      finished += all[i].state == Finished;
    }
    if (finished == count)
      return true;
    bool progress = release(0, count, AtBarrier);
    for (int64_t i = 0; i < count; ++i)
      progress |= releaseLanes(i);
    if (!progress) {
      failWaiting();
      return false;
    }
  }
}

bool EmulatedBlock::run(const EmulatedLaunch &next, int64_t index, Failure &reason) {
  launch = &next;
  failed = false;
  memset(shared.data(), poison, size_t(sharedBytes));
  setPositions(next, index);
  if (runAll())
    return true;
  // A stack that overflowed has lost the mark.
  for (int64_t i = 0; i < count; ++i)
    memcpy(markOf(i), &mark, sizeof(mark));
  reason = failure;
  return false;
}
