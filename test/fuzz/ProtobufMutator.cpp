//===- ProtobufMutator.cpp - Mutates protobuf messages --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ProtobufMutator.h"

#include <algorithm>
#include <cstring>
#include <set>

using namespace weft::fuzz;

//===----------------------------------------------------------------------===//
// The wire format
//===----------------------------------------------------------------------===//

static constexpr unsigned kMaxDepth = 24;

static std::optional<uint64_t> takeVarint(std::span<const uint8_t> &bytes) {
  uint64_t value = 0;
  for (unsigned i = 0; i < 10 && i < bytes.size(); ++i) {
    value |= uint64_t(bytes[i] & 0x7f) << (7 * i);
    if (bytes[i] < 0x80) {
      bytes = bytes.subspan(i + 1);
      return value;
    }
  }
  return std::nullopt;
}

static std::optional<uint64_t> takeFixed(std::span<const uint8_t> &bytes, size_t width) {
  if (bytes.size() < width)
    return std::nullopt;
  uint64_t value = 0;
  std::memcpy(&value, bytes.data(), width);
  bytes = bytes.subspan(width);
  return value;
}

static bool isText(std::span<const uint8_t> bytes) {
  return std::ranges::all_of(bytes, [](uint8_t c) { return c >= ' ' && c < 0x7f; });
}

static std::optional<Field> takeField(std::span<const uint8_t> &bytes, unsigned depth) {
  std::optional<uint64_t> tag = takeVarint(bytes);
  if (!tag || *tag >> 32 || *tag >> 3 == 0)
    return std::nullopt;
  Field field;
  field.number = uint32_t(*tag >> 3);
  field.wire = WireType(*tag & 7);
  std::optional<uint64_t> value;
  switch (field.wire) {
  case WireType::Fixed32:
    value = takeFixed(bytes, 4);
    break;
  case WireType::Fixed64:
    value = takeFixed(bytes, 8);
    break;
  case WireType::Varint:
  case WireType::Bytes:
    value = takeVarint(bytes);
    break;
  default:
    return std::nullopt;
  }
  if (!value)
    return std::nullopt;
  if (field.wire != WireType::Bytes) {
    field.value = *value;
    return field;
  }
  if (*value > bytes.size())
    return std::nullopt;
  std::span<const uint8_t> contents = bytes.first(*value);
  bytes = bytes.subspan(*value);
  // Names are text and could be messages too; messages have small bytes.
  if (!contents.empty() && !isText(contents))
    if (std::optional<Message> message = parse(contents, depth + 1)) {
      field.message = std::move(*message);
      return field;
    }
  field.bytes.assign(contents.begin(), contents.end());
  return field;
}

std::optional<Message> weft::fuzz::parse(std::span<const uint8_t> bytes, unsigned depth) {
  if (depth > kMaxDepth)
    return std::nullopt;
  Message message;
  while (!bytes.empty()) {
    std::optional<Field> field = takeField(bytes, depth);
    if (!field)
      return std::nullopt;
    message.push_back(std::move(*field));
  }
  return message;
}

static void addVarint(std::string &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out.push_back(char(value | 0x80));
  out.push_back(char(value));
}

