#!/usr/bin/env python3
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Derives the polynomials of weft-expand-math.

Writes transforms/Vector/MathCoefficients.h to standard output:

    scripts/minimax.py > transforms/Vector/MathCoefficients.h

Method. Each polynomial is the minimax (Chebyshev) approximation of a function on
an interval, for the weight that turns its error into the relative error of the
final result. It is found by the Remez exchange in 80-digit arithmetic
(E. Remez, 1934): solve for the coefficients and the levelled error on a
reference of n + 1 points, move the reference to the extrema of the error on a
dense grid, repeat until the levelled error meets the largest one.

Coefficients must be f32 or f64 numbers, and rounding all of them at once costs
up to a few bits. They are therefore rounded one by one, the most significant
first, and after each rounding the rest are fitted anew, so that later
coefficients absorb the rounding of earlier ones.

Needs mpmath and numpy. Runs in a few minutes.
"""
import struct
import sys

import mpmath as mp
import numpy as np

mp.mp.prec = 270


def round_to(value, fmt):
    """The f32 or f64 nearest to `value`, as an exact mpf."""
    if fmt == "f64":
        return mp.mpf(float(value))
    # Through f64: a double rounding moves a coefficient by at most one part in
    # 2^29 of its last place, and the fit that follows absorbs it.
    return mp.mpf(float(np.float32(float(value))))


class Fit:
    """min over p of max over x in [a, b] of |weight(x) * (p(x) - f(x))|."""

    def __init__(self, f, a, b, weight, points=600):
        a, b = mp.mpf(a), mp.mpf(b)
        # Chebyshev points: dense at the ends, and never exactly 0.
        self.xs = [(a + b) / 2 - (b - a) / 2 * mp.cos(mp.pi * (2 * k + 1) / (2 * points)) for k in range(points)]
        self.fs = [f(x) for x in self.xs]
        self.ws = [weight(x) for x in self.xs]

    def error(self, coefficients):
        out = []
        for x, f, w in zip(self.xs, self.fs, self.ws):
            p = mp.mpf(0)
            for c in reversed(coefficients):
                p = p * x + c
            out.append(w * (p - f))
        return out

    def remez(self, count, fixed):
        """Coefficients c[0..count), the first len(fixed) given."""
        free = list(range(len(fixed), count))
        n = len(free)
        points = len(self.xs)
        reference = [int((1 - mp.cos(mp.pi * (2 * k + 1) / (2 * (n + 1)))) / 2 * points) for k in range(n + 1)]
        best = None
        for _ in range(40):
            matrix, right = mp.matrix(n + 1, n + 1), mp.matrix(n + 1, 1)
            for row, index in enumerate(reference):
                x, w = self.xs[index], self.ws[index]
                target = self.fs[index] - sum((c * x**k for k, c in enumerate(fixed)), mp.mpf(0))
                for column, k in enumerate(free):
                    matrix[row, column] = w * x**k
                matrix[row, n] = (-1) ** row
                right[row] = w * target
            solution = mp.lu_solve(matrix, right)
            coefficients = list(fixed) + [solution[k] for k in range(n)]
            error = self.error(coefficients)
            largest = max(abs(e) for e in error)
            if best is None or largest < best[0]:
                best = (largest, coefficients)
            if largest <= abs(solution[n]) * mp.mpf("1.002"):
                break
            # The largest error of each run of one sign, then the n + 1
            # neighbours that hold the largest ones.
            runs = []
            for index, e in enumerate(error):
                if runs and (error[runs[-1]] > 0) == (e > 0):
                    if abs(e) > abs(error[runs[-1]]):
                        runs[-1] = index
                else:
                    runs.append(index)
            while len(runs) > n + 1:
                if len(runs) == n + 2:
                    runs.pop(0 if abs(error[runs[0]]) < abs(error[runs[-1]]) else -1)
                else:
                    k = min(range(len(runs) - 1), key=lambda k: max(abs(error[runs[k]]), abs(error[runs[k + 1]])))
                    del runs[k : k + 2]
            if len(runs) < n + 1:
                break
            reference = runs
        return best

    def rounded(self, count, fmt):
        fixed = []
        for k in range(count):
            _, coefficients = self.remez(count, fixed)
            fixed.append(round_to(coefficients[k], fmt))
        return fixed, max(abs(e) for e in self.error(fixed))


def emit(name, coefficients, comment):
    print(f"\n/// {comment}")
    body = ", ".join(float(c).hex().replace("0x1.0000000000000p", "0x1p") for c in coefficients)
    print(f"inline constexpr double {name}[] = {{{body}}};")


def fit(name, comment, f, a, b, weight, count, fmt):
    coefficients, error = Fit(f, a, b, weight).rounded(count, fmt)
    emit(name, coefficients, f"{comment} Error 2^{float(mp.log(error, 2)):.1f}.")
    print(name, mp.nstr(mp.log(error, 2), 5), file=sys.stderr, flush=True)


def split(name, value, parts, bits, comment):
    """`value` as a sum of `parts` numbers of at most `bits` significant bits."""
    out = []
    for k in range(parts):
        if value == 0:
            break
        exponent = mp.floor(mp.log(abs(value), 2)) - bits + 1
        piece = mp.nint(value / mp.mpf(2) ** exponent) * mp.mpf(2) ** exponent
        out.append(piece)
        value -= piece
    emit(name, out, comment)


def chop(name, value, parts, bits, scale, comment):
    """The first `parts` groups of `bits` bits of `value` in [0.5, 1), times 2^scale."""
    out = []
    for k in range(parts):
        unit = mp.mpf(2) ** (-bits * (k + 1))
        piece = mp.floor(value / unit) * unit
        out.append(piece * mp.mpf(2) ** scale)
        value -= piece
    emit(name, out, comment)


def main():
    mpf, one, half = mp.mpf, mp.mpf(1), mp.mpf("0.5")
    ln2 = mp.log(2)
    print(
        """//===- MathCoefficients.h - Polynomials of weft-expand-math ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Written by scripts/minimax.py, which describes the method. Tables start at
