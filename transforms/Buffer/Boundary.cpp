//===- Boundary.cpp - Tensor arguments become memrefs ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Buffer/Boundary.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"

using namespace mlir;

SmallVector<Type>
weft::convertArgumentsToMemRefs(Block &body, RewriterBase &rewriter,
                                llvm::function_ref<bool(BlockArgument)> isWritable) {
  Location loc = body.getParentOp()->getLoc();
  SmallVector<Type> types;
  rewriter.setInsertionPointToStart(&body);
  for (BlockArgument argument : body.getArguments()) {
    auto tensor = dyn_cast<RankedTensorType>(argument.getType());
    if (!tensor) {
      types.push_back(argument.getType());
      continue;
    }
    auto memref = MemRefType::get(tensor.getShape(), tensor.getElementType());
    argument.setType(memref);
    types.push_back(memref);
    auto value = bufferization::ToTensorOp::create(rewriter, loc, tensor, argument,
                                                   /*restrict=*/true, isWritable(argument));
    rewriter.replaceAllUsesExcept(argument, value, value);
  }
  return types;
}
