//===- ExpandMathErf.cpp - The error function -----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Vector/MathCoefficients.h"
#include "transforms/Vector/MathKernels.h"

using namespace weft;
using namespace weft::coefficients;

/// erfc(a) of f64 a >= 0, as mantissa and exponent. M. M. Shepherd and
/// J. G. Laframboise, "Chebyshev approximation of (1 + 2x) exp(x^2) erfc(x) in
/// 0 <= x < inf", Math. Comp. 36 (1981).
static kernels::ScaledExp scaledErfc(Num a, bool forSingle) {
  Num q = (a - 4) / (a + 4);
  Num p = (forSingle ? polynomial(q, erfcNarrow) : polynomial(q, erfcDouble)) + 1.125;
  DoubleNum square = twoProduct(a, a);
  kernels::ScaledExp e = kernels::expOfDouble(-square.hi, -square.lo, forSingle);
  e.mantissa = e.mantissa * (p / fma(a, 2.0, 1.0));
  return e;
}

namespace weft::kernels {

Num erf(Num x) {
  Num a = abs(x);
  Num z = x * x;
  if (x.getWidth() == 32) {
    // 1 - e^(log erfc) from 0.9375 on, with a polynomial for the logarithm;
    // from 4 on the result rounds to 1.
    Num large = 1 - expSmall(polynomial(atMost(a, 4), logErfcSingle));
    Num small = fma(polynomial(z, erfSingle), x, x);
    return select(a < 0.9375, small, copySign(large, x));
  }
  Num large = 1 - scaleAny(scaledErfc(atMost(a, 6), false));
  Num small = fma(polynomial(z, erfDouble), x, x);
  return select(a < 1, small, copySign(large, x));
}

Num erfc(Num x) {
  bool forSingle = x.getWidth() == 32;
  Num wide = forSingle ? extend(x) : x;
  Num a = abs(wide);
  ScaledExp e = scaledErfc(atMost(a, forSingle ? 11 : 28), forSingle);
  Num positive = forSingle ? scaleNormal(e) : scaleAny(e);
  Num result = select(wide < 0, 2 - positive, positive);
  if (!forSingle) {
    // Closer to 0, 1 - erf(x) is more accurate.
    Num erf = fma(polynomial(x * x, erfDouble), x, x);
    result = select(a < 0.5, 1 - erf, result);
  }
  return forSingle ? narrow(result) : result;
}

} // namespace weft::kernels
