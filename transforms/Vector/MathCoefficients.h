//===- MathCoefficients.h - Polynomials of weft-expand-math ---------------===//
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
namespace weft::coefficients {

/// ln 2 as a sum of f32 numbers.
inline constexpr double ln2Single[] = {0x1.62e4300000000p-1, -0x1.05c6100000000p-29};

/// ln 2; the product of the first with an exponent is exact in f32.
inline constexpr double ln2SingleShort[] = {0x1.62e4000000000p-1, 0x1.7f7c000000000p-20};

/// log10 2, likewise.
inline constexpr double log10Of2SingleShort[] = {0x1.3440000000000p-2, 0x1.3508000000000p-18};

/// log2 e.
inline constexpr double log2eSingle[] = {0x1.7154760000000p+0, 0x1.4ae0c00000000p-26};

/// log10 e.
inline constexpr double log10eSingle[] = {0x1.bcb7b20000000p-2, -0x1.5b235e0000000p-27};

/// pi/2 as a sum of f32 numbers.
inline constexpr double halfPiSingle[] = {0x1.921fb60000000p+0, -0x1.777a5c0000000p-25, -0x1.ee59da0000000p-50, 0x1.98a2e00000000p-77};

/// ln 2.
inline constexpr double ln2Double[] = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56, 0x1.7b57a079a1934p-111};

/// ln 2; products of the parts with an exponent are exact in f64.
inline constexpr double ln2DoubleShort[] = {0x1.62e42fefa4000p-1, -0x1.8432a1b0e2000p-43, -0x1.8cff81a12a000p-85};

/// log10 2, likewise.
inline constexpr double log10Of2DoubleShort[] = {0x1.34413509f8000p-2, -0x1.80433b83b6000p-44};

/// log2 e.
inline constexpr double log2eDouble[] = {0x1.71547652b82fep+0, 0x1.777d0ffda0d24p-56};

/// log10 e.
inline constexpr double log10eDouble[] = {0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57};

/// pi/2.
inline constexpr double halfPiDouble[] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110, 0x1.4cf98e804177dp-164};

/// 2/3.
inline constexpr double twoThirdsDouble[] = {0x1.5555555555555p-1, 0x1.5555555555555p-55};

/// 2/pi in groups of 29 bits: products with an f32 number are exact in f64.
inline constexpr double twoOverPiSingle[] = {0x1.45f306d000000p-1, 0x1.9391054000000p-30, 0x1.4fe13ab000000p-59, 0x1.d1f534d000000p-88, 0x1.b81b6c5000000p-117, 0x1.5993c40000000p-148, 0x1.c820ff2000000p-175};

/// 2/pi * 2^500 in groups of 26 bits: products with half of an f64 number are exact.
inline constexpr double twoOverPiDouble[] = {0x1.45f3068000000p+499, 0x1.7272208000000p+473, 0x1.4a7f090000000p+446, 0x1.abe8fa8000000p+421, 0x1.a6ee060000000p+393, 0x1.b629590000000p+368, 0x1.2788720000000p+343, 0x1.07f9440000000p+314, 0x1.8eaf7a0000000p+290, 0x1.de2b0d8000000p+265, 0x1.c91b8e0000000p+238, 0x1.2126e90000000p+213, 0x1.c00c920000000p+187, 0x1.77504e8000000p+161, 0x1.921cfc0000000p+132, 0x1.0ef58e0000000p+109, 0x1.62534e0000000p+83, 0x1.f744118000000p+57, 0x1.7d4bae0000000p+30, 0x1.a242748000000p+5, 0x1.38e04d0000000p-21, 0x1.a2fbf20000000p-47, 0x1.3991d40000000p-76, 0x1.1cc1a98000000p-99, 0x1.cfa4e40000000p-127, 0x1.17e2ec0000000p-154, 0x1.bf25070000000p-177, 0x1.8ffc4b8000000p-203, 0x1.ffbc0b0000000p-229, 0x1.80fef20000000p-256, 0x1.e2316b0000000p-281, 0x1.05368f8000000p-307, 0x1.b4d9fb0000000p-334, 0x1.e4f9600000000p-361, 0x1.36e9e88000000p-385, 0x1.1fb34f0000000p-411, 0x1.7fa8b50000000p-438, 0x1.a93dd60000000p-463, 0x1.faf97c0000000p-490, 0x1.7b3d070000000p-516, 0x1.cfbc520000000p-543, 0x1.292ea60000000p-568, 0x1.7f6bf60000000p-593, 0x1.1f8d5d0000000p-620, 0x1.0ac0600000000p-649, 0x1.8237e38000000p-671, 0x1.6d757e0000000p-697};

