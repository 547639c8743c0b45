//===- Error.h - Errors and the text in them ----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_ERROR_H
#define WEFT_RUNTIME_ERROR_H

#include "Memory.h"

#include <cstdarg>
#include <cstdio>

namespace weft::runtime {

#define WEFT_PRINTF(text, first) __attribute__((format(printf, text, first)))

/// An error whose message is formatted like printf. Without memory for it, the
/// error is a constant one that says so; never null.
weft_error *makeError(const Allocator &allocator, int32_t code, const char *format, ...)
    WEFT_PRINTF(3, 4);

/// Text of bounded length on the stack, cut where it gets too long.
class Text {
public:
  Text() { buffer[0] = 0; }
  Text &append(const char *format, ...) WEFT_PRINTF(2, 3);
  Text &appendList(const char *format, va_list args) WEFT_PRINTF(2, 0);
  /// `[2, 3]`.
  Text &appendShape(int32_t rank, const int64_t *dims);
  const char *get() const { return buffer; }

private:
  char buffer[768];
  size_t length = 0;
};

/// Reads the first `struct_size` bytes of a struct of a caller, who may have
/// been compiled with an older (shorter) or newer (longer) header, into a
/// current one. Returns false where the size makes no sense.
template <typename T> bool readStruct(const T *from, T &to) {
  memset(static_cast<void *>(&to), 0, sizeof(T));
  if (!from)
    return true;
  if (from->struct_size < sizeof(uint32_t) || from->struct_size > 65536)
    return false;
  size_t size = from->struct_size < sizeof(T) ? from->struct_size : sizeof(T);
  memcpy(static_cast<void *>(&to), from, size);
  return true;
}

/// The allocator of a caller's option struct, checked. An error if it has no
/// functions.
weft_error *readAllocator(const weft_allocator *given, weft_allocator &table);

} // namespace weft::runtime

#endif // WEFT_RUNTIME_ERROR_H
