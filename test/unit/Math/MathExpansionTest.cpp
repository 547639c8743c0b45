//===- MathExpansionTest.cpp - The error of every expanded function -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiles each function as weft-expand-math writes it and compares its results
// with the libm of the next wider type: double for f32, long double for f64.
// The bounds are those of the table in docs/math.md, which is read here.
//
// f32 functions of one argument are sampled every 1021st bit pattern;
// WEFT_MATH_STRIDE=1 in the environment makes that exhaustive.
//
//===----------------------------------------------------------------------===//

#include "CompiledFunction.h"

#include "gtest/gtest.h"

#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <vector>

using namespace weft::test;

//===----------------------------------------------------------------------===//
// Functions and bounds
//===----------------------------------------------------------------------===//

namespace {
struct Function {
  const char *name;
  const char *operation;
  double (*ofDouble)(double);
  long double (*ofLongDouble)(long double);
};

struct BinaryFunction {
  const char *name;
  const char *operation;
  double (*ofDouble)(double, double);
  long double (*ofLongDouble)(long double, long double);
};

struct Bounds {
  double single, twice;
};
} // namespace

[[maybe_unused]] static void PrintTo(const Function &function, std::ostream *stream) {
  *stream << function.name;
}
[[maybe_unused]] static void PrintTo(const BinaryFunction &function, std::ostream *stream) {
  *stream << function.name;
}

template <typename T> static T inverseRoot(T x) { return 1 / std::sqrt(x); }

