//===- Sha256Test.cpp - The hash of the compile cache ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sha256.h"

#include <gtest/gtest.h>

using namespace weft;

static std::string hashOf(std::string_view text, bool isFast) {
  Sha256 hash(isFast);
  hash.update(text);
  return hash.finish();
}

// FIPS 180-4's examples, with the CPU's instructions (if it has them) and
// without.
TEST(Sha256, KnownValues) {
  for (bool isFast : {true, false}) {
    EXPECT_EQ(hashOf("", isFast),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(hashOf("abc", isFast),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hashOf("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", isFast),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(hashOf(std::string(1'000'000, 'a'), isFast),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  }
}

// However the text is cut, and at every length around the block's.
TEST(Sha256, PiecesMakeTheWhole) {
  std::string text;
  for (int i = 0; i < 300; ++i)
    text += static_cast<char>(i * 37);
  for (size_t size = 0; size < text.size(); ++size) {
    std::string whole = hashOf(text.substr(0, size), true);
    EXPECT_EQ(whole, hashOf(text.substr(0, size), false));
    Sha256 hash;
    hash.update(std::string_view(text).substr(0, size / 3));
    hash.update(std::string_view(text).substr(size / 3, size - size / 3));
    EXPECT_EQ(hash.finish(), whole);
  }
}
