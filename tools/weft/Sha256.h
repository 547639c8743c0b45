//===- Sha256.h - The hash of the compile cache ---------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TOOLS_WEFT_SHA256_H
#define WEFT_TOOLS_WEFT_SHA256_H

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weft {

/// SHA-256 (FIPS 180-4), with the CPU's instructions for it where it has them.
class Sha256 {
public:
  /// `mayUseInstructions` is for tests.
  explicit Sha256(bool mayUseInstructions = true);
  void update(std::span<const uint8_t> bytes);
  void update(std::string_view text) {
    update(std::span<const uint8_t>(reinterpret_cast<const uint8_t *>(text.data()), text.size()));
  }
  /// 64 hexadecimal digits; ends the hash.
  std::string finish();

private:
  uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  bool isFast;
  uint8_t block[64];
  uint64_t length = 0;
};

} // namespace weft

#endif // WEFT_TOOLS_WEFT_SHA256_H
