//===- TextMutator.cpp - Mutates the text of modules ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TextMutator.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

using namespace weft::fuzz;

//===----------------------------------------------------------------------===//
// Tokens
//===----------------------------------------------------------------------===//

static bool isDigit(char c) { return c >= '0' && c <= '9'; }
static bool isLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool isSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
static bool isInWord(char c) { return isLetter(c) || isDigit(c) || c == '.' || c == '$'; }

/// The end of the run of characters from `begin` that `test` takes.
template <typename Test> static size_t runEnd(std::string_view text, size_t begin, Test test) {
  while (begin < text.size() && test(text[begin]))
    ++begin;
  return begin;
}

static size_t stringEnd(std::string_view text, size_t begin) {
  for (size_t i = begin + 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i + 1;
  }
  return text.size();
}

/// Whether the `x` here is between two extents, or an extent and a type.
static bool isExtentsX(const Tokens &tokens, std::string_view text, size_t begin) {
  return text[begin] == 'x' && !tokens.empty() &&
         (tokens.back().kind == TokenKind::Number || tokens.back().text == "?" ||
          tokens.back().text == "]");
}

static TokenKind sigilKind(char c) {
  switch (c) {
  case '%':
    return TokenKind::Value;
  case '@':
    return TokenKind::Symbol;
  case '#':
    return TokenKind::Attribute;
  case '!':
    return TokenKind::Type;
  default:
    return TokenKind::Punctuation;
  }
}

Tokens weft::fuzz::tokenize(std::string_view text) {
  Tokens tokens;
  for (size_t begin = 0, end; begin < text.size(); begin = end) {
    char c = text[begin];
    std::string_view rest = text.substr(begin);
    TokenKind kind = TokenKind::Punctuation;
    end = begin + 1;
    if (isSpace(c)) {
      kind = TokenKind::Space;
      end = runEnd(text, begin, isSpace);
    } else if (rest.starts_with("//")) {
      kind = TokenKind::Space;
      end = runEnd(text, begin, [](char c) { return c != '\n'; });
    } else if (rest.starts_with("->")) {
      end = begin + 2;
    } else if (c == '"') {
      kind = TokenKind::String;
      end = stringEnd(text, begin);
    } else if (isDigit(c)) {
      kind = TokenKind::Number;
      end = runEnd(text, begin, isDigit);
    } else if (isExtentsX(tokens, text, begin)) {
      kind = TokenKind::Word;
    } else if (isLetter(c)) {
      kind = TokenKind::Word;
      end = runEnd(text, begin, isInWord);
    } else if (sigilKind(c) != TokenKind::Punctuation) {
      kind = sigilKind(c);
      end = runEnd(text, end, isInWord);
    } else if (std::strchr("(<[{", c)) {
      kind = TokenKind::Open;
    } else if (std::strchr(")>]}", c)) {
      kind = TokenKind::Close;
    }
    tokens.push_back({kind, std::string(text.substr(begin, end - begin))});
  }
  return tokens;
}

std::string weft::fuzz::join(const Tokens &tokens) {
  std::string text;
  for (const Token &token : tokens)
    text += token.text;
  return text;
}

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

static size_t below(Random &random, size_t limit) { return random() % limit; }

template <typename List> static const auto &oneOf(const List &list, Random &random) {
  return list[below(random, std::size(list))];
}

namespace {
/// Tokens [begin, end) that belong together.
struct Part {
  size_t begin;
  size_t end;
  /// Parts of one kind may replace each other.
  std::string kind;
};
} // namespace

/// The token after the bracket that closes the one at `open`, or 0.
static size_t groupEnd(const Tokens &tokens, size_t open) {
  size_t depth = 0;
  for (size_t i = open; i < tokens.size(); ++i) {
    depth += tokens[i].kind == TokenKind::Open;
    depth -= tokens[i].kind == TokenKind::Close;
    if (depth == 0)
      return i + 1;
  }
  return 0;
}

