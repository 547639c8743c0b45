//===- Device.h - Memory and code of a device ---------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_DEVICE_H
#define WEFT_RUNTIME_DEVICE_H

#include "Error.h"
#include "Lock.h"

namespace weft::runtime {

struct Failure;

/// The grid's and the block's extents and the bytes of dynamic shared memory, as
/// generated code gives them to launch().
struct LaunchShape {
  int64_t grid[3], block[3], sharedBytes;

  explicit LaunchShape(const int64_t *values)
      : grid{values[0], values[1], values[2]}, block{values[3], values[4], values[5]},
        sharedBytes(values[6]) {}
  bool isValid() const;
  bool isEmpty() const {
    return !(grid[0] && grid[1] && grid[2] && block[0] && block[1] && block[2]);
  }
};

/// A device. Objects are made for each loaded module, so that what lies on the
/// device for it goes away with it; several contexts use one at once.
class Device {
public:
  explicit Device(const Allocator &allocator) : allocator(allocator) {}
  virtual ~Device() = default;
  Device(const Device &) = delete;

  virtual const char *name() const = 0;

  /// Loads the code of all kernels of the module.
  virtual weft_error *load(const weft_module &module) = 0;

  /// Null without memory. Aligned to WEFT_BUFFER_ALIGNMENT.
  virtual void *allocate(size_t size) = 0;
  virtual void release(void *memory) = 0;

  /// What one context does on the device happens in the order of its queue.
  virtual weft_error *createQueue(int32_t threads, void *&queue) = 0;
  virtual void destroyQueue(void *queue) = 0;
  /// Before a call: `arena` holds nothing that the call may rely on.
  virtual void beginCall(void *queue, void *arena, size_t bytes) {}
  /// Waits for all that the queue has; false, with the failure, if any of it failed.
  virtual bool finish(void *queue, Failure &failure) = 0;

  /// Both return false with the failure.
  virtual bool copy(void *queue, void *to, const void *from, size_t bytes, uint32_t direction,
                    Failure &failure) = 0;
  virtual bool launch(void *queue, const weft_env *env, int64_t kernel, const LaunchShape &shape,
                      void *const *arguments, int64_t site, Failure &failure) = 0;

protected:
  const Allocator &allocator;
};

/// One way to reach devices: a driver library, or the emulation.
struct DeviceFamily {
  const char *name;
  /// How many devices there are; an error that says why where there are none.
  weft_error *(*count)(const Allocator &allocator, int32_t &count);
  /// Device `index` of `count`, not loaded.
  weft_error *(*open)(const Allocator &allocator, int32_t index, Device *&device);
  /// A line about it.
  weft_error *(*describe)(const Allocator &allocator, int32_t index, Text &text);
  void (*destroy)(const Allocator &allocator, Device *device);
};

extern const DeviceFamily emulationFamily, cudaFamily, hipFamily;

/// What a module has of a device: the device, its copies of weights.
class ModuleDevice {
public:
  ModuleDevice(const Allocator &allocator, const DeviceFamily &family)
      : allocator(allocator), family(family) {}
  ~ModuleDevice();

  /// Opens the device and brings code and weights there.
  weft_error *open(int32_t index, const weft_module &module, const void *const *weights);
  const DeviceFamily &getFamily() const { return family; }
  int32_t getIndex() const { return index; }
  Device &get() const { return *device; }
  const void *const *weightTable() const { return table.as<const void *>(); }

  ModuleDevice *next = nullptr; // of the module's list

private:
  weft_error *uploadWeights(const weft_module &module, const void *const *weights);

  const Allocator &allocator;
  const DeviceFamily &family;
  int32_t index = 0;
  uint32_t weightCount = 0;
  Device *device = nullptr;
  Buffer table; // an address for each weight, or null
};

/// The device of `module` that `wanted` names (null: the environment's or the
/// first that the code is for). Null, without an error, for modules without
/// device code. It belongs to the module.
weft_error *findModuleDevice(weft_loaded_module &module, const char *wanted, ModuleDevice *&device);

} // namespace weft::runtime

#endif // WEFT_RUNTIME_DEVICE_H
