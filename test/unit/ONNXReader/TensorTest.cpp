//===- TensorTest.cpp - Tests of tensors and their canonical bytes --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/Reader.h"

#include "WireWriter.h"

#include <gtest/gtest.h>

using namespace weft;
using namespace weft::onnx;
using namespace weft::onnx::test;

// TensorProto.DataType.
enum : uint64_t {
  Float = 1,
  UInt8 = 2,
  Int8 = 3,
  UInt16 = 4,
  Int16 = 5,
  Int32 = 6,
  Int64 = 7,
  String = 8,
  Bool = 9,
  Float16 = 10,
  Double = 11,
  UInt32 = 12,
  UInt64 = 13,
  Complex64 = 14,
  Complex128 = 15,
  BFloat16 = 16,
  Float8E4M3FN = 17,
  Int4 = 22,
  Int2 = 26,
  Float6E2M3 = 27
};

static std::string hex(std::span<const uint8_t> bytes) {
  std::string text;
  char digits[3];
  for (uint8_t byte : bytes) {
    snprintf(digits, sizeof digits, "%02x", byte);
    text += digits;
  }
  return text;
}

/// The canonical bytes of a TensorProto, preceded by "decoded " or by
/// "at OFFSET ", or the error.
static std::string contents(const Message &message) {
  Result<Tensor> tensor = readTensor(message.span(), "t.pb");
  if (!tensor)
    return tensor.error().message;
  ExternalFiles files("", "m.onnx", message.span());
  Result<TensorBytes> bytes = tensor->contents(files);
  if (!bytes)
    return bytes.error().message;
  if (bytes->getSource() == TensorBytes::Source::Decoded)
    return "decoded " + hex(bytes->bytes());
  EXPECT_EQ(bytes->getSource(), TensorBytes::Source::Model);
  if (!bytes->bytes().empty()) {
    EXPECT_EQ(bytes->bytes().data(), message.span().data() + bytes->getOffset());
  }
  return "at " + std::to_string(bytes->getOffset()) + " " + hex(bytes->bytes());
}

TEST(ElementType, HasNameAndWidth) {
  EXPECT_EQ(name(ElementType::Float8E8M0), "float8e8m0");
  EXPECT_EQ(name(static_cast<ElementType>(-3)), "type -3");
  unsigned bits[] = {0,   32, 8, 8, 16, 16, 32, 64, 0, 8, 16, 64, 32, 64, 64,
                     128, 16, 8, 8, 8,  8,  4,  4,  4, 8, 2,  2,  6,  6};
  for (int i = 0; i < 29; ++i) {
    EXPECT_EQ(bitWidth(static_cast<ElementType>(i)), bits[i]) << i;
    EXPECT_EQ(isKnown(static_cast<ElementType>(i)), i != 0);
  }
  EXPECT_FALSE(isKnown(static_cast<ElementType>(29)));
  EXPECT_FALSE(isKnown(static_cast<ElementType>(INT32_MIN)));
}

TEST(Tensor, RawDataIsAView) {
  // Two bytes each for dims and type, three for the name, two before the data.
  EXPECT_EQ(contents(tensor("t", UInt16, {2}).text(9, "abcd")), "at 9 61626364");
  EXPECT_EQ(contents(tensor("t", Int4, {3}).text(9, "\x21\x03")), "at 9 2103");
  EXPECT_EQ(contents(tensor("t", Int2, {5}).text(9, "\x1b\x02")), "at 9 1b02");
  EXPECT_EQ(contents(tensor("t", Float6E2M3, {4}).text(9, "abc")), "at 9 616263");
}

TEST(Tensor, PackedFloatsAreAView) {
  EXPECT_EQ(contents(tensor("t", Float, {2}).packedFixed<float>(4, {1, 2})),
            "at 9 0000803f00000040");
  EXPECT_EQ(contents(tensor("t", Double, {1}).packedFixed<double>(10, {1})),
            "at 9 000000000000f03f");
  EXPECT_EQ(contents(tensor("t", Complex64, {1}).packedFixed<float>(4, {1, 2})),
            "at 9 0000803f00000040");
  EXPECT_EQ(contents(tensor("t", Complex128, {1}).packedFixed<double>(10, {1, 0})),
            "at 9 000000000000f03f0000000000000000");
}

