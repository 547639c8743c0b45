//===- TensorTest.cpp - Element types, comparison and printing ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor/Compare.h"
#include "Tensor/Json.h"
#include "Tensor/Print.h"
#include "Tensor/Spec.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace weft;

static Tensor spec(std::string_view text) {
  Result<NamedTensor> named = parseSpec(text);
  EXPECT_TRUE(named) << (named ? "" : named.error().message);
  return named ? named->tensor : Tensor();
}

static constexpr DataType narrowFloats[] = {
    dtype::f16,        dtype::bf16,      dtype::f8E4M3FN, dtype::f8E4M3FNUZ, dtype::f8E5M2,
    dtype::f8E5M2FNUZ, dtype::f8E8M0FNU, dtype::f6E2M3FN, dtype::f6E3M2FN,   dtype::f4E2M1FN};

TEST(DataType, NamesRoundTrip) {
  for (const char *name : {"f64", "f32", "f16", "bf16", "i64", "i32", "i16", "i8", "i4", "u64",
                           "u32", "u16", "u8", "u4", "bool", "complex64", "f8E4M3FN", "f4E2M1FN"}) {
    std::optional<DataType> type = parseDataType(name);
    ASSERT_TRUE(type) << name;
    EXPECT_EQ(dataTypeName(*type), name);
  }
  EXPECT_TRUE(isSame(*parseDataType("i1"), dtype::boolean));
  EXPECT_TRUE(isSame(*parseDataType("ui8"), dtype::u8));
  EXPECT_FALSE(parseDataType("f31"));
  EXPECT_FALSE(parseDataType(""));
}

// Every code of every narrow format survives decoding and encoding.
TEST(DataType, NarrowFloatsRoundTrip) {
  for (DataType type : narrowFloats)
    for (uint64_t bits = 0; bits < (uint64_t(1) << type.bits); ++bits) {
      double value = decodeFloat(type, bits);
      if (std::isnan(value))
        EXPECT_TRUE(std::isnan(decodeFloat(type, encodeFloat(type, value))));
      else
        EXPECT_EQ(encodeFloat(type, value), bits) << dataTypeName(type) << " " << value;
    }
}

// Halfway between two neighbours goes to the even code; just off, to the
// nearer.
TEST(DataType, NarrowFloatsRoundToNearestEven) {
  for (DataType type : narrowFloats) {
    if (isSame(type, dtype::f8E8M0FNU))
      continue; // steps are factors there
    uint64_t codes = uint64_t(1) << (type.bits - 1);
    for (uint64_t bits = 0; bits + 1 < codes; ++bits) {
      double low = decodeFloat(type, bits), high = decodeFloat(type, bits + 1);
      if (!std::isfinite(low) || !std::isfinite(high))
        continue;
      double middle = (low + high) / 2;
      EXPECT_EQ(encodeFloat(type, middle), bits + bits % 2);
      EXPECT_EQ(encodeFloat(type, std::nextafter(middle, 0)), bits);
      EXPECT_EQ(encodeFloat(type, std::nextafter(middle, INFINITY)), bits + 1);
    }
  }
}

TEST(DataType, KnownPatterns) {
  EXPECT_EQ(encodeFloat(dtype::f16, 65504), 0x7bffu);
  EXPECT_EQ(encodeFloat(dtype::f16, 65520), 0x7c00u);
  EXPECT_EQ(encodeFloat(dtype::f16, -1e300), 0xfc00u);
  EXPECT_EQ(encodeFloat(dtype::bf16, 1.0), 0x3f80u);
  EXPECT_EQ(encodeFloat(dtype::f8E4M3FN, 448), 0x7eu);
  EXPECT_EQ(encodeFloat(dtype::f8E4M3FN, 1e9), 0x7fu); // NaN: no infinity
  EXPECT_EQ(encodeFloat(dtype::f8E4M3FNUZ, -0.0), 0u);
  EXPECT_EQ(encodeFloat(dtype::f8E5M2, 1e9), 0x7cu);
  EXPECT_EQ(encodeFloat(dtype::f4E2M1FN, 100), 7u); // saturates at 6
  EXPECT_EQ(decodeFloat(dtype::f8E8M0FNU, 127), 1.0);
  EXPECT_EQ(decodeFloat(dtype::f6E2M3FN, 0x1f), 7.5);
}

TEST(DataType, PackedElements) {
  uint8_t data[3] = {};
  for (int64_t i = 0; i < 5; ++i)
    storeBits(dtype::i4, data, i, static_cast<uint64_t>(i - 2));
  EXPECT_EQ(data[0], 0xfe); // -2 in the low half, -1 in the high half
  for (int64_t i = 0; i < 5; ++i)
    EXPECT_EQ(loadInteger(dtype::i4, data, i), i - 2);
  EXPECT_EQ(byteSize(dtype::i4, 5), 3);
  EXPECT_EQ(byteSize(dtype::f6E2M3FN, 4), 3);
  EXPECT_FALSE(byteSize(dtype::f64, INT64_MAX / 4));
}

TEST(Tensor, RefusesSizesThatOverflow) {
  Result<Tensor> tensor = Tensor::zeros(dtype::f32, {1LL << 40, 1LL << 40});
  ASSERT_FALSE(tensor);
  EXPECT_NE(tensor.error().message.find("does not fit in 63 bits"), std::string::npos);
  Result<Tensor> large = Tensor::zeros(dtype::f32, {1LL << 60});
  ASSERT_FALSE(large);
  EXPECT_NE(large.error().message.find("1152921504606846976xf32"), std::string::npos);
  EXPECT_TRUE(Tensor::zeros(dtype::f32, {0, 1LL << 60}));
}

