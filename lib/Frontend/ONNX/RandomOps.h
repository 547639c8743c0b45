//===- RandomOps.h - Random numbers by position ---------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Random numbers are a function of a key and a position (Philox4x32-10, Salmon
// et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011), so that they
// do not depend on threads or order, and every call gives the same ones. The key
// is the node's seed; without one it is derived from the node's name, so that
// nodes differ from one another.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_RANDOMOPS_H
#define WEFT_FRONTEND_ONNX_RANDOMOPS_H

#include "Frontend/ONNX/TensorOps.h"

#include <array>

namespace weft::onnx {

/// The key of a node's random numbers, from its attribute `seed` (a float, or
/// an int for some operators) or its name.
uint64_t randomKey(NodeContext &node);

/// Four words (i32) of random bits at a position: `position` is an index,
/// `stream` one too, of which the low 32 bits count.
std::array<mlir::Value, 4> randomWords(mlir::OpBuilder &b, mlir::Location loc, uint64_t key,
                                       mlir::Value position, mlir::Value stream);
/// A number in [0, 1) of type f32 (from 24 bits of `high`) or f64 (from 53 bits
/// of both words).
mlir::Value uniformFromWords(mlir::OpBuilder &b, mlir::Location loc, mlir::Type type,
                             mlir::Value high, mlir::Value low);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_RANDOMOPS_H
