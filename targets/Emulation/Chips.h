//===- Chips.h - GPUs that the CPU plays ------------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_EMULATION_CHIPS_H
#define WEFT_TARGETS_EMULATION_CHIPS_H

#include "targets/GPU/Chip.h"

namespace weft::emulation {

/// They differ in the size of their subgroups, which is 32 where none is named.
inline constexpr gpu::Chip kChips[] = {
    {"lanes32", "", 32, 48 * 1024, 65536, ""},
    {"lanes64", "", 64, 48 * 1024, 65536, ""},
};

} // namespace weft::emulation

#endif // WEFT_TARGETS_EMULATION_CHIPS_H
