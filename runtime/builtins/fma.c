/*===- fma.c - Multiply-add with one rounding ---------------------------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * For the baseline only: variants with FMA use the instruction.
 *
 *===----------------------------------------------------------------------===*/
#include "builtins.h"

typedef unsigned __int128 uint128;

/* The product is exact in double. The sum is rounded to odd (its last bit is
   set if anything was lost), so that rounding it again to float is right:
   Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008. */
BUILTIN float fmaf(float x, float y, float z) {
  const double product = (double)x * (double)y, addend = z;
  const double sum = product + addend;
  const uint64_t bits = bitsOfDouble(sum);
  if ((bits >> 52 & 0x7FF) == 0x7FF)
    return (float)sum;
  /* Knuth's TwoSum: sum + error is exact. */
  const double back = sum - product;
  const double error = (product - (sum - back)) + (addend - back);
  if (error == 0 || (bits & 1))
    return (float)sum;
  return (float)doubleOfBits((error > 0) == (sum > 0) ? bits + 1 : bits - 1);
}

/* value = mantissa * 2^exponent with 2^52 <= mantissa < 2^53; x is finite and
   not zero. */
static inline uint64_t split(double x, int *exponent) {
  const uint64_t bits = bitsOfDouble(x) & INT64_MAX;
  uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
  *exponent = (int)(bits >> 52) - 1075;
  if (bits >> 52)
    return mantissa | UINT64_C(1) << 52;
  const int shift = __builtin_clzll(mantissa) - 11;
  *exponent = -1074 - shift;
  return mantissa << shift;
}

static inline int highestBit(uint128 value) {
  const uint64_t high = (uint64_t)(value >> 64);
  return high ? 127 - __builtin_clzll(high) : 63 - __builtin_clzll((uint64_t)value);
}

/* value >> shift; what is lost sets the last bit. */
static inline uint128 shiftSticky(uint128 value, int shift) {
  if (shift > 127)
    return value != 0;
  return value >> shift | ((value & (((uint128)1 << shift) - 1)) != 0);
}

/* value * 2^exponent, value != 0, rounded to nearest even. */
static double pack(uint128 value, int exponent, int negative) {
  const uint64_t sign = (uint64_t)negative << 63;
  const int high = highestBit(value) + exponent;
  if (high > 1023)
    return doubleOfBits(sign | UINT64_C(0x7FF) << 52);
  const int last = high - 52 > -1074 ? high - 52 : -1074;
  const int shift = last - exponent;
  uint64_t mantissa;
  if (shift <= 0) {
    mantissa = (uint64_t)(value << -shift);
  } else if (shift > 127) {
    mantissa = 0; /* value < 2^127 is less than half of the last place */
  } else {
    const uint128 half = (uint128)1 << (shift - 1);
    const uint128 rest = value & (half * 2 - 1);
    mantissa = (uint64_t)(value >> shift);
    mantissa += rest > half || (rest == half && (mantissa & 1));
  }
  /* A carry out of the mantissa lands in the exponent, as it should. */
  return doubleOfBits(sign | (((uint64_t)(last + 1074) << 52) + mantissa));
}

BUILTIN double fma(double x, double y, double z) {
  const uint64_t infinity = UINT64_C(0x7FF) << 52;
  const int finiteFactors =
      (bitsOfDouble(x) & infinity) != infinity && (bitsOfDouble(y) & infinity) != infinity;
  const int finiteAddend = (bitsOfDouble(z) & infinity) != infinity;
  if (!finiteFactors || x == 0 || y == 0)
    return x * y + z;
  if (!finiteAddend)
    return z + z;
  if (z == 0)
    return x * y;
  int exponentX, exponentY, exponentZ;
  const uint64_t mantissaX = split(x, &exponentX);
  const uint64_t mantissaY = split(y, &exponentY);
  const uint64_t mantissaZ = split(z, &exponentZ);
  const int negative = (int)((bitsOfDouble(x) ^ bitsOfDouble(y)) >> 63);
  const int negativeZ = (int)(bitsOfDouble(z) >> 63);

  /* 106 bits of product with 20 zeros below and 2 free bits above. What is
     shifted out below is either those zeros or far from any cancellation. */
  uint128 product = (uint128)mantissaX * mantissaY << 20, addend = mantissaZ;
  int exponent = exponentX + exponentY - 20;
  const int distance = exponentZ - exponent;
  if (distance > 73) {
    product = shiftSticky(product, distance - 73);
    addend <<= 73;
    exponent = exponentZ - 73;
  } else if (distance >= 0) {
    addend <<= distance;
  } else {
    addend = shiftSticky(addend, -distance);
  }
  if (negative == negativeZ)
    return pack(product + addend, exponent, negative);
  if (product == addend)
    return 0;
  return product > addend ? pack(product - addend, exponent, negative)
                          : pack(addend - product, exponent, negativeZ);
}
