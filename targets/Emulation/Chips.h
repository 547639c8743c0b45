//===- Chips.h - GPUs that the CPU plays ------------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_EMULATION_CHIPS_H
#define WEFT_TARGETS_EMULATION_CHIPS_H

#include "targets/GPU/Chip.h"

#include "mlir/IR/BuiltinOps.h"

namespace weft::emulation {

/// They differ in the size of their subgroups, which is 32 where none is named, and in
/// their instructions for matrices.
inline constexpr gpu::Chip kChips[] = {
    {"lanes32", "", 32, 48 * 1024, 65536, gpu::MatrixInstruction::None},
    {"lanes64", "", 64, 48 * 1024, 65536, gpu::MatrixInstruction::None},
    {"lanes32-mma", "", 32, 48 * 1024, 65536, gpu::MatrixInstruction::MMASync},
    {"lanes64-mfma", "", 64, 48 * 1024, 65536, gpu::MatrixInstruction::MFMA},
    {"lanes64-mfma2", "", 64, 48 * 1024, 65536, gpu::MatrixInstruction::MFMA2},
    {"lanes32-wmma11", "", 32, 48 * 1024, 65536, gpu::MatrixInstruction::WMMA11},
    {"lanes32-wmma12", "", 32, 48 * 1024, 65536, gpu::MatrixInstruction::WMMA12},
};

/// The chip that `module` is for: the one that it names, else the first. Fails where it names
/// several.
mlir::FailureOr<gpu::Chip> chooseChip(mlir::ModuleOp module);

} // namespace weft::emulation

#endif // WEFT_TARGETS_EMULATION_CHIPS_H
