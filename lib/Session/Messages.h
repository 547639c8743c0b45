//===- Messages.h - What a compilation tells its user -----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_SESSION_MESSAGES_H
#define WEFT_SESSION_MESSAGES_H

#include "weft/Session.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

namespace weft {

/// The lines of a diagnostic: its message, where it has a place in a file, and
/// its notes. Operations are never printed: a user wants the sentence.
std::string renderDiagnostic(mlir::Diagnostic &diagnostic);

/// Gives `diagnose` the remarks whose category matches `categories`, a line each.
mlir::LogicalResult enableRemarks(mlir::MLIRContext &context, const std::string &categories,
                                  Session::Diagnose diagnose);

} // namespace weft

#endif // WEFT_SESSION_MESSAGES_H
