//===- LowerMatrixProducts.h - Matrix products for one chip -----*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_GPU_LOWERMATRIXPRODUCTS_H
#define WEFT_TARGETS_GPU_LOWERMATRIXPRODUCTS_H

#include "targets/GPU/Chip.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace weft::gpu {

/// Writes the matrix products that are left in `module` by `instruction`, which may be none.
mlir::LogicalResult lowerMatrixProducts(mlir::gpu::GPUModuleOp module,
                                        MatrixInstruction instruction);

} // namespace weft::gpu

#endif // WEFT_TARGETS_GPU_LOWERMATRIXPRODUCTS_H
