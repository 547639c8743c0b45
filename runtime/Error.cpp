//===- Error.cpp - Errors and the text in them --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Error.h"

#include <cinttypes>

using namespace weft::runtime;

struct weft_error {
  int32_t code;
  size_t size; // of the allocation; 0: a constant
  weft_allocator allocator;
  const char *message;
};

static const weft_error outOfMemory = {WEFT_RESOURCE_EXHAUSTED, 0, {}, "out of memory"};

weft_error *weft::runtime::makeError(const Allocator &allocator, int32_t code, const char *format,
                                     ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int length = vsnprintf(nullptr, 0, format, args);
  va_end(args);
  size_t size = sizeof(weft_error) + size_t(length < 0 ? 0 : length) + 1;
  void *memory = allocator.allocate(size, alignof(weft_error));
  if (!memory) {
    va_end(again);
    return const_cast<weft_error *>(&outOfMemory);
  }
  char *text = static_cast<char *>(memory) + sizeof(weft_error);
  text[0] = 0;
  vsnprintf(text, size - sizeof(weft_error), format, again);
  va_end(again);
  return new (memory) weft_error{code, size, allocator.get(), text};
}

int32_t weft_error_code(const weft_error *error) { return error ? error->code : WEFT_OK; }

const char *weft_error_message(const weft_error *error) { return error ? error->message : ""; }

void weft_error_free(weft_error *error) {
  if (!error || !error->size)
    return;
  weft_allocator allocator = error->allocator;
  allocator.deallocate(allocator.user, error, error->size, alignof(weft_error));
}

const char *weft_code_name(int32_t code) {
  static const char *const names[] = {"OK",
                                      "CANCELLED",
                                      "UNKNOWN",
                                      "INVALID_ARGUMENT",
                                      "DEADLINE_EXCEEDED",
                                      "NOT_FOUND",
                                      "ALREADY_EXISTS",
                                      "PERMISSION_DENIED",
                                      "RESOURCE_EXHAUSTED",
                                      "FAILED_PRECONDITION",
                                      "ABORTED",
                                      "OUT_OF_RANGE",
                                      "UNIMPLEMENTED",
                                      "INTERNAL",
                                      "UNAVAILABLE",
                                      "DATA_LOSS"};
  return code >= 0 && size_t(code) < sizeof(names) / sizeof(*names) ? names[code] : "UNKNOWN";
}

Text &Text::append(const char *format, ...) {
  va_list args;
  va_start(args, format);
  appendList(format, args);
  va_end(args);
  return *this;
}

Text &Text::appendList(const char *format, va_list args) {
  int added = vsnprintf(buffer + length, sizeof(buffer) - length, format, args);
  if (added > 0)
    length = length + size_t(added) < sizeof(buffer) ? length + size_t(added) : sizeof(buffer) - 1;
  return *this;
}

Text &Text::appendShape(int32_t rank, const int64_t *dims) {
  append("[");
  for (int32_t i = 0; i < rank; ++i)
    append(i ? ", %" PRId64 : "%" PRId64, dims[i]);
  return append("]");
}

weft_error *weft::runtime::readAllocator(const weft_allocator *given, weft_allocator &table) {
  if (!readStruct(given, table) || (given && (!table.allocate || !table.deallocate)))
    return makeError(Allocator(), WEFT_INVALID_ARGUMENT,
                     "the allocator table has no allocate or no deallocate "
                     "function, or its struct_size is not set");
  return nullptr;
}
