//===- MappedFile.h - A file's bytes, mapped read-only --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_BASE_MAPPEDFILE_H
#define WEFT_BASE_MAPPEDFILE_H

#include "Base/Result.h"

#include <span>
#include <string>

namespace weft {

/// A read-only private mapping of a regular file. An empty file has no bytes
/// and no mapping. Move-only; unmaps when destroyed.
class MappedFile {
public:
  MappedFile() = default;
  MappedFile(MappedFile &&other) noexcept { *this = std::move(other); }
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  /// Maps the file at `path`; fails with a sentence that names it.
  static Result<MappedFile> open(const std::string &path);

  /// Maps the open file `fd` (which stays the caller's); `name` is for messages.
  static Result<MappedFile> map(int fd, const std::string &name);

  std::span<const uint8_t> bytes() const { return {data, size}; }

private:
  const uint8_t *data = nullptr;
  size_t size = 0;
};

} // namespace weft

#endif // WEFT_BASE_MAPPEDFILE_H
