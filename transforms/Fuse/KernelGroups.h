//===- KernelGroups.h - What becomes one kernel -----------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_FUSE_KERNELGROUPS_H
#define WEFT_TRANSFORMS_FUSE_KERNELGROUPS_H

#include "mlir/IR/Operation.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SmallVector.h"

namespace weft {

/// Operations of one block that become one kernel, in their order.
using KernelGroup = llvm::SmallVector<mlir::Operation *>;

/// Whether `op` computes tensors and belongs into a kernel.
bool isKernelOperation(mlir::Operation *op);

/// The destination that result `result` is computed into, or null.
mlir::OpOperand *destinationOf(mlir::OpResult result);

/// The group of `root`, an operation that belongs into a kernel: the rows that
/// it is normalized with, or its start value, the weights that it decodes, itself
/// and the elementwise operations after it. Of `taken` none is in it.
KernelGroup formKernelGroup(mlir::Operation *root, const llvm::DenseSet<mlir::Operation *> &taken);

} // namespace weft

#endif // WEFT_TRANSFORMS_FUSE_KERNELGROUPS_H
