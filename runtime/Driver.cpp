//===- Driver.cpp - NVIDIA's and AMD's devices --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Context.h"
#include "DriverLibrary.h"

#include <cinttypes>
#include <cstdlib>

using namespace weft::runtime;

static DriverLibrary cudaLibrary("libcuda.so.1", true);
static DriverLibrary hipLibrary("libamdhip64.so", false);

// Of the drivers' interfaces.
static constexpr int capabilityMajor = 75, capabilityMinor = 76;
static constexpr int maxDynamicSharedSize = 8;
static constexpr unsigned nonBlockingStream = 1;
static constexpr int64_t sharedWithoutAsking = 48 * 1024;

namespace {
class DriverDevice : public Device {
public:
  DriverDevice(const Allocator &allocator, DriverLibrary &library, int32_t index)
      : Device(allocator), library(library), call(library.call), index(index) {
    snprintf(label, sizeof(label), "%s:%d", library.isCuda ? "cuda" : "hip", index);
  }
  ~DriverDevice() override;

  weft_error *open();
  weft_error *describe(Text &text);

  const char *name() const override { return label; }
  weft_error *load(const weft_module &module) override;
  void *allocate(size_t size) override;
  void release(void *memory) override;
  weft_error *createQueue(int32_t threads, void *&queue) override;
  void destroyQueue(void *queue) override;
  bool finish(void *queue, Failure &failure) override;
  bool copy(void *queue, void *to, const void *from, size_t bytes, uint32_t direction,
            Failure &failure) override;
  bool launch(void *queue, const weft_env *env, int64_t kernel, const LaunchShape &shape,
              void *const *arguments, int64_t site, Failure &failure) override;

private:
  /// The driver's calls are about the device that is current in the thread.
  bool enter(Failure &failure) {
    return check(library.isCuda ? call.contextSetCurrent(context) : call.setDevice(index), failure);
  }
  bool enter() {
    Failure failure;
    return enter(failure);
  }
  bool check(int status, Failure &failure) const;
  weft_error *fail(int status, const char *what) const {
    return makeError(allocator, WEFT_UNAVAILABLE, "device %s: %s: %s (%d)", label, what,
                     library.errorText(status), status);
  }
  weft_error *findChip();
  int rank(const weft_device_code &code) const;
  weft_error *loadCode(const weft_module &module, const weft_device_code &code, void *&loaded);
  weft_error *noCode(const weft_module &module, uint32_t kernel) const;

  DriverLibrary &library;
  const DriverLibrary::Functions &call;
  const int32_t index;
  char label[16], chip[32] = "";
  int major = 0, minor = 0; // the compute capability, of CUDA
  void *context = nullptr;  // CUDA's
  bool isOpen = false;
  uint32_t moduleCount = 0;
  Buffer modules, functions; // what is loaded; a function for each kernel
};
} // namespace

bool DriverDevice::check(int status, Failure &failure) const {
  if (!status)
    return true;
  failure = {Failure::Device, WEFT_INTERNAL, -1, 0, 0};
  failure.text = library.errorText(status);
  return false;
}

//===----------------------------------------------------------------------===//
// Life
//===----------------------------------------------------------------------===//

/// CUDA has numbers, HIP a name with features after it, in a struct that grows.
weft_error *DriverDevice::findChip() {
  if (library.isCuda) {
    if (int status = call.deviceGetAttribute(&major, capabilityMajor, index))
      return fail(status, "its compute capability is unknown");
    if (int status = call.deviceGetAttribute(&minor, capabilityMinor, index))
      return fail(status, "its compute capability is unknown");
    snprintf(chip, sizeof(chip), "sm_%d%d", major, minor);
    return nullptr;
  }
  alignas(16) char properties[8192] = {};
  if (int status = call.getDeviceProperties(properties, index))
    return fail(status, "its properties are unknown");
  auto *found = static_cast<char *>(memmem(properties, sizeof(properties) - 16, "gfx", 3));
  if (!found)
    return makeError(allocator, WEFT_UNAVAILABLE, "device %s: its chip is unknown", label);
  snprintf(chip, sizeof(chip), "%.*s", int(strcspn(found, ":")), found);
  return nullptr;
}

weft_error *DriverDevice::open() {
  if (library.isCuda) {
    if (int status = call.primaryContextRetain(&context, index))
      return fail(status, "its context cannot be made");
  }
  isOpen = true;
  return findChip();
}