static bool isShaped(std::string_view word) {
  constexpr std::array names = {"tensor", "vector", "memref", "array", "dense", "affine_map"};
  return std::ranges::find(names, word) != names.end();
}

/// Groups in brackets, and attributes and types with their parameters.
static std::vector<Part> findParts(const Tokens &tokens) {
  std::vector<Part> parts;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const Token &token = tokens[i];
    if (token.kind == TokenKind::Open) {
      if (size_t end = groupEnd(tokens, i))
        parts.push_back({i, end, token.text});
      continue;
    }
    bool named = token.kind == TokenKind::Attribute || token.kind == TokenKind::Type;
    bool shaped = token.kind == TokenKind::Word && isShaped(token.text);
    if (!named && !shaped)
      continue;
    size_t end = i + 1;
    if (end < tokens.size() && tokens[end].text == "<")
      end = std::max(end, groupEnd(tokens, end));
    parts.push_back({i, end, named ? token.text.substr(0, 1) : token.text});
  }
  return parts;
}

/// The entries of the list in brackets [open, end).
static std::vector<Part> findEntries(const Tokens &tokens, const Part &group) {
  std::vector<Part> entries;
  size_t begin = group.begin + 1, depth = 0;
  for (size_t i = begin; i < group.end; ++i) {
    bool last = i + 1 == group.end;
    if (last || (depth == 0 && tokens[i].text == ",")) {
      if (begin < i)
        entries.push_back({begin, i, ""});
      begin = i + 1;
    }
    depth += tokens[i].kind == TokenKind::Open;
    depth -= !last && tokens[i].kind == TokenKind::Close;
  }
  return entries;
}

static Tokens copy(const Tokens &tokens, const Part &part) {
  return Tokens(tokens.begin() + ptrdiff_t(part.begin), tokens.begin() + ptrdiff_t(part.end));
}

static void replace(Tokens &tokens, const Part &part, Tokens with) {
  auto at =
      tokens.erase(tokens.begin() + ptrdiff_t(part.begin), tokens.begin() + ptrdiff_t(part.end));
  tokens.insert(at, with.begin(), with.end());
}

namespace {
/// What inputs had: tokens by kind, and parts by theirs.
class Seen {
public:
  void add(const Tokens &tokens) {
    for (const Token &token : tokens)
      if (token.kind != TokenKind::Space)
        keep(words[token.kind], token);
    for (const Part &part : findParts(tokens))
      if (part.end - part.begin < 64)
        keep(parts[part.kind], copy(tokens, part));
  }
  const Token &token(TokenKind kind, Random &random) const { return oneOf(words.at(kind), random); }
  const Tokens &part(const std::string &kind, Random &random) const {
    return oneOf(parts.at(kind), random);
  }
  bool has(const std::string &kind) const { return parts.contains(kind); }

private:
  /// The newest ones; `kept` counts them all.
  template <typename T> struct Ring {
    std::vector<T> entries;
    size_t kept = 0;
    size_t size() const { return entries.size(); }
    const T &operator[](size_t i) const { return entries[i]; }
  };
  template <typename T> static void keep(Ring<T> &ring, T entry) {
    constexpr size_t kLimit = 4096;
    if (ring.size() < kLimit)
      ring.entries.push_back(std::move(entry));
    else
      ring.entries[ring.kept % kLimit] = std::move(entry);
    ++ring.kept;
  }

  std::map<TokenKind, Ring<Token>> words;
  std::map<std::string, Ring<Tokens>> parts;
};
} // namespace

static Seen seen;

//===----------------------------------------------------------------------===//
// Mutations
//===----------------------------------------------------------------------===//

