//===- GenerateObjects.h - A lowered module as objects --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_SESSION_GENERATEOBJECTS_H
#define WEFT_SESSION_GENERATEOBJECTS_H

#include "Package/ObjectEmitter.h"
#include "targets/CPU/Chip.h"

#include "mlir/IR/BuiltinOps.h"

#include <vector>

namespace weft {

struct GenerateOptions {
  unsigned optLevel = 3;
  /// How many objects are made at a time; the objects do not depend on it.
  unsigned jobs = 1;
  /// Folder for the assembly of each object; empty: none is kept.
  std::string assemblyFolder;
  /// Receives LLVM's warnings, in the order of the objects.
  llvm::function_ref<void(llvm::StringRef)> onWarning = nullptr;
};

/// Makes machine code of `module`, which the stage `target` has lowered: an
/// object for each kernel, in the order of `weft.kernels`, then for each further
/// variant in that of `weft.variant_kernels`, each with the functions and
/// constants that only it uses, then one for what is left, the host functions.
/// `chips` has the variants' processors in this order; the host functions run
/// on all of them. Every object has an LLVM context of its own, so that they
/// are made in parallel. What several of them use is copied to each.
///
/// Takes the functions out of `module`. Fails where LLVM does, where mutable
/// data would have to be copied, and where the assembly cannot be written.
llvm::Expected<std::vector<ObjectBuffer>> generateObjects(mlir::ModuleOp module,
                                                          llvm::ArrayRef<cpu::Chip> chips,
                                                          const GenerateOptions &options);

} // namespace weft

#endif // WEFT_SESSION_GENERATEOBJECTS_H
