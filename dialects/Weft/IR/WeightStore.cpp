//===- WeightStore.cpp - Bytes of weights, outside the IR -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/WeightStore.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

#include <cerrno>
#include <cstring>
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
                                 std::shared_ptr<const void> owner, WeightSource source) {
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
    if (std::error_code error = sys::fs::createTemporaryFile("weft", "weights", file, path))
      return createStringError(error, "cannot create a temporary file in '%s'", directory.c_str());
    sys::fs::remove(path);
  }
  return file;
}

static Error storeError(int code, const char *action, size_t size) {
  return createStringError(std::error_code(code, std::generic_category()),
                           "cannot %s %zu bytes of derived weights in a temporary file: %s", action,
                           size, std::strerror(code));
}

Expected<WeightStore::Reservation> WeightStore::reserve(size_t size) {
  if (size == 0)
    return Reservation();
  std::lock_guard<std::mutex> lock(mutex);
  if (spillFile < 0) {
    Expected<int> file = openSpillFile();
    if (!file)
      return file.takeError();
    spillFile = *file;
  }
  // Each weight has whole pages of its own, so that release() can drop them.
  uint64_t offset = spillSize;
  uint64_t length = alignTo(size, 4096);
  if (int code =
          ::posix_fallocate(spillFile, static_cast<off_t>(offset), static_cast<off_t>(length)))
    return storeError(code, "store", size);
  void *mapping = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, spillFile,
                         static_cast<off_t>(offset));
  if (mapping == MAP_FAILED)
    return storeError(errno, "map", size);
  spillSize = offset + length;
  std::shared_ptr<const void> owner(
      mapping, [size](const void *p) { ::munmap(const_cast<void *>(p), size); });
  return Reservation{{static_cast<uint8_t *>(mapping), size}, offset, std::move(owner)};
}

std::string WeightStore::commit(StringRef key, Reservation reservation) {
  std::lock_guard<std::mutex> lock(mutex);
  if (!reservation.bytes.empty()) {
    // The pages stay in the kernel's cache, not in this process.
    void *memory = reservation.bytes.data();
    ::mprotect(memory, reservation.bytes.size(), PROT_READ);
    ::madvise(memory, reservation.bytes.size(), MADV_DONTNEED);
  }
  return insert(key, {reservation.bytes, std::move(reservation.owner), {"", reservation.offset}});
}

Expected<std::string> WeightStore::addDerived(StringRef key, ArrayRef<uint8_t> bytes) {
  Expected<Reservation> reservation = reserve(bytes.size());
  if (!reservation)
    return reservation.takeError();
  llvm::copy(bytes, reservation->bytes.begin());
  return commit(key, std::move(*reservation));
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
  return it->second.savedCopy ? *it->second.savedCopy : it->second.source;
}

void WeightStore::setSavedCopy(StringRef key, WeightSource copy) {
  std::lock_guard<std::mutex> lock(mutex);
  if (auto it = entries.find(key); it != entries.end())
    it->second.savedCopy = std::move(copy);
}

uint64_t WeightStore::checksum(StringRef key) {
  std::lock_guard<std::mutex> lock(mutex);
  Entry &entry = entries.find(key)->second;
  if (!entry.checksum)
    entry.checksum = xxh3_64bits(entry.bytes);
  return *entry.checksum;
}

Error WeightStore::copySpill(StringRef path) const {
  std::unique_lock<std::mutex> lock(mutex, std::try_to_lock);
  if (!lock)
    return createStringError(path + ": the weights are being changed");
  auto isSpilled = [](const auto &entry) {
    return entry.second.source.file.empty() && !entry.second.savedCopy;
  };
  if (none_of(entries, isSpilled))
    return Error::success();
  std::error_code code;
  raw_fd_ostream os(path, code, sys::fs::CD_CreateNew);
  if (code)
    return createStringError(code, path + ": " + code.message());
  for (const auto &entry : make_filter_range(entries, isSpilled)) {
    os.seek(entry.second.source.offset);
    os << toStringRef(entry.second.bytes);
  }
  os.close();
  code = os.error();
  os.clear_error();
  return code ? createStringError(code, path + ": " + code.message()) : Error::success();
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

void WeightStore::releaseUnless(function_ref<bool(StringRef)> isUsed) {
  std::vector<std::string> unused;
  {
    std::lock_guard<std::mutex> lock(mutex);
    for (StringRef key : entries.keys())
      if (!isUsed(key))
        unused.push_back(key.str());
  }
  for (const std::string &key : unused)
    release(key);
}
