//===- OutputFile.h - A file that is written whole or not at all ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TENSOR_OUTPUTFILE_H
#define WEFT_TENSOR_OUTPUTFILE_H

#include "Base/Result.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

/// Writes to a temporary file beside the destination and renames it on
/// commit(), so that a reader sees the old file or the whole new one. Without a
/// commit nothing is left behind. The path "-" is standard output; what exists
/// and is no regular file (a FIFO, /dev/null) is written in place.
class OutputFile {
public:
  static Result<OutputFile> create(const std::string &path);
  OutputFile(OutputFile &&other) noexcept;
  OutputFile &operator=(OutputFile &&) = delete;
  ~OutputFile();

  Status write(std::span<const uint8_t> bytes);
  Status write(std::string_view text);
  /// Everything is on its way to the disk and under its name.
  Status commit();

private:
  OutputFile() = default;
  Status flush();
  Status writeThrough(std::span<const uint8_t> bytes);

  int fd = -1;
  std::string path;
  std::string temporary; // empty: written in place
  std::vector<uint8_t> buffer;
};

/// Writes `text` to `path`, whole or not at all.
Status writeTextFile(const std::string &path, std::string_view text);

} // namespace weft

#endif // WEFT_TENSOR_OUTPUTFILE_H
