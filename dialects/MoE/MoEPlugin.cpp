//===- MoEPlugin.cpp - The moe dialect, registered like a plugin's --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/Transforms/Passes.h"
#include "weft/Registry.h"

namespace weft {

mlir::LogicalResult registerMoEDialect(Registrar &registrar) {
  registrar.addDialect<moe::MoEDialect>();
  registrar.addPass(moe::createRaiseExperts);
  registrar.addPass(moe::createRaiseDenseExperts);
  registrar.addPass(moe::createRaiseDispatch);
  registrar.addPass(moe::createRaiseRouting);
  registrar.addPass(moe::createDecomposeDepth);
  registrar.addPass(moe::createDecomposeAggregates);
  return mlir::success();
}

} // namespace weft
