//===- ProtobufMutator.h - Mutates protobuf messages ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Knows the wire format and no schema: bytes become a tree of fields, the tree
// is changed and encoded with lengths that are right again. Random bytes hardly
// ever are a message; what a fuzzer changes here still is one.
//
// A fuzz target that has ProtobufMutator.cpp among its sources uses it: it
// defines LLVMFuzzerCustomMutator and LLVMFuzzerCustomCrossOver.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TEST_FUZZ_PROTOBUFMUTATOR_H
#define WEFT_TEST_FUZZ_PROTOBUFMUTATOR_H

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace weft::fuzz {

enum class WireType : uint8_t { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

struct Field {
  uint32_t number = 0;
  WireType wire = WireType::Varint;
  uint64_t value = 0;         ///< of Varint, Fixed64 and Fixed32
  std::string bytes;          ///< of Bytes that are no message
  std::vector<Field> message; ///< of Bytes that are one: not empty
};
using Message = std::vector<Field>;

/// Nothing where the bytes are no message.
std::optional<Message> parse(std::span<const uint8_t> bytes, unsigned depth = 0);
std::string encode(const Message &message);

using Random = std::minstd_rand;

/// Changes one to four things in the message.
void mutate(Message &message, Random &random);
/// Puts a field of `other` in the place of one of the same number, or beside it.
void splice(Message &message, const Message &other, Random &random);

} // namespace weft::fuzz

#endif // WEFT_TEST_FUZZ_PROTOBUFMUTATOR_H