TEST(Tensor, DecodesUnpackedFloats) {
  EXPECT_EQ(contents(tensor("t", Float, {2}).fixed32(4, 1).fixed32(4, 2)),
            "decoded 0000803f00000040");
  EXPECT_EQ(contents(tensor("t", Double, {1}).fixed64(10, 1)), "decoded 000000000000f03f");
}

TEST(Tensor, DecodesVarints) {
  EXPECT_EQ(contents(tensor("t", Int64, {2}).packed(7, {1, -2})),
            "decoded 0100000000000000feffffffffffffff");
  EXPECT_EQ(contents(tensor("t", UInt64, {1}).packed(11, {-1})), "decoded ffffffffffffffff");
  EXPECT_EQ(contents(tensor("t", UInt32, {1}).packed(11, {0xfffffffe})), "decoded feffffff");
  EXPECT_EQ(contents(tensor("t", Int32, {2}).packed(5, {1, -2})), "decoded 01000000feffffff");
  EXPECT_EQ(contents(tensor("t", Int32, {2}).varint(5, 1).varint(5, 2)),
            "decoded 0100000002000000");
}

TEST(Tensor, NarrowsInt32Data) {
  EXPECT_EQ(contents(tensor("t", Bool, {3}).packed(5, {1, 0, 1})), "decoded 010001");
  EXPECT_EQ(contents(tensor("t", UInt8, {2}).packed(5, {0, 255})), "decoded 00ff");
  EXPECT_EQ(contents(tensor("t", Int8, {2}).packed(5, {-128, 127})), "decoded 807f");
  EXPECT_EQ(contents(tensor("t", UInt16, {1}).packed(5, {65535})), "decoded ffff");
  EXPECT_EQ(contents(tensor("t", Int16, {1}).packed(5, {-2})), "decoded feff");
  EXPECT_EQ(contents(tensor("t", Float16, {1}).packed(5, {0xbc00})), "decoded 00bc");
  EXPECT_EQ(contents(tensor("t", BFloat16, {1}).packed(5, {0x3f80})), "decoded 803f");
  EXPECT_EQ(contents(tensor("t", Float8E4M3FN, {2}).packed(5, {0x38, 0xb8})), "decoded 38b8");
  EXPECT_EQ(contents(tensor("t", Int4, {3}).packed(5, {0x21, 0xf})), "decoded 210f");
  EXPECT_EQ(contents(tensor("t", Int2, {5}).packed(5, {0x1b, 2})), "decoded 1b02");
}

TEST(Tensor, PacksSixBitElements) {
  // The formula of onnx.proto for x = 1, 2, 63, 32.
  EXPECT_EQ(contents(tensor("t", Float6E2M3, {4}).packed(5, {1, 2, 63, 32})), "decoded 81f083");
  EXPECT_EQ(contents(tensor("t", Float6E2M3, {5}).packed(5, {1, 2, 63, 32, 63})),
            "decoded 81f0833f");
  EXPECT_EQ(contents(tensor("t", Float6E2M3, {1}).packed(5, {64})),
            "m.onnx: tensor 't': expected values from 0 to 63 in int32_data for "
            "type float6e2m3, found 64");
}

TEST(Tensor, RefusesValuesThatDoNotFit) {
  EXPECT_EQ(contents(tensor("t", UInt8, {1}).packed(5, {256})),
            "m.onnx: tensor 't': expected values from 0 to 255 in int32_data "
            "for type uint8, found 256");
  EXPECT_EQ(contents(tensor("t", Int8, {1}).packed(5, {-129})),
            "m.onnx: tensor 't': expected values from -128 to 127 in int32_data "
            "for type int8, found -129");
  EXPECT_EQ(contents(tensor("t", UInt32, {1}).packed(11, {int64_t(1) << 32})),
            "m.onnx: tensor 't': expected values from 0 to 4294967295 in "
            "uint64_data for type uint32, found 4294967296");
}

