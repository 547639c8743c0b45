/*===- integer.c - 128-bit integers and integer powers ------------------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/
#include "builtins.h"

typedef unsigned __int128 uint128;
typedef __int128 int128;

/* high:low / divisor, high < divisor. */
static inline uint64_t divideWide(uint64_t high, uint64_t low, uint64_t divisor, uint64_t *rest) {
  uint64_t quotient;
  __asm__("divq %4" : "=a"(quotient), "=d"(*rest) : "a"(low), "d"(high), "r"(divisor) : "cc");
  return quotient;
}

/* By zero: quotient 0 and the dividend as rest; generated code checks first. */
static inline uint128 divide(uint128 n, uint128 d, uint128 *rest) {
  const uint64_t nHigh = (uint64_t)(n >> 64), nLow = (uint64_t)n;
  const uint64_t dHigh = (uint64_t)(d >> 64), dLow = (uint64_t)d;
  uint64_t r;
  if (n < d || d == 0) {
    *rest = n;
    return 0;
  }
  if (dHigh == 0) {
    const uint64_t high = nHigh / dLow;
    const uint64_t low = divideWide(nHigh % dLow, nLow, dLow, &r);
    *rest = r;
    return (uint128)high << 64 | low;
  }
  /* Warren, "Hacker's Delight", 9-5: the quotient of the leading halves is at
     most one too large. */
  const int shift = __builtin_clzll(dHigh);
  const uint64_t divisor = (uint64_t)(d << shift >> 64);
  const uint128 dividend = n >> 1;
  uint64_t quotient = divideWide((uint64_t)(dividend >> 64), (uint64_t)dividend, divisor, &r);
  quotient = (uint64_t)((uint128)quotient << shift >> 63);
  quotient -= quotient != 0;
  uint128 remainder = n - d * quotient;
  if (remainder >= d) {
    ++quotient;
    remainder -= d;
  }
  *rest = remainder;
  return quotient;
}

static inline uint128 magnitude(int128 x) { return x < 0 ? -(uint128)x : (uint128)x; }

BUILTIN uint128 __udivti3(uint128 a, uint128 b) {
  uint128 rest;
  return divide(a, b, &rest);
}
BUILTIN uint128 __umodti3(uint128 a, uint128 b) {
  uint128 rest;
  divide(a, b, &rest);
  return rest;
}
BUILTIN int128 __divti3(int128 a, int128 b) {
  uint128 rest;
  const uint128 quotient = divide(magnitude(a), magnitude(b), &rest);
  return (int128)((a < 0) != (b < 0) ? -quotient : quotient);
}
BUILTIN int128 __modti3(int128 a, int128 b) {
  uint128 rest;
  divide(magnitude(a), magnitude(b), &rest);
  return (int128)(a < 0 ? -rest : rest);
}
BUILTIN int128 __multi3(int128 a, int128 b) { return (int128)((uint128)a * (uint128)b); }

/* x^n by squaring, in the order in which LLVM's library multiplies. */
#define POWER(T, name)                                                                             \
  BUILTIN T name(T x, int n) {                                                                     \
    unsigned rest = n < 0 ? -(unsigned)n : (unsigned)n;                                            \
    T result = 1;                                                                                  \
    for (;;) {                                                                                     \
      if (rest & 1)                                                                                \
        result *= x;                                                                               \
      rest >>= 1;                                                                                  \
      if (!rest)                                                                                   \
        break;                                                                                     \
      x *= x;                                                                                      \
    }                                                                                              \
    return n < 0 ? 1 / result : result;                                                            \
  }

POWER(float, __powisf2)
POWER(double, __powidf2)
