//===- StaticSize.h - Shapes that no memory can hold ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_STATICSIZE_H
#define WEFT_FRONTEND_ONNX_STATICSIZE_H

#include "Frontend/ONNX/Importer.h"

#include <algorithm>

namespace weft::onnx {

/// Whether a tensor fits in the 2^47 bytes that a process can address, with each
/// extent that is not known counted as 1.
inline bool fitsInMemory(const TensorValue &value) {
  constexpr int64_t most = int64_t(1) << 47;
  int64_t count = 1;
  bool isEmpty = false, overflows = false;
  for (mlir::OpFoldResult dim : value.dims) {
    std::optional<int64_t> extent = DimBuilder::constantOf(dim);
    if (!extent || *extent < 0)
      continue;
    isEmpty |= *extent == 0;
    overflows |= __builtin_mul_overflow(count, std::max<int64_t>(*extent, 1), &count);
  }
  unsigned bits = bitWidth(value.elementType); // 0: a string's address
  int64_t size = 0;
  overflows |= __builtin_mul_overflow(count, int64_t(bits < 8 ? 64 : bits), &size);
  // The other extents of empty tensors are multiplied, too, for strides.
  return !overflows && (isEmpty || size / 8 <= most);
}

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_STATICSIZE_H
