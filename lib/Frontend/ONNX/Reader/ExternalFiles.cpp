//===- ExternalFiles.cpp - External tensor data beside a model ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/ExternalFiles.h"

#include "Frontend/ONNX/Reader/Model.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace weft;
using namespace weft::onnx;

// Non-blocking: opening a FIFO must not hang. Without a controlling terminal:
// opening a terminal must not adopt it.
static constexpr int fileFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;

namespace {
/// A file descriptor that closes itself.
class Descriptor {
public:
  explicit Descriptor(int fd = -1) : fd(fd) {}
  Descriptor(Descriptor &&other) noexcept : fd(other.release()) {}
  Descriptor &operator=(Descriptor &&other) noexcept {
    std::swap(fd, other.fd);
    return *this;
  }
  ~Descriptor() {
    if (fd >= 0)
      ::close(fd);
  }
  int get() const { return fd; }
  int release() { return std::exchange(fd, -1); }

private:
  int fd;
};
} // namespace

ExternalFiles::ExternalFiles(std::string folder, std::string modelName,
                             std::span<const uint8_t> model, Method method)
    : folder(std::move(folder)), modelName(std::move(modelName)), model(model), method(method) {}

ExternalFiles::~ExternalFiles() {
  if (folderDescriptor >= 0)
    ::close(folderDescriptor);
}

/// Refuses what is no plain relative path, whatever the kernel would make of
/// it.
static Status checkLocation(std::string_view location) {
  if (location.empty())
    return Error{"its location is empty, expected a path relative to the "
                 "model's folder"};
  if (location.size() > 4096)
    return Error{"its location has " + std::to_string(location.size()) +
                 " bytes, expected at most 4096"};
  if (location.find('\0') != std::string_view::npos)
    return Error{"external file " + quote(location) + ": the path holds a zero byte"};
  if (location.front() == '/')
    return Error{"external file " + quote(location) +
                 ": expected a path relative to the model's folder, found an "
                 "absolute one"};
  for (std::string_view rest = location; !rest.empty();) {
    size_t slash = rest.find('/');
    if (rest.substr(0, slash) == "..")
      return Error{"external file " + quote(location) +
                   ": expected a path inside the model's folder, found '..'"};
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  }
  if (location.back() == '/')
    return Error{"external file " + quote(location) + ": expected a file, found a folder"};
  return {};
}

static Error openError(const std::string &location, int code) {
  std::string file = "external file " + quote(location) + ": ";
  switch (code) {
  case ENOENT:
    return Error{file + "there is no such file in the model's folder"};
  case ELOOP:
    return Error{file + "it is reached through a symbolic link, which is not "
                        "allowed for external data"};
  case EXDEV:
    return Error{file + "it lies outside of the model's folder"};
  case ENXIO:
    return Error{file + "expected a regular file"};
  default:
    return Error{file + "cannot open it: " + std::strerror(code)};
  }
}

Result<int> ExternalFiles::openFolder() const {
  if (folderDescriptor >= 0)
    return folderDescriptor;
  if (folder.empty())
    return Error{"external data was found, but the model has no folder to look "
                 "for it"};
  folderDescriptor = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folderDescriptor < 0)
    return Error{"cannot open the model's folder " + quote(folder) + ": " + std::strerror(errno)};
  return folderDescriptor;
}

/// Opens `location` beneath `folder` by one system call; gives a descriptor or
/// the negative error number.
static int openBeneath(int folder, const std::string &location) {
  struct open_how how = {};
  how.flags = fileFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  // The kernel gives EAGAIN when a rename elsewhere keeps it from telling
  // whether the path left the folder.
  for (int attempt = 0; attempt < 16; ++attempt) {
    long fd = ::syscall(SYS_openat2, folder, location.c_str(), &how, sizeof how);
    if (fd >= 0)
      return static_cast<int>(fd);
    if (errno != EAGAIN && errno != EINTR)
      break;
  }
  return -errno;
}

/// Opens `name` in `folder` without following a link at its end.
static int openEntry(int folder, const char *name, int flags) {
  int fd = ::openat(folder, name, flags | O_NOFOLLOW);
  if (fd >= 0)
    return fd;
  int code = errno;
  // With O_DIRECTORY a link gives ENOTDIR.
  struct stat info;
  if (code == ENOTDIR && ::fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISLNK(info.st_mode))
    code = ELOOP;
  return -code;
}

/// The same folder by folder, for kernels before 5.6 and sandboxes that forbid
/// openat2. Each step is one name that is not "..", and follows no link, so
/// that none can leave the folder.
static int openStepwise(int folder, const std::string &location) {
  Descriptor current;
  size_t begin = 0;
  for (;;) {
    size_t slash = location.find('/', begin);
    std::string part = location.substr(begin, slash - begin);
    int parent = current.get() >= 0 ? current.get() : folder;
    if (slash == std::string::npos)
      return openEntry(parent, part.c_str(), fileFlags);
    begin = slash + 1;
    if (part.empty() || part == ".")
      continue;
    int next = openEntry(parent, part.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (next < 0)
      return next;
    current = Descriptor(next);
  }
}

Result<int> ExternalFiles::open(const std::string &location) const {
  Result<int> directory = openFolder();
  if (!directory)
    return directory.error();
  int fd = -ENOSYS;
  if (method == Method::Automatic)
    fd = openBeneath(*directory, location);
  // Sandboxes answer EPERM to calls they do not know.
  if (fd == -ENOSYS || fd == -EPERM)
    fd = openStepwise(*directory, location);
  if (fd < 0)
    return openError(location, -fd);
  return fd;
}

Result<std::span<const uint8_t>> ExternalFiles::map(std::string_view location) const {
  std::lock_guard<std::mutex> lock(mutex);
  if (auto known = mapped.find(location); known != mapped.end())
    return known->second.bytes();
  if (Status status = checkLocation(location); !status)
    return status.error();
  std::string path(location);
  Result<int> opened = open(path);
  if (!opened)
    return opened.error();
  Descriptor file(*opened);
  std::string name = "external file " + quote(location);
  struct stat info;
  if (::fstat(file.get(), &info) != 0)
    return Error{name + ": cannot read its state: " + std::strerror(errno)};
  if (!S_ISREG(info.st_mode))
    return Error{name + ": expected a regular file"};
  if (info.st_nlink > 1)
    return Error{name + ": expected a file with one name, found one with " +
                 std::to_string(info.st_nlink) +
                 " hard links, which is not allowed for external data"};
  Result<MappedFile> mapping = MappedFile::map(file.get(), name);
  if (!mapping)
    return mapping.error();
  return mapped.emplace(std::move(path), std::move(*mapping)).first->second.bytes();
}
