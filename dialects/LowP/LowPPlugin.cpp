//===- LowPPlugin.cpp - The lowp dialect, registered like a plugin's ------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/IR/LowP.h"
#include "dialects/LowP/Transforms/Passes.h"
#include "weft/Registry.h"

namespace weft {

mlir::LogicalResult registerLowPDialect(Registrar &registrar) {
  registrar.addDialect<lowp::LowPDialect>();
  registrar.addPass(lowp::createFoldBasis);
  registrar.addPass([] { return lowp::createRaiseQuantization(); });
  registrar.addFormat(
      {"lowp.in_basis", "Any format, for numbers that are rotated along a dimension"});
  return mlir::success();
}

} // namespace weft
