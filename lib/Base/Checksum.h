//===- Checksum.h - CRC-32C, as the module footer uses it -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_BASE_CHECKSUM_H
#define WEFT_BASE_CHECKSUM_H

#include <cstdint>
#include <span>

namespace weft {

/// The CRC-32C (Castagnoli polynomial, RFC 3720 appendix B.4) of the bytes that
/// gave `previous` followed by `bytes`; start with 0. Uses the CPU's
/// instruction where there is one (several GB/s), else a table.
uint32_t crc32c(uint32_t previous, std::span<const uint8_t> bytes);

/// The same by the table alone: for machines without the instruction, and for
/// comparing the two.
uint32_t crc32cPortable(uint32_t previous, std::span<const uint8_t> bytes);

} // namespace weft

#endif // WEFT_BASE_CHECKSUM_H
