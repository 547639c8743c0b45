//===- WireReaderTest.cpp - Tests of the protobuf wire reader -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/WireReader.h"

#include "WireWriter.h"

#include <gtest/gtest.h>

using namespace weft::onnx;
using namespace weft::onnx::test;

/// The problem that reading all of `message` ends with, or "".
static std::string readAll(const Message &message) {
  WireReader reader(message.span());
  for (WireField field; reader.next(field);) {
  }
  return reader.failed() ? reader.problem() : "";
}

TEST(WireReader, ReadsEveryWireType) {
  Message message =
      Message().varint(1, UINT64_MAX).fixed64(2, 1.5).text(3, "abc").fixed32(536870911, 2.5f);
  WireReader reader(message.span());
  WireField field;
  ASSERT_TRUE(reader.next(field));
  EXPECT_EQ(field.number, 1u);
  EXPECT_EQ(field.scalar, UINT64_MAX);
  ASSERT_TRUE(reader.next(field));
  EXPECT_EQ(std::bit_cast<double>(field.scalar), 1.5);
  ASSERT_TRUE(reader.next(field));
  EXPECT_EQ(field.type, WireType::Length);
  EXPECT_EQ(field.bytes.size(), 3u);
  ASSERT_TRUE(reader.next(field));
  EXPECT_EQ(field.number, 536870911u);
  EXPECT_EQ(std::bit_cast<float>(static_cast<uint32_t>(field.scalar)), 2.5f);
  EXPECT_FALSE(reader.next(field));
  EXPECT_FALSE(reader.failed());
}

TEST(WireReader, VarintsHaveAtMostTenBytesAnd64Bits) {
  std::string nine(9, '\xff');
  EXPECT_EQ(readAll(Message().tag(1, 0).raw(nine + '\x01')), "");
  EXPECT_EQ(readAll(Message().tag(1, 0).raw(nine + '\x02')), "a varint does not fit in 64 bits");
  EXPECT_EQ(readAll(Message().tag(1, 0).raw(nine + "\xff\x01")),
            "a varint does not fit in 64 bits");
  EXPECT_EQ(readAll(Message().tag(1, 0).raw(nine)), "the bytes end inside a varint");
  EXPECT_EQ(readAll(Message().tag(1, 0)), "the bytes end inside a varint");
}

TEST(WireReader, RefusesBadTags) {
  EXPECT_EQ(readAll(Message().tag(0, 0).raw("\x01")),
            "expected a field number from 1 to 536870911, found 0");
  EXPECT_EQ(readAll(Message().raw(Message::encode(uint64_t(536870912) << 3))),
            "expected a field number from 1 to 536870911, found 536870912");
  EXPECT_EQ(readAll(Message().tag(1, 6)), "expected a wire type from 0 to 5, found 6");
  EXPECT_EQ(readAll(Message().tag(1, 7)), "expected a wire type from 0 to 5, found 7");
}

TEST(WireReader, ChecksLengths) {
  EXPECT_EQ(readAll(Message().tag(1, 2).raw("\x05"
                                            "abc")),
            "field 1 needs 5 bytes, but only 3 are left");
  EXPECT_EQ(readAll(Message().tag(1, 2).raw(Message::encode(UINT64_MAX))),
            "field 1 needs 18446744073709551615 bytes, but only 0 are left");
  EXPECT_EQ(readAll(Message().tag(1, 5).raw("abc")), "a value needs 4 bytes, but only 3 are left");
  EXPECT_EQ(readAll(Message().tag(1, 1).raw("abcdefg")),
            "a value needs 8 bytes, but only 7 are left");
}

TEST(WireReader, SkipsGroups) {
  Message message;
  message.tag(5, 3).varint(1, 7).tag(6, 3).text(2, "x").tag(6, 4).tag(5, 4);
  message.varint(9, 3);
  WireReader reader(message.span());
  WireField field;
  ASSERT_TRUE(reader.next(field));
  EXPECT_EQ(field.number, 9u);
  EXPECT_FALSE(reader.next(field));
  EXPECT_FALSE(reader.failed());
}

TEST(WireReader, RefusesBadGroups) {
  EXPECT_EQ(readAll(Message().tag(5, 3)), "the bytes end inside a group");
  EXPECT_EQ(readAll(Message().tag(5, 3).tag(6, 4)),
            "expected the end of group 5, found that of group 6");
  EXPECT_EQ(readAll(Message().tag(5, 4)), "found the end of a group that was never begun");
  Message bomb;
  for (int i = 0; i < 1000000; ++i)
    bomb.tag(5, 3);
  EXPECT_EQ(readAll(bomb), "groups are nested deeper than 32");
}

/// Collects field 7 of `message` as a repeated scalar.
template <typename T> static std::vector<T> collect(const Message &message, std::string &problem) {
  ScalarData data;
  WireReader reader(message.span());
  for (WireField field; reader.next(field);)
    if (field.number == 7)
      if (const char *text = data.append(field, message.span(), ScalarList<T>::wireType))
        problem = text;
  EXPECT_EQ(ScalarList<T>(data).values().size(), data.count);
  return ScalarList<T>(data).values();
}

TEST(ScalarList, ReadsPackedUnpackedAndMixed) {
  std::string problem;
  using Ints = std::vector<int64_t>;
  EXPECT_EQ(collect<int64_t>(Message().packed(7, {1, -2, 300}), problem), (Ints{1, -2, 300}));
  EXPECT_EQ(collect<int64_t>(Message().varint(7, 1).text(3, "other").varint(7, 2), problem),
            (Ints{1, 2}));
  EXPECT_EQ(collect<int64_t>(
                Message().packed(7, {}).packed(7, {1, 2}).varint(7, 3).text(8, "x").packed(7, {4}),
                problem),
            (Ints{1, 2, 3, 4}));
  EXPECT_EQ(collect<float>(Message().packedFixed<float>(7, {1, 2}).fixed32(7, 3), problem),
            (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(collect<double>(Message().fixed64(7, -1), problem), (std::vector<double>{-1}));
  EXPECT_EQ(problem, "");
}

TEST(ScalarList, OnlyOnePackedChunkIsContiguous) {
  Message one = Message().packedFixed<float>(7, {1, 2});
  WireReader reader(one.span());
  WireField field;
  ASSERT_TRUE(reader.next(field));
  ScalarData data;
  EXPECT_EQ(data.append(field, one.span(), WireType::Fixed32), nullptr);
  EXPECT_TRUE(data.contiguous());
  EXPECT_EQ(data.bytes.data(), one.span().data() + 2);
  EXPECT_EQ(data.append(field, one.span(), WireType::Fixed32), nullptr);
  EXPECT_FALSE(data.contiguous());
}

TEST(ScalarList, RefusesMalformedValues) {
  std::string problem;
  collect<float>(Message().text(7, "abcde"), problem);
  EXPECT_EQ(problem, "a packed list does not end with a whole value");
  collect<int64_t>(Message().text(7, "\xff\xff"), problem);
  EXPECT_EQ(problem, "a packed list of varints is malformed");
  collect<int64_t>(Message().fixed32(7, 1), problem);
  EXPECT_EQ(problem, "the values of a list have the wrong wire type");
}
