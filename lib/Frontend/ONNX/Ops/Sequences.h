//===- Sequences.h - Sequences and optionals of ONNX ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_SEQUENCES_H
#define WEFT_FRONTEND_ONNX_OPS_SEQUENCES_H

#include "llvm/ADT/StringRef.h"

namespace weft::onnx {

/// Whether an operator may be given a sequence as input `input`. All others expect
/// tensors, which a sequence is not.
bool takesSequence(llvm::StringRef domain, llvm::StringRef op, size_t input);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_OPS_SEQUENCES_H
