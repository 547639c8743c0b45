//===- Compare.cpp - Whether two tensors are equal enough -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor/Compare.h"

#include "Tensor/Print.h"

#include <algorithm>
#include <cmath>

using namespace weft;

static Dims positionOf(int64_t element, const Dims &dims) {
  Dims position(dims.size(), 0);
  for (size_t axis = dims.size(); axis-- > 0;) {
    position[axis] = element % dims[axis];
    element /= dims[axis];
  }
  return position;
}

static bool areClose(double actual, double expected, const Tolerance &tolerance) {
  if (std::isnan(actual) || std::isnan(expected))
    return std::isnan(actual) && std::isnan(expected);
  if (std::isinf(actual) || std::isinf(expected))
    return actual == expected;
  return std::fabs(actual - expected) <=
         tolerance.absolute + tolerance.relative * std::fabs(expected);
}

/// |a - b| of 64-bit integers, without overflow.
static double distance(DataType type, int64_t a, int64_t b) {
  bool isLess = isSignedInteger(type) ? a < b : uint64_t(a) < uint64_t(b);
  uint64_t difference = isLess ? uint64_t(b) - uint64_t(a) : uint64_t(a) - uint64_t(b);
  return static_cast<double>(difference);
}

Comparison weft::compareTensors(const Tensor &actual, const Tensor &expected,
                                const Tolerance &tolerance) {
  Comparison result;
  if (!isSame(actual.dtype(), expected.dtype()) || actual.dims() != expected.dims()) {
    result.message = "expected " + expected.typeName() + ", found " + actual.typeName();
    return result;
  }
  DataType type = componentType(actual.dtype());
  int64_t parts = componentCount(actual.dtype());
  int64_t last = -1; // the last unequal element, for complex parts
  result.count = actual.count();
  for (int64_t i = 0; i < actual.count() * parts; ++i) {
    double error, magnitude;
    bool isEqual;
    if (isString(type)) {
      isEqual = actual.stringAt(i) == expected.stringAt(i);
      error = magnitude = 0;
    } else if (isIntegral(type)) {
      int64_t a = loadInteger(type, actual.raw(), i);
      int64_t e = loadInteger(type, expected.raw(), i);
      if (a == e)
        continue;
      error = distance(type, a, e);
      isEqual = error <= tolerance.integer;
      magnitude = std::fabs(loadNumber(type, expected.raw(), i));
    } else {
      double a = loadNumber(type, actual.raw(), i);
      double e = loadNumber(type, expected.raw(), i);
      isEqual = areClose(a, e, tolerance);
      error = std::fabs(a - e);
      magnitude = std::fabs(e);
    }
    if (std::isfinite(error)) {
      result.meanAbsoluteError += error / static_cast<double>(actual.count() * parts);
      result.maxAbsoluteError = std::max(result.maxAbsoluteError, error);
      if (magnitude > 0 && std::isfinite(magnitude))
        result.maxRelativeError = std::max(result.maxRelativeError, error / magnitude);
    }
    int64_t element = i / parts;
    if (isEqual || element == last)
      continue;
    if (result.mismatches++ == 0)
      result.firstMismatch = positionOf(element, actual.dims());
    last = element;
  }
  result.isEqual = result.mismatches == 0;
  if (result.isEqual)
    return result;
  int64_t first = 0;
  for (size_t axis = 0; axis < result.firstMismatch.size(); ++axis)
    first = first * actual.dims()[axis] + result.firstMismatch[axis];
  std::string index;
  for (int64_t i : result.firstMismatch)
    index += (index.empty() ? "" : ", ") + std::to_string(i);
  result.message = "element [" + index + "] is " + printElement(actual, first) + ", expected " +
                   printElement(expected, first) + "; " + std::to_string(result.mismatches) +
                   " of " + std::to_string(result.count) +
                   " elements differ, largest absolute error " +
                   printNumber(result.maxAbsoluteError, 3) + ", relative " +
                   printNumber(result.maxRelativeError, 3);
  return result;
}
