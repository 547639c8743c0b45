//===- OutputFile.h - A file that appears whole or not at all -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PACKAGE_OUTPUTFILE_H
#define WEFT_PACKAGE_OUTPUTFILE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace weft {

/// A file under construction. It has no name until publish(), so that whatever
/// happens before, the death of the process included, leaves nothing behind;
/// on file systems without O_TMPFILE it has a hidden temporary name, which goes
/// with the object. Every failure is one sentence that names the final path.
class OutputFile {
public:
  /// How the file is kept until it is published.
  enum class Kind {
    Nameless,  ///< in the folder of the path, temporary name as the fallback
    Temporary, ///< the fallback itself, for testing it
    Memory,    ///< in memory; cannot be published
  };

  OutputFile() = default;
  OutputFile(OutputFile &&other) noexcept { *this = std::move(other); }
  OutputFile &operator=(OutputFile &&other) noexcept;
  ~OutputFile();

  /// Starts the file that will be `path`. Fails if the folder is missing or not
  /// writable, or if `path` is there and not a regular file.
  static llvm::Expected<OutputFile> create(llvm::StringRef path, Kind kind = Kind::Nameless);

  /// Appends bytes.
  llvm::Error write(llvm::ArrayRef<uint8_t> bytes);
  llvm::Error write(llvm::StringRef bytes) { return write(llvm::arrayRefFromStringRef(bytes)); }
  llvm::Error writeZeros(uint64_t count);

  /// Gives the file its name, replacing a file that had it; this is an inode
  /// of its own, so that who has the old one mapped keeps it.
  llvm::Error publish();

  int descriptor() const { return fd; }
  uint64_t size() const { return bytesWritten; }
  /// The CRC-32C of all bytes so far.
  uint32_t checksum() const { return crc; }
  llvm::StringRef path() const { return finalPath; }
  /// A path by which this process can open the file before it has a name.
  std::string procPath() const { return "/proc/self/fd/" + std::to_string(fd); }

private:
  llvm::Error failure(int error, const char *doing = "write") const;

  int fd = -1;
  uint64_t bytesWritten = 0;
  uint32_t crc = 0;
  std::string finalPath;
  std::string temporaryPath; ///< empty while there is none
};

} // namespace weft

#endif // WEFT_PACKAGE_OUTPUTFILE_H
