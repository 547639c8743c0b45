//===- DriverLibrary.h - The vendors' driver libraries ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_DRIVERLIBRARY_H
#define WEFT_RUNTIME_DRIVERLIBRARY_H

#include "Error.h"
#include "Lock.h"

namespace weft::runtime {

/// A driver library, opened when the first of its devices is asked for and kept
/// open. CUDA and HIP have the same functions under other names; where their
/// signatures differ, `isCuda` tells.
class DriverLibrary {
public:
  // Addresses in device memory are integers in CUDA and pointers in HIP; they are
  // passed alike. Streams, modules and functions are opaque pointers in both.
  struct Functions {
    int (*init)(unsigned flags);
    int (*driverGetVersion)(int *version);
    int (*getDeviceCount)(int *count);
    int (*deviceGetName)(char *name, int size, int device);
    int (*deviceTotalMem)(size_t *bytes, int device);
    int (*malloc)(void **memory, size_t bytes);
    int (*free)(void *memory);
    int (*copyToDevice)(void *to, const void *from, size_t bytes, void *stream);
    int (*copyToHost)(void *to, const void *from, size_t bytes, void *stream);
    int (*copyOnDevice)(void *to, const void *from, size_t bytes, void *stream);
    int (*streamCreate)(void **stream, unsigned flags);
    int (*streamDestroy)(void *stream);
    int (*streamSynchronize)(void *stream);
    int (*moduleLoadData)(void **module, const void *data);
    int (*moduleUnload)(void *module);
    int (*moduleGetFunction)(void **function, void *module, const char *name);
    int (*launchKernel)(void *function, unsigned gridX, unsigned gridY, unsigned gridZ,
                        unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,
                        void *stream, void **arguments, void **extra);
    int (*funcSetAttribute)(void *function, int attribute, int value);
    // CUDA's alone.
    int (*deviceGetAttribute)(int *value, int attribute, int device);
    int (*primaryContextRetain)(void **context, int device);
    int (*primaryContextRelease)(int device);
    int (*contextSetCurrent)(void *context);
    int (*getErrorStringCuda)(int error, const char **text);
    // HIP's alone.
    int (*setDevice)(int device);
    int (*getDeviceProperties)(void *properties, int device);
    const char *(*getErrorStringHip)(int error);
  };

  constexpr DriverLibrary(const char *file, bool isCuda) : file(file), isCuda(isCuda) {}

  /// Opens and initialises the library; the sentence says why it cannot be used.
  weft_error *open(const Allocator &allocator);
  /// How many devices there are, at least one.
  weft_error *count(const Allocator &allocator, int32_t &devices);
  const char *errorText(int status) const;

  const char *const file;
  const bool isCuda;
  Functions call = {};

private:
  weft_error *load(const Allocator &allocator);

  Lock lock;
  void *handle = nullptr;
  bool isReady = false;
};

} // namespace weft::runtime

#endif // WEFT_RUNTIME_DRIVERLIBRARY_H
