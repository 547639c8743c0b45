//===- Lowering.h - From buffers to LLVM for the CPU ------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_CPU_LOWERING_H
#define WEFT_TARGETS_CPU_LOWERING_H

#include "mlir/Support/LLVM.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace weft::cpu {

/// Appends the passes that lower host functions, and the kernels that the CPU runs or
/// launches, to LLVM. `lowerDeviceCode` appends those that take device modules away
/// once their launches are lowered; functions that it leaves behind are lowered
/// with the others.
void buildLowering(mlir::OpPassManager &passManager,
                   llvm::function_ref<void(mlir::OpPassManager &)> lowerDeviceCode = {});

} // namespace weft::cpu

#endif // WEFT_TARGETS_CPU_LOWERING_H
