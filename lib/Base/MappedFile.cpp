//===- MappedFile.cpp - A file's bytes, mapped read-only ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Base/MappedFile.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace weft;

static Error systemError(const std::string &name, const char *what) {
  return Error{name + ": " + what + ": " + std::strerror(errno)};
}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(data, other.data);
  std::swap(size, other.size);
  return *this;
}

MappedFile::~MappedFile() {
  if (data)
    ::munmap(const_cast<uint8_t *>(data), size);
}

Result<MappedFile> MappedFile::open(const std::string &path) {
  // Non-blocking: opening a FIFO must not hang.
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return systemError(path, "cannot open the file");
  Result<MappedFile> file = map(fd, path);
  ::close(fd);
  return file;
}

Result<MappedFile> MappedFile::map(int fd, const std::string &name) {
  struct stat info;
  if (::fstat(fd, &info) != 0)
    return systemError(name, "cannot read the file's size");
  if (!S_ISREG(info.st_mode))
    return Error{name + ": expected a regular file"};
  MappedFile file;
  if (info.st_size == 0)
    return file;
  void *mapping = ::mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
  if (mapping == MAP_FAILED)
    return systemError(name, "cannot map the file");
  file.data = static_cast<const uint8_t *>(mapping);
  file.size = static_cast<size_t>(info.st_size);
  return file;
}
