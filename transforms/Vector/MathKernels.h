//===- MathKernels.h - Elementary functions as arithmetic -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The algorithms of weft-expand-math, one family a source file. Arguments are
// f32 or f64; a function of both takes either and gives the same type back.
// docs/math.md states the error bound of each; test/unit/Math measures it.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_VECTOR_MATHKERNELS_H
#define WEFT_TRANSFORMS_VECTOR_MATHKERNELS_H

#include "transforms/Vector/MathBuilder.h"

#include <optional>

namespace weft::kernels {

// ExpandMathExp.cpp
Num exp(Num x);
Num exp2(Num x);
Num expm1(Num x);
Num sinh(Num x);
Num cosh(Num x);
Num tanh(Num x);

/// e^r of a reduced exponent, times 2^exponent: the pieces from which the other
/// families make exponentials of their own scaling.
struct ScaledExp {
  Num mantissa; ///< e^r, in [0.7, 1.5]
  Num bits;     ///< an integer whose low bits are the exponent + `bias`
};
/// e^(hi + lo) of f64, |hi| <= 1000; `forSingle` asks for enough precision for
/// an f32 result only. The bias is 1023 then and 2046 otherwise.
ScaledExp expOfDouble(Num hi, std::optional<Num> lo, bool forSingle);
/// mantissa * 2^exponent for `forSingle`: the f64 result is a normal number.
Num scaleNormal(ScaledExp value);
/// The same for any exponent, rounded once where the result is subnormal.
Num scaleAny(ScaledExp value);
/// e^x of f32 for |x| <= 80 (or NaN), without care for other arguments.
Num expSmall(Num x);

// ExpandMathLog.cpp
Num log(Num x);
Num log2(Num x);
Num log10(Num x);
Num log1p(Num x);
Num asinh(Num x);
Num acosh(Num x);
Num atanh(Num x);
/// log2 of f64 x > 0 that was an f32 number, to 2^-44 of itself; garbage for
/// others.
Num log2ForSingle(Num x);
/// log of f64 0 < x < inf to about 2^-66 of itself; garbage for others.
DoubleNum logAsDouble(Num x);

// ExpandMathPow.cpp
/// x^y with all special cases of IEEE 754-2019 `pow`. Of f32 x, y is f64. `odd`
/// says whether y is an odd integer, where y itself was rounded.
Num pow(Num x, Num y, std::optional<Num> odd = std::nullopt);
/// Integer power that wraps around; of a negative exponent 0, 1 or -1 as the
/// real power truncated toward 0, and 0 for base 0.
Num integerPower(Num base, Num exponent);
Num cbrt(Num x);
Num rsqrt(Num x);
Num roundHalfAway(Num x);

// ExpandMathTrig.cpp
Num sin(Num x);
Num cos(Num x);
Num tan(Num x);
std::pair<Num, Num> sinCos(Num x);

// ExpandMathInverseTrig.cpp
Num asin(Num x);
Num acos(Num x);
Num atan(Num x);
Num atan2(Num y, Num x);

// ExpandMathErf.cpp
Num erf(Num x);
Num erfc(Num x);

} // namespace weft::kernels

#endif // WEFT_TRANSFORMS_VECTOR_MATHKERNELS_H
