//===- AttnPlugin.cpp - The attention dialect, registered -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Attn/IR/Attn.h"
#include "dialects/Attn/Transforms/Passes.h"
#include "weft/Registry.h"

namespace weft {

mlir::LogicalResult registerAttnDialect(Registrar &registrar) {
  registrar.addDialect<attn::AttnDialect>();
  registrar.addPass(attn::createRaiseAttention);
  registrar.addPass(attn::createRaiseSoftmax);
  registrar.addPass(attn::createDecomposeAttend);
  return mlir::success();
}

} // namespace weft