/// (e^r - 1 - r)/r^2, |r| <= ln(2)/2. Error 2^-28.2.
inline constexpr double expSingle[] = {0x1.fffffc0000000p-2, 0x1.55548c0000000p-3, 0x1.5558580000000p-5, 0x1.123de00000000p-7, 0x1.6ac7a80000000p-10};

/// (e^r - 1 - r)/r^2, |r| <= ln(2)/2, relative to e^r - 1. Error 2^-26.1.
inline constexpr double expm1Single[] = {0x1.fffffe0000000p-2, 0x1.5554aa0000000p-3, 0x1.55579e0000000p-5, 0x1.122c840000000p-7, 0x1.6ab1de0000000p-10};

/// (2^r - 1)/r, |r| <= 1/2. Error 2^-26.3.
inline constexpr double exp2Single[] = {0x1.62e4300000000p-1, 0x1.ebfb940000000p-3, 0x1.c6af9e0000000p-5, 0x1.3b681a0000000p-7, 0x1.5ef4e40000000p-10, 0x1.1795300000000p-13};

/// (e^r - 1 - r)/r^2, |r| <= ln(2)/2. Error 2^-57.9.
inline constexpr double expDouble[] = {0x1.000000000000ap-1, 0x1.5555555555503p-3, 0x1.5555555550606p-5, 0x1.1111111124d35p-7, 0x1.6c16c184b4ed1p-10, 0x1.a01a013d4c14bp-13, 0x1.a019989039120p-16, 0x1.71def445f6463p-19, 0x1.28aed5097dc31p-22, 0x1.add723849983bp-26};

/// (e^r - 1 - r)/r^2, |r| <= ln(2)/2, relative to e^r - 1. Error 2^-61.6.
inline constexpr double expm1Double[] = {0x1p-1, 0x1.5555555555559p-3, 0x1.5555555555559p-5, 0x1.111111110f6f6p-7, 0x1.6c16c16c1649cp-10, 0x1.a01a01afa4773p-13, 0x1.a01a019fdad3ep-16, 0x1.71ddf927b5d85p-19, 0x1.27e4f52d161fdp-22, 0x1.af5d1d9b658abp-26, 0x1.1f3e50949b56bp-29};

/// (e^r - 1 - r)/r^2, |r| <= ln(2)/2, in f64 for an f32 result. Error 2^-32.5.
inline constexpr double expNarrow[] = {0x1.0000003a23248p-1, 0x1.5555518158d87p-3, 0x1.5554893b98c22p-5, 0x1.11140e7a72112p-7, 0x1.6d96241fcc3f3p-10, 0x1.9f5530cfea510p-13};

/// (log(1 + f) - f)/f^2, sqrt(1/2) <= 1 + f <= sqrt(2). Error 2^-27.7.
inline constexpr double logSingle[] = {-0x1.fffff80000000p-2, 0x1.5555560000000p-2, -0x1.0004480000000p-2, 0x1.99a0ea0000000p-3, -0x1.541cee0000000p-3, 0x1.22ae0a0000000p-3, -0x1.0fdcec0000000p-3, 0x1.06de380000000p-3, -0x1.31050c0000000p-4};

/// (log((1 + s)/(1 - s)) - 2s)/s^3 in s^2, sqrt(1/2) <= (1 + s)/(1 - s) <= sqrt(2). Error 2^-59.5.
inline constexpr double logDouble[] = {0x1.5555555555592p-1, 0x1.999999997ff0ap-2, 0x1.24924941e2db9p-2, 0x1.c71c52129a8b9p-3, 0x1.74663d5d1d128p-3, 0x1.39a1db911030bp-3, 0x1.2f045165396ddp-3};

/// The same, in f64 for an f32 result of pow. Error 2^-37.6.
inline constexpr double logNarrow[] = {0x1.555554fd94136p-1, 0x1.999a7a9be3790p-2, 0x1.2438d3027d997p-2, 0x1.e2f71d79ccfcfp-3};

/// (log((1 + s)/(1 - s)) - 2s - 2/3 s^3)/s^5 in s^2, same range. Error 2^-73.5.
inline constexpr double powLogDouble[] = {0x1.9999999999996p-2, 0x1.2492492492f51p-2, 0x1.c71c71c5968c1p-3, 0x1.745d18295a176p-3, 0x1.3b1364c7dea31p-3, 0x1.11206f742ac6bp-3, 0x1.de3d63556e4fbp-4, 0x1.eac63bd83a98ap-4};

