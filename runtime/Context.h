//===- Context.h - What one caller needs to call a module ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_CONTEXT_H
#define WEFT_RUNTIME_CONTEXT_H

#include "Device.h"
#include "Module.h"
#include "Team.h"

namespace weft::runtime {

/// Why a call failed, as it is recorded while generated code runs. The sentence
/// is made when the call has ended.
struct Failure {
  enum Kind : uint8_t {
    None,
    Site,         // fail(): the site's message with two values
    Status,       // a kernel or loop body returned `code` and said nothing
    Memory,       // no `value` bytes for a temporary
    OutputMemory, // no `value` bytes for output `bound`
    BadOutput,    // the shape given for output `value` contradicts the signature
    Cancelled,
    DeviceMemory, // no `value` bytes on the device
    Device,       // `text` says what
    SharedBounds, // device kernel `text`: index `value` of shared memory of extent `bound`
    Barrier,      // device kernel `text`: `value` of `bound` threads are at a barrier
    Subgroup,     // the same of lanes at an operation of their subgroup
    DeviceStack,  // device kernel `text`: a thread needs more stack than `value` bytes
    HostArgument, // device kernel `text`: argument `value` is no memory of the device
    BadLaunch     // device kernel `text`: the grid or block is too large
  };
  Kind kind = None;
  int32_t code = 0;
  int64_t site = -1, value = 0, bound = 0;
  const char *text = nullptr; // lives as long as the module or the program
};

/// What `env->context` points to: each thread of a loop has an environment of
/// its own, so that a failure is found again by its range.
struct Worker {
  weft_context *context = nullptr;
  int32_t index = 0;
  bool inLoop = false;
  int64_t failedChunk = INT64_MAX;
  int32_t failedStatus = 0;
  Failure failure;
};

/// A tensor that the caller bound.
struct Binding {
  void *data = nullptr;
  int64_t *dims = nullptr; // rank extents, in the context's block
  uint64_t bytes = 0;
  bool bound = false;
};

/// An output: the caller's buffer if there is one, memory of the context, and
/// what the last call produced.
struct Output {
  Binding caller;
  Buffer owned;
  Buffer strings; // what the elements point to, where they are strings
  void *data = nullptr;
  int64_t *dims = nullptr;
  uint64_t bytes = 0;
  bool produced = false;
};

/// Begins a block from alloc(); the memory follows it.
struct alignas(WEFT_BUFFER_ALIGNMENT) Temporary {
  Temporary *previous, *next;
  size_t size; // of the whole block
};

/// Memory from device_alloc().
struct DeviceTemporary {
  DeviceTemporary *next;
  void *memory;
};

/// Loops whose whole work is estimated below this many nanoseconds run on one
/// thread: waking others takes about as long.
constexpr int64_t minParallelCost = 20000;

/// Fills the functions of a worker's environment.
void fillEnvironment(weft_env &env, Worker &worker);
void fillDeviceEnvironment(weft_env &env);
/// Notes a failure where it belongs: to the range that a worker computes, or to the
/// call. Returns its code.
int32_t recordFailure(Worker &worker, const Failure &failure);

} // namespace weft::runtime

struct weft_context {
  weft_context(weft_loaded_module *module, const weft_function &function,
               const weft::runtime::Allocator &allocator)
      : module(module), function(function), allocator(allocator) {}

  /// Lays out and takes the block of arrays; false without memory.
  bool initialize(int32_t threads);

  /// Checks all bindings against each other and takes the workspace, unless
  /// nothing has changed since.
  weft_error *prepare();
  weft_error *run();

  /// Binds the symbols to the extents that `dims(i)` gives for input i.
  template <typename Dims> weft_error *bindSymbols(Dims dims, int64_t *values) const;
  weft_error *workspaceSize(const int64_t *values, uint64_t &bytes) const;
  weft_error *checkOutputs() const;
  weft_error *checkOverlaps() const;

  /// The sentence for a failure.
  weft_error *describe(const weft::runtime::Failure &failure) const;
  /// Records the call's failure unless there is one.
  void record(const weft::runtime::Failure &failure) {
    if (this->failure.kind == weft::runtime::Failure::None)
      this->failure = failure;
  }

  /// Allocation through the table, counted.
  void *allocate(size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    return allocator.allocate(size, WEFT_BUFFER_ALIGNMENT);
  }
  bool allocate(weft::runtime::Buffer &buffer, size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    return buffer.allocate(allocator, size, WEFT_BUFFER_ALIGNMENT);
  }
  void freeTemporaries();
  weft_error *openDevice(const char *wanted);
  void closeDevice();
  weft_error *prepareDevice();
  /// Copies the strings of outputs, which may lie in memory of the call, to
  /// memory of the context.
  weft_error *keepStrings();

  weft_loaded_module *const module;
  const weft_function &function;
  const weft::runtime::Allocator allocator;
  weft::runtime::Log log;
  weft_profile_fn profile = nullptr;
  void *profileUser = nullptr;
  weft::runtime::Team *team = nullptr;

  weft::runtime::Buffer block;
  int64_t *symbols = nullptr;      // values of the bound shapes
  int64_t *otherSymbols = nullptr; // for queries
  int32_t *symbolInputs = nullptr; // the input that bound a symbol; scratch
  const void **inputData = nullptr;
  weft::runtime::Binding *inputs = nullptr;
  weft::runtime::Output *outputs = nullptr;
  weft::runtime::Worker *workers = nullptr;
  weft_env *environments = nullptr;
  uint32_t constructedOutputs = 0;

  weft::runtime::Buffer ownWorkspace;
  void *lentWorkspace = nullptr;
  uint64_t lentBytes = 0;
  uint64_t workspaceBytes = 0;

  /// Null of modules without device code.
  weft::runtime::ModuleDevice *device = nullptr;
  void *queue = nullptr;
  void *deviceArena = nullptr;
  uint64_t deviceArenaBytes = 0, deviceWorkspaceBytes = 0;

  bool prepared = false;
  bool succeeded = false;
  std::atomic<bool> running{false};
  // Read by generated code as a plain volatile, hence no std::atomic.
  int32_t cancelled = 0;
  // The signal that cancels calls of a thread; see Interrupt.h.
  int32_t interruptSignal = 0;
  pthread_t interruptThread = {};
  bool interrupted = false;

  // The rest belongs to one call.
  weft::runtime::Failure failure;
  weft::runtime::Lock temporariesLock;
  weft::runtime::Temporary *temporaries = nullptr;
  std::atomic<uint64_t> allocations{0};
  uint64_t unboundedAllocations = 0, unboundedBytes = 0;
  uint64_t unboundedLive = 0, unboundedPeak = 0; // bytes
  uint64_t kernels = 0, parallelLoops = 0, serialLoops = 0;
  weft::runtime::DeviceTemporary *deviceTemporaries = nullptr;
  uint64_t launches = 0;
  uint64_t transfers[3] = {}, transferredBytes[3] = {}; // by direction
};

#endif // WEFT_RUNTIME_CONTEXT_H
