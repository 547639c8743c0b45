//===- Checksum.cpp - CRC-32C, as the module footer uses it ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Base/Checksum.h"

#include <array>
#include <cstddef>
#include <cstring>

using namespace weft;

/// The Castagnoli polynomial 0x1EDC6F41, bits reversed.
static constexpr uint32_t kPolynomial = 0x82F63B78u;

using Tables = std::array<std::array<uint32_t, 256>, 8>;

/// tables[k][b] is the effect of byte b followed by k zero bytes, so that eight
/// bytes are folded at once.
static constexpr Tables makeTables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (size_t k = 1; k < 8; ++k)
    for (uint32_t byte = 0; byte < 256; ++byte) {
      uint32_t crc = tables[k - 1][byte];
      tables[k][byte] = (crc >> 8) ^ tables[0][crc & 0xff];
    }
  return tables;
}

static constexpr Tables kTables = makeTables();

uint32_t weft::crc32cPortable(uint32_t previous, std::span<const uint8_t> bytes) {
  uint32_t crc = ~previous;
  const uint8_t *data = bytes.data();
  size_t size = bytes.size();
  for (; size >= 8; data += 8, size -= 8) {
    uint32_t low = crc ^ (uint32_t(data[0]) | uint32_t(data[1]) << 8 | uint32_t(data[2]) << 16 |
                          uint32_t(data[3]) << 24);
    crc = kTables[7][low & 0xff] ^ kTables[6][(low >> 8) & 0xff] ^ kTables[5][(low >> 16) & 0xff] ^
          kTables[4][low >> 24] ^ kTables[3][data[4]] ^ kTables[2][data[5]] ^ kTables[1][data[6]] ^
          kTables[0][data[7]];
  }
  for (; size; ++data, --size)
    crc = (crc >> 8) ^ kTables[0][(crc ^ *data) & 0xff];
  return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
crc32cInstruction(uint32_t previous, std::span<const uint8_t> bytes) {
  uint64_t crc = uint32_t(~previous);
  const uint8_t *data = bytes.data();
  size_t size = bytes.size();
  for (; size >= 8; data += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    crc = __builtin_ia32_crc32di(crc, word);
  }
  uint32_t tail = static_cast<uint32_t>(crc);
  for (; size; ++data, --size)
    tail = __builtin_ia32_crc32qi(tail, *data);
  return ~tail;
}
#endif

uint32_t weft::crc32c(uint32_t previous, std::span<const uint8_t> bytes) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2"))
    return crc32cInstruction(previous, bytes);
#endif
  return crc32cPortable(previous, bytes);
}