TEST(Tensor, BoolsAreZeroOrOne) {
  EXPECT_EQ(contents(tensor("t", Bool, {2}).text(9, {"\1\0", 2})), "at 9 0100");
  EXPECT_EQ(contents(tensor("t", Bool, {3}).text(9, {"\1\0\xff", 3})), "decoded 010001");
}

TEST(Tensor, ScalarsAndEmptyTensors) {
  EXPECT_EQ(contents(tensor("t", UInt8, {}).text(9, "a")), "at 7 61");
  EXPECT_EQ(contents(tensor("t", Float, {0, 5})), "at 0 ");
  EXPECT_EQ(contents(tensor("t", Float, {0}).text(9, "")), "at 0 ");
  // Nothing is multiplied where an extent is zero.
  EXPECT_EQ(contents(tensor("t", Float, {INT64_MAX, INT64_MAX, 0})), "at 0 ");
  EXPECT_EQ(contents(Message().varint(2, Int64).packed(7, {5})), "decoded 0500000000000000");
}

TEST(Tensor, DataMustBeAsLongAsTheShape) {
  EXPECT_EQ(contents(tensor("w", Float, {2, 3}).text(9, "abcd")),
            "m.onnx: tensor 'w': expected 24 bytes of data for float [2, 3], "
            "found 4");
  EXPECT_EQ(contents(tensor("w", Float, {2, 3})),
            "m.onnx: tensor 'w': expected 24 bytes of data for float [2, 3], "
            "found 0");
  EXPECT_EQ(contents(tensor("w", Int4, {5}).text(9, "ab")),
            "m.onnx: tensor 'w': expected 3 bytes of data for int4 [5], found 2");
  EXPECT_EQ(contents(tensor("w", Int64, {3}).packed(7, {1, 2})),
            "m.onnx: tensor 'w': expected 3 values in int64_data for int64 [3], "
            "found 2");
  EXPECT_EQ(contents(tensor("w", Complex64, {1}).packedFixed<float>(4, {1})),
            "m.onnx: tensor 'w': expected 2 values in float_data for complex64 "
            "[1], found 1");
  EXPECT_EQ(contents(tensor("w", Int2, {9}).packed(5, {1, 2})),
            "m.onnx: tensor 'w': expected 3 values in int32_data for int2 [9], "
            "found 2");
}

TEST(Tensor, HugeShapesAreRefused) {
  constexpr int64_t big = int64_t(1) << 60;
  EXPECT_EQ(contents(tensor("w", Float, {big})),
            "m.onnx: tensor 'w': expected 4611686018427387904 bytes of data for "
            "float [1152921504606846976], found 0");
  EXPECT_EQ(contents(tensor("w", Double, {big})),
            "m.onnx: tensor 'w': the shape double [1152921504606846976] has "
            "more bytes than fit in 63 bits");
  EXPECT_EQ(contents(tensor("w", UInt8, {big, 16})),
            "m.onnx: tensor 'w': the shape uint8 [1152921504606846976, 16] has "
            "more elements than fit in 63 bits");
  EXPECT_EQ(contents(tensor("w", Int64, {big / 2}).packed(7, {1})),
            "m.onnx: tensor 'w': expected 576460752303423488 values in "
            "int64_data for int64 [576460752303423488], found 1");
  EXPECT_EQ(contents(tensor("w", Int4, {INT64_MAX})),
            "m.onnx: tensor 'w': expected 4611686018427387904 bytes of data for "
            "int4 [9223372036854775807], found 0");
  EXPECT_EQ(contents(tensor("w", Complex64, {INT64_MAX}).fixed32(4, 1)),
            "m.onnx: tensor 'w': the shape complex64 [9223372036854775807] has "
            "more bytes than fit in 63 bits");
  EXPECT_EQ(contents(tensor("w", Float, {-1})),
            "m.onnx: tensor 'w': expected extents of 0 or more, found the shape "
            "float [-1]");
}

