//===- BuiltinsTest.cpp - The builtins against the C library's ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The object under test is linked with a prefix on every symbol, so that its
// functions and the C library's stand side by side.
//
//===----------------------------------------------------------------------===//

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

using int128 = __int128;
using uint128 = unsigned __int128;

// A __bf16 travels like a _Float16, in the low bits of xmm0; as such it needs no
// library of the compiler's here.
using BFloat = _Float16;

extern "C" {
void *builtin_memcpy(void *, const void *, size_t);
void *builtin_memmove(void *, const void *, size_t);
void *builtin_memset(void *, int, size_t);
int builtin_memcmp(const void *, const void *, size_t);
int builtin_bcmp(const void *, const void *, size_t);
float builtin_fmodf(float, float);
double builtin_fmod(double, double);
float builtin_fmaf(float, float, float);
double builtin_fma(double, double, double);
double builtin_ldexp(double, int);
float builtin_ldexpf(float, int);
#define ROUNDING(name)                                                                             \
  float builtin_##name##f(float);                                                                  \
  double builtin_##name(double);
ROUNDING(floor)
ROUNDING(ceil)
ROUNDING(trunc)
ROUNDING(round)
ROUNDING(roundeven)
ROUNDING(rint)
ROUNDING(nearbyint)
float builtin___extendhfsf2(_Float16);
double builtin___extendhfdf2(_Float16);
_Float16 builtin___truncsfhf2(float);
_Float16 builtin___truncdfhf2(double);
float builtin___gnu_h2f_ieee(uint16_t);
uint16_t builtin___gnu_f2h_ieee(float);
float builtin___extendbfsf2(BFloat);
BFloat builtin___truncsfbf2(float);
BFloat builtin___truncdfbf2(double);
uint128 builtin___udivti3(uint128, uint128);
uint128 builtin___umodti3(uint128, uint128);
int128 builtin___divti3(int128, int128);
int128 builtin___modti3(int128, int128);
int128 builtin___multi3(int128, int128);
float builtin___powisf2(float, int);
double builtin___powidf2(double, int);
float __powisf2(float, int);
double __powidf2(double, int);
}

