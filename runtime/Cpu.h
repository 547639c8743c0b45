//===- Cpu.h - What the processor can do --------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_CPU_H
#define WEFT_RUNTIME_CPU_H

#include "Error.h"

namespace weft::runtime {

/// Appends the names out of the comma-separated `features` that this processor
/// lacks, or that the kernel does not save on a context switch, or that are not
/// known here. True if there are none.
bool hasFeatures(const char *features, Text &missing);

/// Threads that this process may use: the affinity mask and the CPU limit of
/// its cgroups (v2 and v1); at least 1.
int32_t usableThreads();

} // namespace weft::runtime

#endif // WEFT_RUNTIME_CPU_H