// the lowest power. The error is that of the approximation alone, relative to
// the function's result, before rounding of the evaluation.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_VECTOR_MATHCOEFFICIENTS_H
#define WEFT_TRANSFORMS_VECTOR_MATHCOEFFICIENTS_H

// clang-format off
namespace weft::coefficients {"""
    )
    split("ln2Single", ln2, 2, 24, "ln 2 as a sum of f32 numbers.")
    split("ln2SingleShort", ln2, 2, 15, "ln 2; the product of the first with an exponent is exact in f32.")
    split("log10Of2SingleShort", mp.log10(2), 2, 15, "log10 2, likewise.")
    split("log2eSingle", 1 / ln2, 2, 24, "log2 e.")
    split("log10eSingle", 1 / mp.log(10), 2, 24, "log10 e.")
    split("halfPiSingle", mp.pi / 2, 4, 24, "pi/2 as a sum of f32 numbers.")
    split("ln2Double", ln2, 3, 53, "ln 2.")
    split("ln2DoubleShort", ln2, 3, 40, "ln 2; products of the parts with an exponent are exact in f64.")
    split("log10Of2DoubleShort", mp.log10(2), 2, 40, "log10 2, likewise.")
    split("log2eDouble", 1 / ln2, 2, 53, "log2 e.")
    split("log10eDouble", 1 / mp.log(10), 2, 53, "log10 e.")
    split("halfPiDouble", mp.pi / 2, 4, 53, "pi/2.")
    split("twoThirdsDouble", mpf(2) / 3, 2, 53, "2/3.")
    with mp.workprec(1600):
        chop("twoOverPiSingle", 2 / mp.pi, 7, 29, 0,
             "2/pi in groups of 29 bits: products with an f32 number are exact in f64.")
        chop("twoOverPiDouble", 2 / mp.pi, 47, 26, 500,
             "2/pi * 2^500 in groups of 26 bits: products with half of an f64 number are exact.")

    r = ln2 / 2 * mpf("1.0001")
    expq = lambda x: (mp.exp(x) - 1 - x) / x**2
    fit("expSingle", "(e^r - 1 - r)/r^2, |r| <= ln(2)/2.", expq, -r, r, lambda x: x**2 / mp.exp(x), 5, "f32")
    fit("expm1Single", "(e^r - 1 - r)/r^2, |r| <= ln(2)/2, relative to e^r - 1.", expq, -r, r,
        lambda x: x**2 / abs(mp.expm1(x)), 5, "f32")
    fit("exp2Single", "(2^r - 1)/r, |r| <= 1/2.", lambda x: (mp.mpf(2) ** x - 1) / x, -half, half,
        lambda x: abs(x) / mp.mpf(2) ** x, 6, "f32")
    fit("expDouble", "(e^r - 1 - r)/r^2, |r| <= ln(2)/2.", expq, -r, r, lambda x: x**2 / mp.exp(x), 10, "f64")
    fit("expm1Double", "(e^r - 1 - r)/r^2, |r| <= ln(2)/2, relative to e^r - 1.", expq, -r, r,
        lambda x: x**2 / abs(mp.expm1(x)), 11, "f64")
    fit("expNarrow", "(e^r - 1 - r)/r^2, |r| <= ln(2)/2, in f64 for an f32 result.", expq, -r, r,
        lambda x: x**2 / mp.exp(x), 6, "f64")

    third = mpf(1) / 3
    logq = lambda x: (mp.log1p(x) - x) / x**2
    fit("logSingle", "(log(1 + f) - f)/f^2, sqrt(1/2) <= 1 + f <= sqrt(2).", logq,
        mp.sqrt(half) - mpf("1.0001"), mp.sqrt(2) - mpf("0.9999"),
        lambda x: x**2 / abs(mp.log1p(x)), 9, "f32")
    # log((1 + s)/(1 - s)) = 2s + s^3 * p(s^2), s = f/(2 + f).
    smax = (mp.sqrt(2) - 1) ** 4 * mpf("1.0001")
    atanhq = lambda z: (2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z
    fit("logDouble", "(log((1 + s)/(1 - s)) - 2s)/s^3 in s^2, sqrt(1/2) <= (1 + s)/(1 - s) <= sqrt(2).",
        atanhq, 0, smax, lambda z: z / 2, 7, "f64")
    fit("logNarrow", "The same, in f64 for an f32 result of pow.", atanhq, 0, smax, lambda z: z / 2, 4, "f64")
    two3 = mpf(2) / 3
    fit("powLogDouble", "(log((1 + s)/(1 - s)) - 2s - 2/3 s^3)/s^5 in s^2, same range.",
        lambda z: (atanhq(z) - two3) / z, 0, smax, lambda z: z * z / 2, 8, "f64")

    tmax = mpf("0.625") ** 2
    fit("tanhSingle", "(tanh(x) - x)/x^3 in x^2, |x| <= 0.625.",
        lambda z: (mp.tanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, 0, tmax,
        lambda z: z * mp.sqrt(z) / mp.tanh(mp.sqrt(z)), 5, "f32")
    sinhq = lambda z: (mp.sinh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z
    sinhw = lambda z: z * mp.sqrt(z) / mp.sinh(mp.sqrt(z))
    fit("sinhDouble", "(sinh(x) - x)/x^3 in x^2, |x| <= 1.", sinhq, 0, 1, sinhw, 8, "f64")
    fit("sinhNarrow", "The same, in f64 for an f32 result.", sinhq, 0, 1, sinhw, 4, "f64")

    q = (mp.pi / 4 * mpf("1.001")) ** 2
    sinq = lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z
    sinw = lambda z: z * mp.sqrt(z) / mp.sin(mp.sqrt(z))
    cosq = lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2
    cosw = lambda z: z**2 / mp.cos(mp.sqrt(z))
    fit("sinSingle", "(sin(r) - r)/r^3 in r^2, |r| <= pi/4.", sinq, 0, q, sinw, 4, "f32")
    fit("cosSingle", "(cos(r) - 1 + r^2/2)/r^4 in r^2, |r| <= pi/4.", cosq, 0, q, cosw, 3, "f32")
    fit("sinDouble", "(sin(r) - r)/r^3 in r^2, |r| <= pi/4.", sinq, 0, q, sinw, 7, "f64")
    fit("cosDouble", "(cos(r) - 1 + r^2/2)/r^4 in r^2, |r| <= pi/4.", cosq, 0, q, cosw, 6, "f64")
    fit("sinNarrow", "sinDouble in f64 for an f32 result.", sinq, 0, q, sinw, 4, "f64")
    fit("cosNarrow", "cosDouble in f64 for an f32 result.", cosq, 0, q, cosw, 3, "f64")

    amax = (mp.sqrt(2) - 1) ** 2 * mpf("1.0001")
    atanq = lambda z: (mp.atan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z
    atanw = lambda z: z * mp.sqrt(z) / mp.atan(mp.sqrt(z))
    fit("atanDouble", "(atan(t) - t)/t^3 in t^2, |t| <= sqrt(2) - 1.", atanq, 0, amax, atanw, 11, "f64")
    fit("atanNarrow", "The same, in f64 for an f32 result.", atanq, 0, amax, atanw, 6, "f64")
    asinq = lambda z: (mp.asin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z
    asinw = lambda z: z * mp.sqrt(z) / mp.asin(mp.sqrt(z))
    quarter = mpf(1) / 4
    fit("asinDouble", "(asin(t) - t)/t^3 in t^2, |t| <= 1/2.", asinq, 0, quarter, asinw, 13, "f64")
    fit("asinNarrow", "The same, in f64 for an f32 result.", asinq, 0, quarter, asinw, 6, "f64")

    erfq = lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1
    erfw = lambda z: mp.sqrt(z) / mp.erf(mp.sqrt(z))
    fit("erfSingle", "erf(x)/x - 1 in x^2, |x| <= 0.9375.", erfq, 0, mpf("0.9375") ** 2, erfw, 7, "f32")
    fit("logErfcSingle", "log(erfc(x)), 0.9375 <= x <= 4, relative to erf.", lambda x: mp.log(mp.erfc(x)),
        mpf("0.9375"), 4, lambda x: mp.erfc(x) / mp.erf(x), 7, "f32")
    fit("erfDouble", "erf(x)/x - 1 in x^2, |x| <= 1.", erfq, 0, 1, erfw, 14, "f64")
    # Shepherd and Laframboise, Math. Comp. 36 (1981): (1 + 2x) e^(x^2) erfc(x) is
    # smooth in q = (x - 4)/(x + 4) over all of [0, inf), and within 1 to 1.29: less
    # 1.125, the polynomial is small and so are its roundings.
    def scaled_erfc(q):
        x = 4 * (1 + q) / (1 - q)
        return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x) - mpf("1.125")
    qmax = (mpf(28) - 4) / (mpf(28) + 4)
    fit("erfcDouble", "(1 + 2x) e^(x^2) erfc(x) - 1.125 in (x - 4)/(x + 4), 0 <= x <= 28.", scaled_erfc, -1, qmax,
        lambda q: 1 / (scaled_erfc(q) + mpf("1.125")), 23, "f64")
    qmax = (mpf(11) - 4) / (mpf(11) + 4)
    fit("erfcNarrow", "The same for 0 <= x <= 11, in f64 for an f32 result.", scaled_erfc, -1, qmax,
        lambda q: 1 / (scaled_erfc(q) + mpf("1.125")), 13, "f64")

    fit("inverseCbrt", "m^(-1/3), 1 <= m <= 2: the start of a Newton iteration.",
        lambda x: x ** (-third), 1, 2, lambda x: x**third, 5, "f64")
    print("\n} // namespace weft::coefficients\n// clang-format on\n\n#endif // WEFT_TRANSFORMS_VECTOR_MATHCOEFFICIENTS_H")


if __name__ == "__main__":
    main()
