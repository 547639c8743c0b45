//===- Strings.cpp - Strings that outlive the call ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Context.h"

#include <cinttypes>

using namespace weft::runtime;

/// Bytes of a string with its header, up to the next one's alignment; 0 for an
/// empty string, which needs none, and SIZE_MAX for what is no size.
static size_t sizeOf(const weft_string *string) {
  if (!string || !string->size)
    return 0;
  size_t size;
  if (string->size < 0 ||
      __builtin_add_overflow(size_t(string->size), 2 * sizeof(*string) - 1, &size))
    return SIZE_MAX;
  return size / sizeof(*string) * sizeof(*string);
}

/// The strings of an output, copied to `to`; false without memory.
static bool copyStrings(weft_context &context, Output &output, Buffer &to, size_t &total) {
  auto *elements = static_cast<const weft_string **>(output.data);
  const uint64_t count = output.bytes / sizeof(*elements);
  total = 0;
  for (uint64_t i = 0; i < count; ++i)
    if (__builtin_add_overflow(total, sizeOf(elements[i]), &total))
      return false;
  if (total && !context.allocate(to, total))
    return false;
  char *next = static_cast<char *>(to.data());
  for (uint64_t i = 0; i < count; ++i) {
    const size_t size = sizeOf(elements[i]);
    if (!size) {
      elements[i] = nullptr;
      continue;
    }
    memcpy(next, elements[i], sizeof(weft_string) + size_t(elements[i]->size));
    elements[i] = reinterpret_cast<const weft_string *>(next);
    next += size;
  }
  return true;
}

weft_error *weft_context::keepStrings() {
  for (uint32_t i = 0; i < function.output_count; ++i) {
    Output &output = outputs[i];
    if (function.outputs[i].dtype.code != WEFT_DTYPE_STRING || !output.produced)
      continue;
    // An input of this call may be an output of the last one: its strings go
    // when these are there.
    Buffer strings;
    size_t total = 0;
    if (!copyStrings(*this, output, strings, total))
      return makeError(allocator, WEFT_RESOURCE_EXHAUSTED,
                       "out of memory: the strings of output '%s' need %" PRIu64 " bytes",
                       function.outputs[i].name, uint64_t(total));
    output.strings = std::move(strings);
  }
  return nullptr;
}
