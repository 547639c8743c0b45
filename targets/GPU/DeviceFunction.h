//===- DeviceFunction.h - Functions of a device module ----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_GPU_DEVICEFUNCTION_H
#define WEFT_TARGETS_GPU_DEVICEFUNCTION_H

#include "targets/GPU/Launches.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/IRMapping.h"

namespace weft::gpu {

/// Appends to `module` the function of `launch`, number `number` of `kernel`, with what its
/// operations use but without them: `mapping` has it. `operands` receives what is passed to
/// it: `blocks`, numbers, extents of buffers, addresses. Where `b` stands, what is computed of
/// them on the host is inserted.
mlir::gpu::GPUFuncOp createDeviceFunction(mlir::RewriterBase &b, mlir::gpu::GPUModuleOp module,
                                          KernelOp kernel, unsigned number, const Launch &launch,
                                          mlir::Value blocks,
                                          llvm::SmallVectorImpl<mlir::Value> &operands,
                                          mlir::IRMapping &mapping);

/// Gives the module of `function` the constants of `kernel` that it reads.
void useConstants(mlir::RewriterBase &b, mlir::gpu::GPUFuncOp function, KernelOp kernel);

/// Replaces extents of the buffers of `function` by its arguments.
void useExtents(mlir::RewriterBase &b, mlir::gpu::GPUFuncOp function);

} // namespace weft::gpu

#endif // WEFT_TARGETS_GPU_DEVICEFUNCTION_H
