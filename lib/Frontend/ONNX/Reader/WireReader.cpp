//===- WireReader.cpp - Bounds-checked protobuf wire format ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/WireReader.h"

#include <array>
#include <limits>

using namespace weft;
using namespace weft::onnx;

const char *onnx::name(WireType type) {
  switch (type) {
  case WireType::Varint:
    return "a varint";
  case WireType::Fixed64:
    return "a 64-bit value";
  case WireType::Length:
    return "a length-delimited value";
  case WireType::GroupStart:
  case WireType::GroupEnd:
    return "a group";
  case WireType::Fixed32:
    return "a 32-bit value";
  }
  return "an unknown value";
}

bool onnx::decodeVarint(const uint8_t *&position, const uint8_t *end, uint64_t &value) {
  uint64_t result = 0;
  const uint8_t *next = position;
  for (unsigned shift = 0; shift < 64 && next != end; shift += 7) {
    uint8_t byte = *next++;
    // The tenth byte holds the last of the 64 bits.
    if (shift == 63 && byte > 1)
      return false;
    result |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (!(byte & 0x80)) {
      value = result;
      position = next;
      return true;
    }
  }
  return false;
}

bool WireReader::fail(const uint8_t *where, std::string text) {
  failurePosition = where;
  failureText = std::move(text);
  return false;
}

bool WireReader::readVarint(uint64_t &value) {
  if (decodeVarint(position, end, value))
    return true;
  // A varint has at most ten bytes; with fewer left it may be cut off.
  bool cutOff = end - position < 10;
  for (const uint8_t *byte = position; cutOff && byte != end; ++byte)
    cutOff = *byte & 0x80;
  return fail(position,
              cutOff ? "the bytes end inside a varint" : "a varint does not fit in 64 bits");
}

bool WireReader::readTag(WireField &field) {
  field.start = position;
  uint64_t tag;
  if (!readVarint(tag))
    return false;
  if (tag > std::numeric_limits<uint32_t>::max() || tag >> 3 == 0)
    return fail(field.start,
                "expected a field number from 1 to 536870911, found " + std::to_string(tag >> 3));
  unsigned type = tag & 7;
  if (type > static_cast<unsigned>(WireType::Fixed32))
    return fail(field.start, "expected a wire type from 0 to 5, found " + std::to_string(type));
  field.number = static_cast<uint32_t>(tag >> 3);
  field.type = static_cast<WireType>(type);
  return true;
}

bool WireReader::readValue(WireField &field) {
  size_t left;
  switch (field.type) {
  case WireType::Varint:
    return readVarint(field.scalar);
  case WireType::Fixed64:
  case WireType::Fixed32: {
    size_t size = field.type == WireType::Fixed64 ? 8 : 4;
    left = static_cast<size_t>(end - position);
    if (left < size)
      return fail(position, "a value needs " + std::to_string(size) + " bytes, but only " +
                                std::to_string(left) + " are left");
    field.scalar = 0;
    for (size_t i = 0; i < size; ++i)
      field.scalar |= static_cast<uint64_t>(position[i]) << (8 * i);
    position += size;
    return true;
  }
  case WireType::Length: {
    uint64_t length;
    if (!readVarint(length))
      return false;
    left = static_cast<size_t>(end - position);
    if (length > left)
      return fail(position, "field " + std::to_string(field.number) + " needs " +
                                std::to_string(length) + " bytes, but only " +
                                std::to_string(left) + " are left");
    field.bytes = {position, static_cast<size_t>(length)};
    position += length;
    return true;
  }
  case WireType::GroupStart:
    return skipGroup(field.number);
  case WireType::GroupEnd:
    break;
  }
  return fail(field.start, "found the end of a group that was never begun");
}

bool WireReader::skipGroup(uint32_t number) {
  std::array<uint32_t, maxGroupDepth> open;
  size_t depth = 0;
  open[depth++] = number;
  while (depth) {
    if (position == end)
      return fail(position, "the bytes end inside a group");
    WireField field;
    if (!readTag(field))
      return false;
    if (field.type == WireType::GroupStart) {
      if (depth == maxGroupDepth)
        return fail(field.start, "groups are nested deeper than " + std::to_string(maxGroupDepth));
      open[depth++] = field.number;
    } else if (field.type == WireType::GroupEnd) {
      if (field.number != open[depth - 1])
        return fail(field.start, "expected the end of group " + std::to_string(open[depth - 1]) +
                                     ", found that of group " + std::to_string(field.number));
      --depth;
    } else if (!readValue(field)) {
      return false;
    }
  }
  return true;
}

bool WireReader::next(WireField &field) {
  if (failed())
    return false;
  while (position != end) {
    if (!readTag(field) || !readValue(field))
      return false;
    if (field.type != WireType::GroupStart)
      return true;
  }
  return false;
}

/// The number of varints in `bytes`, or false where they are malformed.
static bool countVarints(std::span<const uint8_t> bytes, size_t &count) {
  const uint8_t *position = bytes.data(), *end = position + bytes.size();
  for (count = 0; position != end; ++count) {
    uint64_t value;
    if (!decodeVarint(position, end, value))
      return false;
  }
  return true;
}

const char *ScalarData::append(const WireField &source, std::span<const uint8_t> message,
                               WireType element) {
  bool packed = source.type == WireType::Length;
  size_t added = 1;
  if (packed) {
    size_t width = element == WireType::Fixed32 ? 4 : 8;
    if (element == WireType::Varint) {
      if (!countVarints(source.bytes, added))
        return "a packed list of varints is malformed";
    } else if (source.bytes.size() % width) {
      return "a packed list does not end with a whole value";
    } else {
      added = source.bytes.size() / width;
    }
    if (added == 0)
      return nullptr;
  } else if (source.type != element) {
    return "the values of a list have the wrong wire type";
  }
  if (count == 0 && packed) {
    bytes = source.bytes;
    field = 0;
  } else {
    bytes = message;
    field = source.number;
  }
  count += added;
  return nullptr;
}
