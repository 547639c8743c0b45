//===- Environment.cpp - What generated code calls ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Context.h"
#include "Tensor.h"

#include <ctime>

using namespace weft::runtime;

static Worker &workerOf(const weft_env *env) { return *static_cast<Worker *>(env->context); }

static bool isCancelled(const weft_context &context) {
  return __atomic_load_n(&context.cancelled, __ATOMIC_RELAXED) != 0;
}

int32_t weft::runtime::recordFailure(Worker &worker, const Failure &failure) {
  if (!worker.inLoop)
    worker.context->record(failure);
  else if (worker.failure.kind == Failure::None)
    worker.failure = failure;
  return failure.code;
}

static Failure cancellation() { return {Failure::Cancelled, WEFT_CANCELLED, -1, 0, 0}; }

/// A status that generated code returned, as one of ours.
static int32_t knownStatus(int32_t status) {
  return status > WEFT_OK && status <= WEFT_DATA_LOSS ? status : WEFT_INTERNAL;
}

//===----------------------------------------------------------------------===//
// dispatch
//===----------------------------------------------------------------------===//

static int64_t monotonicTime() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t(time.tv_sec) * 1000000000 + time.tv_nsec;
}

static int32_t runProfiled(const weft_env *env, weft_context &context, int64_t kernel,
                           void *const *buffers, const int64_t *sizes, int64_t site) {
  const weft_module &description = *context.module->description;
  weft_profile_event event = {};
  event.struct_size = sizeof(event);
  event.kernel = description.kernels[kernel].name;
  event.flags = description.kernels[kernel].flags;
  event.node = event.op = "";
  if (site >= 0 && site < int64_t(description.site_count)) {
    event.node = description.sites[site].node;
    event.op = description.sites[site].op;
  }
  event.begin_ns = monotonicTime();
  int32_t status = context.module->variant->kernels[kernel](env, buffers, sizes, site);
  event.end_ns = monotonicTime();
  context.profile(context.profileUser, &event);
  return status;
}

static int32_t dispatch(const weft_env *env, int64_t kernel, void *const *buffers,
                        const int64_t *sizes, int64_t site) {
  Worker &worker = workerOf(env);
  weft_context &context = *worker.context;
  if (isCancelled(context))
    return recordFailure(worker, cancellation());
  if (kernel < 0 || kernel >= int64_t(context.module->description->kernel_count))
    return recordFailure(worker, {Failure::Status, WEFT_INTERNAL, site, 0, 0});
  if (!worker.inLoop)
    ++context.kernels;
  int32_t status = context.profile
                       ? runProfiled(env, context, kernel, buffers, sizes, site)
                       : context.module->variant->kernels[kernel](env, buffers, sizes, site);
  if (status == WEFT_OK)
    return WEFT_OK;
  return recordFailure(worker, {Failure::Status, knownStatus(status), site, 0, 0});
}

//===----------------------------------------------------------------------===//
// parallel_for
//===----------------------------------------------------------------------===//

namespace {
/// One parallel loop, cut into `chunks` ranges of nearly equal length that are
/// taken in ascending order. So all ranges below a failing one have been taken
/// when it fails, and the lowest failing range is the same for every timing.
struct Loop {
  const weft_env *environments;
  weft_range_fn body;
  void *const *buffers;
  const int64_t *sizes;
  int64_t site, count, chunks;
  const int32_t *cancelled;
  alignas(64) std::atomic<int64_t> next{0};
  alignas(64) std::atomic<int64_t> lowestFailed{INT64_MAX};

  int64_t beginOf(int64_t chunk) const {
    const int64_t length = count / chunks, longer = count % chunks;
    return chunk * length + (chunk < longer ? chunk : longer);
  }
};
} // namespace

static void noteFailedChunk(Loop &loop, Worker &worker, int64_t chunk, int32_t status) {
  worker.failedChunk = chunk;
  worker.failedStatus = status;
  int64_t lowest = loop.lowestFailed.load(std::memory_order_relaxed);
  while (chunk < lowest &&
         !loop.lowestFailed.compare_exchange_weak(lowest, chunk, std::memory_order_relaxed))
    ;
}

