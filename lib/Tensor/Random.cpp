//===- Random.cpp - Pseudo-random tensors ---------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor/Spec.h"

#include <cmath>
#include <numbers>

using namespace weft;

namespace {

/// SplitMix64 (Steele, Lea, Flood 2014): every seed is a good one.
class Generator {
public:
  explicit Generator(uint64_t seed) : state(seed) {}

  uint64_t bits() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// In [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  /// In [0, bound), bound > 0; the bias is below bound / 2^64.
  uint64_t below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(bits()) * bound) >> 64);
  }
  /// Standard normal (Box and Muller 1958).
  double normal() {
    if (hasSpare) {
      hasSpare = false;
      return spare;
    }
    double radius = std::sqrt(-2 * std::log(1 - uniform()));
    double angle = 2 * std::numbers::pi * uniform();
    spare = radius * std::sin(angle);
    hasSpare = true;
    return radius * std::cos(angle);
  }

private:
  uint64_t state;
  double spare = 0;
  bool hasSpare = false;
};

} // namespace

Result<Tensor> weft::randomTensor(DataType type, Dims dims, uint64_t seed,
                                  std::optional<RandomRange> range, int64_t maxBytes) {
  Result<Tensor> tensor = Tensor::zeros(type, std::move(dims), maxBytes);
  if (!tensor)
    return tensor;
  if (isString(type))
    return tensor; // empty strings
  Generator generator(seed);
  uint8_t *data = tensor->mutableRaw();
  DataType part = componentType(type);
  int64_t count = tensor->count() * componentCount(type);
  if (isIntegral(type)) {
    // The difference of two integers of at most 64 bits fits in 64 bits.
    int64_t low = range ? static_cast<int64_t>(range->low) : 0;
    uint64_t span = range ? static_cast<uint64_t>(range->high - range->low) : 2;
    for (int64_t i = 0; i < count; ++i)
      storeBits(part, data, i, static_cast<uint64_t>(low) + generator.below(span));
    return tensor;
  }
  for (int64_t i = 0; i < count; ++i) {
    double value =
        range ? range->low + generator.uniform() * (range->high - range->low) : generator.normal();
    storeBits(part, data, i, encodeFloat(part, value));
  }
  return tensor;
}
