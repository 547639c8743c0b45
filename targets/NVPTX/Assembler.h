//===- Assembler.h - PTX to machine code ------------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_NVPTX_ASSEMBLER_H
#define WEFT_TARGETS_NVPTX_ASSEMBLER_H

#include "targets/GPU/Serialize.h"

namespace weft::nvptx {

/// The path of CUDA's assembler: in PATH, or in CUDA_HOME. None if it is nowhere.
std::optional<std::string> findAssembler();

/// Assembles `ptx` for `chip` with the assembler at `path`; the result has what it says of
/// each function. Fails with its message.
llvm::Expected<gpu::DeviceObject> assemble(llvm::StringRef path, llvm::StringRef ptx,
                                           const gpu::Chip &chip, unsigned optLevel);

} // namespace weft::nvptx

#endif // WEFT_TARGETS_NVPTX_ASSEMBLER_H
