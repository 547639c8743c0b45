//===- ChecksumTest.cpp - CRC-32C -----------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Base/Checksum.h"

#include <gtest/gtest.h>

#include <random>
#include <string_view>
#include <vector>

using namespace weft;

static std::span<const uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

// The vectors of RFC 3720, appendix B.4.
TEST(Checksum, KnownValues) {
  EXPECT_EQ(crc32c(0, {}), 0u);
  EXPECT_EQ(crc32c(0, bytes("123456789")), 0xE3069283u);
  std::vector<uint8_t> zeros(32, 0), ones(32, 0xff), rising(32);
  for (int i = 0; i < 32; ++i)
    rising[i] = i;
  EXPECT_EQ(crc32c(0, zeros), 0x8A9136AAu);
  EXPECT_EQ(crc32c(0, ones), 0x62A8AB43u);
  EXPECT_EQ(crc32c(0, rising), 0x46DD794Eu);
  EXPECT_EQ(crc32cPortable(0, rising), 0x46DD794Eu);
}

TEST(Checksum, TableEqualsInstruction) {
  std::mt19937 random(1);
  std::vector<uint8_t> data(1000);
  for (uint8_t &byte : data)
    byte = random();
  for (size_t size = 0; size < data.size(); ++size) {
    std::span<const uint8_t> all(data.data(), size);
    size_t cut = size ? random() % size : 0;
    uint32_t expected = crc32cPortable(0, all);
    EXPECT_EQ(crc32c(0, all), expected) << size;
    EXPECT_EQ(crc32c(crc32c(0, all.first(cut)), all.subspan(cut)), expected)
        << size << " cut at " << cut;
  }
}
