//===- Tensor.h - Element types, sizes and shapes -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_TENSOR_H
#define WEFT_RUNTIME_TENSOR_H

#include "Error.h"

namespace weft::runtime {

/// Larger ranks are refused; no model has them.
constexpr int32_t maxRank = 64;

inline bool sameType(weft_dtype a, weft_dtype b) {
  return a.code == b.code && a.bits == b.bits && a.lanes == b.lanes;
}

/// True for the element types that have a name.
bool isKnownType(weft_dtype dtype);

/// The alignment in bytes that an element needs.
size_t elementAlignment(weft_dtype dtype);

/// Bytes of a tensor: false where an extent is negative or the size does not
/// fit in 63 bits. A tensor with an extent of 0 has none, whatever the others.
bool tensorBytes(weft_dtype dtype, int32_t rank, const int64_t *dims, uint64_t &bytes);

/// True if the strides are those of a contiguous row-major tensor. Strides of
/// extents 0 and 1 do not matter.
bool isContiguous(const weft_tensor &tensor);

} // namespace weft::runtime

#endif // WEFT_RUNTIME_TENSOR_H
