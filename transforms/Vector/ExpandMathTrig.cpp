//===- ExpandMathTrig.cpp - Sine, cosine and tangent ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// x = n pi/2 + r, |r| <= pi/4, then polynomials for sin r and cos r, of which
// n mod 4 selects one and a sign.
//
// The usual way subtracts n pi/2 in parts (Cody and Waite): the first fma is
// exact, as n times the first part ends no lower than x does. For arguments too
// large for that, x 2/pi mod 4 is summed over groups of bits of 2/pi that are
// narrow enough to make every product exact; groups that contribute multiples
// of 4 drop out by themselves (M. Payne and R. Hanek, 1983, without its integer
// arithmetic). That code runs only where some lane needs it.
//
//===----------------------------------------------------------------------===//

#include "transforms/Vector/MathCoefficients.h"
#include "transforms/Vector/MathKernels.h"

#include <limits>

using namespace weft;
using namespace weft::coefficients;

static constexpr double infinity = std::numeric_limits<double>::infinity();

namespace {
/// r = hi + lo, and n mod 4 in the low bits of an integer of the type's width.
struct Reduced {
  Num hi, lo, quadrant;
};
} // namespace

/// x 2/pi mod 4 of f64 x, as an integer in [-2, 2] times any multiple of 4 and
/// a fraction hi + lo in [-1/2, 1/2]. `parts` are numbers whose sum is x and
/// whose product with each entry of `table` is exact.
static std::pair<Num, DoubleNum> fractionOfHalfPi(llvm::ArrayRef<Num> parts,
                                                  llvm::ArrayRef<double> table) {
  Num zero = parts.front().constant(0.0);
  auto sums = forEachEntry(table, {zero, zero, zero}, [&](Num entry, llvm::ArrayRef<Num> carried) {
    Num whole = carried[0];
    DoubleNum fraction = {carried[1], carried[2]};
    for (Num part : parts) {
      Num product = part * entry;
      product = fma(roundEven(product * 0.25), -4.0, product);
      DoubleNum sum = twoSum(fraction.hi, product);
      Num units = roundEven(sum.hi);
      whole = whole + units;
      // Renormalised, so that a sum close to an integer keeps its digits.
      fraction = fastTwoSum(sum.hi - units, sum.lo + fraction.lo);
    }
    return llvm::SmallVector<Num>{whole, fraction.hi, fraction.lo};
  });
  return {sums[0], {sums[1], sums[2]}};
}

/// The low bits of an f64 integer of magnitude below 2^50.
static Num integerBits(Num x) { return toBits(x + 0x1.8p52); }

/// NaN for infinite arguments (x - x), so that table products stay finite.
static Num finiteOrNaN(Num x) { return select(abs(x) < infinity, x, x - x); }

/// Of f64 x that is an f64 number (`wide`) or was an f32 one.
static Reduced reduceLarge(Num x, bool wide) {
  Num finite = finiteOrNaN(x);
  llvm::SmallVector<Num> parts;
  if (wide) {
    // Scaled against the table's 2^500, and cut at its 26th bit.
    Num scaled = finite * 0x1p-500;
    Num high = fromBits(toBits(scaled) & ~int64_t(0x7FFFFFF));
    parts = {high, scaled - high};
  } else {
    parts = {finite};
  }
  auto [whole, fraction] =
      wide ? fractionOfHalfPi(parts, twoOverPiDouble) : fractionOfHalfPi(parts, twoOverPiSingle);
  DoubleNum r = multiply(fraction, {x.constant(halfPiDouble[0]), x.constant(halfPiDouble[1])});
  return {r.hi, r.lo, integerBits(whole)};
}

static Reduced reduceDouble(Num x) {
  Num sum = fma(x, 0x1.45f306dc9c883p-1, 0x1.8p52);
  Num n = sum - 0x1.8p52;
  Num first = fma(n, -halfPiDouble[0], x);
  DoubleNum product = twoProduct(n, n.constant(halfPiDouble[1]));
  DoubleNum r = twoSum(first, -product.hi);
  Num lo = fma(n, -halfPiDouble[2], r.lo - product.lo);
  auto replaced = replaceWhereRare(!(abs(x) < 0x1p20), {r.hi, lo, toBits(sum)}, [&] {
    Reduced large = reduceLarge(x, true);
    return llvm::SmallVector<Num>{large.hi, large.lo, large.quadrant};
  });
  return {replaced[0], replaced[1], replaced[2]};
}

