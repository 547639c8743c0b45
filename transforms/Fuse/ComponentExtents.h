//===- ComponentExtents.h - Components checked against their format -*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_FUSE_COMPONENTEXTENTS_H
#define WEFT_TRANSFORMS_FUSE_COMPONENTEXTENTS_H

#include "dialects/Weft/IR/Weft.h"

namespace weft {

/// Fails the call at run time unless the extents of a packed tensor's components agree
/// with each other, as far as its format says. Builds operations of a host function.
void assertComponentExtents(mlir::OpBuilder &b, mlir::Location loc, PackedType type,
                            mlir::ValueRange components);

} // namespace weft

#endif // WEFT_TRANSFORMS_FUSE_COMPONENTEXTENTS_H
