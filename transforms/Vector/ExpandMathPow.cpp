//===- ExpandMathPow.cpp - Powers and roots -------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Vector/MathCoefficients.h"
#include "transforms/Vector/MathKernels.h"

#include <limits>

using namespace weft;
using namespace weft::coefficients;

static constexpr double infinity = std::numeric_limits<double>::infinity();
static constexpr double notANumber = std::numeric_limits<double>::quiet_NaN();

/// a^y for f64 a that was an f32 number >= 0: y log2 a in f64, then 2 to it.
static Num magnitudeForSingle(Num a, Num y) {
  Num log = select(a < infinity, kernels::log2ForSingle(a), a);
  Num product = y * select(a == 0, -infinity, log);
  // Beyond these every f32 result is 0 or infinite.
  Num bounded = atLeast(atMost(product, 200), -200);
  return kernels::scaleNormal(kernels::expOfDouble(bounded * ln2Double[0], std::nullopt, true));
}

/// The same for f64: log a and its product with y carry twice the precision, as
/// an error in the exponent of e is one in the result times the exponent.
static Num magnitudeDouble(Num a, Num y) {
  DoubleNum log = kernels::logAsDouble(a);
  Num hi = select(a == 0, -infinity, select(a < infinity, log.hi, a));
  DoubleNum product = twoProduct(y, hi);
  Num inRange = abs(product.hi) < 746;
  Num lo = select(inRange, fma(y, log.lo, product.lo), 0.0);
  Num bounded = atLeast(atMost(product.hi, 710), -746);
  return kernels::scaleAny(kernels::expOfDouble(bounded, lo, false));
}

namespace weft::kernels {

Num pow(Num x, Num y, std::optional<Num> givenOdd) {
  bool forSingle = x.getWidth() == 32;
  Num wide = forSingle ? extend(x) : x;
  Num a = abs(wide);
  // A number of magnitude 2^53 or more is an even integer, and so is infinity
  // as far as pow cares. Halving a subnormal y rounds, but that is no integer.
  Num isInteger = truncate(y) == y;
  Num half = y * 0.5;
  Num odd = givenOdd ? *givenOdd : isInteger & (truncate(half) != half);
  // Beyond 2^70 a power of any number but 1 overflows or vanishes; the bound
  // makes 1^inf = 1 come out of the arithmetic.
  Num exponent = atLeast(atMost(y, 0x1p70), -0x1p70);
  Num result = forSingle ? magnitudeForSingle(a, exponent) : magnitudeDouble(a, exponent);
  Num undefined = (wide < 0) & (a < infinity) & !isInteger;
  result = select(undefined, notANumber, result);
  result = select(odd, copySign(result, wide), result);
  result = select((y == 0) | (wide == 1), 1, result);
  return forSingle ? narrow(result) : result;
}

Num integerPower(Num base, Num exponent) {
  // Square and multiply over every bit of the exponent.
  int width = base.getWidth();
  auto step = [](llvm::ArrayRef<Num> carried) {
    Num result = carried[0], factor = carried[1], left = carried[2];
    Num isOdd = (left & 1) != 0;
    return llvm::SmallVector<Num>{select(isOdd, result * factor, result), factor * factor,
                                  shiftRight(left, 1)};
  };
  Num positive = repeat(width, {base.constant(1), base, exponent}, step).front();
  // 1/base^n is 1 or -1 for those bases, and truncates to 0 for others.
  Num isUnit = (base == 1) | (base == -1);
  Num parity = select((exponent & 1) != 0, base, 1);
  Num negative = select(isUnit, parity, 0);
  return select(exponent < 0, negative, positive);
}

Num rsqrt(Num x) { return 1 / sqrt(x); }

// trunc(x) plus a unit where the exact rest is a half or more; x keeps its sign
// (-0.3 gives -0).
Num roundHalfAway(Num x) {
  Num whole = truncate(x);
  Num rest = abs(x - whole);
  Num unit = copySign(x.constant(1), x);
  return select(rest >= 0.5, whole + unit, whole);
}

// With x = w 8^k, 1 <= w < 8: the inverse cube root of w by a polynomial and
// one step of an iteration of fourth order, then one Newton step for the root
// itself, whose residual is exact but for its last roundings.
Num cbrt(Num x) {
  bool forSingle = x.getWidth() == 32;
  Num wide = forSingle ? extend(x) : x;
  Num a = abs(wide);
  Num scaled = a;
  std::optional<Num> subnormal;
  if (!forSingle) {
    subnormal = a < 0x1p-1022;
    scaled = select(*subnormal, a * 0x1p54, a);
  }
  Num bits = toBits(scaled);
  Num exponent = shiftRight(bits, 52);
  Num m = fromBits((bits & 0x000FFFFFFFFFFFFF) | bits.constant(0x3FF0000000000000));
  // k = floor(e / 3) for e = exponent - 1023 >= -1023: round((e - 1)/3).
  Num e = exponentToFloat(exponent);
  Num sum = fma(e - 1, 1.0 / 3, 0x1.8p52);
  Num k = sum - 0x1.8p52;
  Num rest = e - k * 3;
  Num one = rest == 1, two = rest == 2;
  Num w = m * select(two, 4, select(one, 2, m.constant(1)));
  Num y = polynomial(m, inverseCbrt) *
          select(two, 0x1.428a2f98d728bp-1, select(one, 0x1.965fea53d6e3dp-1, m.constant(1)));
  Num h = fma(-(w * y), y * y, 1);
  Num series = fma(fma(h, 14.0 / 81, 2.0 / 9), h, h.constant(1.0 / 3));
  y = fma(y * h, series, y);
  Num c = w * (y * y);
  if (!forSingle) {
    DoubleNum square = twoProduct(c, c);
    Num residual = fma(-square.hi, c, w) - square.lo * c;
    c = fma(residual, y * y * (1.0 / 3), c);
  }
  // 2^k: the low bits of the sum hold k.
  Num power = fromBits(shiftLeft(toBits(sum) + 1023, 52));
  Num result = c * power;
  if (subnormal)
    result = select(*subnormal, result * 0x1p-18, result);
  result = select((a > 0) & (a < infinity), copySign(result, wide), wide);
  return forSingle ? narrow(result) : result;
}

} // namespace weft::kernels
