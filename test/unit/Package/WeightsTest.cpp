//===- WeightsTest.cpp - Weights as a section or a file -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Package/Weights.h"

#include "TestModule.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/JSON.h"

#include <gtest/gtest.h>

#include <numeric>

using namespace weft;

/// Bytes that differ from weight to weight.
static std::vector<uint8_t> bytes(size_t size, uint8_t first) {
  std::vector<uint8_t> result(size);
  std::iota(result.begin(), result.end(), first);
  return result;
}

namespace {

class WeightsTest : public ::testing::Test {
protected:
  /// Plans and writes with the given functions; returns the file.
  template <typename Plan, typename Write>
  std::string make(Plan makePlan, Write write, llvm::ArrayRef<Weight> weights) {
    auto made = makePlan(weights);
    if (!made) {
      ADD_FAILURE() << llvm::toString(made.takeError());
      return "";
    }
    plan = std::move(*made);
    auto output = llvm::cantFail(OutputFile::create(folder / "weights"));
    EXPECT_EQ(test::message(write(plan, weights, output)), "");
    EXPECT_EQ(test::message(output.publish()), "");
    return test::read(folder / "weights");
  }

  std::string section(llvm::ArrayRef<Weight> weights) {
    return make(planWeightsSection, writeWeightsObject, weights);
  }
  std::string file(llvm::ArrayRef<Weight> weights) {
    return make([](llvm::ArrayRef<Weight> all) { return planSafetensors(all, "w 1"); },
                writeSafetensors, weights);
  }

  test::Folder folder;
  WeightsPlan plan;
  std::vector<uint8_t> a = bytes(24, 1), b = bytes(64, 50), c = bytes(3, 90);
  std::vector<Weight> weights = {
      {"a", {WEFT_DTYPE_FLOAT, 32, 1}, {2, 3}, a, ""},
      {"b/\"quoted\"", {WEFT_DTYPE_BFLOAT, 16, 1}, {32}, b, ""},
      {"empty", {WEFT_DTYPE_INT, 64, 1}, {0, 5}, {}, ""},
      {"c", {WEFT_DTYPE_FLOAT4_E2M1FN, 4, 1}, {6}, c, ""},
      {"panel", {WEFT_DTYPE_FLOAT, 32, 1}, {5}, c, "vnni 16x64"},
      {"scalar", {WEFT_DTYPE_BOOL, 8, 1}, {}, llvm::ArrayRef(c).take_front(1), ""},
  };
};

} // namespace

TEST_F(WeightsTest, Section) {
  std::string content = section(weights);
  auto elf = llvm::object::ELF64LEObjectFile::create(llvm::MemoryBufferRef(content, "weights"));
  ASSERT_TRUE(bool(elf)) << llvm::toString(elf.takeError());
  llvm::StringRef data;
  for (llvm::object::ELFSectionRef section : elf->sections())
    if (llvm::cantFail(section.getName()) == ".weft.weights") {
      data = llvm::cantFail(section.getContents());
      EXPECT_EQ(section.getAlignment().value(), 64u);
      EXPECT_EQ(section.getFlags(), unsigned(llvm::ELF::SHF_ALLOC | llvm::ELF::SHF_X86_64_LARGE));
    }
  ASSERT_EQ(data.size(), plan.size);
  ASSERT_EQ(plan.table.size(), weights.size());
  for (auto [weight, entry] : llvm::zip(weights, plan.table)) {
    EXPECT_EQ(entry.name, weight.name);
    EXPECT_EQ(entry.offset % 64, 0u);
    EXPECT_EQ(llvm::arrayRefFromStringRef(data.substr(entry.offset, entry.size)), weight.bytes);
  }
  unsigned symbols = 0;
  for (llvm::object::ELFSymbolRef symbol : elf->symbols()) {
    ++symbols;
    EXPECT_EQ(llvm::cantFail(symbol.getName()), "weft_weights");
    EXPECT_EQ(symbol.getSize(), plan.size);
    EXPECT_EQ(llvm::cantFail(symbol.getValue()), 0u);
  }
  EXPECT_EQ(symbols, 1u);
}

TEST_F(WeightsTest, LargeSectionsBeginAtAPage) {
  std::vector<uint8_t> large(2 << 20, 5);
  std::string content = section(Weight{"a", {WEFT_DTYPE_UINT, 8, 1}, {}, large, "opaque"});
  auto elf = llvm::cantFail(
      llvm::object::ELF64LEObjectFile::create(llvm::MemoryBufferRef(content, "weights")));
  for (llvm::object::ELFSectionRef section : elf.sections())
    if (llvm::cantFail(section.getName()) == ".weft.weights")
      EXPECT_EQ(section.getAlignment().value(), 4096u);
}

