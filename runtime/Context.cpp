//===- Context.cpp - Creation and calls of contexts ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Context.h"
#include "Cpu.h"
#include "Interrupt.h"
#include "Tensor.h"

#include <cinttypes>
#include <sched.h>

using namespace weft::runtime;

/// More threads than this are a mistake.
static constexpr int32_t maxThreads = 4096;

bool weft_context::initialize(int32_t threads) {
  const uint32_t inputCount = function.input_count;
  const uint32_t outputCount = function.output_count;
  // Checked counts and ranks: the sum fits.
  size_t inputDims = 0, outputDims = 0;
  for (uint32_t i = 0; i < inputCount; ++i)
    inputDims += size_t(function.inputs[i].rank);
  for (uint32_t i = 0; i < outputCount; ++i)
    outputDims += size_t(function.outputs[i].rank);

  Layout layout;
  const size_t atWorkers = layout.add<Worker>(size_t(threads));
  const size_t atEnvironments = layout.add<weft_env>(size_t(threads));
  const size_t atInputs = layout.add<Binding>(inputCount);
  const size_t atOutputs = layout.add<Output>(outputCount);
  const size_t atData = layout.add<const void *>(inputCount);
  const size_t atSymbols = layout.add<int64_t>(function.symbol_count);
  const size_t atOther = layout.add<int64_t>(function.symbol_count);
  const size_t atSymbolInputs = layout.add<int32_t>(function.symbol_count);
  const size_t atDims = layout.add<int64_t>(inputDims + 2 * outputDims);
  if (!layout.size() || !block.allocate(allocator, layout.size(), 64))
    return false;
  memset(block.data(), 0, block.size());

  char *base = block.text();
  workers = reinterpret_cast<Worker *>(base + atWorkers);
  environments = reinterpret_cast<weft_env *>(base + atEnvironments);
  inputs = reinterpret_cast<Binding *>(base + atInputs);
  outputs = reinterpret_cast<Output *>(base + atOutputs);
  inputData = reinterpret_cast<const void **>(base + atData);
  symbols = reinterpret_cast<int64_t *>(base + atSymbols);
  otherSymbols = reinterpret_cast<int64_t *>(base + atOther);
  symbolInputs = reinterpret_cast<int32_t *>(base + atSymbolInputs);
  auto *dims = reinterpret_cast<int64_t *>(base + atDims);
  for (uint32_t i = 0; i < inputCount; ++i) {
    new (&inputs[i]) Binding();
    inputs[i].dims = dims;
    dims += function.inputs[i].rank;
  }
  for (uint32_t i = 0; i < outputCount; ++i) {
    new (&outputs[i]) Output();
    outputs[i].caller.dims = dims;
    outputs[i].dims = dims + function.outputs[i].rank;
    dims += 2 * size_t(function.outputs[i].rank);
  }
  constructedOutputs = outputCount;
  return true;
}

static void destroyContext(weft_context *context) {
  Allocator allocator = context->allocator;
  weft_loaded_module *module = context->module;
  Team::destroy(context->allocator, context->team);
  context->freeTemporaries();
  context->closeDevice();
  for (uint32_t i = 0; i < context->constructedOutputs; ++i)
    context->outputs[i].~Output();
  allocator.destroy(context);
  weft_module_release(module);
}

static weft_error *buildContext(weft_context &context, const weft_context_options &options) {
  Team::Options team;
  team.size = options.threads ? options.threads : usableThreads();
  team.parallel = options.parallel;
  team.parallelUser = options.parallel_user;
  team.spin = options.spin_us;
  if (!context.initialize(team.size))
    return makeError(context.allocator, WEFT_RESOURCE_EXHAUSTED,
                     "out of memory for a context of function '%s'", context.function.name);
  weft_error *error = nullptr;
  context.team = Team::create(context.allocator, team, error);
  if (!context.team)
    return error;
  if (weft_error *error = context.openDevice(options.device))
    return error;
  for (int32_t i = 0; i < team.size; ++i) {
    Worker *worker = new (&context.workers[i]) Worker();
    worker->context = &context;
    worker->index = i;
    fillEnvironment(context.environments[i], *worker);
  }
  return nullptr;
}

