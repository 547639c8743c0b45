//===- GPUPlugin.cpp - The passes that GPU targets share, registered ------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/Passes.h"
#include "weft/Registry.h"

namespace weft {

mlir::LogicalResult registerGPU(Registrar &registrar) {
  registrar.addPass(createMapToGPU);
  registrar.addPass([] { return createLowerMatrixProducts(); });
  registrar.addPass(createExpandRemainders);
  registrar.addPass(createLowerGPUMath);
  return mlir::success();
}

} // namespace weft
