//===- Emulation.cpp - The device that is the CPU -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Runs device kernels on the CPU for checking: the same kernels, block by block,
// with memory of its own that holds poison until it is written. It proves no
// order of memory accesses between threads, and no speed.
//
//===----------------------------------------------------------------------===//

#include "EmulatedBlock.h"

#include <cstdlib>

using namespace weft::runtime;

static constexpr int poison = 0xFF;

namespace {
/// Begins an allocation; the memory follows it.
struct alignas(WEFT_BUFFER_ALIGNMENT) Allocation {
  Allocation *previous, *next;
  size_t bytes;

  unsigned char *memory() { return reinterpret_cast<unsigned char *>(this + 1); }
  bool contains(const void *address, size_t size) {
    auto at = static_cast<const unsigned char *>(address);
    return at >= memory() && at <= memory() + bytes && size <= size_t(memory() + bytes - at);
  }
};

/// A context's blocks, one for each worker.
struct Queue {
  Buffer blocks;
  int32_t count = 0;

  EmulatedBlock &block(int64_t worker) { return blocks.as<EmulatedBlock>()[worker]; }
};

class EmulationDevice : public Device {
public:
  using Device::Device;
  ~EmulationDevice() override {
    while (allocations)
      release(allocations->memory());
  }

  const char *name() const override { return "emulation"; }
  weft_error *load(const weft_module &module) override;
  void *allocate(size_t size) override;
  void release(void *memory) override;
  weft_error *createQueue(int32_t threads, void *&queue) override;
  void destroyQueue(void *queue) override;
  void beginCall(void *, void *arena, size_t bytes) override {
    if (bytes)
      memset(arena, poison, bytes);
  }
  bool finish(void *, Failure &) override { return true; }
  bool copy(void *queue, void *to, const void *from, size_t bytes, uint32_t direction,
            Failure &failure) override;
  bool launch(void *queue, const weft_env *env, int64_t kernel, const LaunchShape &shape,
              void *const *arguments, int64_t site, Failure &failure) override;

private:
  /// Whether all of it is memory of this device. Empty memory is anywhere's.
  bool owns(const void *address, size_t bytes);
  bool overlaps(const void *address, size_t bytes);
  weft_emulated_fn functionOf(int64_t kernel) const;

  const weft_module *module = nullptr;
  int64_t subgroupSize = 32;
  Lock lock;
  Allocation *allocations = nullptr;
};

struct GridRange {
  const EmulatedLaunch *launch;
  Queue *queue;
};
} // namespace

weft_error *EmulationDevice::load(const weft_module &description) {
  module = &description;
  for (uint32_t i = 0; i < description.device_code_count; ++i)
    if (description.device_code[i].kind == WEFT_DEVICE_FUNCTIONS)
      subgroupSize = strtol(description.device_code[i].chip, nullptr, 10);
  if (subgroupSize == 32 || subgroupSize == 64)
    return nullptr;
  return makeError(allocator, WEFT_DATA_LOSS,
                   "module '%s': subgroups of %ld lanes cannot be emulated, only of 32 or 64",
                   description.name, long(subgroupSize));
}

