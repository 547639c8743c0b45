//===- ExpandMathLog.cpp - Logarithms and inverse hyperbolic functions ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// log x = e ln 2 + log(1 + f) with x = 2^e (1 + f) and 1 + f around 1, so that
// results near 0 do not cancel. In f32, log(1 + f) is a polynomial of f; in f64
// a polynomial of s = f/(2 + f), whose series converges three times as fast
// and is worth the division.
//
//===----------------------------------------------------------------------===//

#include "transforms/Vector/MathCoefficients.h"
#include "transforms/Vector/MathKernels.h"

#include <limits>

using namespace weft;
using namespace weft::coefficients;

static constexpr double infinity = std::numeric_limits<double>::infinity();
static constexpr double notANumber = std::numeric_limits<double>::quiet_NaN();

namespace {
/// x = 2^e (1 + f), 1 + f in [sqrt(1/2), sqrt(2)).
struct LogParts {
  Num exponent; ///< e as a float
  Num f;
};

struct Decomposed {
  Num biased;   ///< e + the bias of the type's exponents, as an integer
  Num exponent; ///< e as a float
  Num mantissa; ///< 1 + f
};
} // namespace

static int biasOf(Num x) { return x.getWidth() == 64 ? 1023 : 127; }
static int mantissaBits(Num x) { return x.getWidth() == 64 ? 52 : 23; }

/// Of a positive normal x.
static Decomposed decompose(Num x) {
  bool isDouble = x.getWidth() == 64;
  int64_t lowest = isDouble ? 0x3FE6A09E667F3BCD : 0x3F3504F3;
  int mantissa = mantissaBits(x);
  int64_t one = static_cast<int64_t>(biasOf(x)) << mantissa;
  Num bits = toBits(x);
  Num biased = shiftRight(bits + (one - lowest), mantissa);
  return {biased, exponentToFloat(biased), fromBits(bits - shiftLeft(biased, mantissa) + one)};
}

/// Of any positive x, subnormal ones as well.
static LogParts logParts(Num x) {
  bool isDouble = x.getWidth() == 64;
  Num subnormal = x < (isDouble ? 0x1p-1022 : 0x1p-126);
  Decomposed parts = decompose(select(subnormal, x * (isDouble ? 0x1p52 : 0x1p23), x));
  return {select(subnormal, parts.exponent - mantissaBits(x), parts.exponent), parts.mantissa - 1};
}

/// Of 1 + x for x > -1. f is exact but for one rounding, though 1 + x is not:
/// it is x 2^-e + (2^-e - 1).
static LogParts log1pParts(Num x) {
  Decomposed parts = decompose(x + 1);
  Num scale = fromBits(shiftLeft(2 * biasOf(x) - parts.biased, mantissaBits(x)));
  // From here on 1 + x is x to working precision, and 2^-e may be subnormal.
  Num large = x > 0x1p60;
  Num f = select(large, parts.mantissa - 1, fma(x, scale, scale - 1));
  return {parts.exponent, f};
}

/// -inf of 0, NaN of negative numbers, x itself of +inf and NaN.
static Num withSpecialCases(Num x, Num zeroAt, Num result) {
  Num finite = select(x < infinity, result, x);
  return select(zeroAt > 0, finite,
                select(zeroAt == 0, x.constant(-infinity), x.constant(notANumber)));
}

/// s^2 and the sum (log(1 + f) - 2s)/s, for s = f/(2 + f).
static std::pair<Num, Num> seriesDouble(Num f) {
  Num s = f / (f + 2);
  Num z = s * s;
  return {s, z * polynomial(z, logDouble)};
}

/// e ln 2 + log(1 + f).
static Num naturalLog(LogParts parts) {
  auto [e, f] = parts;
  if (f.getWidth() == 32) {
    Num rest = fma(f * f, polynomial(f, logSingle), e * ln2SingleShort[1]);
    return fma(e, ln2SingleShort[0], f + rest);
  }
  // log(1 + f) = f - f^2/2 + s (f^2/2 + R): the largest term is exact.
  auto [s, series] = seriesDouble(f);
  Num square = f * f * 0.5;
  Num rest = fma(s, square + series, e * ln2DoubleShort[1]);
  return fma(e, ln2DoubleShort[0], f - (square - rest));
}

/// (e ln 2 + log(1 + f)) / ln(base), given 1/ln(base) in two parts and
/// ln(2)/ln(base) in two, whose first times e is exact.
static Num otherLog(LogParts parts, const double *inverse, const double *perExponent) {
  auto [e, f] = parts;
  if (f.getWidth() == 32) {
    Num series = f * f * polynomial(f, logSingle);
    Num rest = fma(f, inverse[1], series * inverse[0]);
    if (perExponent[1] != 0)
      rest = fma(e, perExponent[1], rest);
    return fma(e, perExponent[0], fma(f, inverse[0], rest));
  }
  auto [s, series] = seriesDouble(f);
  Num halfF = f * 0.5;
  DoubleNum square = twoProduct(f, halfF);
  // log(1 + f) as hi + lo.
  DoubleNum log = fastTwoSum(f, -square.hi);
  Num lo = fma(s, square.hi + series, log.lo - square.lo);
  DoubleNum scaled = twoProduct(log.hi, f.constant(inverse[0]));
  Num rest = scaled.lo + fma(lo, inverse[0], log.hi * inverse[1]);
  if (perExponent[1] != 0)
    rest = fma(e, perExponent[1], rest);
  DoubleNum sum = fastTwoSum(e * perExponent[0], scaled.hi);
  return sum.hi + (sum.lo + rest);
}

