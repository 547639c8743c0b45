//===- OutputFile.cpp - A file that is written whole or not at all --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor/OutputFile.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace weft;

static constexpr size_t bufferSize = 1 << 16;

static Error systemError(const std::string &path, const char *what) {
  return Error{path + ": " + what + ": " + std::strerror(errno)};
}

Result<OutputFile> OutputFile::create(const std::string &path) {
  OutputFile file;
  file.path = path;
  if (path == "-") {
    file.path = "standard output";
    file.fd = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (file.fd < 0)
      return systemError(file.path, "cannot open");
    return file;
  }
  struct stat info;
  bool exists = ::stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode))
    return Error{path + ": cannot write the file: it is a folder"};
  if (exists && !S_ISREG(info.st_mode)) {
    file.fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file.fd < 0)
      return systemError(path, "cannot write the file");
    return file;
  }
  // A link is followed by name, so that what it points to is replaced and not
  // the link.
  std::string target = path;
  if (char *resolved = exists ? ::realpath(path.c_str(), nullptr) : nullptr) {
    target = resolved;
    std::free(resolved);
  }
  file.path = target;
  file.temporary = target + ".tmp-XXXXXX";
  file.fd = ::mkostemp(file.temporary.data(), O_CLOEXEC);
  if (file.fd < 0) {
    file.temporary.clear();
    return systemError(path, "cannot write the file");
  }
  // mkostemp makes it private; give it the mode that open() would have.
  mode_t mask = ::umask(0);
  ::umask(mask);
  if (::fchmod(file.fd, exists ? info.st_mode & 07777 : 0666 & ~mask) != 0)
    return systemError(path, "cannot set the file's mode");
  return file;
}

OutputFile::OutputFile(OutputFile &&other) noexcept
    : fd(std::exchange(other.fd, -1)), path(std::move(other.path)),
      temporary(std::exchange(other.temporary, {})), buffer(std::move(other.buffer)) {}

OutputFile::~OutputFile() {
  if (fd >= 0)
    ::close(fd);
  if (!temporary.empty())
    ::unlink(temporary.c_str());
}

Status OutputFile::writeThrough(std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR)
        continue;
      return systemError(path, "cannot write the file");
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

Status OutputFile::flush() {
  Status status = writeThrough(buffer);
  buffer.clear();
  return status;
}

Status OutputFile::write(std::span<const uint8_t> bytes) {
  if (buffer.size() + bytes.size() >= bufferSize)
    if (Status status = flush(); !status)
      return status;
  if (bytes.size() >= bufferSize)
    return writeThrough(bytes);
  buffer.insert(buffer.end(), bytes.begin(), bytes.end());
  return {};
}

Status OutputFile::write(std::string_view text) {
  return write(
      std::span<const uint8_t>(reinterpret_cast<const uint8_t *>(text.data()), text.size()));
}

Status OutputFile::commit() {
  if (Status status = flush(); !status)
    return status;
  // Some file systems report a full disk only here.
  int failed = ::close(fd);
  fd = -1;
  if (failed)
    return systemError(path, "cannot write the file");
  if (temporary.empty())
    return {};
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    return systemError(path, "cannot move the finished file to its name");
  temporary.clear();
  return {};
}

Status weft::writeTextFile(const std::string &path, std::string_view text) {
  Result<OutputFile> file = OutputFile::create(path);
  if (!file)
    return file.error();
  if (Status status = file->write(text); !status)
    return status;
  return file->commit();
}