TEST(Compare, FloatsWithinTolerance) {
  Comparison same = compareTensors(spec("2xf32=1.0005 -inf"), spec("2xf32=1 -inf"), {1e-3, 0});
  EXPECT_TRUE(same.isEqual) << same.message;
  EXPECT_NEAR(same.maxRelativeError, 5e-4, 1e-5);
  Comparison off = compareTensors(spec("2x2xf32=1 2 3 4.5"), spec("2x2xf32=1 2 3 4"), {1e-3, 1e-7});
  EXPECT_FALSE(off.isEqual);
  EXPECT_EQ(off.mismatches, 1);
  EXPECT_EQ(off.firstMismatch, (Dims{1, 1}));
  EXPECT_EQ(off.maxAbsoluteError, 0.5);
  EXPECT_EQ(off.message, "element [1, 1] is 4.5, expected 4; 1 of 4 elements differ, largest "
                         "absolute error 0.5, relative 0.125");
}

TEST(Compare, SpecialValues) {
  EXPECT_TRUE(compareTensors(spec("2xf32=nan inf"), spec("2xf32=nan inf"), {}).isEqual);
  EXPECT_FALSE(compareTensors(spec("f32=nan"), spec("f32=0"), {}).isEqual);
  EXPECT_FALSE(compareTensors(spec("f32=0"), spec("f32=nan"), {}).isEqual);
  EXPECT_FALSE(compareTensors(spec("f32=inf"), spec("f32=-inf"), {}).isEqual);
  // An infinite tolerance hides no infinity.
  EXPECT_FALSE(compareTensors(spec("f32=1"), spec("f32=inf"), {1, 1}).isEqual);
}

TEST(Compare, IntegersExactly) {
  EXPECT_FALSE(
      compareTensors(spec("i64=9223372036854775807"), spec("i64=9223372036854775806"), {1, 1})
          .isEqual);
  Comparison far =
      compareTensors(spec("i64=9223372036854775807"), spec("i64=-9223372036854775808"), {});
  EXPECT_EQ(far.maxAbsoluteError, 18446744073709551615.0);
}

TEST(Compare, TypesAndShapes) {
  EXPECT_EQ(compareTensors(spec("2xf32"), spec("2xf64"), {}).message,
            "expected 2xf64, found 2xf32");
  EXPECT_EQ(compareTensors(spec("1x2xf32"), spec("2xf32"), {}).message,
            "expected 2xf32, found 1x2xf32");
  EXPECT_TRUE(compareTensors(spec("0x2xf32"), spec("0x2xf32"), {}).isEqual);
}

TEST(Compare, ComplexPartsCountOnce) {
  Comparison off =
      compareTensors(spec("2xcomplex64=(1,2) (3,4)"), spec("2xcomplex64=(1,2) (5,6)"), {});
  EXPECT_EQ(off.mismatches, 1);
  EXPECT_EQ(off.firstMismatch, (Dims{1}));
}

TEST(Print, ReadsBack) {
  for (const char *text :
       {"2x3xf32=[1 2 3][4 5 6]", "f32=-0.1", "3xi8=-1 0 127", "2x1x2xi32=[[1 2]][[3 4]]",
        "2xbool=1 0", "2xf64=0.1 inf", "2xcomplex64=(1,2) (3,4)", "4xi4=-8 7 0 1", "0x3xf32=[]",
        "2xf8E4M3FN=0.5 448", "2xbf16=1 3.14"})
    EXPECT_EQ(printTensor(spec(text), 100), text);
  EXPECT_EQ(printTensor(spec("2x3xf32=[1 2 3][4 5 6]"), 4), "2x3xf32=[1 2 3][4...");
}

TEST(Json, RoundTrip) {
  const char *text = "{\"a\": [1, -2.5, true, null], \"\\u00e9\\n\": \"x\"}";
  Result<Json> value = Json::parse(text, "test");
  ASSERT_TRUE(value) << value.error().message;
  EXPECT_EQ(value->find("a")->elements()[0].asInteger(), 1);
  EXPECT_EQ(value->dump(), "{\"a\": [1, -2.5, true, null], \"é\\n\": \"x\"}");
  EXPECT_EQ(Json::parse(value->dump(true), "test")->dump(), value->dump());
}

TEST(Json, RefusesMalformedText) {
  for (const char *text :
       {"", "{", "[1,]", "{\"a\":1,}", "01", "1.", "1e", "\"\\x\"", "\"\\ud800\"", "nul", "[1] 2",
        "{\"a\":1,\"a\":2}", "\"\x01\"", "-", "1e999"})
    EXPECT_FALSE(Json::parse(text, "test")) << text;
  EXPECT_FALSE(Json::parse(std::string(100000, '['), "test"));
}

TEST(Random, RepeatsAndStaysInRange) {
  Tensor a = spec("1000xi64=random:7:0..10"), b = spec("1000xi64=random:7:0..10");
  EXPECT_TRUE(compareTensors(a, b, {}).isEqual);
  EXPECT_FALSE(compareTensors(a, spec("1000xi64=random:8:0..10"), {}).isEqual);
  bool seen[10] = {};
  for (int64_t i = 0; i < a.count(); ++i) {
    int64_t value = loadInteger(a.dtype(), a.raw(), i);
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 10);
    seen[value] = true;
  }
  for (bool s : seen)
    EXPECT_TRUE(s);
  Tensor normal = spec("10000xf32=random:1");
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < normal.count(); ++i) {
    double value = loadNumber(normal.dtype(), normal.raw(), i);
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / 10000, 0, 0.05);
  EXPECT_NEAR(squares / 10000, 1, 0.05);
}
