//===- SpecTest.cpp - Tensors given on the command line -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor/Spec.h"
#include "Tensor/Print.h"

#include "TempFolder.h"

#include <gtest/gtest.h>

using namespace weft;

static std::string parsed(std::string_view text) {
  Result<NamedTensor> named = parseSpec(text);
  if (!named)
    return "error: " + named.error().message;
  std::string name = named->name.empty() ? "" : named->name + ": ";
  return name + printTensor(named->tensor, 100);
}

TEST(Spec, Strings) {
  EXPECT_EQ(parsed("2xstring=\"a b\" \"\""), "2xstring=\"a b\" \"\"");
  EXPECT_EQ(parsed("words=2x1xstring=[\"a\"][\"]\"]"), "words: 2x1xstring=[\"a\"][\"]\"]");
  EXPECT_EQ(parsed("3xstring=\"same\""), "3xstring=\"same\" \"same\" \"same\"");
  EXPECT_EQ(parsed(R"(1xstring="a\"b\\")"), R"(1xstring="a\"b\\")");
  EXPECT_EQ(parsed("string=\"x\""), "string=\"x\"");
  EXPECT_EQ(parsed("2xstring"), "2xstring=\"\" \"\"");
  EXPECT_EQ(parsed("0xstring=[]"), "0xstring=[]");
  EXPECT_TRUE(parsed("1xstring=a").starts_with("error: "));
  EXPECT_NE(parsed("1xstring=\"a").find("without its closing quote"), std::string::npos);
  EXPECT_NE(parsed("2xstring=\"a\" \"b\" \"c\"").find("more than the 2"), std::string::npos);
  EXPECT_NE(parsed("3xstring=\"a\" \"b\"").find("needs 3 values, found 2"), std::string::npos);
}

TEST(Spec, StringsAreNotReadFromPlainBytes) {
  TempFolder folder;
  std::string path = folder.write("raw.bin", std::string(16, '\x41'));
  EXPECT_NE(parsed("2xstring=@" + path).find("plain bytes cannot hold"), std::string::npos);
}

TEST(Spec, Values) {
  EXPECT_EQ(parsed("1x3xf32=1 2 3"), "1x3xf32=[1 2 3]");
  EXPECT_EQ(parsed("4xf32=0.5"), "4xf32=0.5 0.5 0.5 0.5");
  EXPECT_EQ(parsed("5xi4=-3"), "5xi4=-3 -3 -3 -3 -3");
  EXPECT_EQ(parsed("2x2xi32=[[1 2][3 4]]"), "2x2xi32=[1 2][3 4]");
  EXPECT_EQ(parsed("2x2xi32=[1 2][3 4]"), "2x2xi32=[1 2][3 4]");
  EXPECT_EQ(parsed("2x2xi32=1,2,3,4"), "2x2xi32=[1 2][3 4]");
  EXPECT_EQ(parsed("f32=3"), "f32=3");
  EXPECT_EQ(parsed("f32=-2"), "f32=-2");
  EXPECT_EQ(parsed("2xi32"), "2xi32=0 0");
  EXPECT_EQ(parsed("2xi1=true 0"), "2xbool=1 0");
  EXPECT_EQ(parsed("3xf16=1e-8 65504 -inf"), "3xf16=0 65504 -inf");
  EXPECT_EQ(parsed("2xu8=0xff 7"), "2xu8=255 7");
  EXPECT_EQ(parsed("0x4xf32"), "0x4xf32=[]");
  EXPECT_EQ(parsed("0x4xf32=[]"), "0x4xf32=[]");
  EXPECT_TRUE(parsed("0x4611686018427387904x4xi8=[1").starts_with("error: "));
  EXPECT_EQ(parsed("0x4611686018427387904x4xi8=[]"), "0x4611686018427387904x4xi8=[]");
  EXPECT_EQ(parsed("0x4611686018427387904x4xi8=[1]"), "0x4611686018427387904x4xi8=[]");
  EXPECT_EQ(parsed("i64=-9223372036854775808"), "i64=-9223372036854775808");
  EXPECT_EQ(parsed("u64=18446744073709551615"), "u64=18446744073709551615");
  EXPECT_EQ(parsed("f32=16777217"), "f32=16777216"); // rounded once
}

TEST(Spec, Names) {
  EXPECT_EQ(parsed("x=f32=3"), "x: f32=3");
  EXPECT_EQ(parsed("x=2xi32"), "x: 2xi32=0 0");
  EXPECT_EQ(parsed("a/b:0=f32=3"), "a/b:0: f32=3");
  EXPECT_EQ(parsed("a=b=f32=3"), "a=b: f32=3");
  EXPECT_EQ(parsed("f32=f32=3"), "error: 'f32=f32=3', character 5: expected a "
                                 "number, found 'f32=3'");
  EXPECT_EQ(parsed("=f32=3"), "error: '=f32=3', character 1: expected a name before '='");
}

TEST(Spec, Errors) {
  auto expectError = [](std::string_view text, std::string_view message) {
    EXPECT_EQ(parsed(text), "error: " + std::string(message));
  };
  expectError("2x2xi32=1 2 3", "'2x2xi32=1 2 3', character 9: 2x2xi32 needs 4 "
                               "values, found 3");
  expectError("2xi32=1 2 3", "'2xi32=1 2 3', character 11: more than the 2 "
                             "values of 2xi32");
  expectError("2xi32=1 x", "'2xi32=1 x', character 9: expected an integer, "
                           "found 'x'");
  expectError("2xi32=1.5", "'2xi32=1.5', character 7: expected an integer, "
                           "found '1.5'");
  expectError("2xi8=300", "'2xi8=300', character 6: '300' does not fit in i8");
  expectError("u8=-1", "'u8=-1', character 4: '-1' does not fit in u8");
  expectError("f16=1e6", "'f16=1e6', character 5: '1e6' does not fit in f16");
  expectError("f32=1e39", "'f32=1e39', character 5: '1e39' does not fit in f32");
  expectError("2x2xi32=[1 2 3][4]", "'2x2xi32=[1 2 3][4]', character 9: the "
                                    "brackets hold 3 values, which is no row "
                                    "of 2x2xi32");
  expectError("2xi32=[1 2", "'2xi32=[1 2', character 7: '[' without ']'");
  expectError("2xi32=1 2]", "'2xi32=1 2]', character 10: ']' without '['");
  expectError("2xi32=", "'2xi32=', character 7: expected values, '@FILE' or "
                        "'random', found the end");
  expectError("0xi32=1 2", "'0xi32=1 2', character 9: more than the 0 values of 0xi32");
  expectError("99999999999999999999xf32",
              "'99999999999999999999xf32', character 1: the extent does not "
              "fit in 63 bits");
  expectError("4294967296x4294967296xf32",
              "'4294967296x4294967296xf32', character 1: a tensor of type "
              "4294967296x4294967296xf32 is too large: its size does not fit "
              "in 63 bits");
  expectError("4xf32=random:1:5..5", "'4xf32=random:1:5..5', character 16: the range is empty: "
                                     "expected LOW < HIGH (LOW is in it, HIGH is not)");
  expectError("4xi8=random:1:0..1000", "'4xi8=random:1:0..1000', character 15: expected a range of "
                                       "integers within that of i8");
  expectError("4xf32=random:x", "'4xf32=random:x', character 14: expected a "
                                "seed from 0 to 2^64 - 1, found 'x'");
  expectError("@/nonexistent/x.npy",
              "'@/nonexistent/x.npy', character 1: /nonexistent/x.npy: cannot "
              "open the file: No such file or directory");
  expectError("@x.txt", "'@x.txt', character 1: x.txt: cannot tell the format: "
                        "expected a name that ends in .npy or .pb (a raw file "
                        "needs its type: 2x3xf32=@FILE)");
  EXPECT_TRUE(parsed("2x3xf3=1")
                  .starts_with("error: '2x3xf3=1', character 5: expected an "
                               "element type (f64, "));
  EXPECT_TRUE(parsed("").starts_with("error: '', character 1: expected"));
  EXPECT_TRUE(parsed("2x").starts_with("error: '2x', character 3: expected"));
}

TEST(Spec, Files) {
  TempFolder folder;
  std::string npy = folder.path("x.npy"), raw = folder.path("x.bin"), proto = folder.path("x.pb");
  Tensor tensor = parseSpec("2x2xf32=1 2 3 4")->tensor;
  for (const std::string &path : {npy, raw, proto})
    ASSERT_TRUE(writeTensorFile(path, tensor));
  EXPECT_EQ(parsed("@" + npy), "2x2xf32=[1 2][3 4]");
  EXPECT_EQ(parsed("x=@" + proto), "x: 2x2xf32=[1 2][3 4]");
  EXPECT_EQ(parsed("4xf32=@" + raw), "4xf32=1 2 3 4");
  EXPECT_EQ(parsed("2x2xf32=@" + npy), "2x2xf32=[1 2][3 4]");
  EXPECT_NE(parsed("2x2xf64=@" + npy).find("expected 2x2xf64, found 2x2xf32"), std::string::npos);
  EXPECT_NE(parsed("3xf32=@" + raw)
                .find("3xf32 needs 12 bytes, the file has "
                      "16"),
            std::string::npos);
  EXPECT_NE(parsed("5xf32=@" + raw)
                .find("5xf32 needs 20 bytes from offset 0, "
                      "the file has 16 there"),
            std::string::npos);
}
