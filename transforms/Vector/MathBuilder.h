//===- MathBuilder.h - Arithmetic on values under construction ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lets the algorithms of weft-expand-math read like the formulas they are: a
// Num is an SSA value, a scalar or a vector of any rank, and an operator on it
// creates the operation of the arith or math dialect. No operation created here
// carries fast-math flags, so what is written is what every machine computes.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_VECTOR_MATHBUILDER_H
#define WEFT_TRANSFORMS_VECTOR_MATHBUILDER_H

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <type_traits>

namespace weft {

/// A float, integer or i1 value, or a vector of them. The builder that it
/// refers to outlives it.
class Num {
public:
  Num(mlir::ImplicitLocOpBuilder &builder, mlir::Value value) : builder(&builder), value(value) {}

  mlir::Value get() const { return value; }
  mlir::Type getType() const { return value.getType(); }
  mlir::ImplicitLocOpBuilder &getBuilder() const { return *builder; }
  bool isFloat() const;
  /// The width of an element in bits.
  unsigned getWidth() const;

  /// A constant of this type. The first is for floats (the value must be one of
  /// the type's, or is rounded to it), the second for both; of an integer, it
  /// takes the low bits.
  Num constant(double number) const;
  Num constant(int64_t number) const;
  template <typename T>
  requires std::is_integral_v<T> Num constant(T number)
  const { return constant(static_cast<int64_t>(number)); }

private:
  mlir::ImplicitLocOpBuilder *builder;
  mlir::Value value;
};

// Float or integer arithmetic, by type. Comparisons of floats are ordered but
// for !=, those of integers signed; they give i1. The logical ones are for
// integers and i1.
Num operator+(Num a, Num b);
Num operator-(Num a, Num b);
Num operator*(Num a, Num b);
Num operator/(Num a, Num b);
Num operator-(Num a);
Num operator&(Num a, Num b);
Num operator|(Num a, Num b);
Num operator^(Num a, Num b);
Num operator!(Num a);
Num operator<(Num a, Num b);
Num operator<=(Num a, Num b);
Num operator>(Num a, Num b);
Num operator>=(Num a, Num b);
Num operator==(Num a, Num b);
Num operator!=(Num a, Num b);

template <typename T>
concept Number = std::is_arithmetic_v<T>;

Num operator+(Num a, Number auto b) { return a + a.constant(b); }
Num operator+(Number auto a, Num b) { return b.constant(a) + b; }
Num operator-(Num a, Number auto b) { return a - a.constant(b); }
Num operator-(Number auto a, Num b) { return b.constant(a) - b; }
Num operator*(Num a, Number auto b) { return a * a.constant(b); }
Num operator*(Number auto a, Num b) { return b.constant(a) * b; }
Num operator/(Num a, Number auto b) { return a / a.constant(b); }
Num operator/(Number auto a, Num b) { return b.constant(a) / b; }
Num operator&(Num a, Number auto b) { return a & a.constant(b); }
Num operator<(Num a, Number auto b) { return a < a.constant(b); }
Num operator<=(Num a, Number auto b) { return a <= a.constant(b); }
Num operator>(Num a, Number auto b) { return a > a.constant(b); }
Num operator>=(Num a, Number auto b) { return a >= a.constant(b); }
Num operator==(Num a, Number auto b) { return a == a.constant(b); }
Num operator!=(Num a, Number auto b) { return a != a.constant(b); }

/// a * b + c with one rounding.
Num fma(Num a, Num b, Num c);
Num fma(Num a, Number auto b, Num c) { return fma(a, a.constant(b), c); }
Num fma(Num a, Number auto b, Number auto c) { return fma(a, a.constant(b), a.constant(c)); }
Num fma(Num a, Num b, Number auto c) { return fma(a, b, a.constant(c)); }

Num select(Num condition, Num a, Num b);
Num select(Num condition, Number auto a, Num b) { return select(condition, b.constant(a), b); }
Num select(Num condition, Num a, Number auto b) { return select(condition, a, a.constant(b)); }

Num abs(Num x);
Num sqrt(Num x);
Num truncate(Num x);
Num roundEven(Num x);
Num copySign(Num magnitude, Num sign);
Num isNaN(Num x);

/// The lower or higher of x and a bound; a NaN x stays NaN.
Num atMost(Num x, double bound);
Num atLeast(Num x, double bound);

// The bits of a float as an integer of its width, and back; shifts.
Num toBits(Num x);
Num fromBits(Num x);
Num shiftLeft(Num x, int amount);
Num shiftRight(Num x, int amount);

/// A biased exponent, an integer in [0, 4096), as the float of its width, less
/// the bias.
Num exponentToFloat(Num x);
/// A signed integer as f64.
Num toDouble(Num x);
/// f32 to f64, and back.
Num extend(Num x);
Num narrow(Num x);

/// `usual`, with `rare()` in the lanes where `condition` holds. The code of
/// `rare` runs only if it holds in some lane.
llvm::SmallVector<Num> replaceWhereRare(Num condition, llvm::ArrayRef<Num> usual,
                                        llvm::function_ref<llvm::SmallVector<Num>()> rare);

/// A loop over the entries of a table: body(entry, carried values). The entry
/// is f64, of the shape of the first carried value.
llvm::SmallVector<Num>
forEachEntry(llvm::ArrayRef<double> table, llvm::ArrayRef<Num> initial,
             llvm::function_ref<llvm::SmallVector<Num>(Num, llvm::ArrayRef<Num>)> body);

/// A loop of `count` iterations.
llvm::SmallVector<Num> repeat(int64_t count, llvm::ArrayRef<Num> initial,
                              llvm::function_ref<llvm::SmallVector<Num>(llvm::ArrayRef<Num>)> body);

/// A polynomial in x, lowest power first, by Horner's rule in fma.
Num polynomial(Num x, llvm::ArrayRef<double> coefficients);

/// An unevaluated sum hi + lo, |lo| at most half a unit in the last place of
/// hi.
struct DoubleNum {
  Num hi, lo;
};

/// a + b exactly; fastTwoSum needs |a| >= |b| or a = 0 (T. J. Dekker, 1971).
DoubleNum twoSum(Num a, Num b);
DoubleNum fastTwoSum(Num a, Num b);
/// a * b exactly.
DoubleNum twoProduct(Num a, Num b);
/// a * b to about twice the precision.
DoubleNum multiply(DoubleNum a, DoubleNum b);

} // namespace weft

#endif // WEFT_TRANSFORMS_VECTOR_MATHBUILDER_H
