//===- ModuleFile.h - Checks before a module is mapped ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_MODULEFILE_H
#define WEFT_RUNTIME_MODULEFILE_H

#include "Error.h"

namespace weft::runtime {

/// A file descriptor that closes itself.
class File {
public:
  explicit File(int descriptor = -1) : descriptor(descriptor) {}
  File(File &&other) noexcept : descriptor(other.release()) {}
  File &operator=(File &&other) noexcept {
    std::swap(descriptor, other.descriptor);
    return *this;
  }
  ~File();

  int get() const { return descriptor; }
  int release() { return std::exchange(descriptor, -1); }

private:
  int descriptor;
};

/// Opens a regular file for reading. `kind` ("module", "weights file") begins
/// the message.
weft_error *openFile(const Allocator &allocator, const char *kind, const char *path, File &file,
                     uint64_t &size);

/// The bytes of a module, in a file or in memory. A file is read, never
/// mapped, so that one that shrinks meanwhile is an error and no SIGBUS.
struct ModuleBytes {
  const char *name; // for messages
  int descriptor;   // used where `data` is null
  const uint8_t *data;
  uint64_t size;

  /// False on a read error or a short read.
  bool read(uint64_t offset, void *to, size_t count) const;
};

/// Checks magic numbers, versions, the footer's size and checksum, and that all
/// ELF segments and sections lie inside the file. After success the file can be
/// given to dlopen without a SIGBUS.
weft_error *checkModule(const Allocator &allocator, const ModuleBytes &bytes);

/// dlopens an open file. `name` is used in messages. The descriptor may be
/// closed afterwards.
weft_error *openLibrary(const Allocator &allocator, const char *name, int descriptor,
                        void *&handle);

/// An anonymous file with these bytes.
weft_error *copyToMemoryFile(const Allocator &allocator, const void *data, size_t size, File &file);

} // namespace weft::runtime

#endif // WEFT_RUNTIME_MODULEFILE_H
