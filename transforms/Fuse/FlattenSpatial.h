//===- FlattenSpatial.h - What may stand around a convolution ---*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_FUSE_FLATTENSPATIAL_H
#define WEFT_TRANSFORMS_FUSE_FLATTENSPATIAL_H

#include "mlir/IR/Operation.h"

namespace weft {

/// Whether `op` is elementwise over [n, m, spatial...] and can walk the spatial
/// dimensions as one, as a convolution does that became a contraction: each
/// operand has all of them, in order, or none.
bool canFlattenSpatial(mlir::Operation *op);

} // namespace weft

#endif // WEFT_TRANSFORMS_FUSE_FLATTENSPATIAL_H
