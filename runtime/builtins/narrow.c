/*===- narrow.c - Half precision and bfloat16 ---------------------------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * In LLVM's calling convention for x86-64 since version 15: 16-bit floats in
 * the low bits of xmm registers. __gnu_*_ieee are the older ones, in integer
 * registers. Rounding is to nearest even from the source type, once; NaNs stay
 * NaNs with the upper part of their payload, quiet.
 *
 *===----------------------------------------------------------------------===*/
#include "builtins.h"

typedef union {
  _Float16 value;
  uint16_t bits;
} Half;
/* A bfloat16 travels as a half does; GCC 12 has no type for it. */
typedef Half BFloat;

/* Rounds binary64 bits to a format of 16 bits with `mantissa` explicit mantissa
   bits. */
static inline uint16_t narrow(uint64_t bits, int mantissa) {
  const int exponentBits = 15 - mantissa;
  const int bias = (1 << (exponentBits - 1)) - 1;
  const uint16_t sign = (uint16_t)(bits >> 48 & 0x8000);
  const uint16_t infinity = (uint16_t)(((1 << exponentBits) - 1) << mantissa);
  const uint64_t magnitude = bits & INT64_MAX;
  if (magnitude > UINT64_C(0x7FF) << 52) /* NaN */
    return (uint16_t)(sign | infinity | 1u << (mantissa - 1) |
                      ((magnitude >> (52 - mantissa)) & ((1u << mantissa) - 1)));
  int exponent = (int)(magnitude >> 52) - 1023 + bias;
  if (exponent > (1 << exponentBits) - 2)
    return sign | infinity;
  uint64_t whole = magnitude & ((UINT64_C(1) << 52) - 1);
  int shift = 52 - mantissa;
  if (exponent <= 0) { /* subnormal: the leading one becomes explicit */
    if (exponent < -mantissa)
      return sign;
    whole |= UINT64_C(1) << 52;
    shift += 1 - exponent;
    exponent = 0;
  }
  const uint64_t half = UINT64_C(1) << (shift - 1);
  const uint64_t rest = whole & (half * 2 - 1);
  uint64_t result = ((uint64_t)exponent << mantissa) + (whole >> shift);
  result += rest > half || (rest == half && (result & 1));
  return sign | (uint16_t)result; /* a carry may make it infinite: right */
}

/* float to double is exact and keeps a NaN's upper payload; done on the bits,
   because the conversion itself would flush or signal. */
static inline uint64_t widenBits(float x) {
  const uint32_t bits = bitsOfFloat(x);
  if ((bits & 0x7F800000u) == 0x7F800000u)
    return (uint64_t)(bits & 0x80000000u) << 32 | UINT64_C(0x7FF) << 52 |
           (uint64_t)(bits & 0x7FFFFFu) << 29;
  return bitsOfDouble((double)x);
}

static inline float extendHalf(uint16_t half) {
  const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
  const uint32_t exponent = half >> 10 & 0x1F, mantissa = half & 0x3FF;
  if (exponent == 0x1F)
    return floatOfBits(sign | 0x7F800000u | (mantissa ? 0x400000u : 0) | mantissa << 13);
  if (exponent)
    return floatOfBits(sign | (exponent + 112) << 23 | mantissa << 13);
  return floatOfBits(sign | bitsOfFloat((float)(int)mantissa * 0x1p-24f));
}

BUILTIN float __extendhfsf2(_Float16 x) {
  const Half half = {.value = x};
  return extendHalf(half.bits);
}
BUILTIN double __extendhfdf2(_Float16 x) {
  const Half half = {.value = x};
  return extendHalf(half.bits);
}
BUILTIN float __gnu_h2f_ieee(uint16_t x) { return extendHalf(x); }

BUILTIN _Float16 __truncsfhf2(float x) {
  const Half half = {.bits = narrow(widenBits(x), 10)};
  return half.value;
}
BUILTIN _Float16 __truncdfhf2(double x) {
  const Half half = {.bits = narrow(bitsOfDouble(x), 10)};
  return half.value;
}
BUILTIN uint16_t __gnu_f2h_ieee(float x) { return narrow(widenBits(x), 10); }

BUILTIN float __extendbfsf2(_Float16 x) {
  const BFloat bfloat = {.value = x};
  return floatOfBits((uint32_t)bfloat.bits << 16);
}
BUILTIN _Float16 __truncsfbf2(float x) {
  const BFloat bfloat = {.bits = narrow(widenBits(x), 7)};
  return bfloat.value;
}
BUILTIN _Float16 __truncdfbf2(double x) {
  const BFloat bfloat = {.bits = narrow(bitsOfDouble(x), 7)};
  return bfloat.value;
}
