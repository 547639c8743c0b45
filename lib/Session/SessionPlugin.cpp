//===- SessionPlugin.cpp - The passes that need a session, registered -----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Session/HostEvaluator.h"
#include "weft/Registry.h"

namespace weft {

mlir::LogicalResult registerSession(Registrar &registrar) {
  registrar.addPass([] { return createEvaluateConstants(evaluateOnHost); });
  return mlir::success();
}

} // namespace weft