weft_error *weft_context_create(weft_loaded_module *module, uint32_t function,
                                const weft_context_options *given, weft_context **out) {
  if (!module || !out)
    return makeError(Allocator(), WEFT_INVALID_ARGUMENT,
                     "weft_context_create: no module or no place for the "
                     "context is given");
  weft_context_options options;
  if (!readStruct(given, options))
    return makeError(module->allocator, WEFT_INVALID_ARGUMENT,
                     "weft_context_create: struct_size of the options is not "
                     "set");
  const weft_module &description = *module->description;
  if (function >= description.function_count)
    return makeError(module->allocator, WEFT_NOT_FOUND,
                     "module '%s' has %u functions, there is no number %u", description.name,
                     description.function_count, function);
  if (!module->variant)
    return makeError(module->allocator, WEFT_UNAVAILABLE,
                     "module '%s' was loaded to be described: it cannot run on this CPU",
                     description.name);
  if (options.threads < 0 || options.threads > maxThreads)
    return makeError(module->allocator, WEFT_INVALID_ARGUMENT,
                     "%d threads are asked for, expected 0 to %d", options.threads, maxThreads);
  weft_allocator table;
  if (weft_error *error = readAllocator(options.allocator, table))
    return error;
  Allocator allocator = options.allocator ? Allocator(&table) : module->allocator;
  auto *context =
      allocator.create<weft_context>(module, description.functions[function], allocator);
  if (!context)
    return makeError(allocator, WEFT_RESOURCE_EXHAUSTED,
                     "out of memory for a context of function '%s'",
                     description.functions[function].name);
  weft_module_retain(module);
  context->log = options.log ? Log{options.log, options.log_user} : module->log;
  context->profile = options.profile;
  context->profileUser = options.profile_user;
  if (weft_error *error = buildContext(*context, options)) {
    destroyContext(context);
    return error;
  }
  Text line;
  line.append("context of function '%s': %d threads%s", context->function.name,
              context->team->size(),
              context->team->size() == 1 ? ""
              : options.parallel         ? ", the caller's"
                                         : ", oneTBB");
  if (context->device)
    line.append(", device %s", context->device->get().name());
  context->log(WEFT_LOG_INFO, line.get());
  *out = context;
  return nullptr;
}

void weft_context_release(weft_context *context) {
  if (!context)
    return;
  if (context->running.load(std::memory_order_acquire)) {
    weft_context_cancel(context);
    while (context->running.load(std::memory_order_acquire))
      sched_yield();
  }
  destroyContext(context);
}

const weft_function *weft_context_function(const weft_context *context) {
  return context ? &context->function : nullptr;
}

const char *weft_context_device(const weft_context *context) {
  return context && context->device ? context->device->get().name() : nullptr;
}

