//===- HostEvaluator.h - Runs IR while compiling ----------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_LIB_SESSION_HOSTEVALUATOR_H
#define WEFT_LIB_SESSION_HOSTEVALUATOR_H

#include "transforms/Model/EvaluateConstants.h"

namespace weft {

/// Compiles `module` through the stages `fuse` to `target` for this
/// machine and runs the function in this process, on one thread: the
/// ConstantEvaluator of a session.
///
/// Code is generated for x86-64-v3, or x86-64-v2 where this machine is no more,
/// whatever the module is for, so that weights do not depend on it.
llvm::Expected<llvm::SmallVector<EvaluatedTensor>>
evaluateOnHost(mlir::OwningOpRef<mlir::ModuleOp> module, int64_t maxBytes);

} // namespace weft

#endif // WEFT_LIB_SESSION_HOSTEVALUATOR_H