weft_emulated_fn EmulationDevice::functionOf(int64_t kernel) const {
  for (uint32_t i = 0; i < module->device_code_count; ++i) {
    const weft_device_code &code = module->device_code[i];
    if (code.kind == WEFT_DEVICE_FUNCTIONS && kernel >= code.first_kernel &&
        kernel - code.first_kernel < code.kernel_count)
      return static_cast<const weft_emulated_fn *>(code.data)[kernel - code.first_kernel];
  }
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

void *EmulationDevice::allocate(size_t size) {
  size_t bytes;
  if (__builtin_add_overflow(size, sizeof(Allocation), &bytes))
    return nullptr;
  auto *allocation = static_cast<Allocation *>(allocator.allocate(bytes, WEFT_BUFFER_ALIGNMENT));
  if (!allocation)
    return nullptr;
  Locked guard(lock);
  *allocation = {nullptr, allocations, size};
  if (allocations)
    allocations->previous = allocation;
  allocations = allocation;
  memset(allocation->memory(), poison, size);
  return allocation->memory();
}

void EmulationDevice::release(void *memory) {
  if (!memory)
    return;
  Allocation *allocation = static_cast<Allocation *>(memory) - 1;
  {
    Locked guard(lock);
    (allocation->previous ? allocation->previous->next : allocations) = allocation->next;
    if (allocation->next)
      allocation->next->previous = allocation->previous;
  }
  allocator.deallocate(allocation, allocation->bytes + sizeof(Allocation), WEFT_BUFFER_ALIGNMENT);
}

bool EmulationDevice::owns(const void *address, size_t bytes) {
  if (!address)
    return !bytes;
  Locked guard(lock);
  for (Allocation *allocation = allocations; allocation; allocation = allocation->next)
    if (allocation->contains(address, bytes))
      return true;
  return false;
}

bool EmulationDevice::overlaps(const void *address, size_t bytes) {
  auto begin = static_cast<const unsigned char *>(address), end = begin + bytes;
  Locked guard(lock);
  for (Allocation *allocation = allocations; allocation; allocation = allocation->next)
    if (begin < allocation->memory() + allocation->bytes && allocation->memory() < end)
      return true;
  return false;
}

bool EmulationDevice::copy(void *, void *to, const void *from, size_t bytes, uint32_t direction,
                           Failure &failure) {
  if (!bytes)
    return true;
  const bool toIsRight = direction == WEFT_TO_HOST ? !overlaps(to, bytes) : owns(to, bytes);
  const bool fromIsRight = direction == WEFT_TO_DEVICE ? !overlaps(from, bytes) : owns(from, bytes);
  if (!toIsRight || !fromIsRight) {
    failure = {Failure::Device, WEFT_INTERNAL, -1, 0, 0};
    failure.text = toIsRight ? "a transfer reads memory of the wrong side"
                             : "a transfer writes memory of the wrong side";
    return false;
  }
  memmove(to, from, bytes);
  return true;
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

weft_error *EmulationDevice::createQueue(int32_t threads, void *&out) {
  auto *queue = allocator.create<Queue>();
  if (!queue || !queue->blocks.allocate(allocator, size_t(threads) * sizeof(EmulatedBlock),
                                        alignof(EmulatedBlock))) {
    allocator.destroy(queue);
    return makeError(allocator, WEFT_RESOURCE_EXHAUSTED, "out of memory for a queue");
  }
  for (; queue->count < threads; ++queue->count)
    new (&queue->block(queue->count)) EmulatedBlock(allocator);
  out = queue;
  return nullptr;
}

void EmulationDevice::destroyQueue(void *memory) {
  auto *queue = static_cast<Queue *>(memory);
  for (int32_t i = 0; queue && i < queue->count; ++i)
    queue->block(i).~EmulatedBlock();
  allocator.destroy(queue);
}

/// Threads that do not wait for each other need no stacks of their own.
static void runAlone(const EmulatedLaunch &launch, int64_t block) {
  const LaunchShape &shape = launch.shape;
  weft_emulated_thread thread = {};
  for (int i = 0; i < 3; ++i) {
    thread.block_dim[i] = shape.block[i];
    thread.grid_dim[i] = shape.grid[i];
    thread.block_id[i] = block % shape.grid[i];
    block /= shape.grid[i];
  }
  const int64_t count = launch.threads(), size = launch.subgroupSize;
  thread.subgroup_size = size;
  thread.subgroup_count = (count + size - 1) / size;
  int64_t number = 0;
  for (int64_t z = 0; z < shape.block[2]; ++z)
    for (int64_t y = 0; y < shape.block[1]; ++y)
      for (int64_t x = 0; x < shape.block[0]; ++x) {
        thread.thread_id[0] = x;
        thread.thread_id[1] = y;
        thread.thread_id[2] = z;
        thread.lane = number % size;
        thread.subgroup = number / size;
        const int64_t rest = count - thread.subgroup * size;
        thread.lanes = rest < size ? rest : size;
        ++number;
        launch.function(&thread, launch.arguments);
      }
}

/// Blocks [begin, end) of a grid.
static int32_t runBlocks(const weft_env *env, void *const *buffers, const int64_t *, int64_t,
                         int64_t begin, int64_t end, int64_t index) {
  const auto &range = *reinterpret_cast<const GridRange *>(buffers);
  const EmulatedLaunch &launch = *range.launch;
  Worker &worker = *static_cast<Worker *>(env->context);
  if (!(launch.kernel->flags & WEFT_DEVICE_KERNEL_COOPERATES)) {
    for (int64_t block = begin; block < end; ++block)
      runAlone(launch, block);
    return WEFT_OK;
  }
  EmulatedBlock &block = range.queue->block(index);
  Failure failure;
  bool succeeded = block.prepare(launch);
  if (!succeeded) {
    failure = {Failure::Device, WEFT_RESOURCE_EXHAUSTED, launch.site, 0, 0};
    failure.text = "out of memory for the threads of a block";
  }
  for (; succeeded && begin < end; ++begin)
    succeeded = block.run(launch, begin, failure);
  if (!succeeded)
    worker.failure = failure;
  return succeeded ? WEFT_OK : failure.code;
}

bool EmulationDevice::launch(void *queue, const weft_env *env, int64_t kernel,
                             const LaunchShape &shape, void *const *arguments, int64_t site,
                             Failure &failure) {
  const weft_device_kernel &info = module->device_kernels[kernel];
  EmulatedLaunch launch{functionOf(kernel), arguments, shape, &info, subgroupSize, site};
  int64_t blocks = 0, work = 0;
  if (!launch.function || __builtin_mul_overflow(shape.grid[0], shape.grid[1], &blocks) ||
      __builtin_mul_overflow(blocks, shape.grid[2], &blocks) ||
      __builtin_mul_overflow(blocks, launch.threads() * 50, &work)) {
    failure = {Failure::Status, WEFT_INTERNAL, site, 0, 0};
    return false;
  }
  for (uint32_t i = 0; i < info.argument_count; ++i)
    if (info.argument_sizes[i] == 0 && !owns(*static_cast<void *const *>(arguments[i]), 0)) {
      failure = {Failure::HostArgument, WEFT_INTERNAL, site, i, 0};
      failure.text = info.name;
      return false;
    }
  GridRange range{&launch, static_cast<Queue *>(queue)};
  const int32_t status = env->parallel_for(env, runBlocks, reinterpret_cast<void *const *>(&range),
                                           nullptr, site, blocks, work);
  failure = {}; // recorded by the loop
  failure.code = status;
  return status == WEFT_OK;
}

//===----------------------------------------------------------------------===//
// The family
//===----------------------------------------------------------------------===//

static weft_error *countDevices(const Allocator &, int32_t &count) {
  count = 1;
  return nullptr;
}

static weft_error *openDevice(const Allocator &allocator, int32_t, Device *&device) {
  device = allocator.create<EmulationDevice>(allocator);
  return device ? nullptr
                : makeError(allocator, WEFT_RESOURCE_EXHAUSTED, "out of memory for a device");
}

static weft_error *describeDevice(const Allocator &, int32_t, Text &text) {
  text.append("device kernels on the CPU, for checking: no memory ordering, no speed");
  return nullptr;
}

static void destroyDevice(const Allocator &allocator, Device *device) {
  allocator.destroy(static_cast<EmulationDevice *>(device));
}

const DeviceFamily weft::runtime::emulationFamily = {"emulation", countDevices, openDevice,
                                                     describeDevice, destroyDevice};
