//===- Checksum.cpp - CRC-32C -------------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checksum.h"

#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

using namespace weft::runtime;

namespace {
/// One entry for each byte value, computed at compile time.
struct Table {
  uint32_t entries[256];
  constexpr Table() : entries() {
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit)
        value = (value >> 1) ^ (value & 1 ? 0x82F63B78u : 0);
      entries[i] = value;
    }
  }
};
} // namespace

static uint32_t crcByTable(uint32_t crc, const uint8_t *bytes, size_t size) {
  static constexpr Table table;
  for (size_t i = 0; i < size; ++i)
    crc = (crc >> 8) ^ table.entries[(crc ^ bytes[i]) & 255];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
crcByInstruction(uint32_t crc, const uint8_t *bytes, size_t size) {
  uint64_t wide = crc;
  for (; size >= 8; bytes += 8, size -= 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = uint32_t(wide);
  for (; size; ++bytes, --size)
    crc = _mm_crc32_u8(crc, *bytes);
  return crc;
}
#endif

uint32_t weft::runtime::crc32c(uint32_t checksum, const void *data,
                               size_t size) {
  const auto *bytes = static_cast<const uint8_t *>(data);
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2"))
    return ~crcByInstruction(~checksum, bytes, size);
#endif
  return ~crcByTable(~checksum, bytes, size);
}
