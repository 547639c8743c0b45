/*===- string.c - Strings -----------------------------------------------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * What the operations on strings of the weft dialect call. A null pointer is
 * the empty string, and what a failed allocation gives: the runtime has then
 * recorded the failure of the call.
 *
 *===----------------------------------------------------------------------===*/

#include "builtins.h"

#include "weft-runtime/module.h"

static const char *bytesOf(const weft_string *string) { return (const char *)(string + 1); }

static int64_t sizeOf(const weft_string *string) { return string ? string->size : 0; }

BUILTIN int32_t weft_string_equal(const weft_string *a, const weft_string *b) {
  const int64_t size = sizeOf(a);
  if (a == b)
    return 1;
  if (size != sizeOf(b))
    return 0;
  for (int64_t i = 0; i < size; ++i)
    if (bytesOf(a)[i] != bytesOf(b)[i])
      return 0;
  return 1;
}

static weft_string *allocate(const weft_env *env, int64_t size) {
  int64_t bytes;
  if (__builtin_add_overflow(size, (int64_t)sizeof(weft_string), &bytes))
    bytes = INT64_MAX; /* which the runtime refuses */
  weft_string *result = env->alloc(env, bytes);
  if (result)
    result->size = size;
  return result;
}

BUILTIN const weft_string *weft_string_concat(const weft_env *env, const weft_string *a,
                                              const weft_string *b) {
  const int64_t first = sizeOf(a), second = sizeOf(b);
  if (!first || !second)
    return first ? a : b;
  int64_t size;
  if (__builtin_add_overflow(first, second, &size))
    size = INT64_MAX;
  weft_string *result = allocate(env, size);
  char *out = (char *)(result + 1);
  for (int64_t i = 0; result && i < first; ++i)
    out[i] = bytesOf(a)[i];
  for (int64_t i = 0; result && i < second; ++i)
    out[first + i] = bytesOf(b)[i];
  return result;
}

/*===-- Letters -----------------------------------------------------------===*/

/* Code points first, first + step, ..., last are mapped to themselves plus
   `difference`. */
typedef struct CaseRange {
  uint32_t first, last, step;
  int32_t difference;
} CaseRange;

#include "case-tables.inc"

static uint32_t mapCase(uint32_t code, int32_t upper) {
  const CaseRange *table = upper ? toUpper : toLower;
  size_t low = 0,
         high = upper ? sizeof(toUpper) / sizeof(toUpper[0]) : sizeof(toLower) / sizeof(toLower[0]);
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (table[middle].last < code)
      low = middle + 1;
    else
      high = middle;
  }
  const size_t count =
      upper ? sizeof(toUpper) / sizeof(toUpper[0]) : sizeof(toLower) / sizeof(toLower[0]);
  if (low == count || code < table[low].first || (code - table[low].first) % table[low].step)
    return code;
  return code + (uint32_t)table[low].difference;
}

/* The code point at `data` and its length in bytes; a byte that begins none is
   given as a negative number. */
static int32_t decode(const unsigned char *data, int64_t left, int64_t *length) {
  const uint32_t first = data[0];
  *length = 1;
  if (first < 0x80)
    return (int32_t)first;
  const int64_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || size > left)
    return -1;
  uint32_t code = first & (0x7fu >> size);
  for (int64_t i = 1; i < size; ++i) {
    if ((data[i] & 0xc0) != 0x80)
      return -1;
    code = code << 6 | (data[i] & 0x3f);
  }
  /* Longer than needed, half of a pair, or too large. */
  static const uint32_t least[] = {0x80, 0x800, 0x10000};
  if (code < least[size - 2] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
    return -1;
  *length = size;
  return (int32_t)code;
}

static int64_t encodedSize(uint32_t code) {
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

static void encode(uint32_t code, char *data) {
  const int64_t size = encodedSize(code);
  if (size == 1) {
    data[0] = (char)code;
    return;
  }
  for (int64_t i = size - 1; i > 0; --i, code >>= 6)
    data[i] = (char)(0x80 | (code & 0x3f));
  data[0] = (char)((0xf00u >> size & 0xf0) | code);
}

/* Writes the mapped string to `out`, or nothing if that is null; its size. */
static int64_t convert(const weft_string *string, int32_t upper, char *out) {
  const unsigned char *data = (const unsigned char *)bytesOf(string);
  int64_t size = 0, length;
  for (int64_t i = 0; i < string->size; i += length) {
    const int32_t code = decode(data + i, string->size - i, &length);
    if (code < 0) {
      if (out)
        out[size] = (char)data[i];
      ++size;
      continue;
    }
    const uint32_t mapped = mapCase((uint32_t)code, upper);
    if (out)
      encode(mapped, out + size);
    size += encodedSize(mapped);
  }
  return size;
}

BUILTIN const weft_string *weft_string_case(const weft_env *env, const weft_string *string,
                                            int32_t upper) {
  if (!sizeOf(string))
    return string;
  weft_string *result = allocate(env, convert(string, upper, 0));
  if (result)
    convert(string, upper, (char *)(result + 1));
  return result;
}
