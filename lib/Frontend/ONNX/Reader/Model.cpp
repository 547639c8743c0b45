//===- Model.cpp - An ONNX model as it lies in its file -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/Model.h"

#include "Frontend/ONNX/Reader/ExternalFiles.h"

#include <iterator>

using namespace weft;
using namespace weft::onnx;

Model::Model() : files(std::make_unique<ExternalFiles>("", "", std::span<const uint8_t>())) {}
Model::Model(Model &&) noexcept = default;
Model &Model::operator=(Model &&) noexcept = default;
Model::~Model() = default;

std::string onnx::name(AttributeKind kind) {
  static constexpr const char *names[] = {
      "UNDEFINED",      "FLOAT",      "INT",        "STRING",  "TENSOR", "GRAPH",
      "FLOATS",         "INTS",       "STRINGS",    "TENSORS", "GRAPHS", "SPARSE_TENSOR",
      "SPARSE_TENSORS", "TYPE_PROTO", "TYPE_PROTOS"};
  auto index = static_cast<int32_t>(kind);
  if (index < 0 || index >= static_cast<int32_t>(std::size(names)))
    return "kind " + std::to_string(index);
  return names[index];
}

const NodeAttribute *Node::find(std::string_view attributeName) const {
  for (const NodeAttribute &attribute : attributes)
    if (attribute.name == attributeName)
      return &attribute;
  return nullptr;
}

bool onnx::isDefaultDomain(std::string_view domain) {
  return domain.empty() || domain == "ai.onnx";
}

std::optional<int64_t> onnx::findOpset(std::span<const OperatorSet> sets, std::string_view domain) {
  for (const OperatorSet &set : sets)
    if (set.domain == domain || (isDefaultDomain(set.domain) && isDefaultDomain(domain)))
      return set.version;
  return std::nullopt;
}

/// The length in bytes of the well-formed, printable UTF-8 character at the
/// start of `text`, or 0.
static size_t printableLength(std::string_view text) {
  auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char lead = at(0);
  if (lead < 0x80)
    return lead >= 0x20 && lead != 0x7f;
  size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length)
    return 0;
  for (size_t i = 1; i < length; ++i)
    if ((at(i) & 0xc0) != 0x80)
      return 0;
  // C1 control characters, overlong forms, surrogates, beyond U+10FFFF.
  if ((lead == 0xc2 && at(1) < 0xa0) || (lead == 0xe0 && at(1) < 0xa0) ||
      (lead == 0xed && at(1) >= 0xa0) || (lead == 0xf0 && at(1) < 0x90) ||
      (lead == 0xf4 && at(1) >= 0x90))
    return 0;
  // Marks that reorder text (U+200E/F, U+202A..E, U+2066..9) could disguise it.
  if (lead == 0xe2 && at(1) == 0x80 &&
      (at(2) == 0x8e || at(2) == 0x8f || (at(2) >= 0xa8 && at(2) <= 0xae)))
    return 0;
  if (lead == 0xe2 && at(1) == 0x81 && at(2) >= 0xa6 && at(2) <= 0xa9)
    return 0;
  return length;
}

std::string onnx::quote(std::string_view text) {
  static constexpr size_t maxLength = 200;
  static constexpr char digits[] = "0123456789abcdef";
  std::string result = "'";
  while (!text.empty()) {
    if (result.size() > maxLength) {
      result += "...";
      break;
    }
    size_t length = printableLength(text);
    if (length) {
      result += text.substr(0, length);
    } else {
      auto byte = static_cast<unsigned char>(text[0]);
      result += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
      length = 1;
    }
    text.remove_prefix(length);
  }
  return result + "'";
}
