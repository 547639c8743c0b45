//===- weft-reduce.cpp - Reduces IR to what shows a failure ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Session/ToolMain.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Tools/mlir-reduce/MlirReduceMain.h"
#include "llvm/Support/InitLLVM.h"

int main(int argc, char **argv) {
  llvm::InitLLVM initLLVM(argc, argv);
  weft::Registry registry;
  mlir::DialectRegistry dialects;
  if (!weft::initializeTool(argc, argv, registry, dialects))
    return EXIT_FAILURE;
  weft::PluginFlags pluginFlags;
  mlir::MLIRContext context(dialects);
  return mlir::failed(mlir::mlirReduceMain(argc, argv, context));
}
