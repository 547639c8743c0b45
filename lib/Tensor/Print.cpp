//===- Print.cpp - Tensors as text ----------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor/Print.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

using namespace weft;

template <typename T> static std::string shortest(T value) {
  char buffer[64];
  return std::string(buffer, std::to_chars(buffer, std::end(buffer), value).ptr);
}

std::string weft::printNumber(double value, int digits) {
  if (digits == 0)
    return shortest(value);
  char buffer[64];
  std::to_chars_result end = std::to_chars(buffer, std::end(buffer), value,
                                           std::chars_format::general, std::min(digits, 17));
  return std::string(buffer, end.ptr);
}

/// The fewest digits that give back the value in a type narrower than f32.
static std::string shortestNarrow(DataType type, double value) {
  constexpr int enough = 5; // 11 significant bits need no more
  if (std::fabs(value) < 1e5 && value == std::trunc(value))
    return shortest(value); // 448, not 4.5e+02
  for (int digits = 1; digits < enough; ++digits) {
    std::string text = printNumber(value, digits);
    double back = 0;
    std::from_chars(text.data(), text.data() + text.size(), back);
    if (encodeFloat(type, back) == encodeFloat(type, value))
      return text;
  }
  return printNumber(value, enough);
}

static std::string printPart(DataType type, const uint8_t *data, int64_t index) {
  if (isBool(type))
    return loadBits(type, data, index) ? "1" : "0";
  if (isSignedInteger(type))
    return shortest(loadInteger(type, data, index));
  if (isIntegral(type))
    return shortest(loadBits(type, data, index));
  double value = loadNumber(type, data, index);
  if (isSame(type, dtype::f64))
    return shortest(value);
  if (type.bits == 32)
    return shortest(static_cast<float>(value));
  return shortestNarrow(type, value);
}

std::string weft::printElement(const Tensor &tensor, int64_t index) {
  if (isString(tensor.dtype())) {
    std::string text = "\"";
    for (char c : tensor.stringAt(index))
      (c == '"' || c == '\\' ? text += '\\' : text) += c;
    return text + "\"";
  }
  DataType type = componentType(tensor.dtype());
  if (!isComplex(tensor.dtype()))
    return printPart(type, tensor.raw(), index);
  return "(" + printPart(type, tensor.raw(), 2 * index) + "," +
         printPart(type, tensor.raw(), 2 * index + 1) + ")";
}

std::string weft::printTensor(const Tensor &tensor, int64_t maxElements) {
  std::string text = tensor.typeName() + "=";
  const Dims &dims = tensor.dims();
  int64_t rank = tensor.rank();
  if (tensor.count() == 0)
    return text + "[]";
  // One level of brackets for a vector's rows, as the grammar of the input
  // shows them: none around the whole.
  int64_t shown = std::min(tensor.count(), maxElements);
  for (int64_t i = 0; i < shown; ++i) {
    // Brackets open and close with each completed row, plane, ...
    int64_t block = 1;
    int64_t opened = 0;
    for (int64_t axis = rank - 1; axis >= 1; --axis) {
      block *= dims[static_cast<size_t>(axis)];
      opened += i % block == 0;
    }
    text.append(static_cast<size_t>(opened), '[');
    if (opened == 0 && i > 0)
      text += ' ';
    text += printElement(tensor, i);
    block = 1;
    for (int64_t axis = rank - 1; axis >= 1; --axis) {
      block *= dims[static_cast<size_t>(axis)];
      if ((i + 1) % block == 0)
        text += ']';
    }
  }
  return shown < tensor.count() ? text + "..." : text;
}
