//===- SourceNodes.cpp - The nodes of the model in a location -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/SourceNodes.h"

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

using namespace mlir;
using namespace weft;

static void collectNames(Location loc, SmallVectorImpl<std::pair<StringRef, StringRef>> &names) {
  if (auto fused = dyn_cast<FusedLoc>(loc)) {
    for (Location part : fused.getLocations())
      collectNames(part, names);
  } else if (auto name = dyn_cast<NameLoc>(loc)) {
    auto child = dyn_cast<NameLoc>(name.getChildLoc());
    std::pair<StringRef, StringRef> entry{name.getName(), child ? child.getName().getValue() : ""};
    if (!llvm::is_contained(names, entry))
      names.push_back(entry);
  } else if (auto call = dyn_cast<CallSiteLoc>(loc)) {
    collectNames(call.getCallee(), names);
  }
}

SourceNodes weft::sourceNodesOf(Location loc) {
  SmallVector<std::pair<StringRef, StringRef>> names;
  collectNames(loc, names);
  SourceNodes source;
  for (auto [i, name] : llvm::enumerate(names)) {
    if (i == 4) {
      source.nodes += ", ...";
      source.operations += ", ...";
      break;
    }
    source.nodes += (i ? ", " : "") + name.first.str();
    source.operations += (i ? ", " : "") + name.second.str();
  }
  return source;
}

void weft::placeBlockArguments(Operation *op) {
  op->walk([](Block *block) {
    Operation *parent = block->getParentOp();
    if (block->isEntryBlock() && isa<FunctionOpInterface>(parent))
      return;
    for (BlockArgument argument : block->getArguments())
      argument.setLoc(parent->getLoc());
  });
}