DriverDevice::~DriverDevice() {
  if (!isOpen)
    return;
  enter();
  for (uint32_t i = 0; i < moduleCount; ++i)
    call.moduleUnload(modules.as<void *>()[i]);
  if (library.isCuda)
    call.primaryContextRelease(index);
}

weft_error *DriverDevice::describe(Text &text) {
  char title[256] = "";
  size_t bytes = 0;
  int version = 0;
  if (weft_error *error = findChip())
    return error;
  if (int status = call.deviceGetName(title, int(sizeof(title)), index))
    return fail(status, "its name is unknown");
  if (int status = call.deviceTotalMem(&bytes, index))
    return fail(status, "its memory is unknown");
  call.driverGetVersion(&version);
  text.append("%s, %s, %zu MiB, driver %d", title, chip, bytes >> 20, version);
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

/// How good code is for this device; 0 where it cannot run. Machine code of CUDA
/// runs on its chip and those of the same major version after it, PTX on all after
/// it, and either on its chip alone where that ends in a letter.
int DriverDevice::rank(const weft_device_code &code) const {
  if (!library.isCuda)
    return strcmp(code.family, "hip") == 0 && strcmp(code.chip, chip) == 0;
  if (strcmp(code.family, "cuda") != 0 || strncmp(code.chip, "sm_", 3) != 0)
    return 0;
  char *suffix;
  const int wanted = int(strtol(code.chip + 3, &suffix, 10)), have = 10 * major + minor;
  const bool isExact = wanted == have;
  if (wanted > have || (*suffix && !isExact))
    return 0;
  if (code.kind == WEFT_DEVICE_CUBIN)
    return wanted / 10 == major ? 2000 + 2 * wanted + (*suffix != 0) : 0;
  return code.kind == WEFT_DEVICE_PTX ? 1000 + 2 * wanted + (*suffix != 0) : 0;
}

weft_error *DriverDevice::noCode(const weft_module &module, uint32_t kernel) const {
  Text chips;
  for (uint32_t i = 0; i < module.device_code_count; ++i) {
    const weft_device_code &code = module.device_code[i];
    const bool isOurs = strncmp(code.family, label, strlen(code.family)) == 0;
    if (isOurs && kernel >= code.first_kernel && kernel - code.first_kernel < code.kernel_count)
      chips.append("%s%s", *chips.get() ? ", " : "", code.chip);
  }
  return makeError(allocator, WEFT_UNAVAILABLE,
                   "device %s is %s, for which module '%s' has no code: it has code for %s", label,
                   chip, module.name, *chips.get() ? chips.get() : "no chip of that family");
}

weft_error *DriverDevice::loadCode(const weft_module &module, const weft_device_code &code,
                                   void *&loaded) {
  if (int status = call.moduleLoadData(&loaded, code.data))
    return makeError(allocator, WEFT_UNAVAILABLE,
                     "device %s: the code for %s of module '%s' cannot be loaded: %s (%d)", label,
                     code.chip, module.name, library.errorText(status), status);
  modules.as<void *>()[moduleCount++] = loaded;
  for (uint32_t i = 0; i < code.kernel_count; ++i) {
    const uint32_t kernel = code.first_kernel + i;
    const char *symbol = module.device_kernels[kernel].name;
    if (int status = call.moduleGetFunction(&functions.as<void *>()[kernel], loaded, symbol))
      return makeError(allocator, WEFT_DATA_LOSS,
                       "device %s: the code for %s of module '%s' has no kernel '%s': %s (%d)",
                       label, code.chip, module.name, symbol, library.errorText(status), status);
  }
  return nullptr;
}

weft_error *DriverDevice::load(const weft_module &module) {
  const uint32_t kernels = module.device_kernel_count;
  if (!functions.allocate(allocator, kernels * sizeof(void *), alignof(void *)) ||
      !modules.allocate(allocator, module.device_code_count * sizeof(void *), alignof(void *)))
    return makeError(allocator, WEFT_RESOURCE_EXHAUSTED, "out of memory for the code of device %s",
                     label);
  memset(functions.data(), 0, functions.size());
  Failure failure;
  if (!enter(failure))
    return makeError(allocator, WEFT_UNAVAILABLE, "device %s: %s", label, failure.text);
  for (uint32_t kernel = 0; kernel < kernels; ++kernel) {
    if (functions.as<void *>()[kernel])
      continue;
    const weft_device_code *best = nullptr;
    for (uint32_t i = 0; i < module.device_code_count; ++i) {
      const weft_device_code &code = module.device_code[i];
      if (kernel >= code.first_kernel && kernel - code.first_kernel < code.kernel_count &&
          rank(code) > (best ? rank(*best) : 0))
        best = &code;
    }
    if (!best)
      return noCode(module, kernel);
    void *loaded = nullptr;
    if (weft_error *error = loadCode(module, *best, loaded))
      return error;
  }
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Memory and launches
//===----------------------------------------------------------------------===//

void *DriverDevice::allocate(size_t size) {
  void *memory = nullptr;
  return size && enter() && call.malloc(&memory, size) == 0 ? memory : nullptr;
}

void DriverDevice::release(void *memory) {
  if (memory && enter())
    call.free(memory);
}

weft_error *DriverDevice::createQueue(int32_t, void *&queue) {
  Failure failure;
  if (!enter(failure))
    return makeError(allocator, WEFT_UNAVAILABLE, "device %s: %s", label, failure.text);
  if (int status = call.streamCreate(&queue, nonBlockingStream))
    return fail(status, "a stream cannot be made");
  return nullptr;
}

void DriverDevice::destroyQueue(void *queue) {
  if (queue && enter())
    call.streamDestroy(queue);
}

bool DriverDevice::finish(void *queue, Failure &failure) {
  return enter(failure) && check(call.streamSynchronize(queue), failure);
}

bool DriverDevice::copy(void *queue, void *to, const void *from, size_t bytes, uint32_t direction,
                        Failure &failure) {
  if (!enter(failure))
    return false;
  int (*const function)(void *, const void *, size_t, void *) =
      direction == WEFT_TO_DEVICE ? call.copyToDevice
      : direction == WEFT_TO_HOST ? call.copyToHost
                                  : call.copyOnDevice;
  if (!check(function(to, from, bytes, queue), failure))
    return false;
  // Host memory may change, or is read, as soon as the transfer returns.
  return direction == WEFT_ON_DEVICE || check(call.streamSynchronize(queue), failure);
}

bool DriverDevice::launch(void *queue, const weft_env *, int64_t kernel, const LaunchShape &shape,
                          void *const *arguments, int64_t, Failure &failure) {
  void *function = functions.as<void *>()[kernel];
  if (!enter(failure))
    return false;
  if (shape.sharedBytes > sharedWithoutAsking && library.isCuda &&
      !check(call.funcSetAttribute(function, maxDynamicSharedSize, int(shape.sharedBytes)),
             failure))
    return false;
  const int status = call.launchKernel(
      function, unsigned(shape.grid[0]), unsigned(shape.grid[1]), unsigned(shape.grid[2]),
      unsigned(shape.block[0]), unsigned(shape.block[1]), unsigned(shape.block[2]),
      unsigned(shape.sharedBytes), queue, const_cast<void **>(arguments), nullptr); // only read
  return check(status, failure);
}

//===----------------------------------------------------------------------===//
// The families
//===----------------------------------------------------------------------===//

static weft_error *openDevice(const Allocator &allocator, DriverLibrary &library, int32_t index,
                              Device *&out) {
  if (weft_error *error = library.open(allocator))
    return error;
  auto *device = allocator.create<DriverDevice>(allocator, library, index);
  if (!device)
    return makeError(allocator, WEFT_RESOURCE_EXHAUSTED, "out of memory for a device");
  out = device; // its owner destroys it, also after an error
  return device->open();
}

static weft_error *describeDevice(const Allocator &allocator, DriverLibrary &library, int32_t index,
                                  Text &text) {
  if (weft_error *error = library.open(allocator))
    return error;
  return DriverDevice(allocator, library, index).describe(text);
}

static void destroyDevice(const Allocator &allocator, Device *device) {
  allocator.destroy(static_cast<DriverDevice *>(device));
}

template <DriverLibrary &library> static constexpr DeviceFamily familyOf(const char *name) {
  return {
      name,
      [](const Allocator &allocator, int32_t &count) { return library.count(allocator, count); },
      [](const Allocator &allocator, int32_t index, Device *&device) {
        return openDevice(allocator, library, index, device);
      },
      [](const Allocator &allocator, int32_t index, Text &text) {
        return describeDevice(allocator, library, index, text);
      },
      destroyDevice};
}

const DeviceFamily weft::runtime::cudaFamily = familyOf<cudaLibrary>("cuda");
const DeviceFamily weft::runtime::hipFamily = familyOf<hipLibrary>("hip");
