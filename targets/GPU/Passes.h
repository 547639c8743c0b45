//===- Passes.h - The passes that GPU targets share -------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_GPU_PASSES_H
#define WEFT_TARGETS_GPU_PASSES_H

#include "dialects/Weft/IR/Weft.h"
#include "targets/GPU/Chip.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "mlir/Pass/Pass.h"

namespace weft {

#define GEN_PASS_DECL
#include "targets/GPU/Passes.h.inc"

} // namespace weft

#endif // WEFT_TARGETS_GPU_PASSES_H