std::string weft::fuzz::encode(const Message &message) {
  std::string out;
  for (const Field &field : message) {
    addVarint(out, uint64_t(field.number) << 3 | uint64_t(field.wire));
    if (field.wire == WireType::Varint) {
      addVarint(out, field.value);
    } else if (field.wire == WireType::Bytes) {
      std::string bytes = field.message.empty() ? field.bytes : encode(field.message);
      addVarint(out, bytes.size());
      out += bytes;
    } else {
      size_t width = field.wire == WireType::Fixed32 ? 4 : 8;
      out.append(reinterpret_cast<const char *>(&field.value), width);
    }
  }
  return out;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

static size_t below(Random &random, size_t count) {
  return std::uniform_int_distribution<size_t>(0, count - 1)(random);
}

template <typename T> static const T &oneOf(const std::vector<T> &values, Random &random) {
  return values[below(random, values.size())];
}

/// Strings and integers of all the inputs seen: names of operators and of
/// attributes, element types, extents.
namespace {
struct Seen {
  static constexpr size_t kMaxEntries = 4096;
  std::vector<std::string> strings;
  std::vector<uint64_t> integers;
  std::set<std::string> knownStrings;
  std::set<uint64_t> knownIntegers;

  void add(const Message &message) {
    for (const Field &field : message) {
      add(field.message);
      if (field.wire == WireType::Varint && integers.size() < kMaxEntries &&
          knownIntegers.insert(field.value).second)
        integers.push_back(field.value);
      if (field.wire == WireType::Bytes && field.message.empty() && field.bytes.size() <= 64 &&
          strings.size() < kMaxEntries && knownStrings.insert(field.bytes).second)
        strings.push_back(field.bytes);
    }
  }
};
} // namespace
static Seen seen;

static uint64_t changedInteger(uint64_t value, Random &random) {
  static const std::vector<uint64_t> interesting = {
      0,
      1,
      2,
      3,
      7,
      8,
      16,
      64,
      127,
      128,
      255,
      1000,
      65536,
      uint64_t(-1),
      uint64_t(-2),
      uint64_t(-8),
      INT32_MAX,
      uint64_t(INT32_MAX) + 1,
      uint64_t(int64_t(INT32_MIN)),
      UINT32_MAX,
      uint64_t(1) << 40,
      uint64_t(1) << 60,
      INT64_MAX,
      uint64_t(INT64_MIN),
  };
  switch (below(random, 6)) {
  case 0:
    return value + 1;
  case 1:
    return value - 1;
  case 2:
    return seen.integers.empty() ? 0 : oneOf(seen.integers, random);
  case 3:
    return below(random, 32);
  default:
    return oneOf(interesting, random);
  }
}

static const std::vector<uint32_t> floats = {
    0,          // 0
    0x80000000, // -0
    0x3f800000, // 1
    0xbf800000, // -1
    0x7fc00000, // NaN
    0x7f800000, // infinity
    0xff800000, // -infinity
    1,          // the smallest
    0x7f7fffff, // the largest
    0x4f000000, // 2^31
    0xdf000000, // -2^63
};

/// Names, or numbers one after the other.
static void changeBytes(std::string &bytes, Random &random) {
  size_t choice = below(random, 8);
  if (choice < 4 && !seen.strings.empty()) {
    bytes = oneOf(seen.strings, random);
  } else if (choice == 4) {
    bytes.resize(below(random, 2 * bytes.size() + 9));
  } else if (choice == 5 && bytes.size() >= 4) {
    uint32_t value = oneOf(floats, random);
    std::memcpy(bytes.data() + below(random, bytes.size() / 4) * 4, &value, 4);
  } else if (choice == 6 && bytes.size() >= 8) {
    char *place = bytes.data() + below(random, bytes.size() / 8) * 8;
    uint64_t value;
    std::memcpy(&value, place, 8);
    value = changedInteger(value, random);
    std::memcpy(place, &value, 8);
  } else if (!bytes.empty()) {
    bytes[below(random, bytes.size())] = char(below(random, 256));
  }
}

static void changeValue(Field &field, Random &random) {
  if (field.wire == WireType::Fixed32)
    field.value = oneOf(floats, random);
  else if (field.wire == WireType::Bytes)
    changeBytes(field.bytes, random);
  else
    field.value = changedInteger(field.value, random);
}

//===----------------------------------------------------------------------===//
// Fields
//===----------------------------------------------------------------------===//

namespace {
/// A field in its message.
struct Place {
  Message *message;
  size_t index;
  Field &field() const { return (*message)[index]; }
};
} // namespace

static void gather(Message &message, std::vector<Place> &places) {
  for (size_t i = 0; i < message.size(); ++i) {
    places.push_back({&message, i});
    gather(message[i].message, places);
  }
}

/// A field with the number of `like`, and a message if that is one.
static const Field *findLike(const Field &like, const std::vector<Place> &places, Random &random) {
  size_t start = below(random, places.size());
  for (size_t i = 0; i < places.size(); ++i) {
    const Field &field = places[(start + i) % places.size()].field();
    if (&field != &like && field.number == like.number && field.wire == like.wire &&
        field.message.empty() == like.message.empty())
      return &field;
  }
  return nullptr;
}

/// A message that has no fields any more is empty bytes; nobody gets into it.
static void mutateOnce(Message &message, Random &random) {
  std::vector<Place> places;
  gather(message, places);
  if (places.empty())
    return;
  Place place = oneOf(places, random);
  auto position = place.message->begin() + ptrdiff_t(place.index);
  switch (below(random, 10)) {
  case 0:
    place.message->erase(position);
    return;
  case 1: {
    Field copy = place.field();
    place.message->insert(position, std::move(copy));
    return;
  }
  case 2: {
    size_t other = below(random, place.message->size());
    if (other != place.index)
      std::swap(place.field(), (*place.message)[other]);
    return;
  }
  case 3: {
    // By a copy: one of the two may be within the other.
    if (const Field *like = findLike(place.field(), places, random)) {
      Field copy = *like;
      place.field() = std::move(copy);
    }
    return;
  }
  default:
    // Values are in the leaves.
    for (unsigned i = 0; i < 8 && !place.field().message.empty(); ++i)
      place = oneOf(places, random);
    if (place.field().message.empty())
      changeValue(place.field(), random);
  }
}

void weft::fuzz::mutate(Message &message, Random &random) {
  for (size_t i = 0, count = 1 + below(random, 4); i < count; ++i)
    mutateOnce(message, random);
}

void weft::fuzz::splice(Message &message, const Message &other, Random &random) {
  Message source = other;
  std::vector<Place> places, sources;
  gather(message, places);
  gather(source, sources);
  if (places.empty() || sources.empty())
    return;
  for (unsigned i = 0; i < 8; ++i) {
    const Place &place = oneOf(places, random);
    const Field *like = findLike(place.field(), sources, random);
    if (!like)
      continue;
    if (below(random, 2))
      place.field() = *like;
    else
      place.message->insert(place.message->begin() + ptrdiff_t(place.index), *like);
    return;
  }
}

//===----------------------------------------------------------------------===//
// libFuzzer
//===----------------------------------------------------------------------===//

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maxSize);

/// 0 where the result is too long or nothing.
static size_t write(const Message &message, uint8_t *out, size_t maxSize) {
  std::string bytes = encode(message);
  if (bytes.size() > maxSize)
    return 0;
  std::memcpy(out, bytes.data(), bytes.size());
  return bytes.size();
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize,
                                          unsigned seed) {
  Random random(seed);
  if (below(random, 5) > 0)
    if (std::optional<Message> message = parse(std::span(data, size))) {
      seen.add(*message);
      mutate(*message, random);
      if (size_t written = write(*message, data, maxSize))
        return written;
    }
  return LLVMFuzzerMutate(data, size, maxSize);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1,
                                            const uint8_t *data2, size_t size2, uint8_t *out,
                                            size_t maxSize, unsigned seed) {
  Random random(seed);
  std::optional<Message> message = parse(std::span(data1, size1));
  std::optional<Message> other = parse(std::span(data2, size2));
  if (!message || !other)
    return 0;
  splice(*message, *other, random);
  return write(*message, out, maxSize);
}
