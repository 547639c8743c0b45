//===- TextMutator.h - Mutates the text of modules ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Knows what tokens of MLIR look like and which brackets belong together, and no
// operation: text becomes tokens, a few of them are changed, and what is changed
// still reads like a module. A number is replaced by a number, a type by a type,
// `#lowp.int<8, signed>` by another attribute with its parameters.
//
// A fuzz target that has TextMutator.cpp among its sources uses it: it defines
// LLVMFuzzerCustomMutator and LLVMFuzzerCustomCrossOver.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TEST_FUZZ_TEXTMUTATOR_H
#define WEFT_TEST_FUZZ_TEXTMUTATOR_H

#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace weft::fuzz {

enum class TokenKind : uint8_t {
  Space,       ///< and comments
  Number,      ///< digits, an extent in `4x?xf32` too
  Word,        ///< `linalg.generic`, `f32`, the `x` of shapes
  Value,       ///< `%name`
  Symbol,      ///< `@name`
  Attribute,   ///< `#name`
  Type,        ///< `!name`
  String,      ///< with its quotes
  Open,        ///< one of `(<[{`
  Close,       ///< one of `)>]}`
  Punctuation, ///< `->` too
};

struct Token {
  TokenKind kind;
  std::string text;
};
using Tokens = std::vector<Token>;

/// Every character is in a token.
Tokens tokenize(std::string_view text);
std::string join(const Tokens &tokens);

using Random = std::minstd_rand;

/// Changes one to four things.
void mutate(Tokens &tokens, Random &random);
/// Puts a part of `other` in the place of one of the same kind.
void splice(Tokens &tokens, const Tokens &other, Random &random);

/// The module in MLIR's generic form, where every attribute of an operation can be
/// changed by itself; nothing where the text is no module. The target defines it.
std::optional<std::string> toGenericForm(std::string_view text);

} // namespace weft::fuzz

#endif // WEFT_TEST_FUZZ_TEXTMUTATOR_H
