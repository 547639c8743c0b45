//===- ExpandMathExp.cpp - Exponentials and hyperbolic functions ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// e^x = 2^n e^r with n = round(x / ln 2) and |r| <= ln(2)/2 (W. J. Cody and
// W. Waite, 1980), and a polynomial for e^r.
//
// n is found by adding 1.5 * 2^23 (2^52 in f64), which leaves round(x / ln 2)
// in the low bits of the sum: one fma gives n both as a number and as an
// integer, with no conversion. A bias added to the same constant makes these
// bits the exponent field of a power of two, so that a shift alone builds the
// factor.
//
//===----------------------------------------------------------------------===//

#include "transforms/Vector/MathCoefficients.h"
#include "transforms/Vector/MathKernels.h"

#include <limits>

using namespace weft;
using namespace weft::coefficients;

static int mantissaBits(Num x) { return x.getWidth() == 64 ? 52 : 23; }

namespace {
/// A number rounded to an integer: as a number, and as bits whose low ones are
/// the integer + bias.
struct Rounded {
  Num number, bits;
};
} // namespace

/// x * scale to the nearest integer, of magnitude below 2^20.
static Rounded roundScaled(Num x, double scale, int bias) {
  double magic = (x.getWidth() == 64 ? 0x1.8p52 : 0x1.8p23) + bias;
  Num sum = fma(x, scale, magic);
  return {sum - magic, toBits(sum)};
}

/// 2^(exponent) of bits that hold exponent + the bias of the type.
static Num powerOfTwo(Num bits, int mantissa) { return fromBits(shiftLeft(bits, mantissa)); }

/// x - n ln 2. The first fma is exact, by cancellation.
static Num reduce(Num x, Num n) {
  const double *ln2 = x.getWidth() == 64 ? ln2Double : ln2Single;
  return fma(n, -ln2[1], fma(n, -ln2[0], x));
}

/// e^r for |r| <= ln(2)/2.
static Num expReduced(Num r) {
  Num q = r.getWidth() == 64 ? polynomial(r, expDouble) : polynomial(r, expSingle);
  return r.getWidth() == 64 ? fma(r * r, q, r) + 1
                            : fma(fma(q, r, r.constant(1)), r, r.constant(1));
}

/// e^(hi + lo) of f64, with |lo| up to 2^-30: e^hi + lo e^hi.
static Num expReduced(Num hi, Num lo) {
  Num square = hi * hi;
  Num q = polynomial(hi, expDouble);
  Num rest = fma(lo, fma(square, q, hi), lo);
  return (fma(square, q, rest) + hi) + 1;
}

