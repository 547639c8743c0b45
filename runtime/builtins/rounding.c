/*===- rounding.c - Rounding to whole numbers, and scaling --------------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * SSE2 has no instruction for these; SSE4.1 (x86-64-v2) has.
 *
 *===----------------------------------------------------------------------===*/
#include "builtins.h"

static inline float truncate32(float x) {
  const uint32_t bits = bitsOfFloat(x);
  const int exponent = (int)(bits >> 23 & 0xFF) - 127;
  if (exponent >= 23)
    return exponent == 128 ? x + x : x; /* a signalling NaN becomes quiet */
  if (exponent < 0)
    return floatOfBits(bits & 0x80000000u);
  return floatOfBits(bits & ~(0x7FFFFFu >> exponent));
}

static inline double truncate64(double x) {
  const uint64_t bits = bitsOfDouble(x);
  const int exponent = (int)(bits >> 52 & 0x7FF) - 1023;
  if (exponent >= 52)
    return exponent == 1024 ? x + x : x;
  if (exponent < 0)
    return doubleOfBits(bits & UINT64_C(0x8000000000000000));
  return doubleOfBits(bits & ~(UINT64_C(0xFFFFFFFFFFFFF) >> exponent));
}

static inline float withSign32(float magnitude, float sign) {
  return floatOfBits((bitsOfFloat(magnitude) & 0x7FFFFFFFu) | (bitsOfFloat(sign) & 0x80000000u));
}
static inline double withSign64(double magnitude, double sign) {
  return doubleOfBits((bitsOfDouble(magnitude) & INT64_MAX) |
                      (bitsOfDouble(sign) & ~(uint64_t)INT64_MAX));
}

/* The distance to the whole number below is exact in all of these. */
#define ROUNDING(T, suffix, truncate, withSign, magic)                                             \
  BUILTIN T trunc##suffix(T x) { return truncate(x); }                                             \
  BUILTIN T floor##suffix(T x) {                                                                   \
    const T whole = truncate(x);                                                                   \
    return whole > x ? whole - 1 : whole;                                                          \
  }                                                                                                \
  BUILTIN T ceil##suffix(T x) {                                                                    \
    const T whole = truncate(x);                                                                   \
    return whole < x ? withSign(whole + 1, x) : whole;                                             \
  }                                                                                                \
  BUILTIN T round##suffix(T x) {                                                                   \
    const T whole = truncate(x), rest = withSign(x - whole, 1);                                    \
    return rest >= (T)0.5 ? whole + withSign(1, x) : whole;                                        \
  }                                                                                                \
  BUILTIN T roundeven##suffix(T x) {                                                               \
    const T whole = truncate(x), rest = withSign(x - whole, 1);                                    \
    const T half = whole * (T)0.5;                                                                 \
    const int odd = truncate(half) != half;                                                        \
    return rest > (T)0.5 || (rest == (T)0.5 && odd) ? whole + withSign(1, x) : whole;              \
  }                                                                                                \
  /* In the current mode, by letting an addition round. */                                         \
  static inline T toWhole##suffix(T x) {                                                           \
    if (!(withSign(x, 1) < magic))                                                                 \
      return x + 0;                                                                                \
    const T sum = x < 0 ? x - magic : x + magic;                                                   \
    __asm__ volatile("" ::"x"(sum));                                                               \
    return withSign(x < 0 ? sum + magic : sum - magic, x);                                         \
  }                                                                                                \
  BUILTIN T rint##suffix(T x) { return toWhole##suffix(x); }                                       \
  BUILTIN T nearbyint##suffix(T x) { return toWhole##suffix(x); }

ROUNDING(float, f, truncate32, withSign32, 8388608.0f)
ROUNDING(double, , truncate64, withSign64, 4503599627370496.0)

/* x * 2^n, rounded once: in steps that stay exact until the last. */
BUILTIN double ldexp(double x, int n) {
  if (n > 1023) {
    x *= 0x1p1023;
    n -= 1023;
    if (n > 1023) {
      x *= 0x1p1023;
      n = n - 1023 > 1023 ? 1023 : n - 1023;
    }
  } else if (n < -1022) {
    /* 2^-969 leaves 53 bits above the subnormals for the next step. */
    x *= 0x1p-969;
    n += 969;
    if (n < -1022) {
      x *= 0x1p-969;
      n = n + 969 < -1022 ? -1022 : n + 969;
    }
  }
  return x * doubleOfBits((uint64_t)(n + 1023) << 52);
}

BUILTIN float ldexpf(float x, int n) {
  /* Exact in double, but for subnormal results rounded once here: a float has
     24 bits and a double 53, and 2^n fits a double in this range. */
  n = n > 400 ? 400 : n < -400 ? -400 : n;
  return (float)((double)x * doubleOfBits((uint64_t)(n + 1023) << 52));
}