int32_t weft_context_threads(const weft_context *context) {
  return context ? context->team->size() : 0;
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

void weft_context::freeTemporaries() {
  while (Temporary *block = temporaries) {
    temporaries = block->next;
    allocator.deallocate(block, block->size, WEFT_BUFFER_ALIGNMENT);
  }
  while (DeviceTemporary *block = deviceTemporaries) {
    deviceTemporaries = block->next;
    device->get().release(block->memory);
    allocator.destroy(block);
  }
}

/// A site's message with "{0}" and "{1}" replaced by the two values.
static void appendMessage(Text &text, const char *message, int64_t value, int64_t bound) {
  for (const char *at = message; *at; ++at) {
    if (at[0] == '{' && (at[1] == '0' || at[1] == '1') && at[2] == '}') {
      text.append("%" PRId64, at[1] == '0' ? value : bound);
      at += 2;
      continue;
    }
    text.append("%c", *at);
  }
}

weft_error *weft_context::describe(const Failure &failure) const {
  const weft_module &description = *module->description;
  const weft_site *site = failure.site >= 0 && failure.site < int64_t(description.site_count)
                              ? &description.sites[failure.site]
                              : nullptr;
  Text text;
  // Operations that were written by hand have no name.
  if (site && *site->node)
    text.append(*site->op ? "node '%s' (%s): " : "node '%s': ", site->node, site->op);
  else
    text.append("function '%s': ", function.name);
  switch (failure.kind) {
  case Failure::Site:
    if (site && site->message)
      appendMessage(text, site->message, failure.value, failure.bound);
    else
      text.append("failed with %s, values %" PRId64 " and %" PRId64, weft_code_name(failure.code),
                  failure.value, failure.bound);
    break;
  case Failure::Memory:
    text.append("out of memory: a temporary needs %" PRId64 " bytes", failure.value);
    break;
  case Failure::OutputMemory:
    text.append("out of memory: output '%s' needs %" PRId64 " bytes",
                function.outputs[failure.bound].name, failure.value);
    break;
  case Failure::BadOutput:
    text.append("output number %" PRId64 " does not exist or got a shape that "
                "contradicts the signature",
                failure.value);
    break;
  case Failure::Cancelled:
    text.append("the call was cancelled");
    break;
  case Failure::DeviceMemory:
    text.append("out of memory on %s: a temporary needs %" PRId64 " bytes", device->get().name(),
                failure.value);
    break;
  case Failure::Device:
    text.append("%s: %s", device->get().name(), failure.text);
    break;
  case Failure::SharedBounds:
    text.append("device kernel '%s': index %" PRId64 " is outside of shared memory of extent "
                "%" PRId64,
                failure.text, failure.value, failure.bound);
    break;
  case Failure::Barrier:
    text.append("device kernel '%s': not all threads arrived at a barrier: %" PRId64 " of %" PRId64
                " did",
                failure.text, failure.value, failure.bound);
    break;
  case Failure::Subgroup:
    text.append("device kernel '%s': not all lanes arrived at an operation of their subgroup: "
                "%" PRId64 " of %" PRId64 " did",
                failure.text, failure.value, failure.bound);
    break;
  case Failure::DeviceStack:
    text.append("device kernel '%s': a thread needs more than %" PRId64 " bytes of stack",
                failure.text, failure.value);
    break;
  case Failure::HostArgument:
    text.append("device kernel '%s': argument %" PRId64 " is no memory of %s", failure.text,
                failure.value, device->get().name());
    break;
  case Failure::BadLaunch:
    text.append("device kernel '%s': the grid or block is larger than %s can run", failure.text,
                device->get().name());
    break;
  case Failure::None:
  case Failure::Status:
    text.append("failed with %s", weft_code_name(failure.code));
    break;
  }
  return makeError(allocator, failure.code, "%s", text.get());
}

weft_error *weft_context::run() {
  Interruptible interruptible(*this);
  allocations.store(0, std::memory_order_relaxed);
  unboundedAllocations = unboundedBytes = unboundedLive = unboundedPeak = 0;
  kernels = parallelLoops = serialLoops = launches = 0;
  for (int i = 0; i < 3; ++i)
    transfers[i] = transferredBytes[i] = 0;
  succeeded = false;
  if (weft_error *error = prepare())
    return error;
  failure = {};
  for (int32_t i = 0; i < team->size(); ++i) {
    workers[i].failure = {};
    workers[i].failedChunk = INT64_MAX;
  }
  for (uint32_t i = 0; i < function.output_count; ++i)
    outputs[i].produced = false;
  int32_t status;
  if (__atomic_load_n(&cancelled, __ATOMIC_RELAXED)) {
    status = WEFT_CANCELLED;
    failure = {Failure::Cancelled, WEFT_CANCELLED, -1, 0, 0};
  } else {
    FloatState floats;
    team->beginCall();
    if (device)
      device->get().beginCall(queue, deviceArena, deviceWorkspaceBytes);
    status = function.invoke(&environments[0], symbols, inputData);
    Failure late;
    if (device && !device->get().finish(queue, late))
      status = recordFailure(workers[0], late);
    team->endCall();
  }
  weft_error *unkept = failure.kind == Failure::None && status == WEFT_OK ? keepStrings() : nullptr;
  freeTemporaries();
  if (unkept)
    return unkept;
  if (failure.kind == Failure::None && status != WEFT_OK)
    failure = {Failure::Status, status > 0 && status <= WEFT_DATA_LOSS ? status : WEFT_INTERNAL, -1,
               0, 0};
  if (failure.kind != Failure::None)
    return describe(failure);
  for (uint32_t i = 0; i < function.output_count; ++i)
    if (!outputs[i].produced)
      return makeError(allocator, WEFT_INTERNAL, "function '%s' did not compute output '%s'",
                       function.name, function.outputs[i].name);
  succeeded = true;
  return nullptr;
}

namespace {
/// Marks a context as in use; a second user is refused.
class Running {
public:
  explicit Running(weft_context *context) : context(context) {
    entered = !context->running.exchange(true, std::memory_order_acquire);
  }
  ~Running() {
    if (entered)
      context->running.store(false, std::memory_order_release);
  }
  weft_error *check() const {
    if (entered)
      return nullptr;
    return makeError(context->allocator, WEFT_FAILED_PRECONDITION,
                     "a call with this context is in progress: use one context "
                     "for each thread");
  }

private:
  weft_context *context;
  bool entered;
};
} // namespace

static weft_error *noContext(const char *function) {
  return makeError(Allocator(), WEFT_INVALID_ARGUMENT, "%s: no context is given", function);
}

weft_error *weft_context_run(weft_context *context) {
  if (!context)
    return noContext("weft_context_run");
  Running running(context);
  if (weft_error *error = running.check())
    return error;
  return context->run();
}

weft_error *weft_invoke(weft_context *context, const weft_tensor *inputs, uint32_t input_count,
                        weft_tensor *outputs, uint32_t output_count) {
  if (!context)
    return noContext("weft_invoke");
  const weft_function &function = context->function;
  if (input_count != function.input_count || (input_count && !inputs))
    return makeError(context->allocator, WEFT_INVALID_ARGUMENT,
                     "function '%s' takes %u inputs, %u are given", function.name,
                     function.input_count, inputs ? input_count : 0);
  if (outputs && output_count != function.output_count)
    return makeError(context->allocator, WEFT_INVALID_ARGUMENT,
                     "function '%s' has %u outputs, %u are given", function.name,
                     function.output_count, output_count);
  for (uint32_t i = 0; i < input_count; ++i)
    if (weft_error *error = weft_context_bind_input(context, i, &inputs[i]))
      return error;
  for (uint32_t i = 0; i < function.output_count; ++i)
    if (weft_error *error = weft_context_bind_output(
            context, i, outputs && outputs[i].data ? &outputs[i] : nullptr))
      return error;
  if (weft_error *error = weft_context_run(context))
    return error;
  for (uint32_t i = 0; outputs && i < output_count; ++i)
    if (!outputs[i].data)
      if (weft_error *error = weft_context_output(context, i, &outputs[i]))
        return error;
  return nullptr;
}

weft_error *weft_context_output(const weft_context *context, uint32_t index, weft_tensor *tensor) {
  if (!context || !tensor)
    return noContext("weft_context_output");
  const weft_function &function = context->function;
  if (index >= function.output_count)
    return makeError(context->allocator, WEFT_INVALID_ARGUMENT,
                     "function '%s' has %u outputs, there is no number %u", function.name,
                     function.output_count, index);
  if (!context->succeeded)
    return makeError(context->allocator, WEFT_FAILED_PRECONDITION,
                     "there is no output '%s': no call has succeeded last",
                     function.outputs[index].name);
  const Output &output = context->outputs[index];
  if (!output.produced)
    return makeError(context->allocator, WEFT_FAILED_PRECONDITION, "output '%s' has been taken",
                     function.outputs[index].name);
  *tensor = {output.data, function.outputs[index].dtype, function.outputs[index].rank, output.dims,
             nullptr};
  return nullptr;
}

weft_error *weft_context_set_workspace(weft_context *context, void *memory, uint64_t bytes) {
  if (!context)
    return noContext("weft_context_set_workspace");
  if (reinterpret_cast<uintptr_t>(memory) % WEFT_BUFFER_ALIGNMENT)
    return makeError(context->allocator, WEFT_INVALID_ARGUMENT,
                     "the workspace is not aligned to %d bytes", WEFT_BUFFER_ALIGNMENT);
  Running running(context);
  if (weft_error *error = running.check())
    return error;
  context->lentWorkspace = memory;
  context->lentBytes = memory ? bytes : 0;
  context->prepared = false;
  return nullptr;
}

void weft_context_cancel(weft_context *context) {
  if (context)
    __atomic_store_n(&context->cancelled, 1, __ATOMIC_RELAXED);
}

void weft_context_reset_cancel(weft_context *context) {
  if (context)
    __atomic_store_n(&context->cancelled, 0, __ATOMIC_RELAXED);
}

weft_error *weft_context_stats(const weft_context *context, weft_stats *stats) {
  if (!context || !stats)
    return noContext("weft_context_stats");
  weft_stats now = {};
  if (!readStruct(stats, now))
    return makeError(context->allocator, WEFT_INVALID_ARGUMENT,
                     "weft_context_stats: struct_size is not set");
  now.threads = context->team->size();
  now.workspace_bytes = context->workspaceBytes;
  now.context_output_bytes = 0;
  for (uint32_t i = 0; i < context->function.output_count; ++i)
    now.context_output_bytes += context->outputs[i].owned.size();
  now.allocations = context->allocations.load(std::memory_order_relaxed);
  now.unbounded_allocations = context->unboundedAllocations;
  now.unbounded_bytes = context->unboundedBytes;
  now.kernels = context->kernels;
  now.parallel_loops = context->parallelLoops;
  now.serial_loops = context->serialLoops;
  now.unbounded_peak_bytes = context->unboundedPeak;
  now.device_workspace_bytes = context->deviceWorkspaceBytes;
  now.launches = context->launches;
  now.transfers_to_device = context->transfers[WEFT_TO_DEVICE];
  now.bytes_to_device = context->transferredBytes[WEFT_TO_DEVICE];
  now.transfers_to_host = context->transfers[WEFT_TO_HOST];
  now.bytes_to_host = context->transferredBytes[WEFT_TO_HOST];
  const uint32_t size = stats->struct_size;
  memcpy(stats, &now, size < sizeof(now) ? size : sizeof(now));
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Warm-up
//===----------------------------------------------------------------------===//

/// Brings the pages of a range in, for writing if it is ours.
static void touch(const void *data, uint64_t bytes, bool write) {
  auto *at = static_cast<const volatile unsigned char *>(data);
  for (uint64_t i = 0; i < bytes; i += 4096) {
    const unsigned char value = at[i];
    if (write)
      const_cast<volatile unsigned char *>(at)[i] = value;
  }
}

weft_error *weft_context_warm_up(weft_context *context) {
  if (!context)
    return noContext("weft_context_warm_up");
  Running running(context);
  if (weft_error *error = running.check())
    return error;
  if (weft_error *error = context->prepare())
    return error;
  const weft_function &function = context->function;
  for (uint32_t i = 0; i < function.output_count; ++i) {
    const weft_argument &argument = function.outputs[i];
    Output &output = context->outputs[i];
    bool known = !output.caller.bound;
    for (int32_t axis = 0; axis < argument.rank; ++axis) {
      const weft_dim &dim = argument.dims[axis];
      output.dims[axis] = dim.symbol >= 0 ? context->symbols[dim.symbol] : dim.size;
      known &= output.dims[axis] >= 0;
    }
    uint64_t bytes = 0;
    if (known && tensorBytes(argument.dtype, argument.rank, output.dims, bytes) &&
        bytes > output.owned.size() && !context->allocate(output.owned, bytes))
      return makeError(context->allocator, WEFT_RESOURCE_EXHAUSTED,
                       "out of memory: output '%s' needs %" PRIu64 " bytes", argument.name, bytes);
    touch(output.owned.data(), output.owned.size(), /*write=*/true);
  }
  context->succeeded = false;
  touch(context->environments[0].arena, context->workspaceBytes,
        /*write=*/true);
  const weft_module &description = *context->module->description;
  for (uint32_t i = 0; i < description.weight_count; ++i)
    touch(context->environments[0].weights[i], description.weight_table[i].size,
          /*write=*/false);
  context->team->wake();
  return nullptr;
}
