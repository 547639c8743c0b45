//===- Weights.cpp - Weights files --------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Weights.h"
#include "ModuleFile.h"

#include <cerrno>
#include <cinttypes>
#include <sys/mman.h>

using namespace weft::runtime;

/// The format's own limit on the length of the JSON header.
static constexpr uint64_t maxHeader = 100000000;
static constexpr const char hashKey[] = "weft.hash";

Weights::~Weights() {
  if (mapped)
    munmap(const_cast<unsigned char *>(bytes), length);
}

namespace {
/// Walks over JSON text without building anything: enough to find one string.
class JsonScanner {
public:
  JsonScanner(const char *begin, uint64_t size) : at(begin), end(begin + size) {}

  void skipSpace() {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
      ++at;
  }
  bool take(char c) {
    skipSpace();
    if (at >= end || *at != c)
      return false;
    ++at;
    return true;
  }
  /// The raw text of a string.
  bool string(const char *&text, uint64_t &size) {
    if (!take('"'))
      return false;
    text = at;
    for (; at < end; ++at) {
      if (*at == '"') {
        size = uint64_t(at++ - text);
        return true;
      }
      if (*at == '\\' && ++at == end)
        return false;
    }
    return false;
  }
  /// Skips one value. Brackets are counted, not matched by kind, which is
  /// enough not to lose the way in text that is well formed.
  bool skipValue() {
    skipSpace();
    uint64_t depth = 0;
    const char *text;
    uint64_t size;
    while (at < end) {
      const char c = *at;
      if (c == '"') {
        if (!string(text, size))
          return false;
        if (!depth)
          return true;
        continue;
      }
      if (c == '{' || c == '[') {
        ++depth;
      } else if (c == '}' || c == ']') {
        if (!depth)
          return true; // ends a number or literal of the enclosing value
        if (--depth == 0) {
          ++at;
          return true;
        }
      } else if (c == ',' && !depth) {
        return true;
      }
      ++at;
    }
    return false;
  }

private:
  const char *at, *end;
};
} // namespace

static bool equals(const char *text, uint64_t size, const char *other) {
  return size == strlen(other) && memcmp(text, other, size) == 0;
}

/// Looks for string `key` among the members of the object at the scanner.
static Metadata findString(JsonScanner &scanner, const char *key, const char *&value,
                           uint64_t &valueSize) {
  if (!scanner.take('{'))
    return Metadata::Malformed;
  if (scanner.take('}'))
    return Metadata::Missing;
  do {
    const char *name;
    uint64_t size;
    if (!scanner.string(name, size) || !scanner.take(':'))
      return Metadata::Malformed;
    if (equals(name, size, key))
      return scanner.string(value, valueSize) ? Metadata::Found : Metadata::Malformed;
    if (!scanner.skipValue())
      return Metadata::Malformed;
  } while (scanner.take(','));
  return scanner.take('}') ? Metadata::Missing : Metadata::Malformed;
}

Metadata weft::runtime::findMetadata(const char *json, uint64_t size, const char *key,
                                     const char *&value, uint64_t &valueSize) {
  JsonScanner scanner(json, size);
  if (!scanner.take('{'))
    return Metadata::Malformed;
  if (scanner.take('}'))
    return Metadata::Missing;
  do {
    const char *name;
    uint64_t nameSize;
    if (!scanner.string(name, nameSize) || !scanner.take(':'))
      return Metadata::Malformed;
    if (equals(name, nameSize, "__metadata__"))
      return findString(scanner, key, value, valueSize);
    if (!scanner.skipValue())
      return Metadata::Malformed;
  } while (scanner.take(','));
  return scanner.take('}') ? Metadata::Missing : Metadata::Malformed;
}

static void formatHash(const uint8_t (&hash)[32], char (&text)[65]) {
  for (int i = 0; i < 32; ++i) {
    text[2 * i] = "0123456789abcdef"[hash[i] >> 4];
    text[2 * i + 1] = "0123456789abcdef"[hash[i] & 15];
  }
  text[64] = 0;
}

