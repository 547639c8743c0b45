//===- SizeSlice.h - Sizes as functions of a function's arguments ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_BUFFER_SIZESLICE_H
#define WEFT_TRANSFORMS_BUFFER_SIZESLICE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/IRMapping.h"

namespace weft {

/// Whether `value` is computed by pure operations from what `isRoot` accepts
/// and from constants.
bool isFunctionOf(mlir::Value value, llvm::function_ref<bool(mlir::Value)> isRoot);

/// Clones that computation at the builder's insertion point. `mapping` has the
/// roots' values and remembers what was cloned.
mlir::Value cloneFunctionOf(mlir::OpBuilder &builder, mlir::Value value, mlir::IRMapping &mapping);

/// Alignment of buffers in bytes: a cache line.
inline constexpr int64_t kAlignment = 64;

/// Products and sums of sizes in bytes (index values that are not negative), which
/// stop at 2^56 instead of wrapping: a workspace of that size is refused.
mlir::Value multiplySizes(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value x,
                          mlir::Value y);
mlir::Value addSizes(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value x, mlir::Value y);

/// A product of numbers of bytes, which stops at 2^56 too.
int64_t multiplyBytes(int64_t x, int64_t y);

/// What an integer computed by pure operations is where its roots are what `assume`
/// says. A number that cannot be told counts as `unknown`.
int64_t evaluateWith(mlir::Value value,
                     llvm::function_ref<std::optional<int64_t>(mlir::Value)> assume,
                     int64_t unknown);

/// The bytes of an element times the static extents, or nothing above 2^56.
std::optional<int64_t> staticFactor(mlir::MemRefType type);

} // namespace weft

#endif // WEFT_TRANSFORMS_BUFFER_SIZESLICE_H
