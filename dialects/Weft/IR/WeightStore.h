//===- WeightStore.h - Bytes of weights, outside the IR -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_WEFT_IR_WEIGHTSTORE_H
#define WEFT_DIALECTS_WEFT_IR_WEIGHTSTORE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace weft {

/// Where a weight's bytes can be found again: in a file, from an offset. An
/// empty file stands for the store's own spill file.
struct WeightSource {
  std::string file;
  uint64_t offset = 0;
};

/// The bytes of the weights of a context, by key. Views point into mapped model
/// files, kept alive by their owner; weights computed by the compiler go to a
/// spill file, which is mapped too, so that resident memory stays with the
/// kernel's page cache. Thread-safe. Bytes stay valid as long as the store.
class WeightStore {
public:
  WeightStore() = default;
  ~WeightStore();
  WeightStore(const WeightStore &) = delete;

  /// Adds a view of mapped bytes; `owner` keeps them alive. Returns the key
  /// under which they are stored: `key`, or a variant of it if it is taken.
  std::string addView(llvm::StringRef key, llvm::ArrayRef<uint8_t> bytes,
                      std::shared_ptr<const void> owner, WeightSource source);

  /// Memory of the spill file for a weight that is being computed: whole pages,
  /// which are there (a full disk is an error here, never a SIGBUS later). It is
  /// given back unless it is committed. Zero bytes need none.
  struct Reservation {
    llvm::MutableArrayRef<uint8_t> bytes;
    uint64_t offset = 0;
    std::shared_ptr<const void> owner;
  };
  llvm::Expected<Reservation> reserve(size_t size);

  /// Makes a weight of computed bytes, which are not written from then on.
  /// Returns its key, as addView does.
  std::string commit(llvm::StringRef key, Reservation reservation);

  /// Copies computed bytes to the spill file.
  llvm::Expected<std::string> addDerived(llvm::StringRef key, llvm::ArrayRef<uint8_t> bytes);

  /// The bytes of `key`, or nothing if there is no such weight.
  std::optional<llvm::ArrayRef<uint8_t>> lookup(llvm::StringRef key) const;

  /// Where `key` lies; for the list of weight files in printed modules.
  std::optional<WeightSource> source(llvm::StringRef key) const;

  /// Says where a derived weight has been written to; its source from then on.
  void setSavedCopy(llvm::StringRef key, WeightSource copy);

  /// XXH3-64 of the bytes of `key`, which must be there; computed once.
  uint64_t checksum(llvm::StringRef key);

  /// Writes the weights that are in the spill file only to a new file, each at
  /// its offset there; no file if there are none. For crash handlers too: fails
  /// where the store is in use.
  llvm::Error copySpill(llvm::StringRef path) const;

  /// Forgets a weight; its pages are given back where it was derived.
  void release(llvm::StringRef key);

  /// Forgets the weights of which `isUsed` is false.
  void releaseUnless(llvm::function_ref<bool(llvm::StringRef key)> isUsed);

private:
  struct Entry {
    llvm::ArrayRef<uint8_t> bytes;
    std::shared_ptr<const void> owner;
    WeightSource source;
    std::optional<WeightSource> savedCopy = std::nullopt;
    std::optional<uint64_t> checksum = std::nullopt;
  };
  std::string insert(llvm::StringRef key, Entry entry);

  mutable std::mutex mutex;
  llvm::StringMap<Entry> entries;
  int spillFile = -1;
  uint64_t spillSize = 0;
};

} // namespace weft

#endif // WEFT_DIALECTS_WEFT_IR_WEIGHTSTORE_H
