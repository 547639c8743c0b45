//===- TransposeSquare.cpp - Transposition in registers -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Vector/TransposeSquare.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

/// Bits within which unpacking instructions move elements.
static constexpr int64_t kUnpackBits = 128;

/// Interleaves the lower halves, or the upper ones, of each `part` elements of two
/// vectors.
static Value unpack(OpBuilder &b, Location loc, Value x, Value y, int64_t part, bool upper) {
  int64_t lanes = cast<VectorType>(x.getType()).getNumElements();
  SmallVector<int64_t> order;
  for (int64_t from = 0; from < lanes; from += part)
    for (int64_t i = 0; i < part / 2; ++i) {
      int64_t lane = from + i + (upper ? part / 2 : 0);
      order.append({lane, lanes + lane});
    }
  return vector::ShuffleOp::create(b, loc, x, y, order);
}

/// Exchanges the odd blocks of `distance` elements of `x` with the even ones of `y`.
static std::pair<Value, Value> exchange(OpBuilder &b, Location loc, Value x, Value y,
                                        int64_t distance) {
  int64_t lanes = cast<VectorType>(x.getType()).getNumElements();
  SmallVector<int64_t> first, second;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    bool isOdd = (lane & distance) != 0;
    first.push_back(isOdd ? lanes + lane - distance : lane);
    second.push_back(isOdd ? lanes + lane : lane + distance);
  }
  return {vector::ShuffleOp::create(b, loc, x, y, first),
          vector::ShuffleOp::create(b, loc, x, y, second)};
}

void weft::transposeSquare(OpBuilder &b, Location loc, SmallVectorImpl<Value> &rows) {
  auto type = cast<VectorType>(rows.front().getType());
  auto size = static_cast<int64_t>(rows.size());
  int64_t part = std::min(size, kUnpackBits / type.getElementTypeBitWidth());
  for (int64_t from = 0; from < size; from += part)
    for (int64_t width = 1; width < part; width *= 2) {
      SmallVector<Value> old(rows.begin() + from, rows.begin() + from + part);
      for (int64_t i = 0; i < part; ++i)
        rows[from + i] = unpack(b, loc, old[i / 2], old[i / 2 + part / 2], part, i % 2 != 0);
    }
  for (int64_t distance = part; distance < size; distance *= 2)
    for (int64_t i = 0; i < size; ++i)
      if ((i & distance) == 0)
        std::tie(rows[i], rows[i + distance]) =
            exchange(b, loc, rows[i], rows[i + distance], distance);
}