static Reduced reduceSingle(Num x) {
  Num sum = fma(x, 0x1.45f306dc9c883p-1, 0x1.8p23);
  Num n = sum - 0x1.8p23;
  Num first = fma(n, -halfPiSingle[0], x);
  DoubleNum product = twoProduct(n, n.constant(halfPiSingle[1]));
  DoubleNum r = twoSum(first, -product.hi);
  Num lo = fma(n, -halfPiSingle[2], r.lo - product.lo);
  auto replaced = replaceWhereRare(!(abs(x) < 0x1p15), {r.hi, lo, toBits(sum)}, [&] {
    Reduced large = reduceLarge(extend(x), false);
    Num hi = narrow(large.hi);
    Num quadrant = toBits(narrow(fromBits(large.quadrant) - 0x1.8p52) + 0x1.8p23);
    return llvm::SmallVector<Num>{hi, narrow(large.hi - extend(hi)), quadrant};
  });
  return {replaced[0], replaced[1], replaced[2]};
}

/// sin and cos of r = hi + lo.
static std::pair<Num, Num> sinCosReduced(const Reduced &r) {
  bool isDouble = r.hi.getWidth() == 64;
  Num z = r.hi * r.hi;
  Num s = isDouble ? polynomial(z, sinDouble) : polynomial(z, sinSingle);
  Num c = isDouble ? polynomial(z, cosDouble) : polynomial(z, cosSingle);
  // sin(hi + lo) = sin hi + lo cos hi, with cos hi = 1 - z/2 here.
  Num half = fma(z, -0.5, 1.0);
  Num sine = r.hi + fma(z * r.hi, s, r.lo * half);
  // cos(hi + lo) = cos hi - lo sin hi; the rounding of 1 - z/2 is recovered.
  Num rounding = fma(z, -0.5, 1 - half);
  Num cosine = half + (rounding + fma(z * z, c, -(r.hi * r.lo)));
  return {sine, cosine};
}

static Num withSign(Num x, Num negative) { return select(negative, -x, x); }

static Reduced reduce(Num x) { return x.getWidth() == 64 ? reduceDouble(x) : reduceSingle(x); }

static Num sineOfQuadrant(std::pair<Num, Num> values, Num quadrant) {
  Num value = select((quadrant & 1) != 0, values.second, values.first);
  return withSign(value, (quadrant & 2) != 0);
}

namespace weft::kernels {

Num sin(Num x) {
  Reduced r = reduce(x);
  // The reduction loses the sign of -0.
  return select(x == 0, x, sineOfQuadrant(sinCosReduced(r), r.quadrant));
}

Num cos(Num x) {
  Reduced r = reduce(x);
  return sineOfQuadrant(sinCosReduced(r), r.quadrant + 1);
}

std::pair<Num, Num> sinCos(Num x) {
  Reduced r = reduce(x);
  std::pair<Num, Num> values = sinCosReduced(r);
  return {select(x == 0, x, sineOfQuadrant(values, r.quadrant)),
          sineOfQuadrant(values, r.quadrant + 1)};
}

Num tan(Num x) {
  if (x.getWidth() == 64) {
    Reduced r = reduceDouble(x);
    auto [sine, cosine] = sinCosReduced(r);
    Num odd = (r.quadrant & 1) != 0;
    Num result = select(odd, -cosine, sine) / select(odd, sine, cosine);
    return select(x == 0, x, result);
  }
  // f32 in f64, where two parts of pi/2 are enough.
  Num wide = extend(x);
  Num sum = fma(wide, 0x1.45f306dc9c883p-1, 0x1.8p52);
  Num n = sum - 0x1.8p52;
  Num usual = fma(n, -halfPiDouble[1], fma(n, -halfPiDouble[0], wide));
  auto replaced = replaceWhereRare(!(abs(x) < 0x1p25), {usual, toBits(sum)}, [&] {
    Reduced large = reduceLarge(wide, false);
    return llvm::SmallVector<Num>{large.hi, large.quadrant};
  });
  Num r = replaced[0];
  Num z = r * r;
  Num sine = fma(z * r, polynomial(z, sinNarrow), r);
  Num cosine = fma(z * z, polynomial(z, cosNarrow), fma(z, -0.5, 1.0));
  Num odd = (replaced[1] & 1) != 0;
  Num result = select(odd, -cosine, sine) / select(odd, sine, cosine);
  return select(x == 0, x, narrow(result));
}

} // namespace weft::kernels
