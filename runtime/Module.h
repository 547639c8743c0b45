//===- Module.h - A loaded module ---------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_LOADEDMODULE_H
#define WEFT_RUNTIME_LOADEDMODULE_H

#include "Lock.h"
#include "Weights.h"

#include <atomic>
#include <cstddef>

namespace weft::runtime {

class ModuleDevice;

/// Where log lines go; silent without a function.
struct Log {
  weft_log_fn function = nullptr;
  void *user = nullptr;

  void operator()(int32_t level, const char *message) const {
    if (function)
      function(user, level, message);
  }
};

/// Checks every field of a description that the runtime relies on. `name` is
/// the module's in messages.
weft_error *checkDescription(const Allocator &allocator, const char *name,
                             const weft_module *module);

/// Whether the description has the fields of device code: modules of ABI 1.0 end
/// before them.
inline bool hasDeviceTables(const weft_module &module) {
  return module.struct_size >= offsetof(weft_module, device_resources);
}

} // namespace weft::runtime

/// Immutable after it has been loaded, except for the count of references.
struct weft_loaded_module {
  explicit weft_loaded_module(const weft::runtime::Allocator &allocator) : allocator(allocator) {}
  ~weft_loaded_module();

  weft::runtime::Allocator allocator;
  weft::runtime::Log log;
  std::atomic<int64_t> references{1};
  void *library = nullptr;
  const weft_module *description = nullptr;
  const weft_variant *variant = nullptr;
  weft::runtime::Weights weights;
  weft::runtime::Buffer weightsPath; // text; empty without a weights file
  weft::runtime::Buffer weightTable; // weight_count addresses
  // What it has on devices, since a context asked for them.
  weft::runtime::Lock devicesLock;
  weft::runtime::ModuleDevice *devices = nullptr;
};

#endif // WEFT_RUNTIME_LOADEDMODULE_H
