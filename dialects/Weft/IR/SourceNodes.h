//===- SourceNodes.h - The nodes of the model in a location ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_WEFT_IR_SOURCENODES_H
#define WEFT_DIALECTS_WEFT_IR_SOURCENODES_H

#include "mlir/IR/Location.h"
#include "mlir/IR/Operation.h"

#include <string>

namespace weft {

/// Names for people: "a, b" and "Conv, Relu". Of more than four nodes the first
/// four and "...".
struct SourceNodes {
  std::string nodes, operations;
};

/// The nodes that `loc` names: importers give `loc("node"("operation"))`, fused
/// locations list what a kernel computes. Empty where it names none.
SourceNodes sourceNodesOf(mlir::Location loc);

/// Gives all block arguments below `op`, except the arguments of functions, the
/// locations of the operations that have the blocks.
void placeBlockArguments(mlir::Operation *op);

} // namespace weft

#endif // WEFT_DIALECTS_WEFT_IR_SOURCENODES_H