namespace {
/// Equal bits, or both NaN: the C library's NaN payloads differ from machine to
/// machine.
bool same(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}
bool same(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

/// Any bit pattern, and often ones that are near an edge.
template <typename T> class Numbers {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;

public:
  T next() {
    Bits bits = static_cast<Bits>(random());
    switch (random() % 8) {
    case 0: { // whole numbers, halves and their neighbours
      T value = static_cast<T>(static_cast<int64_t>(random() % 65536) - 32768) * T(0.5);
      bits = std::bit_cast<Bits>(value) + static_cast<Bits>(random() % 3) - 1;
      break;
    }
    case 1: { // special values
      const T values[] = {0,
                          T(-0.0),
                          1,
                          -1,
                          std::numeric_limits<T>::infinity(),
                          -std::numeric_limits<T>::infinity(),
                          std::numeric_limits<T>::quiet_NaN(),
                          std::numeric_limits<T>::max(),
                          std::numeric_limits<T>::min(),
                          std::numeric_limits<T>::denorm_min()};
      return values[random() % std::size(values)];
    }
    case 2: // subnormal
      bits &= (Bits(1) << (std::numeric_limits<T>::digits - 1)) - 1;
      break;
    case 3: { // near one
      const int shift = std::numeric_limits<T>::digits - 1;
      bits = (bits & ((Bits(1) << shift) - 1)) | std::bit_cast<Bits>(T(1));
      break;
    }
    case 4: { // few mantissa bits: exact ties
      const int shift = std::numeric_limits<T>::digits - 6;
      bits = bits >> shift << shift;
      break;
    }
    default:
      break;
    }
    return std::bit_cast<T>(bits);
  }

private:
  std::mt19937_64 random{12345};
};

std::vector<unsigned char> pattern(size_t size, unsigned seed) {
  std::vector<unsigned char> bytes(size);
  for (size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<unsigned char>((i * 131 + seed) ^ (i >> 8));
  return bytes;
}
} // namespace

TEST(BuiltinsTest, CopiesEverySizeAndOffset) {
  std::vector<size_t> sizes;
  for (size_t i = 0; i < 300; ++i)
    sizes.push_back(i);
  for (size_t i : {511, 512, 1000, 2047, 2048, 2049, 5000})
    sizes.push_back(i);
  for (size_t size : sizes)
    for (size_t to : {0, 1, 7, 15})
      for (size_t from : {0, 3, 16}) {
        auto source = pattern(size + 64, 1), target = pattern(size + 64, 2);
        auto expected = target;
        memcpy(expected.data() + to, source.data() + from, size);
        ASSERT_EQ(builtin_memcpy(target.data() + to, source.data() + from, size),
                  target.data() + to);
        ASSERT_EQ(target, expected) << size;
      }
}

TEST(BuiltinsTest, MovesOverOverlaps) {
  std::vector<size_t> sizes;
  for (size_t i = 0; i < 200; ++i)
    sizes.push_back(i);
  for (size_t i : {255, 256, 257, 1000, 2048, 4096})
    sizes.push_back(i);
  for (size_t size : sizes)
    for (long distance : {-3000, -200, -65, -64, -33, -17, -16, -8, -3,  -1,
                          0,     1,    2,   5,   16,  31,  63,  64, 100, 3000}) {
      auto bytes = pattern(size + 8000, 3);
      auto expected = bytes;
      memmove(expected.data() + 4000 + distance, expected.data() + 4000, size);
      builtin_memmove(bytes.data() + 4000 + distance, bytes.data() + 4000, size);
      ASSERT_EQ(bytes, expected) << size << " by " << distance;
    }
}

TEST(BuiltinsTest, FillsAndCompares) {
  for (size_t size : {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 2047, 2048, 3000}) {
    auto a = pattern(size + 20, 1);
    auto expected = a;
    memset(expected.data() + 3, 0x1A5, size);
    ASSERT_EQ(builtin_memset(a.data() + 3, 0x1A5, size), a.data() + 3);
    ASSERT_EQ(a, expected) << size;
    auto sign = [](int value) { return (value > 0) - (value < 0); };
    for (size_t at = 0; at < size; ++at)
      for (int change : {-1, 1}) {
        auto b = a;
        b[3 + at] = static_cast<unsigned char>(b[3 + at] + change);
        if (size > 200 && at % 97)
          continue;
        ASSERT_EQ(sign(builtin_memcmp(a.data() + 3, b.data() + 3, size)),
                  sign(memcmp(a.data() + 3, b.data() + 3, size)));
        ASSERT_NE(builtin_bcmp(a.data() + 3, b.data() + 3, size), 0);
      }
    ASSERT_EQ(builtin_memcmp(a.data(), expected.data(), size), 0);
    ASSERT_EQ(builtin_bcmp(a.data(), expected.data(), size), 0);
  }
}

#define CHECK_ROUNDING(name)                                                                       \
  TEST(BuiltinsTest, Rounds_##name) {                                                              \
    Numbers<float> floats;                                                                         \
    Numbers<double> doubles;                                                                       \
    for (int i = 0; i < 1000000; ++i) {                                                            \
      const float x = floats.next();                                                               \
      ASSERT_TRUE(same(builtin_##name##f(x), name##f(x))) << x;                                    \
      const double y = doubles.next();                                                             \
      ASSERT_TRUE(same(builtin_##name(y), name(y))) << y;                                          \
    }                                                                                              \
  }
CHECK_ROUNDING(floor)
CHECK_ROUNDING(ceil)
CHECK_ROUNDING(trunc)
CHECK_ROUNDING(round)
CHECK_ROUNDING(roundeven)
CHECK_ROUNDING(rint)
CHECK_ROUNDING(nearbyint)

TEST(BuiltinsTest, Remainders) {
  Numbers<float> floats;
  Numbers<double> doubles;
  for (int i = 0; i < 500000; ++i) {
    const float x = floats.next(), y = floats.next();
    ASSERT_TRUE(same(builtin_fmodf(x, y), fmodf(x, y))) << x << " " << y;
    const double a = doubles.next(), b = doubles.next();
    ASSERT_TRUE(same(builtin_fmod(a, b), fmod(a, b))) << a << " " << b;
  }
}

TEST(BuiltinsTest, FusedMultiplyAdd) {
  Numbers<float> floats;
  Numbers<double> doubles;
  for (int i = 0; i < 1000000; ++i) {
    const float x = floats.next(), y = floats.next();
    // Addends near the product, where cancellation and ties are.
    const float z = i % 2 ? floats.next() : -x * y * (1 + 1e-7f * float(i % 3));
    ASSERT_TRUE(same(builtin_fmaf(x, y, z), fmaf(x, y, z)))
        << std::hexfloat << x << " " << y << " " << z;
    const double a = doubles.next(), b = doubles.next();
    double c = doubles.next();
    if (i % 2)
      c = -a * b;
    if (i % 4 == 1)
      c *= std::ldexp(1.0, int(i % 240) - 120);
    ASSERT_TRUE(same(builtin_fma(a, b, c), fma(a, b, c)))
        << std::hexfloat << a << " " << b << " " << c;
  }
}

TEST(BuiltinsTest, Scales) {
  Numbers<float> floats;
  Numbers<double> doubles;
  std::mt19937 random(1);
  for (int i = 0; i < 500000; ++i) {
    const int n = i % 100 ? int(random() % 5000) - 2500 : int(random());
    const float x = floats.next();
    ASSERT_TRUE(same(builtin_ldexpf(x, n), ldexpf(x, n))) << x << " " << n;
    const double y = doubles.next();
    ASSERT_TRUE(same(builtin_ldexp(y, n), ldexp(y, n))) << y << " " << n;
  }
}

TEST(BuiltinsTest, ExtendsEveryHalf) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = std::bit_cast<_Float16>(static_cast<uint16_t>(bits));
    // By definition: sign, 5 bits of exponent, 10 of mantissa.
    const int exponent = int(bits >> 10 & 31), mantissa = int(bits & 1023);
    double value = exponent == 31 ? (mantissa ? NAN : INFINITY)
                                  : std::ldexp(exponent ? mantissa + 1024 : mantissa,
                                               (exponent ? exponent : 1) - 25);
    value = bits & 0x8000 ? -value : value;
    ASSERT_TRUE(same(builtin___extendhfsf2(half), float(value))) << bits;
    ASSERT_TRUE(same(builtin___extendhfdf2(half), value)) << bits;
    ASSERT_TRUE(same(builtin___gnu_h2f_ieee(uint16_t(bits)), float(value)));
    ASSERT_TRUE(same(builtin___extendhfsf2(half), float(half)));
  }
}

TEST(BuiltinsTest, ExtendsEveryBFloat) {
  for (uint32_t bits = 0; bits < 65536; ++bits)
    ASSERT_EQ(std::bit_cast<uint32_t>(
                  builtin___extendbfsf2(std::bit_cast<BFloat>(static_cast<uint16_t>(bits)))),
              bits << 16);
}

namespace {
/// The 16-bit pattern nearest to `x` by comparing distances to neighbours: slow
/// and plain. `extend` gives the value of a finite positive pattern, of which
/// `infinity` is the first that is not one.
template <typename Extend> uint16_t nearest(double x, uint16_t infinity, Extend extend) {
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const long double magnitude = std::fabs(x);
  uint16_t low = 0, high = infinity; // extend(low) <= magnitude
  if (magnitude == INFINITY)
    return sign | infinity;
  while (high - low > 1) {
    const auto middle = static_cast<uint16_t>((low + high) / 2);
    (extend(middle) <= magnitude ? low : high) = middle;
  }
  // What follows the largest finite value counts as the next power of two.
  const long double below = extend(low);
  const long double above = high == infinity ? below + (below - extend(low - 1)) : extend(high);
  const long double down = magnitude - below, up = above - magnitude;
  if (up < down || (up == down && (low & 1)))
    return sign | high;
  return sign | low;
}

template <typename Check> void checkNarrowing(Check check) {
  Numbers<double> doubles;
  Numbers<float> floats;
  for (int i = 0; i < 300000; ++i) {
    check(doubles.next());
    check(double(floats.next()));
  }
}
} // namespace

TEST(BuiltinsTest, NarrowsToHalf) {
  auto extend = [](uint16_t bits) -> long double {
    return builtin___extendhfsf2(std::bit_cast<_Float16>(bits));
  };
  auto check = [&](double x) {
    const auto got = std::bit_cast<uint16_t>(builtin___truncdfhf2(x));
    if (std::isnan(x)) {
      ASSERT_GT(got & 0x7FFF, 0x7C00);
      ASSERT_EQ(got >> 9 & 1, 1); // quiet
      return;
    }
    ASSERT_EQ(got, nearest(x, 0x7C00, extend)) << std::hexfloat << x;
    const float single = float(x);
    const auto fromFloat = std::bit_cast<uint16_t>(builtin___truncsfhf2(single));
    ASSERT_EQ(fromFloat, nearest(double(single), 0x7C00, extend)) << single;
    ASSERT_EQ(builtin___gnu_f2h_ieee(single), fromFloat);
    ASSERT_EQ(fromFloat, std::bit_cast<uint16_t>(_Float16(single)));
  };
  checkNarrowing(check);
  // Every tie, and both its neighbours.
  for (uint16_t bits = 0; bits < 0x7C00; ++bits) {
    const double value = double(extend(bits));
    const double next = bits == 0x7BFF ? 65536.0 : double(extend(uint16_t(bits + 1)));
    const double tie = (value + next) / 2;
    for (double x :
         {value, tie, std::nextafter(tie, 0.0), std::nextafter(tie, 1e9),
          double(std::nextafter(float(tie), 0.f)), double(std::nextafter(float(tie), 1e9f))}) {
      check(x);
      check(-x);
    }
  }
}

TEST(BuiltinsTest, NarrowsToBFloat) {
  auto extend = [](uint16_t bits) -> long double {
    return std::bit_cast<float>(uint32_t(bits) << 16);
  };
  auto check = [&](double x) {
    const auto got = std::bit_cast<uint16_t>(builtin___truncdfbf2(x));
    if (std::isnan(x)) {
      ASSERT_GT(got & 0x7FFF, 0x7F80);
      return;
    }
    ASSERT_EQ(got, nearest(x, 0x7F80, extend)) << std::hexfloat << x;
    const float single = float(x);
    ASSERT_EQ(std::bit_cast<uint16_t>(builtin___truncsfbf2(single)),
              nearest(double(single), 0x7F80, extend))
        << std::hexfloat << single;
  };
  checkNarrowing(check);
  for (uint32_t bits = 0; bits < 0x7F80; ++bits) {
    const double value = double(extend(uint16_t(bits)));
    const double next = bits == 0x7F7F ? std::ldexp(1.0, 128) : double(extend(uint16_t(bits + 1)));
    const double tie = (value + next) / 2;
    for (double x : {value, tie, std::nextafter(tie, 0.0), std::nextafter(tie, 1e300)}) {
      check(x);
      check(-x);
    }
  }
}

TEST(BuiltinsTest, DividesWideIntegers) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 1000000; ++i) {
    auto wide = [&] {
      const uint128 all = uint128(random()) << 64 | random();
      return all >> random() % 128;
    };
    const uint128 a = wide(), b = wide() | (i % 7 == 0);
    if (b == 0)
      continue;
    ASSERT_TRUE(builtin___udivti3(a, b) == a / b);
    ASSERT_TRUE(builtin___umodti3(a, b) == a % b);
    const auto c = int128(random() % 2 ? a : -a), d = int128(random() % 2 ? b : -b);
    ASSERT_TRUE(builtin___divti3(c, d) == c / d);
    ASSERT_TRUE(builtin___modti3(c, d) == c % d);
    ASSERT_TRUE(builtin___multi3(c, d) == int128(uint128(c) * uint128(d)));
  }
  const uint128 edges[] = {1,
                           2,
                           uint128(1) << 63,
                           uint128(1) << 64,
                           (uint128(1) << 64) - 1,
                           uint128(1) << 127,
                           ~uint128(0),
                           ~uint128(0) - 1};
  for (uint128 a : edges)
    for (uint128 b : edges) {
      ASSERT_TRUE(builtin___udivti3(a, b) == a / b);
      ASSERT_TRUE(builtin___umodti3(a, b) == a % b);
    }
  EXPECT_TRUE(builtin___udivti3(5, 0) == 0); // no trap
}

TEST(BuiltinsTest, IntegerPowers) {
  Numbers<float> floats;
  Numbers<double> doubles;
  std::mt19937 random(3);
  for (int i = 0; i < 300000; ++i) {
    const int n = i % 10 ? int(random() % 64) - 32 : int(random());
    const float x = floats.next();
    ASSERT_TRUE(same(builtin___powisf2(x, n), __powisf2(x, n))) << x << " " << n;
    const double y = doubles.next();
    ASSERT_TRUE(same(builtin___powidf2(y, n), __powidf2(y, n))) << y << " " << n;
  }
}
