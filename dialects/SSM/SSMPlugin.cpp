//===- SSMPlugin.cpp - The ssm dialect, registered like a plugin's --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/Transforms/Passes.h"
#include "weft/Registry.h"

namespace weft {

mlir::LogicalResult registerSSMDialect(Registrar &registrar) {
  registrar.addDialect<ssm::SSMDialect>();
  registrar.addPass(ssm::createRaiseCausalConvolutions);
  registrar.addPass(ssm::createRaiseChunkedScans);
  registrar.addPass(ssm::createRaiseLoops);
  registrar.addPass(ssm::createRaiseUnrolledLoops);
  registrar.addPass(ssm::createRaiseRecurrences);
  registrar.addPass(ssm::createRaiseSegmentSums);
  registrar.addPass(ssm::createSplitScans);
  return mlir::success();
}

} // namespace weft
