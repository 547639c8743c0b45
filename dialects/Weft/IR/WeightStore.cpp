//===- WeightStore.cpp - Bytes of weights, outside the IR -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/WeightStore.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace weft;
using namespace llvm;

WeightStore::~WeightStore() {
  if (spillFile >= 0)
    ::close(spillFile);
}

std::string WeightStore::insert(StringRef key, Entry entry) {
  std::string unique = key.str();
  for (unsigned i = 1; entries.contains(unique); ++i)
    unique = formatv("{0}.{1}", key, i);
  entries.insert({unique, std::move(entry)});
  return unique;
}

std::string WeightStore::addView(StringRef key, ArrayRef<uint8_t> bytes,
                                 std::shared_ptr<const void> owner,
                                 WeightSource source) {
  std::lock_guard<std::mutex> lock(mutex);
  return insert(key, {bytes, std::move(owner), std::move(source)});
}

/// An unnamed temporary file, on disk so that its pages can leave memory.
static Expected<int> openSpillFile() {
  SmallString<128> directory;
  sys::path::system_temp_directory(/*erasedOnReboot=*/true, directory);
  int file = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) {
    SmallString<128> path;
    if (std::error_code error =
            sys::fs::createTemporaryFile("weft", "weights", file, path))
      return createStringError(error, "cannot create a temporary file in '%s'",
                               directory.c_str());
    sys::fs::remove(path);
  }
  return file;
}

Expected<std::string> WeightStore::addDerived(StringRef key,
                                              ArrayRef<uint8_t> bytes) {
  std::lock_guard<std::mutex> lock(mutex);
  if (bytes.empty())
    return insert(key, {bytes, nullptr, {}});
  if (spillFile < 0) {
    Expected<int> file = openSpillFile();
    if (!file)
      return file.takeError();
    spillFile = *file;
  }
  // Each weight has whole pages of its own, so that release() can drop them.
  uint64_t offset = spillSize;
  uint64_t length = alignTo(bytes.size(), 4096);
  for (size_t done = 0; done < bytes.size();) {
    ssize_t written = ::pwrite(spillFile, bytes.data() + done,
                               bytes.size() - done, offset + done);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return createStringError(std::error_code(errno, std::generic_category()),
                               "cannot write %zu bytes of derived weights to a "
                               "temporary file",
                               bytes.size());
    done += static_cast<size_t>(written);
  }
  void *mapping = ::mmap(nullptr, bytes.size(), PROT_READ, MAP_SHARED,
                         spillFile, static_cast<off_t>(offset));
  if (mapping == MAP_FAILED)
    return createStringError(std::error_code(errno, std::generic_category()),
                             "cannot map derived weights");
  spillSize = offset + length;
  size_t size = bytes.size();
  std::shared_ptr<const void> owner(
      mapping, [size](const void *p) { ::munmap(const_cast<void *>(p), size); });
  return insert(key, {{static_cast<const uint8_t *>(mapping), size},
                      std::move(owner),
                      {"", offset}});
}

std::optional<ArrayRef<uint8_t>> WeightStore::lookup(StringRef key) const {
  std::lock_guard<std::mutex> lock(mutex);
  auto it = entries.find(key);
  if (it == entries.end())
    return std::nullopt;
  return it->second.bytes;
}

std::optional<WeightSource> WeightStore::source(StringRef key) const {
  std::lock_guard<std::mutex> lock(mutex);
  auto it = entries.find(key);
  if (it == entries.end())
    return std::nullopt;
  return it->second.source;
}

void WeightStore::release(StringRef key) {
  std::lock_guard<std::mutex> lock(mutex);
  auto it = entries.find(key);
  if (it == entries.end())
    return;
  Entry &entry = it->second;
  if (entry.source.file.empty() && !entry.bytes.empty())
    ::fallocate(spillFile, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                static_cast<off_t>(entry.source.offset),
                static_cast<off_t>(alignTo(entry.bytes.size(), 4096)));
  entries.erase(it);
}
