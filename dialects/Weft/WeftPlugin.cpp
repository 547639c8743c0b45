//===- WeftPlugin.cpp - The core dialect, registered like a plugin's ------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "weft/Registry.h"

namespace weft {

mlir::LogicalResult registerWeftDialect(Registrar &registrar) {
  registrar.addDialect<WeftDialect>();
  registrar.addDialectExtension(attachWeftBufferization);
  registrar.addFormat({"weft.format", "Codes of 1 to 8 bits: integers and small floats"});
  return mlir::success();
}

} // namespace weft
