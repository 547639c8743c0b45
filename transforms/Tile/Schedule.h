//===- Schedule.h - What a schedule refers to -----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_TILE_SCHEDULE_H
#define WEFT_TRANSFORMS_TILE_SCHEDULE_H

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Interfaces/TilingInterface.h"

namespace weft {

/// The operation whose loops `#weft.schedule` tiles: the one that computes all
/// that the kernel yields. Null if there is none that can be tiled.
mlir::TilingInterface getScheduledRoot(KernelOp kernel);

} // namespace weft

#endif // WEFT_TRANSFORMS_TILE_SCHEDULE_H