/// Checks that the `size` bytes at `data` are the weights file of `module`.
static weft_error *checkWeights(const Allocator &allocator, const char *path,
                                const unsigned char *data, uint64_t size,
                                const weft_module &module) {
  if (size != module.weights_size)
    return makeError(allocator, WEFT_DATA_LOSS,
                     "weights file '%s' has %" PRIu64 " bytes, module '%s' "
                     "expects %" PRIu64 ": it is %s",
                     path, size, module.name, module.weights_size,
                     size < module.weights_size ? "truncated or another module's"
                                                : "another module's");
  uint64_t header = 0;
  if (size >= sizeof(header))
    memcpy(&header, data, sizeof(header));
  if (size < sizeof(header) || header > maxHeader || header > size - sizeof(header))
    return makeError(allocator, WEFT_DATA_LOSS,
                     "weights file '%s' is not a safetensors file: its header "
                     "of %" PRIu64 " bytes does not fit in %" PRIu64,
                     path, header, size);
  const char *value = nullptr;
  uint64_t valueSize = 0;
  char expected[65];
  formatHash(module.weights_hash, expected);
  switch (findMetadata(reinterpret_cast<const char *>(data) + sizeof(header), header, hashKey,
                       value, valueSize)) {
  case Metadata::Malformed:
    return makeError(allocator, WEFT_DATA_LOSS,
                     "weights file '%s' is not a safetensors file: its header "
                     "is not a JSON object",
                     path);
  case Metadata::Missing:
    return makeError(allocator, WEFT_FAILED_PRECONDITION,
                     "weights file '%s' has no '%s' in its metadata, expected "
                     "%s: it was not written for module '%s'",
                     path, hashKey, expected, module.name);
  case Metadata::Found:
    break;
  }
  if (!equals(value, valueSize, expected))
    return makeError(allocator, WEFT_FAILED_PRECONDITION,
                     "weights file '%s' belongs to another module: its hash "
                     "is %.*s, module '%s' expects %s",
                     path, int(valueSize < 80 ? valueSize : 80), value, module.name, expected);
  for (uint32_t i = 0; i < module.weight_count; ++i)
    if (module.weight_table[i].offset < sizeof(header) + header)
      return makeError(allocator, WEFT_DATA_LOSS,
                       "weights file '%s': weight '%s' begins at byte %" PRIu64
                       ", inside the header",
                       path, module.weight_table[i].name, module.weight_table[i].offset);
  return nullptr;
}

weft_error *Weights::open(const Allocator &allocator, const char *path, const weft_module &module) {
  File file;
  uint64_t size = 0;
  if (weft_error *error = openFile(allocator, "weights file", path, file, size))
    return error;
  // The size comes first: a mapping beyond the file's end is a SIGBUS.
  if (size != module.weights_size || size == 0)
    return checkWeights(allocator, path, nullptr, size, module);
  void *address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED)
    return makeError(allocator, WEFT_RESOURCE_EXHAUSTED,
                     "weights file '%s' of %" PRIu64 " bytes cannot be mapped: %s", path, size,
                     strerror(errno));
  const auto *data = static_cast<const unsigned char *>(address);
  if (weft_error *error = checkWeights(allocator, path, data, size, module)) {
    munmap(address, size);
    return error;
  }
  bytes = data;
  length = size;
  mapped = true;
  return nullptr;
}

weft_error *Weights::borrow(const Allocator &allocator, const void *data, uint64_t size,
                            const weft_module &module) {
  if (reinterpret_cast<uintptr_t>(data) % WEFT_BUFFER_ALIGNMENT)
    return makeError(allocator, WEFT_INVALID_ARGUMENT,
                     "the given weights of module '%s' are not aligned to %d "
                     "bytes",
                     module.name, WEFT_BUFFER_ALIGNMENT);
  const auto *given = static_cast<const unsigned char *>(data);
  if (weft_error *error = checkWeights(allocator, "in memory", given, size, module))
    return error;
  bytes = given;
  length = size;
  return nullptr;
}
