//===- BuildModuleInfo.h - From the IR's attributes to the descriptor -----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_SESSION_BUILDMODULEINFO_H
#define WEFT_SESSION_BUILDMODULEINFO_H

#include "Package/ModuleInfo.h"
#include "Package/Weights.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/IR/BuiltinOps.h"

namespace weft {

/// What a lowered module says about itself, and the weights it needs in the
/// order of its weight table.
struct ModuleContents {
  ModuleInfo info;
  std::vector<Weight> weights;
};

/// Reads the attributes that the lowering of host functions leaves on a module.
/// Emits an error if they are missing, or if a weight is not in the store.
mlir::FailureOr<ModuleContents> buildModuleContents(mlir::ModuleOp module);

/// "f32" and the like as the ABI has it.
std::optional<weft_dtype> parseDtype(llvm::StringRef name);

} // namespace weft

#endif // WEFT_SESSION_BUILDMODULEINFO_H
