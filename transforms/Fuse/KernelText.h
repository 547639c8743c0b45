//===- KernelText.h - Kernels as text by which they are compared ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_FUSE_KERNELTEXT_H
#define WEFT_TRANSFORMS_FUSE_KERNELTEXT_H

#include "dialects/Weft/IR/Weft.h"

namespace weft {

/// All of a kernel but locations, whatever flags the tool was given for printing. Kernels
/// that print alike are equal.
std::string printWithoutLocations(KernelOp kernel);

} // namespace weft

#endif // WEFT_TRANSFORMS_FUSE_KERNELTEXT_H