TEST_F(WeightsTest, Safetensors) {
  std::string content = file(weights);
  ASSERT_EQ(content.size(), plan.size);
  uint64_t headerSize = llvm::support::endian::read64le(content.data());
  EXPECT_EQ((8 + headerSize) % 64, 0u);
  auto header = llvm::json::parse(llvm::StringRef(content).substr(8, headerSize));
  ASSERT_TRUE(bool(header)) << llvm::toString(header.takeError());
  const llvm::json::Object &object = *header->getAsObject();

  const llvm::json::Object *metadata = object.getObject("__metadata__");
  ASSERT_TRUE(metadata);
  EXPECT_EQ(metadata->getString("weft.hash"), llvm::StringRef(llvm::toHex(plan.hash, true)));
  EXPECT_EQ(metadata->getString("weft.compiler"), llvm::StringRef("w 1"));
  EXPECT_EQ(metadata->getString("weft.layout.panel"), llvm::StringRef("vnni 16x64"));
  EXPECT_EQ(metadata->size(), 3u);

  // No holes and no overlap, pads included: the format demands it.
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (const auto &[name, value] : object) {
    if (llvm::StringRef(name) == "__metadata__")
      continue;
    const llvm::json::Array &offsets = *value.getAsObject()->getArray("data_offsets");
    ranges.push_back({*offsets[0].getAsInteger(), *offsets[1].getAsInteger()});
  }
  std::sort(ranges.begin(), ranges.end());
  int64_t position = 0;
  for (auto [begin, end] : ranges) {
    EXPECT_EQ(begin, position);
    EXPECT_LE(begin, end);
    position = end;
  }
  EXPECT_EQ(8 + headerSize + position, content.size());

  const char *types[] = {"F32", "BF16", "I64", "U8", "U8", "BOOL"};
  const llvm::SmallVector<int64_t> shapes[] = {{2, 3}, {32}, {0, 5}, {3}, {3}, {}};
  for (auto [i, weight] : llvm::enumerate(weights)) {
    const WeightInfo &entry = plan.table[i];
    EXPECT_EQ(entry.offset % 64, 0u);
    EXPECT_EQ(
        llvm::arrayRefFromStringRef(llvm::StringRef(content).substr(entry.offset, entry.size)),
        weight.bytes);
    const llvm::json::Object *tensor = object.getObject(weight.name);
    ASSERT_TRUE(tensor) << weight.name;
    EXPECT_EQ(tensor->getString("dtype"), llvm::StringRef(types[i]));
    llvm::SmallVector<int64_t> shape;
    for (const llvm::json::Value &extent : *tensor->getArray("shape"))
      shape.push_back(*extent.getAsInteger());
    EXPECT_EQ(shape, shapes[i]) << weight.name;
    EXPECT_EQ(*(*tensor->getArray("data_offsets"))[0].getAsInteger(),
              int64_t(entry.offset - 8 - headerSize));
  }
}

TEST_F(WeightsTest, HashIsThatOfTheContent) {
  section(weights);
  auto hash = plan.hash;
  file(weights);
  EXPECT_EQ(plan.hash, hash);
  b[63] ^= 1;
  file(weights);
  EXPECT_NE(plan.hash, hash);
  b[63] ^= 1;
  weights[0].name = "A";
  section(weights);
  EXPECT_NE(plan.hash, hash);
  // What moves from one weight to the next changes the hash as well.
  std::vector<Weight> ab = {{"x", {}, {}, llvm::ArrayRef(b).take_front(8), "u"},
                            {"x", {}, {}, llvm::ArrayRef(b).slice(8, 8), "u"}};
  section(ab);
  hash = plan.hash;
  ab[0].bytes = llvm::ArrayRef(b).take_front(9);
  ab[1].bytes = llvm::ArrayRef(b).slice(9, 7);
  section(ab);
  EXPECT_NE(plan.hash, hash);
}

TEST_F(WeightsTest, Refusals) {
  auto refusal = [&] { return test::message(planSafetensors(weights, "").takeError()); };
  weights[0].shape = {2, 4};
  EXPECT_EQ(refusal(), "weight 'a' has 24 bytes, but its shape [2, 4] of F32 "
                       "needs 32");
  weights[0].shape = {int64_t(1) << 40, int64_t(1) << 40};
  EXPECT_NE(refusal().find("needs more than 2^63"), std::string::npos);
  weights[0].shape = {-1, 6};
  EXPECT_NE(refusal().find("needs more than 2^63"), std::string::npos);
  weights[0].shape = {6};
  weights[3].name = "a";
  EXPECT_EQ(refusal(), "two weights have the name 'a' in the weights file");
  weights[3].name = "__metadata__";
  EXPECT_NE(refusal().find("'__metadata__'"), std::string::npos);
}

TEST_F(WeightsTest, NamesThatLookLikePads) {
  weights[5].name = "weft.pad.0";
  std::string content = file(weights);
  uint64_t headerSize = llvm::support::endian::read64le(content.data());
  auto header = llvm::cantFail(llvm::json::parse(llvm::StringRef(content).substr(8, headerSize)));
  const auto *tensor = header.getAsObject()->getObject("weft.pad.0");
  ASSERT_TRUE(tensor);
  EXPECT_EQ(tensor->getString("dtype"), llvm::StringRef("BOOL"));
}

TEST_F(WeightsTest, InvalidUTF8InNames) {
  weights[0].name = "a\xff";
  std::string content = file(weights);
  uint64_t headerSize = llvm::support::endian::read64le(content.data());
  EXPECT_TRUE(bool(llvm::json::parse(llvm::StringRef(content).substr(8, headerSize))));
}