static constexpr std::array kNumbers = {"0",
                                        "1",
                                        "2",
                                        "3",
                                        "7",
                                        "8",
                                        "16",
                                        "31",
                                        "32",
                                        "33",
                                        "63",
                                        "64",
                                        "65",
                                        "127",
                                        "128",
                                        "255",
                                        "256",
                                        "257",
                                        "65536",
                                        "2147483647",
                                        "2147483648",
                                        "4294967296",
                                        "1152921504606846976",
                                        "4611686018427387904",
                                        "9223372036854775807",
                                        "9223372036854775808",
                                        "18446744073709551615",
                                        "-1",
                                        "-2",
                                        "-9223372036854775808",
                                        "0.0",
                                        "1.5",
                                        "-1.0e38",
                                        "1e-45",
                                        "0x7FC00000",
                                        "?"};

static constexpr std::array kTypes = {"f16",
                                      "bf16",
                                      "f32",
                                      "f64",
                                      "i1",
                                      "i4",
                                      "i8",
                                      "i16",
                                      "i32",
                                      "i64",
                                      "i128",
                                      "ui8",
                                      "si8",
                                      "index",
                                      "none",
                                      "tf32",
                                      "f80",
                                      "f128",
                                      "f8E4M3FN",
                                      "f8E5M2",
                                      "f8E8M0FNU",
                                      "f4E2M1FN",
                                      "complex<f32>",
                                      "tensor<f32>",
                                      "tensor<*xf32>",
                                      "tensor<?x?xf32>",
                                      "vector<4xf32>",
                                      "memref<?xf32>",
                                      "tuple<>",
                                      "() -> ()"};

static bool isType(const Token &token) {
  return token.kind == TokenKind::Word && std::ranges::find(kTypes, token.text) != kTypes.end();
}

/// A token that `test` takes, or nothing.
template <typename Test>
static std::optional<size_t> pick(const Tokens &tokens, Random &random, Test test) {
  std::vector<size_t> found;
  for (size_t i = 0; i < tokens.size(); ++i)
    if (test(tokens[i]))
      found.push_back(i);
  if (found.empty())
    return std::nullopt;
  return oneOf(found, random);
}

static void changeNumber(Tokens &tokens, Random &random) {
  auto isNumber = [](const Token &token) {
    return token.kind == TokenKind::Number || token.text == "?";
  };
  if (std::optional<size_t> at = pick(tokens, random, isNumber))
    tokens[*at].text = oneOf(kNumbers, random);
}

static void changeType(Tokens &tokens, Random &random) {
  if (std::optional<size_t> at = pick(tokens, random, isType))
    tokens[*at].text = oneOf(kTypes, random);
}

static bool isNoSpace(const Token &token) { return token.kind != TokenKind::Space; }

/// Takes a token away, writes it twice, or has another of its kind in its place.
static void changeToken(Tokens &tokens, Random &random) {
  std::optional<size_t> at = pick(tokens, random, isNoSpace);
  if (!at)
    return;
  Token token = tokens[*at];
  switch (below(random, 4)) {
  case 0:
    tokens.erase(tokens.begin() + ptrdiff_t(*at));
    break;
  case 1:
    tokens.insert(tokens.begin() + ptrdiff_t(*at), {token, Token{TokenKind::Space, " "}});
    break;
  default:
    tokens[*at] = seen.token(token.kind, random);
  }
}

/// A value, symbol or word becomes another one of the same text.
static void changeName(Tokens &tokens, Random &random) {
  TokenKind kind = oneOf(std::array{TokenKind::Value, TokenKind::Symbol, TokenKind::Word}, random);
  auto isOfKind = [&](const Token &token) { return token.kind == kind; };
  std::optional<size_t> at = pick(tokens, random, isOfKind);
  if (at)
    tokens[*at] = tokens[*pick(tokens, random, isOfKind)];
}

static void changePart(Tokens &tokens, Random &random) {
  std::vector<Part> parts = findParts(tokens);
  if (parts.empty())
    return;
  const Part &part = oneOf(parts, random);
  if (seen.has(part.kind))
    replace(tokens, part, seen.part(part.kind, random));
}

