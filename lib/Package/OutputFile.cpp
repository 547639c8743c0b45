//===- OutputFile.cpp - A file that appears whole or not at all -----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Package/OutputFile.h"

#include "Base/Checksum.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace weft;
using llvm::StringRef;

/// The kernel writes at most 2^31 - 4096 bytes at once.
static constexpr size_t kWriteSize = size_t(1) << 30;

/// Readable by whom the caller's umask lets read it.
static constexpr mode_t kMode = 0666;

static llvm::Error describe(StringRef path, int error, const char *doing) {
  return llvm::createStringError(llvm::Twine("cannot ") + doing + " '" + path +
                                 "': " + std::strerror(error));
}

llvm::Error OutputFile::failure(int error, const char *doing) const {
  return describe(finalPath, error, doing);
}

OutputFile &OutputFile::operator=(OutputFile &&other) noexcept {
  std::swap(fd, other.fd);
  std::swap(bytesWritten, other.bytesWritten);
  std::swap(crc, other.crc);
  std::swap(finalPath, other.finalPath);
  std::swap(temporaryPath, other.temporaryPath);
  return *this;
}

OutputFile::~OutputFile() {
  if (!temporaryPath.empty())
    ::unlink(temporaryPath.c_str());
  if (fd >= 0)
    ::close(fd);
}

/// A name in the folder of `path` that nobody else uses. Random, because two
/// compilers may write the same module, also from different machines.
static std::string temporaryName(StringRef path) {
  unsigned char random[8] = {};
  // Without randomness the name is fixed, and O_EXCL finds the collision.
  if (::getrandom(random, sizeof(random), 0) != sizeof(random))
    std::memset(random, 0, sizeof(random));
  llvm::SmallString<128> name(llvm::sys::path::parent_path(path));
  llvm::sys::path::append(name, "." + llvm::sys::path::filename(path).take_front(200) + "." +
                                    llvm::toHex(random, /*LowerCase=*/true) + ".tmp");
  return name.str().str();
}

llvm::Expected<OutputFile> OutputFile::create(StringRef path, Kind kind) {
  OutputFile file;
  file.finalPath = path.str();
  if (kind == Kind::Memory) {
    file.fd = ::memfd_create("weft", MFD_CLOEXEC);
    if (file.fd < 0)
      return file.failure(errno, "make a memory file for");
    return file;
  }

  if (path.contains('\0') || llvm::sys::path::filename(path).empty())
    return file.failure(EINVAL);
  struct stat status;
  if (::stat(file.finalPath.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode))
      return file.failure(EISDIR);
    // Renaming over a device or a pipe would replace it.
    if (!S_ISREG(status.st_mode))
      return llvm::createStringError("cannot write '" + file.finalPath + "': not a regular file");
  }
  StringRef folder = llvm::sys::path::parent_path(path);
  std::string directory = folder.empty() ? "." : folder.str();
  if (kind == Kind::Nameless) {
    file.fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kMode);
    if (file.fd >= 0)
      return file;
    // Without support: EOPNOTSUPP, or EISDIR from kernels that do not know it.
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
      return file.failure(errno);
  }
  std::string temporary = temporaryName(path);
  file.fd = ::open(temporary.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, kMode);
  if (file.fd < 0)
    return file.failure(errno);
  file.temporaryPath = std::move(temporary);
  return file;
}

llvm::Error OutputFile::write(llvm::ArrayRef<uint8_t> bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::write(fd, bytes.data(), std::min(bytes.size(), kWriteSize));
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return failure(count ? errno : ENOSPC);
    crc = crc32c(crc, bytes.take_front(count));
    bytes = bytes.drop_front(count);
    bytesWritten += count;
  }
  return llvm::Error::success();
}

llvm::Error OutputFile::writeZeros(uint64_t count) {
  static constexpr uint8_t kZeros[4096] = {};
  while (count) {
    uint64_t chunk = std::min<uint64_t>(count, sizeof(kZeros));
    if (auto error = write(llvm::ArrayRef(kZeros, chunk)))
      return error;
    count -= chunk;
  }
  return llvm::Error::success();
}

llvm::Error OutputFile::publish() {
  if (temporaryPath.empty()) {
    // linkat() does not replace a file, so a nameless one needs a name to be
    // renamed from.
    std::string temporary = temporaryName(finalPath);
    if (::linkat(AT_FDCWD, procPath().c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) != 0)
      return failure(errno);
    temporaryPath = std::move(temporary);
  }
  if (::rename(temporaryPath.c_str(), finalPath.c_str()) != 0)
    return failure(errno);
  temporaryPath.clear();
  return llvm::Error::success();
}