namespace weft::kernels {

Num scaleNormal(ScaledExp value) {
  return value.mantissa * powerOfTwo(value.bits, mantissaBits(value.mantissa));
}

// The exponent + twice the bias is split into halves, each the exponent field
// of a factor, so that overflow and gradual underflow happen in the last
// product.
Num scaleAny(ScaledExp value) {
  int mantissa = mantissaBits(value.mantissa);
  Num half = shiftRight(value.bits, 1);
  return value.mantissa * powerOfTwo(half, mantissa) * powerOfTwo(value.bits - half, mantissa);
}

ScaledExp expOfDouble(Num hi, std::optional<Num> lo, bool forSingle) {
  Rounded n = roundScaled(hi, log2eDouble[0], forSingle ? 1023 : 2046);
  if (forSingle) {
    Num r = reduce(hi, n.number);
    Num q = polynomial(r, expNarrow);
    return {fma(fma(q, r, r.constant(1)), r, r.constant(1)), n.bits};
  }
  if (!lo)
    return {expReduced(reduce(hi, n.number)), n.bits};
  // The rounding of the second step of the reduction joins lo.
  Num first = fma(n.number, -ln2Double[0], hi);
  Num product = n.number * ln2Double[1];
  Num r = first - product;
  Num rest = ((first - r) - product) + *lo;
  return {expReduced(r, rest), n.bits};
}

Num expSmall(Num x) {
  Rounded n = roundScaled(x, log2eSingle[0], 127);
  return scaleNormal({expReduced(reduce(x, n.number)), n.bits});
}

Num exp(Num x) {
  bool isDouble = x.getWidth() == 64;
  Num bounded = isDouble ? atLeast(atMost(x, 710), -746) : atLeast(atMost(x, 89), -104);
  Rounded n =
      roundScaled(bounded, isDouble ? log2eDouble[0] : log2eSingle[0], isDouble ? 2046 : 254);
  return scaleAny({expReduced(reduce(bounded, n.number)), n.bits});
}

Num exp2(Num x) {
  if (x.getWidth() == 32) {
    Num bounded = atLeast(atMost(x, 129), -151);
    Rounded n = roundScaled(bounded, 1, 254);
    Num r = bounded - n.number;
    return scaleAny({fma(polynomial(r, exp2Single), r, r.constant(1)), n.bits});
  }
  Num bounded = atLeast(atMost(x, 1025), -1076);
  Rounded n = roundScaled(bounded, 1, 2046);
  Num r = bounded - n.number;
  DoubleNum scaled = twoProduct(r, r.constant(ln2Double[0]));
  Num rest = fma(r, ln2Double[1], scaled.lo);
  return scaleAny({expReduced(scaled.hi, rest), n.bits});
}

/// e^x - 1 for -40 <= x <= 710 (f64) or -20 <= x <= 89 (f32).
static Num expm1Bounded(Num x) {
  bool isDouble = x.getWidth() == 64;
  // Half the result, 2^(n-1) (e^r - 1) + (2^(n-1) - 1/2), where 2^n overflows.
  Rounded n = roundScaled(x, isDouble ? log2eDouble[0] : log2eSingle[0], isDouble ? 1022 : 126);
  Num half = powerOfTwo(n.bits, mantissaBits(x));
  Num r = reduce(x, n.number);
  Num q = isDouble ? polynomial(r, expm1Double) : polynomial(r, expm1Single);
  Num e = fma(r * r, q, r);
  return select(n.number == 0, e, fma(half, e, half - 0.5) * 2);
}

Num expm1(Num x) {
  bool isDouble = x.getWidth() == 64;
  Num bounded = isDouble ? atLeast(atMost(x, 710), -40) : atLeast(atMost(x, 89), -20);
  return copySign(expm1Bounded(bounded), x);
}

/// e^a / 2 of f64 a >= 0.
static Num halfExp(Num a, bool forSingle) {
  if (forSingle)
    return scaleNormal(expOfDouble(atMost(a, 100), std::nullopt, true)) * 0.5;
  ScaledExp e = expOfDouble(atMost(a, 711), std::nullopt, false);
  e.bits = e.bits - 1;
  return scaleAny(e);
}

// sinh(a) = e^a/2 - e^-a/2 where that does not cancel, a + a^3 p(a^2) below 1.
Num sinh(Num x) {
  bool forSingle = x.getWidth() == 32;
  Num wide = forSingle ? extend(x) : x;
  Num a = abs(wide);
  Num e = halfExp(a, forSingle);
  Num z = a * a;
  Num p = forSingle ? polynomial(z, sinhNarrow) : polynomial(z, sinhDouble);
  Num result = copySign(select(a < 1, fma(z * a, p, a), e - 0.25 / e), wide);
  return forSingle ? narrow(result) : result;
}

Num cosh(Num x) {
  bool forSingle = x.getWidth() == 32;
  Num e = halfExp(abs(forSingle ? extend(x) : x), forSingle);
  Num result = e + 0.25 / e;
  return forSingle ? narrow(result) : result;
}

Num tanh(Num x) {
  Num a = abs(x);
  if (x.getWidth() == 64) {
    // 22 is where the result rounds to 1.
    Num e = expm1Bounded(atMost(a, 22) * 2);
    return copySign(select(a > 22, 1, e / (e + 2)), x);
  }
  // 1 - 2/(e^2a + 1), of absolute error 2^-25 or so, is good from 0.625 on;
  // below, an odd polynomial.
  Num large = 1 - 2 / (expSmall(atMost(a, 10) * 2) + 1);
  Num z = a * a;
  Num small = fma(z * a, polynomial(z, tanhSingle), a);
  return copySign(select(a < 0.625, small, large), x);
}

} // namespace weft::kernels
