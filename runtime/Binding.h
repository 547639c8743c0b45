//===- Binding.h - Arguments against the signature ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_BINDING_H
#define WEFT_RUNTIME_BINDING_H

#include "Error.h"

namespace weft::runtime {

enum class Role { Input, Output };

/// Checks what can be said of one argument alone: type, rank, contiguity,
/// static extents, size, and, if `withData`, address and alignment. `bytes` is
/// its size.
weft_error *checkArgument(const Allocator &allocator, const weft_function &function, Role role,
                          uint32_t index, const weft_tensor &tensor, bool withData,
                          uint64_t &bytes);

/// Appends a shape of the signature: `[batch, 4, ?]`.
void appendSignature(Text &text, const weft_function &function, const weft_argument &argument);

} // namespace weft::runtime

#endif // WEFT_RUNTIME_BINDING_H