/// (tanh(x) - x)/x^3 in x^2, |x| <= 0.625. Error 2^-27.7.
inline constexpr double tanhSingle[] = {-0x1.5555320000000p-2, 0x1.1106f60000000p-3, -0x1.b835a40000000p-5, 0x1.51f8ce0000000p-6, -0x1.750ce40000000p-8};

/// (sinh(x) - x)/x^3 in x^2, |x| <= 1. Error 2^-62.9.
inline constexpr double sinhDouble[] = {0x1.5555555555555p-3, 0x1.111111111119bp-7, 0x1.a01a01a00735cp-13, 0x1.71de3a68d0154p-19, 0x1.ae644122ba134p-26, 0x1.61314d7616eb3p-33, 0x1.a664df7b0f052p-41, 0x1.d2c05f499d637p-48};

/// The same, in f64 for an f32 result. Error 2^-34.2.
inline constexpr double sinhNarrow[] = {0x1.5555551b3a9e9p-3, 0x1.111134fba3d99p-7, 0x1.9ffe926a06c4bp-13, 0x1.7a15b4a9dd3ccp-19};

/// (sin(r) - r)/r^3 in r^2, |r| <= pi/4. Error 2^-32.5.
inline constexpr double sinSingle[] = {-0x1.5555560000000p-3, 0x1.1111740000000p-7, -0x1.a059540000000p-13, 0x1.7c2d160000000p-19};

/// (cos(r) - 1 + r^2/2)/r^4 in r^2, |r| <= pi/4. Error 2^-33.0.
inline constexpr double cosSingle[] = {0x1.55554a0000000p-5, -0x1.6c0c280000000p-10, 0x1.99e8120000000p-16};

/// (sin(r) - r)/r^3 in r^2, |r| <= pi/4. Error 2^-63.2.
inline constexpr double sinDouble[] = {-0x1.5555555555555p-3, 0x1.1111111111069p-7, -0x1.a01a019ffe523p-13, 0x1.71de3a33a57f2p-19, -0x1.ae642c51b1f4ep-26, 0x1.6109bd81c74a0p-33, -0x1.9ffd8a087d2e7p-41};

/// (cos(r) - 1 + r^2/2)/r^4 in r^2, |r| <= pi/4. Error 2^-63.9.
inline constexpr double cosDouble[] = {0x1.555555555554bp-5, -0x1.6c16c16c15005p-10, 0x1.a01a019c8c7d9p-16, -0x1.27e4f7ef0da4ap-22, 0x1.1ee9d9c6d2fbcp-29, -0x1.8fa553b96a203p-37};

/// sinDouble in f64 for an f32 result. Error 2^-37.5.
inline constexpr double sinNarrow[] = {-0x1.5555554c5f779p-3, 0x1.1111085d049d8p-7, -0x1.a00f745e631f0p-13, 0x1.6ccf5d8397de9p-19};

/// cosDouble in f64 for an f32 result. Error 2^-33.0.
inline constexpr double cosNarrow[] = {0x1.555549ffc3fe1p-5, -0x1.6c0c28b91bd75p-10, 0x1.99e86cf264543p-16};

/// (atan(t) - t)/t^3 in t^2, |t| <= sqrt(2) - 1. Error 2^-59.4.
inline constexpr double atanDouble[] = {-0x1.555555555553dp-2, 0x1.9999999995864p-3, -0x1.24924922ad201p-3, 0x1.c71c70e5f0174p-4, -0x1.745cf8d868ba1p-4, 0x1.3b1118cf5434fp-4, -0x1.10ebb4b3d22e6p-4, 0x1.df0f15cc8efe0p-5, -0x1.9cd1c8825099bp-5, 0x1.37d3324e47e1cp-5, -0x1.2564f86c62150p-6};

/// The same, in f64 for an f32 result. Error 2^-35.4.
inline constexpr double atanNarrow[] = {-0x1.555554c5f005ep-2, 0x1.99991891cd3e5p-3, -0x1.247ed89696134p-3, 0x1.c463cf59a00b3p-4, -0x1.5b2f1a78c20d1p-4, 0x1.849d85b07d7a5p-5};

/// (asin(t) - t)/t^3 in t^2, |t| <= 1/2. Error 2^-59.9.
inline constexpr double asinDouble[] = {0x1.5555555555577p-3, 0x1.333333332e132p-4, 0x1.6db6db72125d8p-5, 0x1.f1c71a94f529cp-6, 0x1.6e8bdee034f84p-6, 0x1.1c49f05a14d7dp-6, 0x1.ca1f8e020fa0dp-7, 0x1.758582b1be01ap-7, 0x1.613cbefb38ac0p-7, 0x1.e5f1f2d451285p-9, 0x1.639db280fc8f7p-6, -0x1.57ff754ee23b7p-6, 0x1.0b476a0152470p-5};

