//===- SparsePlugin.cpp - The sparse dialect, registered like a plugin's --===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Sparse/IR/Sparse.h"
#include "dialects/Sparse/Transforms/Passes.h"
#include "weft/Registry.h"

namespace weft {

mlir::LogicalResult registerSparseDialect(Registrar &registrar) {
  registrar.addDialect<sparse::SparseDialect>();
  registrar.addPass(sparse::createDecomposeSparse);
  registrar.addPass(sparse::createBridgeSparseTensors);
  return mlir::success();
}

} // namespace weft
