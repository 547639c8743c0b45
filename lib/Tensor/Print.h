//===- Print.h - Tensors as text ------------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TENSOR_PRINT_H
#define WEFT_TENSOR_PRINT_H

#include "Tensor/Tensor.h"

namespace weft {

/// `value` with `digits` significant digits, or as few as identify it (0).
std::string printNumber(double value, int digits = 0);

/// Element `index` (row-major) in as few digits as identify it in its type.
std::string printElement(const Tensor &tensor, int64_t index);

/// "2x3xf32=[1 2 3][4 5 6]": the text that parseSpec reads back. After
/// `maxElements` elements it ends in "...".
std::string printTensor(const Tensor &tensor, int64_t maxElements);

} // namespace weft

#endif // WEFT_TENSOR_PRINT_H
