//===- ExpandMathInverseTrig.cpp - Arcus functions ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All in f64: f32 functions extend, use shorter polynomials, and round once.
//
//===----------------------------------------------------------------------===//

#include "transforms/Vector/MathCoefficients.h"
#include "transforms/Vector/MathKernels.h"

#include <limits>

using namespace weft;
using namespace weft::coefficients;

static constexpr double infinity = std::numeric_limits<double>::infinity();
/// tan(pi/8).
static constexpr double sqrtTwoMinusOne = 0x1.a827999fcef32p-2;

/// `k` pi/4 + `rest` for a small integer k.
static Num addQuarterPi(Num k, Num rest) {
  constexpr double hi = halfPiDouble[0] * 0.5, lo = halfPiDouble[1] * 0.5;
  DoubleNum base = twoProduct(k, k.constant(hi));
  return base.hi + (rest + fma(k, lo, base.lo));
}

/// The angle in [0, pi] of the point (x, y) with y >= 0: `ax` is |x|, and
/// `xNegative` the sign of x.
///
/// With a <= b the magnitudes in order, a/b > tan(pi/8) is reduced further by
/// pi/4: (a - b)/(a + b) is the tangent of the angle less pi/4. One division
/// serves both.
static Num angle(Num y, Num ax, std::optional<Num> xNegative, bool forSingle) {
  Num steep = y > ax;
  Num a = select(steep, ax, y), b = select(steep, y, ax);
  if (!forSingle && xNegative) {
    // a + b must not overflow.
    Num huge = b > 0x1p1000;
    Num scale = select(huge, 0x1p-64, b.constant(1.0));
    a = a * scale;
    b = b * scale;
  }
  Num middle = (a > b * sqrtTwoMinusOne) | (a == infinity);
  Num t = select(middle, a - b, a) / select(middle, a + b, b);
  // 0/0 and inf/inf.
  t = select(a == b, 0.0, t);
  Num z = t * t;
  Num p = forSingle ? polynomial(z, atanNarrow) : polynomial(z, atanDouble);
  Num rest = fma(t * z, p, t);
  // The angle is k pi/4 + rest or k pi/4 - rest.
  Num k = select(middle, 1.0, b.constant(0.0));
  k = select(steep, 2 - k, k);
  Num flip = steep;
  if (xNegative) {
    k = select(*xNegative, 4 - k, k);
    flip = steep ^ *xNegative;
  }
  return addQuarterPi(k, select(flip, -rest, rest));
}

/// For |x| <= 1: x = sin of `base` pi/4 + rest, where rest = s + s^3 p(s^2).
namespace {
struct ArcSine {
  Num large; ///< |x| > 1/2, where s = sqrt((1 - |x|)/2)
  Num rest;  ///< asin of s
};
} // namespace

static ArcSine arcSine(Num a, bool forSingle) {
  Num large = a > 0.5;
  Num z = select(large, (1 - a) * 0.5, a * a);
  Num s = select(large, sqrt(z), a);
  Num p = forSingle ? polynomial(z, asinNarrow) : polynomial(z, asinDouble);
  return {large, fma(s * z, p, s)};
}

namespace weft::kernels {

Num atan2(Num y, Num x) {
  bool forSingle = x.getWidth() == 32;
  Num xNegative = toBits(x) < 0;
  Num wideY = forSingle ? extend(y) : y, wideX = forSingle ? extend(x) : x;
  Num result = angle(abs(wideY), abs(wideX), xNegative, forSingle);
  result = copySign(result, wideY);
  return forSingle ? narrow(result) : result;
}

Num atan(Num x) {
  bool forSingle = x.getWidth() == 32;
  Num wide = forSingle ? extend(x) : x;
  Num result = angle(abs(wide), wide.constant(1.0), std::nullopt, forSingle);
  result = copySign(result, wide);
  return forSingle ? narrow(result) : result;
}

// asin(a) = pi/2 - 2 asin(sqrt((1 - a)/2)); beyond 1 the root is NaN.
Num asin(Num x) {
  bool forSingle = x.getWidth() == 32;
  Num wide = forSingle ? extend(x) : x;
  ArcSine arc = arcSine(abs(wide), forSingle);
  Num large = halfPiDouble[0] - (arc.rest * 2 - halfPiDouble[1]);
  Num result = copySign(select(arc.large, large, arc.rest), wide);
  return forSingle ? narrow(result) : result;
}

Num acos(Num x) {
  bool forSingle = x.getWidth() == 32;
  Num wide = forSingle ? extend(x) : x;
  ArcSine arc = arcSine(abs(wide), forSingle);
  Num negative = wide < 0;
  // |x| > 1/2: 2 rest, or pi less that. Else pi/2 less the signed rest.
  Num k = select(arc.large, select(negative, 4.0, wide.constant(0.0)), 2.0);
  Num rest = select(arc.large, arc.rest * 2, arc.rest);
  Num flip = negative ^ arc.large;
  Num result = addQuarterPi(k, select(flip, rest, -rest));
  return forSingle ? narrow(result) : result;
}

} // namespace weft::kernels