#define UNARY(name)                                                                                \
  { #name, "%y = math." #name " %a : $A", ::name, ::name##l }
static const Function functions[] = {
    UNARY(exp),
    UNARY(exp2),
    UNARY(expm1),
    UNARY(log),
    UNARY(log2),
    UNARY(log10),
    UNARY(log1p),
    UNARY(sin),
    UNARY(cos),
    UNARY(tan),
    UNARY(asin),
    UNARY(acos),
    UNARY(atan),
    UNARY(sinh),
    UNARY(cosh),
    UNARY(tanh),
    UNARY(asinh),
    UNARY(acosh),
    UNARY(atanh),
    UNARY(erf),
    UNARY(erfc),
    UNARY(cbrt),
    {"rsqrt", "%y = math.rsqrt %a : $A", inverseRoot<double>, inverseRoot<long double>},
    {"round", "%y = math.round %a : $A", ::round, ::roundl},
    {"sincos, sine", "%y, %other = math.sincos %a : $A", ::sin, ::sinl},
    {"sincos, cosine", "%other, %y = math.sincos %a : $A", ::cos, ::cosl},
};
#undef UNARY

static const BinaryFunction binaryFunctions[] = {
    {"powf", "%y = math.powf %a, %b : $A", ::pow, ::powl},
    {"atan2", "%y = math.atan2 %a, %b : $A", ::atan2, ::atan2l},
};

/// The rows "| name | f32 bound | f64 bound | ..." of the documentation.
static const std::map<std::string, Bounds> &documentedBounds() {
  static const auto bounds = [] {
    std::map<std::string, Bounds> result;
    std::ifstream file(WEFT_MATH_DOCUMENTATION);
    for (std::string line; std::getline(file, line);) {
      std::istringstream row(line);
      std::string bar, name;
      Bounds entry;
      if (row >> bar >> name >> bar >> entry.single >> bar >> entry.twice)
        result[name] = entry;
    }
    return result;
  }();
  return bounds;
}

static Bounds boundsOf(std::string name) {
  name = name.substr(0, name.find(','));
  auto found = documentedBounds().find(name);
  if (found != documentedBounds().end())
    return found->second;
  ADD_FAILURE() << "docs/math.md states no bounds of " << name;
  return {0, 0};
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

/// The error of `result` in units in the last place of T at `exact`; infinite
/// where a NaN, an infinity or a zero is wrong, or the sign of a zero.
template <typename T, typename Wide> static double errorInUlp(T result, Wide exact) {
  using Limits = std::numeric_limits<T>;
  const double wrong = std::numeric_limits<double>::infinity();
  if (std::isnan(exact) || std::isnan(result))
    return std::isnan(exact) && std::isnan(result) ? 0 : wrong;
  T rounded = static_cast<T>(exact);
  if (std::isinf(rounded) || std::isinf(result)) {
    if (rounded == result)
      return 0;
    // One of them is finite: at most one unit apart at the overflow threshold.
    T other = std::isinf(rounded) ? result : rounded;
    bool sameSign = std::signbit(rounded) == std::signbit(result);
    return sameSign && std::abs(other) == Limits::max() ? 1 : wrong;
  }
  if (exact == 0)
    return result == 0 && std::signbit(result) == std::signbit(exact) ? 0 : wrong;
  int exponent = std::max(std::ilogb(exact), Limits::min_exponent - 1);
  Wide unit = std::ldexp(Wide(1), exponent - (Limits::digits - 1));
  return static_cast<double>(std::abs(static_cast<Wide>(result) - exact) / unit);
}

namespace {
/// The largest error seen, and where.
struct Worst {
  double error = 0;
  std::string where;

  template <typename T> void add(double found, T a, T b) {
    if (found <= error)
      return;
    error = found;
    char text[128];
    std::snprintf(text, sizeof text, "(%a, %a)", double(a), double(b));
    where = text;
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

template <typename T> static std::vector<T> specialValues() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> positive = {0, Limits::denorm_min(), 3 * Limits::denorm_min(),
                             Limits::min() - Limits::denorm_min(), Limits::min(), Limits::epsilon(),
                             T(0.25), T(0.5), 1 - Limits::epsilon() / 2, 1, 1 + Limits::epsilon(),
                             T(1.5), 2, T(2.5), 3, 8, 27, 100, T(16777217), T(9007199254740991),
                             T(9007199254740994),
                             // Multiples of pi/2 that come close to a number.
                             T(0x1.921fb54442d18p+0), T(0x1.6ac5b262ca1ffp+849), Limits::max() / 2,
                             Limits::max(), Limits::infinity(), Limits::quiet_NaN()};
  std::vector<T> values;
  for (T value : positive) {
    values.push_back(value);
    values.push_back(-value);
  }
  return values;
}

/// Random bit patterns, and numbers of the magnitudes at which functions do
/// something.
static std::vector<double> doubleArguments(size_t count) {
  std::mt19937_64 random(20220);
  std::uniform_real_distribution<double> unit(-1, 1);
  std::vector<double> values = specialValues<double>();
  while (values.size() < count) {
    values.push_back(std::bit_cast<double>(random()));
    for (double scale : {1.0, 4.0, 30.0, 750.0, 1e6})
      values.push_back(unit(random) * scale);
    values.push_back(1 + 0.3 * unit(random));
    values.push_back(std::ldexp(unit(random), random() % 64 - 40));
  }
  values.resize(count);
  return values;
}

/// Pairs for pow and atan2.
template <typename T> static void pairs(size_t count, std::vector<T> &a, std::vector<T> &b) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  for (T x : specialValues<T>())
    for (T y : specialValues<T>()) {
      a.push_back(x);
      b.push_back(y);
    }
  std::mt19937_64 random(1985);
  std::uniform_real_distribution<double> unit(-1, 1);
  auto add = [&](double x, double y) {
    a.push_back(static_cast<T>(x));
    b.push_back(static_cast<T>(y));
  };
  while (a.size() < count) {
    a.push_back(std::bit_cast<T>(static_cast<Bits>(random())));
    b.push_back(std::bit_cast<T>(static_cast<Bits>(random())));
    double x = std::ldexp(std::abs(unit(random)), random() % 64 - 32);
    add(x, 30 * unit(random));
    add(x, 700 * unit(random));
    add(1 + 0.3 * unit(random), 10000 * unit(random));
    add(unit(random), unit(random));
    add(-x, random() % 64 - 32.0);
    add(1 + std::ldexp(unit(random), -20), std::ldexp(unit(random), 40));
  }
  a.resize(count);
  b.resize(count);
}

static std::unique_ptr<CompiledFunction> compile(const CompiledFunction::Description &description) {
  std::string error;
  auto function = CompiledFunction::create(description, error);
  EXPECT_TRUE(function) << description.operation << " of " << description.a << ": " << error;
  return function;
}

static bool hasLevel3() { return __builtin_cpu_supports("x86-64-v3"); }

#define REQUIRE_LEVEL_3()                                                                          \
  if (!hasLevel3())                                                                                \
  GTEST_SKIP() << "this machine is below x86-64-v3"

//===----------------------------------------------------------------------===//
// Tests
//===----------------------------------------------------------------------===//

namespace {
class UnaryTest : public testing::TestWithParam<Function> {};
class BinaryTest : public testing::TestWithParam<BinaryFunction> {};
} // namespace

static std::string nameOf(std::string name) {
  std::erase_if(name, [](char c) { return !std::isalnum(c); });
  return name;
}

TEST_P(UnaryTest, SingleIsWithinItsBound) {
  REQUIRE_LEVEL_3();
  auto function = compile({GetParam().operation, "f32", "f32", "f32", 16});
  ASSERT_TRUE(function);
  const char *option = std::getenv("WEFT_MATH_STRIDE");
  uint64_t stride = option ? std::max(std::atoi(option), 1) : 1021;
  std::vector<float> special = specialValues<float>();
  Worst worst;
  std::vector<float> x, y;
  auto flush = [&] {
    // The compiled loop takes whole vectors.
    while (x.size() % 16)
      x.push_back(1);
    y.resize(x.size());
    (*function)(x.data(), x.data(), y.data(), x.size());
    for (size_t i = 0; i != x.size(); ++i)
      worst.add(errorInUlp(y[i], GetParam().ofDouble(x[i])), x[i], 0.0f);
    x.clear();
  };
  x = special;
  for (uint64_t bits = 0; bits < uint64_t(1) << 32; bits += stride) {
    x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    if (x.size() >= 1 << 16)
      flush();
  }
  flush();
  std::printf("%s f32: %.3f ulp at %s\n", GetParam().name, worst.error, worst.where.c_str());
  EXPECT_LE(worst.error, boundsOf(GetParam().name).single) << "at " << worst.where;
}

TEST_P(UnaryTest, DoubleIsWithinItsBound) {
  REQUIRE_LEVEL_3();
  auto function = compile({GetParam().operation, "f64", "f64", "f64", 8});
  ASSERT_TRUE(function);
  std::vector<double> x = doubleArguments(1 << 20), y(x.size());
  (*function)(x.data(), x.data(), y.data(), x.size());
  Worst worst;
  for (size_t i = 0; i != x.size(); ++i)
    worst.add(errorInUlp(y[i], GetParam().ofLongDouble(x[i])), x[i], 0.0);
  std::printf("%s f64: %.3f ulp at %s\n", GetParam().name, worst.error, worst.where.c_str());
  EXPECT_LE(worst.error, boundsOf(GetParam().name).twice) << "at " << worst.where;
}

/// The results of one compiled form as bits. NaNs count as one, as the sign and
/// payload of a NaN are not specified.
template <typename T>
static std::vector<T> run(const CompiledFunction &function, const std::vector<T> &a,
                          const std::vector<T> &b) {
  std::vector<T> y(a.size());
  function(a.data(), b.data(), y.data(), a.size());
  for (T &value : y)
    if (std::isnan(value))
      value = std::numeric_limits<T>::quiet_NaN();
  return y;
}

/// Scalars, short and long vectors, with and without AVX-512, must agree.
template <typename T>
static void checkSameBits(const char *operation, const char *type, const std::vector<T> &a,
                          const std::vector<T> &b) {
  auto reference = compile({operation, type, type, type, 8});
  ASSERT_TRUE(reference);
  std::vector<T> expected = run(*reference, a, b);
  for (const char *cpu : {"x86-64-v3", "x86-64-v4"}) {
    if (std::string(cpu) == "x86-64-v4" && !__builtin_cpu_supports("x86-64-v4"))
      continue;
    for (int lanes : {0, 4, 16}) {
      auto other = compile({operation, type, type, type, lanes, cpu});
      ASSERT_TRUE(other);
      std::vector<T> found = run(*other, a, b);
      EXPECT_EQ(0, std::memcmp(expected.data(), found.data(), a.size() * sizeof(T)))
          << operation << " of " << type << ", " << lanes << " lanes, " << cpu;
    }
  }
}

static std::vector<float> toSingle(const std::vector<double> &values) {
  return std::vector<float>(values.begin(), values.end());
}

TEST_P(UnaryTest, EveryMachineComputesTheSame) {
  REQUIRE_LEVEL_3();
  std::vector<double> x = doubleArguments(1 << 14);
  checkSameBits<double>(GetParam().operation, "f64", x, x);
  std::vector<float> single = toSingle(x);
  checkSameBits<float>(GetParam().operation, "f32", single, single);
}

/// f16 has few enough numbers to try all, and is rounded from f32 once.
TEST_P(UnaryTest, HalfIsNearlyRoundedRight) {
  REQUIRE_LEVEL_3();
  auto function = compile({GetParam().operation, "f16", "f16", "f16", 16});
  ASSERT_TRUE(function);
  std::vector<_Float16> x, y(1 << 16);
  for (int bits = 0; bits != 1 << 16; ++bits)
    x.push_back(std::bit_cast<_Float16>(static_cast<uint16_t>(bits)));
  (*function)(x.data(), x.data(), y.data(), x.size());
  for (int i = 0; i != 1 << 16; ++i) {
    double exact = GetParam().ofDouble(static_cast<double>(x[i]));
    double found = static_cast<double>(y[i]);
    if (std::isnan(exact)) {
      EXPECT_TRUE(std::isnan(found)) << static_cast<double>(x[i]);
      continue;
    }
    if (std::isinf(static_cast<double>(static_cast<_Float16>(exact)))) {
      EXPECT_EQ(found, std::copysign(HUGE_VAL, exact));
      continue;
    }
    int exponent = exact == 0 ? -14 : std::max(std::ilogb(exact), -14);
    EXPECT_LE(std::abs(found - exact), 0.501 * std::ldexp(1.0, exponent - 10))
        << static_cast<double>(x[i]);
  }
}

/// Likewise bf16, whose conversion from f32 is the pass's own.
TEST_P(UnaryTest, BFloat16IsNearlyRoundedRight) {
  REQUIRE_LEVEL_3();
  auto function = compile({GetParam().operation, "bf16", "bf16", "bf16", 16});
  ASSERT_TRUE(function);
  std::vector<uint16_t> x, y(1 << 16);
  for (int bits = 0; bits != 1 << 16; ++bits)
    x.push_back(static_cast<uint16_t>(bits));
  (*function)(x.data(), x.data(), y.data(), x.size());
  auto number = [](uint16_t bits) { return double(std::bit_cast<float>(uint32_t(bits) << 16)); };
  // Halfway between the largest number and 2^128.
  const double overflow = 0x1.FFp127;
  for (int i = 0; i != 1 << 16; ++i) {
    double exact = GetParam().ofDouble(number(x[i])), found = number(y[i]);
    if (std::isnan(exact)) {
      EXPECT_TRUE(std::isnan(found)) << number(x[i]);
      continue;
    }
    if (std::abs(exact) >= overflow) {
      EXPECT_EQ(found, std::copysign(HUGE_VAL, exact)) << number(x[i]);
      continue;
    }
    int exponent = exact == 0 ? -126 : std::max(std::ilogb(exact), -126);
    EXPECT_LE(std::abs(found - exact), 0.501 * std::ldexp(1.0, exponent - 7)) << number(x[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(Math, UnaryTest, testing::ValuesIn(functions),
                         [](const auto &info) { return nameOf(info.param.name); });

TEST_P(BinaryTest, SingleIsWithinItsBound) {
  REQUIRE_LEVEL_3();
  auto function = compile({GetParam().operation, "f32", "f32", "f32", 16});
  ASSERT_TRUE(function);
  std::vector<float> a, b;
  pairs(1 << 21, a, b);
  std::vector<float> y = run(*function, a, b);
  Worst worst;
  for (size_t i = 0; i != a.size(); ++i)
    worst.add(errorInUlp(y[i], GetParam().ofDouble(a[i], b[i])), a[i], b[i]);
  std::printf("%s f32: %.3f ulp at %s\n", GetParam().name, worst.error, worst.where.c_str());
  EXPECT_LE(worst.error, boundsOf(GetParam().name).single) << "at " << worst.where;
}

TEST_P(BinaryTest, DoubleIsWithinItsBound) {
  REQUIRE_LEVEL_3();
  auto function = compile({GetParam().operation, "f64", "f64", "f64", 8});
  ASSERT_TRUE(function);
  std::vector<double> a, b;
  pairs(1 << 20, a, b);
  std::vector<double> y = run(*function, a, b);
  Worst worst;
  for (size_t i = 0; i != a.size(); ++i)
    worst.add(errorInUlp(y[i], GetParam().ofLongDouble(a[i], b[i])), a[i], b[i]);
  std::printf("%s f64: %.3f ulp at %s\n", GetParam().name, worst.error, worst.where.c_str());
  EXPECT_LE(worst.error, boundsOf(GetParam().name).twice) << "at " << worst.where;
}

TEST_P(BinaryTest, EveryMachineComputesTheSame) {
  REQUIRE_LEVEL_3();
  std::vector<double> a, b;
  pairs(1 << 14, a, b);
  checkSameBits<double>(GetParam().operation, "f64", a, b);
  checkSameBits<float>(GetParam().operation, "f32", toSingle(a), toSingle(b));
}

INSTANTIATE_TEST_SUITE_P(Math, BinaryTest, testing::ValuesIn(binaryFunctions),
                         [](const auto &info) { return nameOf(info.param.name); });

/// x^n of integers n, also of those that no f64 holds.
template <typename T, typename Integer>
static void checkIntegerExponent(const char *type, const char *integer, double bound) {
  auto function = compile({"%y = math.fpowi %a, %b : $A, $B", type, integer, type, 8});
  ASSERT_TRUE(function);
  std::vector<T> a, y;
  std::vector<Integer> b;
  using Limits = std::numeric_limits<Integer>;
  for (T x : specialValues<T>())
    for (Integer n :
         {Integer(0), Integer(1), Integer(2), Integer(-1), Integer(7), Integer(-8), Limits::max(),
          Integer(Limits::max() - 1), Limits::min(), Integer(Limits::min() + 1)}) {
      a.push_back(x);
      b.push_back(n);
    }
  std::mt19937_64 random(754);
  std::uniform_real_distribution<double> unit(-1, 1);
  while (a.size() % 8 || a.size() < 1 << 16) {
    a.push_back(static_cast<T>(std::exp(3 * unit(random)) * (random() % 2 ? 1 : -1)));
    b.push_back(static_cast<Integer>(random() % 400) - 200);
  }
  y.resize(a.size());
  (*function)(a.data(), b.data(), y.data(), a.size());
  Worst worst;
  for (size_t i = 0; i != a.size(); ++i) {
    // long double holds every i64. The sign is set apart: glibc takes -2^63 for
    // odd where the base is minus infinity.
    long double exact =
        std::pow(std::abs(static_cast<long double>(a[i])), static_cast<long double>(b[i]));
    if (b[i] % 2 != 0)
      exact = std::copysign(exact, static_cast<long double>(a[i]));
    worst.add(errorInUlp<T, long double>(y[i], exact), double(a[i]), double(b[i]));
  }
  EXPECT_LE(worst.error, bound) << "at " << worst.where;
}

TEST(FPowITest, IsWithinTheBoundOfPow) {
  REQUIRE_LEVEL_3();
  Bounds bounds = boundsOf("fpowi");
  checkIntegerExponent<float, int32_t>("f32", "i32", bounds.single);
  checkIntegerExponent<float, int64_t>("f32", "i64", bounds.single);
  checkIntegerExponent<double, int32_t>("f64", "i32", bounds.twice);
  checkIntegerExponent<double, int64_t>("f64", "i64", bounds.twice);
}

template <typename Integer> static Integer power(Integer base, Integer n) {
  using Unsigned = std::make_unsigned_t<Integer>;
  if (n < 0)
    return base == 1 ? 1 : base == -1 ? (n & 1 ? -1 : 1) : 0;
  Unsigned result = 1, factor = base;
  for (Unsigned left = n; left; left >>= 1, factor *= factor)
    if (left & 1)
      result *= factor;
  return static_cast<Integer>(result);
}

template <typename Integer> static void checkIntegerPower(const char *type) {
  auto function = compile({"%y = math.ipowi %a, %b : $A", type, type, type, 8});
  ASSERT_TRUE(function);
  std::vector<Integer> a, b;
  using Limits = std::numeric_limits<Integer>;
  for (Integer x = -20; x != 20; ++x)
    for (Integer n = -20; n != 44; ++n) {
      a.push_back(x);
      b.push_back(n);
    }
  for (Integer n :
       {Limits::min(), Limits::max(), Integer(Limits::min() + 1), Integer(Limits::max() - 1)})
    for (Integer x : {Integer(-1), Integer(1), Integer(0), Integer(3)}) {
      a.push_back(x);
      b.push_back(n);
    }
  std::vector<Integer> y(a.size());
  ASSERT_EQ(a.size() % 8, 0u);
  (*function)(a.data(), b.data(), y.data(), a.size());
  for (size_t i = 0; i != a.size(); ++i)
    EXPECT_EQ(y[i], power(a[i], b[i])) << a[i] << " to " << b[i];
}

TEST(IPowITest, WrapsAround) {
  REQUIRE_LEVEL_3();
  checkIntegerPower<int32_t>("i32");
  checkIntegerPower<int64_t>("i64");
}

/// Exponents for which powf takes a shorter way.
TEST(PowFTest, ConstantExponentsAgreeWithPow) {
  REQUIRE_LEVEL_3();
  for (double y : {1.0, 2.0, -1.0, 0.5, 3.0, -0.5, 0.0}) {
    std::string text = "%c = arith.constant " + std::string("dense<") + std::to_string(y) +
                       "> : $A\n  %y = math.powf %a, %c : $A";
    auto function = compile({text, "f64", "f64", "f64", 8});
    ASSERT_TRUE(function);
    std::vector<double> x = doubleArguments(1 << 14);
    std::vector<double> result = run(*function, x, x);
    Worst worst;
    for (size_t i = 0; i != x.size(); ++i)
      worst.add(errorInUlp<double, long double>(result[i], powl(x[i], y)), x[i], y);
    EXPECT_LE(worst.error, boundsOf("powf").twice) << "at " << worst.where;
  }
}

TEST(ClampFTest, BoundsAndKeepsNaN) {
  REQUIRE_LEVEL_3();
  auto function = compile({"%y = math.clampf %a to [%b, %a] : $A", "f32", "f32", "f32", 8});
  ASSERT_TRUE(function);
  std::vector<float> a = {-3, -1, 0, 1, 3, NAN, -INFINITY, INFINITY};
  std::vector<float> b = {-2, -2, -2, -2, -2, -2, -2, -2}, y(8);
  (*function)(a.data(), b.data(), y.data(), 8);
  // max(a, -2), then min with a: a itself where it is not below -2.
  for (int i : {1, 2, 3, 4, 7})
    EXPECT_EQ(y[i], a[i]);
  EXPECT_EQ(y[0], -3);
  EXPECT_TRUE(std::isnan(y[5]));
  EXPECT_EQ(y[6], -INFINITY);
}