/// Takes an entry out of a list, writes it twice, or exchanges two.
static void changeList(Tokens &tokens, Random &random) {
  std::vector<Part> parts = findParts(tokens);
  std::erase_if(parts,
                [&](const Part &part) { return tokens[part.begin].kind != TokenKind::Open; });
  if (parts.empty())
    return;
  std::vector<Part> entries = findEntries(tokens, oneOf(parts, random));
  if (entries.empty())
    return;
  const Part &first = oneOf(entries, random), &second = oneOf(entries, random);
  Tokens entry = copy(tokens, first);
  switch (below(random, 3)) {
  case 0: { // with one of its commas
    bool leads = first.begin > 0 && tokens[first.begin - 1].text == ",";
    bool follows = !leads && tokens[first.end].text == ",";
    return replace(tokens, {first.begin - leads, first.end + follows, ""}, {});
  }
  case 1: {
    Tokens twice = entry;
    twice.push_back({TokenKind::Punctuation, ", "});
    twice.insert(twice.end(), entry.begin(), entry.end());
    return replace(tokens, first, twice);
  }
  default: {
    const Part &early = std::min(first, second, [](auto &a, auto &b) { return a.begin < b.begin; });
    const Part &late = &early == &first ? second : first;
    Tokens earlyEntry = copy(tokens, early), lateEntry = copy(tokens, late);
    replace(tokens, late, std::move(earlyEntry));
    replace(tokens, early, std::move(lateEntry));
  }
  }
}

void weft::fuzz::mutate(Tokens &tokens, Random &random) {
  constexpr std::array changes = {changeNumber, changeNumber, changeType, changeType, changeToken,
                                  changeName,   changePart,   changePart, changeList};
  for (size_t i = 0, count = 1 + below(random, 4); i < count; ++i)
    oneOf(changes, random)(tokens, random);
}

void weft::fuzz::splice(Tokens &tokens, const Tokens &other, Random &random) {
  std::vector<Part> parts = findParts(tokens), sources = findParts(other);
  if (parts.empty())
    return;
  const Part &part = oneOf(parts, random);
  std::erase_if(sources, [&](const Part &source) { return source.kind != part.kind; });
  if (!sources.empty())
    replace(tokens, part, copy(other, oneOf(sources, random)));
}

//===----------------------------------------------------------------------===//
// libFuzzer
//===----------------------------------------------------------------------===//

/// The generic form with each operation's own attributes among the others, which MLIR
/// reads too.
static std::string withoutProperties(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    bool opens = text.substr(i).starts_with("<{"), closes = text.substr(i).starts_with("}>");
    if (opens)
      ++i;
    out += text[i];
    if (closes)
      ++i;
  }
  return out;
}

/// 0 where the result is too long.
static size_t write(const std::string &text, uint8_t *out, size_t maxSize) {
  if (text.size() > maxSize)
    return 0;
  std::memcpy(out, text.data(), text.size());
  return text.size();
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize,
                                          unsigned seed) {
  Random random(seed);
  std::string text(reinterpret_cast<const char *>(data), size);
  if (below(random, 16) == 0)
    text = toGenericForm(text).value_or(text);
  if (below(random, 16) == 0)
    text = withoutProperties(text);
  Tokens tokens = tokenize(text);
  seen.add(tokens);
  mutate(tokens, random);
  size_t written = write(join(tokens), data, maxSize);
  return written ? written : size;
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1,
                                            const uint8_t *data2, size_t size2, uint8_t *out,
                                            size_t maxSize, unsigned seed) {
  Random random(seed);
  Tokens tokens = tokenize({reinterpret_cast<const char *>(data1), size1});
  splice(tokens, tokenize({reinterpret_cast<const char *>(data2), size2}), random);
  return write(join(tokens), out, maxSize);
}