namespace weft::kernels {

Num log(Num x) { return withSpecialCases(x, x, naturalLog(logParts(x))); }

Num log2(Num x) {
  static constexpr double one[] = {1, 0};
  const double *inverse = x.getWidth() == 64 ? log2eDouble : log2eSingle;
  return withSpecialCases(x, x, otherLog(logParts(x), inverse, one));
}

Num log10(Num x) {
  bool isDouble = x.getWidth() == 64;
  const double *inverse = isDouble ? log10eDouble : log10eSingle;
  const double *perExponent = isDouble ? log10Of2DoubleShort : log10Of2SingleShort;
  return withSpecialCases(x, x, otherLog(logParts(x), inverse, perExponent));
}

Num log1p(Num x) {
  // The sign of the argument is that of the result, and keeps -0.
  Num result = withSpecialCases(x, x + 1, naturalLog(log1pParts(x)));
  return copySign(result, x);
}

//===----------------------------------------------------------------------===//
// Inverse hyperbolic functions, by log1p
//===----------------------------------------------------------------------===//

/// `function` of f32 by way of f64.
static Num byDouble(Num x, llvm::function_ref<Num(Num)> function) {
  return x.getWidth() == 32 ? narrow(function(extend(x))) : function(x);
}

// asinh(a) = log1p(a + a^2/(1 + sqrt(1 + a^2))), or log(2a) where a^2 swamps 1.
Num asinh(Num x) {
  return byDouble(x, [](Num x) {
    Num a = abs(x);
    Num large = a > 0x1p28;
    Num square = a * a;
    Num argument = select(large, a - 1, a + square / (sqrt(square + 1) + 1));
    Num result = log1p(argument) + select(large, ln2Double[0], a.constant(0));
    return copySign(result, x);
  });
}

// acosh(x) = log1p(t + sqrt(2t + t^2)) with t = x - 1.
Num acosh(Num x) {
  return byDouble(x, [](Num x) {
    Num large = x > 0x1p28;
    Num t = x - 1;
    Num argument = select(large, t, t + sqrt(fma(t, t, t * 2)));
    Num result = log1p(argument) + select(large, ln2Double[0], x.constant(0));
    return select(x < 1, notANumber, result);
  });
}

// atanh(a) = log1p(2a/(1 - a))/2; above 1 the argument is below -1, hence NaN.
Num atanh(Num x) {
  return byDouble(x, [](Num x) {
    Num a = abs(x);
    Num result = log1p(a * 2 / (1 - a)) * 0.5;
    return select(a < 0x1p-28, x, copySign(result, x));
  });
}

//===----------------------------------------------------------------------===//
// Logarithms for pow
//===----------------------------------------------------------------------===//

Num log2ForSingle(Num x) {
  Decomposed parts = decompose(x);
  Num f = parts.mantissa - 1;
  Num s = f / (f + 2);
  Num z = s * s;
  Num log = fma(z * s, polynomial(z, logNarrow), s * 2);
  return fma(log, log2eDouble[0], parts.exponent);
}

// log((1 + s)/(1 - s)) = 2s + s^3 (2/3 + s^2 p(s^2)) with all but p in twice
// the precision.
DoubleNum logAsDouble(Num x) {
  auto [e, f] = logParts(x);
  DoubleNum denominator = fastTwoSum(f.constant(2), f);
  Num quotient = f / denominator.hi;
  Num residual = fma(-quotient, denominator.hi, f);
  residual = fma(-quotient, denominator.lo, residual);
  DoubleNum s = fastTwoSum(quotient, residual / denominator.hi);
  DoubleNum z = multiply(s, s);
  Num p = z.hi * polynomial(z.hi, powLogDouble);
  DoubleNum c = fastTwoSum(p.constant(twoThirdsDouble[0]), p);
  c.lo = c.lo + twoThirdsDouble[1];
  DoubleNum cubic = multiply(multiply(s, z), c);
  DoubleNum sum = fastTwoSum(s.hi * 2, cubic.hi);
  Num lo = sum.lo + (cubic.lo + s.lo * 2);
  DoubleNum log = fastTwoSum(e * ln2DoubleShort[0], sum.hi);
  lo = log.lo + (fma(e, ln2DoubleShort[1], lo) + e * ln2DoubleShort[2]);
  return fastTwoSum(log.hi, lo);
}

} // namespace weft::kernels