static void runChunks(void *argument, int32_t index) {
  Loop &loop = *static_cast<Loop *>(argument);
  const weft_env *env = &loop.environments[index];
  Worker &worker = workerOf(env);
  worker.inLoop = true;
  while (!__atomic_load_n(loop.cancelled, __ATOMIC_RELAXED)) {
    const int64_t chunk = loop.next.fetch_add(1, std::memory_order_relaxed);
    if (chunk >= loop.chunks || chunk > loop.lowestFailed.load(std::memory_order_relaxed))
      break;
    const int32_t status = loop.body(env, loop.buffers, loop.sizes, loop.site, loop.beginOf(chunk),
                                     loop.beginOf(chunk + 1), worker.index);
    if (status != WEFT_OK || worker.failure.kind != Failure::None) {
      noteFailedChunk(loop, worker, chunk, status);
      break;
    }
  }
  worker.inLoop = false;
}

/// On one thread, in slices of about 100 us between which a cancellation is
/// seen.
static int32_t runSerially(const weft_env *env, weft_range_fn body, void *const *buffers,
                           const int64_t *sizes, int64_t site, int64_t count, int64_t cost) {
  Worker &worker = workerOf(env);
  const bool outer = worker.inLoop;
  const int64_t wanted = cost < minParallelCost ? 1 : cost / 100000 + 16;
  Loop loop{env,
            body,
            buffers,
            sizes,
            site,
            count,
            wanted < count ? wanted : count,
            &worker.context->cancelled};
  worker.inLoop = true;
  int32_t status = WEFT_OK;
  for (int64_t chunk = 0; chunk < loop.chunks && status == WEFT_OK; ++chunk) {
    if (isCancelled(*worker.context)) {
      worker.inLoop = outer;
      return recordFailure(worker, cancellation());
    }
    status =
        body(env, buffers, sizes, site, loop.beginOf(chunk), loop.beginOf(chunk + 1), worker.index);
    if (status == WEFT_OK && worker.failure.kind != Failure::None)
      status = worker.failure.code;
  }
  worker.inLoop = outer;
  if (status == WEFT_OK || outer)
    return status;
  Failure failure = worker.failure;
  worker.failure = {};
  if (failure.kind == Failure::None)
    failure = {Failure::Status, knownStatus(status), site, 0, 0};
  return recordFailure(worker, failure);
}

/// The failure of the lowest range, after a loop.
static int32_t finishLoop(weft_context &context, int64_t site) {
  Worker *lowest = nullptr;
  for (int32_t i = 0; i < context.team->size(); ++i) {
    Worker &worker = context.workers[i];
    if (worker.failedChunk != INT64_MAX && (!lowest || worker.failedChunk < lowest->failedChunk))
      lowest = &worker;
  }
  if (!lowest)
    return isCancelled(context) ? recordFailure(context.workers[0], cancellation()) : WEFT_OK;
  Failure failure = lowest->failure;
  if (failure.kind == Failure::None)
    failure = {Failure::Status, knownStatus(lowest->failedStatus), site, 0, 0};
  for (int32_t i = 0; i < context.team->size(); ++i) {
    context.workers[i].failedChunk = INT64_MAX;
    context.workers[i].failure = {};
  }
  return recordFailure(context.workers[0], failure);
}

static int32_t parallelFor(const weft_env *env, weft_range_fn body, void *const *buffers,
                           const int64_t *sizes, int64_t site, int64_t count, int64_t cost) {
  Worker &worker = workerOf(env);
  weft_context &context = *worker.context;
  if (count <= 0)
    return WEFT_OK;
  const int64_t threads = context.team->size();
  if (threads == 1 || worker.inLoop || count == 1 || cost < minParallelCost) {
    if (!worker.inLoop)
      ++context.serialLoops;
    return runSerially(env, body, buffers, sizes, site, count, cost);
  }
  ++context.parallelLoops;
  // Chunks of at least 2 us, that their taking is cheap, up to 8 a thread, that
  // threads finish together, and more in long loops, that a cancellation is
  // seen soon.
  int64_t chunks = cost / 2000 < threads * 8 ? cost / 2000 : threads * 8;
  chunks = chunks < threads ? threads : chunks;
  chunks = chunks < cost / 1000000 ? cost / 1000000 : chunks;
  Loop loop{
      context.environments, body, buffers, sizes, site, count, chunks < count ? chunks : count,
      &context.cancelled};
  context.team->run(runChunks, &loop);
  return finishLoop(context, site);
}

//===----------------------------------------------------------------------===//
// Memory, outputs, failures
//===----------------------------------------------------------------------===//

