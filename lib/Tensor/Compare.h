//===- Compare.h - Whether two tensors are equal enough -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TENSOR_COMPARE_H
#define WEFT_TENSOR_COMPARE_H

#include "Tensor/Tensor.h"

namespace weft {

/// Two floats are equal if |actual - expected| <= absolute + relative *
/// |expected|, if both are NaN, or if they are the same infinity. The defaults
/// are those of the ONNX test suite.
struct Tolerance {
  double relative = 1e-3;
  double absolute = 1e-7;
  /// What integers may differ by.
  double integer = 0;
};

struct Comparison {
  bool isEqual = false;
  /// Elements compared and, of them, unequal.
  int64_t count = 0, mismatches = 0;
  /// Position of the first unequal element; complex parts count as one.
  Dims firstMismatch;
  /// Largest finite |actual - expected|, and largest such error divided by
  /// |expected| where that is not zero.
  double maxAbsoluteError = 0, maxRelativeError = 0;
  /// The mean of |actual - expected| over elements where it is finite.
  double meanAbsoluteError = 0;
  /// One sentence about the first difference; empty if equal.
  std::string message;
};

/// Strings, integers and booleans are compared exactly, unless integers may differ. Types and
/// shapes must be the same, else the message says so and `count` is 0.
Comparison compareTensors(const Tensor &actual, const Tensor &expected, const Tolerance &tolerance);

} // namespace weft

#endif // WEFT_TENSOR_COMPARE_H