/// The same, in f64 for an f32 result. Error 2^-31.8.
inline constexpr double asinNarrow[] = {0x1.55554c5fed4bap-3, 0x1.33387c7f0c70ep-4, 0x1.6caed6d9f1db8p-5, 0x1.0491789737baep-5, 0x1.d9220b64c0a3ap-7, 0x1.3354eb40e8485p-5};

/// erf(x)/x - 1 in x^2, |x| <= 0.9375. Error 2^-30.0.
inline constexpr double erfSingle[] = {0x1.06eba80000000p-3, -0x1.8127400000000p-2, 0x1.ce2d640000000p-4, -0x1.b801200000000p-6, 0x1.544aa80000000p-8, -0x1.a6126c0000000p-11, 0x1.4f8e440000000p-14};

/// log(erfc(x)), 0.9375 <= x <= 4, relative to erf. Error 2^-29.4.
inline constexpr double logErfcSingle[] = {-0x1.d4c3a60000000p-13, -0x1.20a7da0000000p+0, -0x1.4655de0000000p-1, -0x1.a904c40000000p-4, 0x1.6ad9f60000000p-6, -0x1.8c41720000000p-9, 0x1.96a6300000000p-13};

/// erf(x)/x - 1 in x^2, |x| <= 1. Error 2^-55.6.
inline constexpr double erfDouble[] = {0x1.06eba8214db69p-3, -0x1.812746b037a31p-2, 0x1.ce2f21a046ba4p-4, -0x1.b82ce313e1a2dp-6, 0x1.565bcd4b1fb2fp-8, -0x1.c02dc0bce99d5p-11, 0x1.f9a4de9919870p-14, -0x1.f4fa1cbb2aa19p-17, 0x1.bc5d0135d7203p-20, -0x1.7a426eec3142ap-23, 0x1.c37ec586e439fp-26, -0x1.14037a36beda8p-27, 0x1.4fd0a4ead5391p-29, -0x1.90f4e8fd94a36p-32};

/// (1 + 2x) e^(x^2) erfc(x) - 1.125 in (x - 4)/(x + 4), 0 <= x <= 28. Error 2^-55.4.
inline constexpr double erfcDouble[] = {0x1.ba5916e9fd7edp-4, -0x1.1df1ad154a29fp-3, 0x1.f7f5df66fd427p-7, 0x1.16ecefcfa628ep-4, -0x1.9ddb23c3e7523p-4, 0x1.7fee004df4be4p-4, -0x1.0fb06dfe769e8p-4, 0x1.3079edf9e4397p-5, -0x1.0962387b56f23p-6, 0x1.49c671a822aebp-8, -0x1.8d4aa3bfb639ep-11, -0x1.a1de9a542276dp-13, 0x1.3be10681c3641p-13, -0x1.9966f60a0d252p-16, -0x1.78ae8fe47868ep-17, 0x1.7f935910ecfbcp-18, 0x1.44ea73e6005c7p-22, -0x1.beb9bc294bc0fp-21, 0x1.0bded8d30fbe2p-24, 0x1.e53e3b46e9427p-24, -0x1.1929f4e51ba39p-27, -0x1.bb536eac110c9p-27, -0x1.9dbce4c811df6p-30};

/// The same for 0 <= x <= 11, in f64 for an f32 result. Error 2^-30.7.
inline constexpr double erfcNarrow[] = {0x1.ba5916f6774c6p-4, -0x1.1df1ac67b2cf1p-3, 0x1.f7f5ac42db471p-7, 0x1.16ec8a1900750p-4, -0x1.9ddabd991ffddp-4, 0x1.7ff4718134dc9p-4, -0x1.0faf52c8e4b6ep-4, 0x1.302e93350cb1fp-5, -0x1.09e55a730304dp-6, 0x1.4e4523ecf066ep-8, -0x1.59ff0ec673b24p-11, -0x1.99a773f696ac1p-13, 0x1.18075ca84eff6p-13};

/// m^(-1/3), 1 <= m <= 2: the start of a Newton iteration. Error 2^-14.7.
inline constexpr double inverseCbrt[] = {0x1.ab8590344fa93p+0, -0x1.2c41e33ab263bp+0, 0x1.6416550708d05p-1, -0x1.c5186e8acc6d7p-3, 0x1.d46f961c7fbe0p-6};

} // namespace weft::coefficients
// clang-format on

#endif // WEFT_TRANSFORMS_VECTOR_MATHCOEFFICIENTS_H