TEST(Tensor, ElementsAreStoredOnceAndRight) {
  EXPECT_EQ(contents(tensor("w", Float, {1}).text(9, "abcd").fixed32(4, 1)),
            "m.onnx: tensor 'w': expected its elements in one place, found "
            "raw_data and float_data");
  EXPECT_EQ(contents(tensor("w", Float, {1}).fixed32(4, 1).varint(5, 1)),
            "t.pb: cannot read the ONNX tensor: at byte 12 of 14: the tensor "
            "stores both float_data and int32_data, expected one of them");
  EXPECT_EQ(contents(tensor("w", Int64, {1}).packed(5, {1})),
            "m.onnx: tensor 'w': expected elements of type int64 in raw_data or "
            "int64_data, found them in int32_data");
  EXPECT_EQ(contents(tensor("w", Float, {1}).text(6, "x")),
            "m.onnx: tensor 'w': expected elements of type float in raw_data or "
            "float_data, found them in string_data");
  EXPECT_EQ(contents(tensor("w", Float, {1}).text(9, "abcd").varint(14, 1)),
            "m.onnx: tensor 'w': expected its elements in one place, found "
            "external_data and raw_data");
  EXPECT_EQ(contents(tensor("w", Float, {1}).varint(14, 1)),
            "m.onnx: tensor 'w': its external data has no location");
  EXPECT_EQ(contents(tensor("w", Float, {1}).varint(14, 2)),
            "t.pb: cannot read the ONNX tensor: at byte 7 of 9: field "
            "data_location: expected 0 (DEFAULT) or 1 (EXTERNAL), found 2");
  EXPECT_EQ(contents(tensor("w", Float, {1}).text(9, "abcd").text(3, "")),
            "m.onnx: tensor 'w': it is a segment of a tensor, expected a whole");
  // Empty lists of other kinds are no data.
  EXPECT_EQ(contents(tensor("w", UInt8, {1}).packed(5, {}).text(9, "a")), "at 11 61");
}

TEST(Tensor, UnknownTypesAreRefused) {
  for (uint64_t type : {uint64_t(0), uint64_t(29), uint64_t(1000)})
    EXPECT_EQ(contents(tensor("w", type, {1}).text(9, "abcd")),
              "m.onnx: tensor 'w': expected an element type from 1 (float) to 28 "
              "(float6e3m2), found " +
                  std::to_string(type));
  EXPECT_EQ(contents(Message().varint(2, 99)),
            "m.onnx: an unnamed tensor: expected an element type from 1 (float) "
            "to 28 (float6e3m2), found 99");
}

TEST(Tensor, Strings) {
  Message message = tensor("s", String, {2}).text(6, "a").text(6, "");
  Result<Tensor> parsed = readTensor(message.span(), "t.pb");
  ASSERT_TRUE(parsed);
  auto strings = parsed->strings();
  ASSERT_TRUE(strings) << strings.error().message;
  ASSERT_EQ(strings->size(), 2u);
  EXPECT_EQ((*strings)[0], "a");
  EXPECT_EQ((*strings)[1], "");
  EXPECT_EQ(contents(message), "m.onnx: tensor 's': strings have no size in bytes");
  EXPECT_EQ(contents(tensor("s", String, {2}).text(6, "a")),
            "m.onnx: tensor 's': expected 2 strings for string [2], found 1");
  EXPECT_EQ(contents(tensor("s", String, {2}).text(9, "a")),
            "m.onnx: tensor 's': expected strings in string_data, found "
            "raw_data");
}

TEST(Quote, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(quote("a\x1b[31m"), "'a\\x1b[31m'");
  EXPECT_EQ(quote("gr\xc3\xb6\xc3\x9f"
                  "e"),
            "'gr\xc3\xb6\xc3\x9f"
            "e'");
  EXPECT_EQ(quote("\xff\xc3"), "'\\xff\\xc3'");
  // A mark that reverses the text after it.
  EXPECT_EQ(quote("\xe2\x80\xae"), "'\\xe2\\x80\\xae'");
  EXPECT_EQ(quote(std::string(1000, 'x')), "'" + std::string(200, 'x') + "...'");
}
