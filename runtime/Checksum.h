//===- Checksum.h - CRC-32C ---------------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_CHECKSUM_H
#define WEFT_RUNTIME_CHECKSUM_H

#include <cstddef>
#include <cstdint>

namespace weft::runtime {

/// Continues a CRC-32C (Castagnoli, reflected 0x82F63B78, as in iSCSI); start
/// with 0. The SSE 4.2 instruction does it where there is one.
uint32_t crc32c(uint32_t checksum, const void *data, size_t size);

} // namespace weft::runtime

#endif // WEFT_RUNTIME_CHECKSUM_H
