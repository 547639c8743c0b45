//===- Families.h - The built-in operators, a file a family ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_FAMILIES_H
#define WEFT_FRONTEND_ONNX_OPS_FAMILIES_H

#include "weft/Frontend/ONNX.h"

#include <climits>

namespace weft {
class Registrar;
}

namespace weft::onnx {

/// A row of the table of builders: an operator, the opsets from `since` to
/// `until` that the builder takes, and how many inputs must be there (the first
/// `minInputs`) and may be there.
struct OpEntry {
  const char *name;
  int64_t since;
  unsigned minInputs;
  unsigned maxInputs;
  NodeBuilder builder;
  int64_t until = INT64_MAX;
};

inline constexpr unsigned kAnyNumber = UINT_MAX;

/// Adds rows of the table; checks the numbers of inputs before the builders run.
void addOps(Registrar &registrar, llvm::StringRef domain, llvm::ArrayRef<OpEntry> entries);

inline constexpr llvm::StringLiteral kMicrosoftDomain = "com.microsoft";
inline constexpr llvm::StringLiteral kMLDomain = "ai.onnx.ml";

#define WEFT_ONNX_FAMILY(NAME) void register##NAME##Ops(Registrar &registrar);
#include "Frontend/ONNX/Ops/Families.inc"
#undef WEFT_ONNX_FAMILY

void registerAllFamilies(Registrar &registrar);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_OPS_FAMILIES_H
