/*===- remainder.c - fmod -----------------------------------------------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The mantissas' remainder in integers, as many exponent steps at a time as fit
 * in 64 bits. Exact, as fmod always is.
 *
 *===----------------------------------------------------------------------===*/
#include "builtins.h"

BUILTIN float fmodf(float x, float y) {
  const uint32_t sign = bitsOfFloat(x) & 0x80000000u;
  const uint32_t a = bitsOfFloat(x) & 0x7FFFFFFFu;
  const uint32_t b = bitsOfFloat(y) & 0x7FFFFFFFu;
  if (a >= 0x7F800000u || b > 0x7F800000u || b == 0)
    return (x * y) / (x * y); /* NaN */
  if (a < b)
    return x;
  /* value = mantissa * 2^(exponent - 150); subnormals have exponent 1 */
  int exponentA = (int)(a >> 23), exponentB = (int)(b >> 23);
  uint64_t rest = a & 0x7FFFFFu, divisor = b & 0x7FFFFFu;
  rest |= exponentA ? 0x800000u : 0;
  divisor |= exponentB ? 0x800000u : 0;
  exponentA += !exponentA;
  exponentB += !exponentB;
  rest %= divisor;
  for (int steps = exponentA - exponentB; steps > 0 && rest;) {
    const int now = steps < 40 ? steps : 40;
    rest = (rest << now) % divisor;
    steps -= now;
  }
  if (!rest)
    return floatOfBits(sign);
  while (rest < 0x800000u && exponentB > 1) {
    rest <<= 1;
    --exponentB;
  }
  const uint32_t exponent = rest & 0x800000u ? (uint32_t)exponentB << 23 : 0;
  return floatOfBits(sign | exponent | ((uint32_t)rest & 0x7FFFFFu));
}

BUILTIN double fmod(double x, double y) {
  const uint64_t top = UINT64_C(1) << 52, infinity = UINT64_C(0x7FF) << 52;
  const uint64_t sign = bitsOfDouble(x) & ~(uint64_t)INT64_MAX;
  const uint64_t a = bitsOfDouble(x) & INT64_MAX;
  const uint64_t b = bitsOfDouble(y) & INT64_MAX;
  if (a >= infinity || b > infinity || b == 0)
    return (x * y) / (x * y);
  if (a < b)
    return x;
  int exponentA = (int)(a >> 52), exponentB = (int)(b >> 52);
  uint64_t rest = a & (top - 1), divisor = b & (top - 1);
  rest |= exponentA ? top : 0;
  divisor |= exponentB ? top : 0;
  exponentA += !exponentA;
  exponentB += !exponentB;
  rest %= divisor;
  for (int steps = exponentA - exponentB; steps > 0 && rest;) {
    const int now = steps < 11 ? steps : 11;
    rest = (rest << now) % divisor;
    steps -= now;
  }
  if (!rest)
    return doubleOfBits(sign);
  while (rest < top && exponentB > 1) {
    rest <<= 1;
    --exponentB;
  }
  const uint64_t exponent = rest & top ? (uint64_t)exponentB << 52 : 0;
  return doubleOfBits(sign | exponent | (rest & (top - 1)));
}