static void *allocateTemporary(const weft_env *env, int64_t bytes) {
  Worker &worker = workerOf(env);
  weft_context &context = *worker.context;
  size_t size;
  Temporary *block = nullptr;
  if (bytes >= 0 && !__builtin_add_overflow(size_t(bytes ? bytes : 1), sizeof(Temporary), &size))
    block = static_cast<Temporary *>(context.allocate(size));
  if (!block) {
    recordFailure(worker, {Failure::Memory, WEFT_RESOURCE_EXHAUSTED, -1, bytes, 0});
    return nullptr;
  }
  Locked guard(context.temporariesLock);
  ++context.unboundedAllocations;
  context.unboundedBytes += uint64_t(bytes);
  context.unboundedLive += size - sizeof(Temporary);
  if (context.unboundedLive > context.unboundedPeak)
    context.unboundedPeak = context.unboundedLive;
  *block = {nullptr, context.temporaries, size};
  if (block->next)
    block->next->previous = block;
  context.temporaries = block;
  return block + 1;
}

static void releaseTemporary(const weft_env *env, void *memory) {
  if (!memory)
    return;
  weft_context &context = *workerOf(env).context;
  Temporary *block = static_cast<Temporary *>(memory) - 1;
  {
    Locked guard(context.temporariesLock);
    context.unboundedLive -= block->size - sizeof(Temporary);
    (block->previous ? block->previous->next : context.temporaries) = block->next;
    if (block->next)
      block->next->previous = block->previous;
  }
  context.allocator.deallocate(block, block->size, WEFT_BUFFER_ALIGNMENT);
}

/// True if the extents that generated code computed fit the signature.
static bool fitsSignature(const weft_context &context, const weft_argument &argument, int64_t rank,
                          const int64_t *dims) {
  if (rank != argument.rank)
    return false;
  for (int32_t axis = 0; axis < argument.rank; ++axis) {
    const weft_dim &dim = argument.dims[axis];
    const int64_t expected = dim.symbol >= 0 ? context.symbols[dim.symbol] : dim.size;
    if (dims[axis] < 0 || (expected >= 0 && dims[axis] != expected))
      return false;
  }
  return true;
}

static void *provideOutput(const weft_env *env, int64_t index, int64_t rank, const int64_t *dims) {
  // What an output without elements points to.
  alignas(WEFT_BUFFER_ALIGNMENT) static unsigned char nothing[WEFT_BUFFER_ALIGNMENT];
  Worker &worker = workerOf(env);
  weft_context &context = *worker.context;
  uint64_t bytes = 0;
  if (index < 0 || index >= int64_t(context.function.output_count) ||
      !fitsSignature(context, context.function.outputs[index], rank, dims) ||
      !tensorBytes(context.function.outputs[index].dtype, int32_t(rank), dims, bytes)) {
    recordFailure(worker, {Failure::BadOutput, WEFT_INTERNAL, -1, index, 0});
    return nullptr;
  }
  Output &output = context.outputs[index];
  void *data = output.caller.data;
  if (!output.caller.bound || bytes > output.caller.bytes)
    data = output.owned.data();
  if (bytes && (!data || (data == output.owned.data() && bytes > output.owned.size()))) {
    if (!context.allocate(output.owned, bytes)) {
      recordFailure(worker,
                    {Failure::OutputMemory, WEFT_RESOURCE_EXHAUSTED, -1, int64_t(bytes), index});
      return nullptr;
    }
    data = output.owned.data();
  }
  for (int64_t axis = 0; axis < rank; ++axis)
    output.dims[axis] = dims[axis];
  output.data = data ? data : nothing;
  output.bytes = bytes;
  output.produced = true;
  return output.data;
}

static int32_t fail(const weft_env *env, int64_t site, int32_t code, int64_t value, int64_t bound) {
  Failure failure{Failure::Site, knownStatus(code), site, value, bound};
  recordFailure(workerOf(env), failure);
  return failure.code;
}

void weft::runtime::fillEnvironment(weft_env &env, Worker &worker) {
  const weft_context &context = *worker.context;
  env = {};
  env.struct_size = sizeof(env);
  env.max_workers = uint32_t(context.team->size());
  env.context = &worker;
  env.weights = context.module->weightTable.as<const void *>();
  env.cancelled = &context.cancelled;
  env.dispatch = dispatch;
  env.parallel_for = parallelFor;
  env.alloc = allocateTemporary;
  env.release = releaseTemporary;
  env.output = provideOutput;
  env.fail = fail;
  if (context.device)
    fillDeviceEnvironment(env);
}
