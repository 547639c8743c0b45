/*===- memory.c - Copy, fill and compare memory -------------------------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/
#include "builtins.h"

#include <emmintrin.h>

/* Blocks from this size on are left to the processor's string instructions,
   which then beat 16-byte vectors. */
enum { stringSize = 2048 };

typedef uint64_t __attribute__((may_alias, aligned(1))) Word8;
typedef uint32_t __attribute__((may_alias, aligned(1))) Word4;
typedef uint16_t __attribute__((may_alias, aligned(1))) Word2;

static inline __m128i load(const unsigned char *from) {
  return _mm_loadu_si128((const __m128i *)from);
}
static inline void store(unsigned char *to, __m128i value) {
  _mm_storeu_si128((__m128i *)to, value);
}

/* Up to 32 bytes: everything is loaded before anything is stored, so the two
   may overlap in either direction. */
static inline void copySmall(unsigned char *to, const unsigned char *from, size_t size) {
  if (size >= 16) {
    const __m128i first = load(from), last = load(from + size - 16);
    store(to, first);
    store(to + size - 16, last);
  } else if (size >= 8) {
    const uint64_t first = *(const Word8 *)from;
    const uint64_t last = *(const Word8 *)(from + size - 8);
    *(Word8 *)to = first;
    *(Word8 *)(to + size - 8) = last;
  } else if (size >= 4) {
    const uint32_t first = *(const Word4 *)from;
    const uint32_t last = *(const Word4 *)(from + size - 4);
    *(Word4 *)to = first;
    *(Word4 *)(to + size - 4) = last;
  } else if (size >= 2) {
    const uint16_t first = *(const Word2 *)from;
    const uint16_t last = *(const Word2 *)(from + size - 2);
    *(Word2 *)to = first;
    *(Word2 *)(to + size - 2) = last;
  } else if (size) {
    *to = *from;
  }
}

/* More than 32 bytes, ascending. Right for overlap where `to` is below `from`:
   the tail is read before the loop may overwrite it. */
static inline void copyUp(unsigned char *to, const unsigned char *from, size_t size) {
  const __m128i tail0 = load(from + size - 32), tail1 = load(from + size - 16);
  size_t at = 0;
  for (; at + 64 <= size; at += 64) {
    const __m128i a = load(from + at), b = load(from + at + 16);
    const __m128i c = load(from + at + 32), d = load(from + at + 48);
    store(to + at, a);
    store(to + at + 16, b);
    store(to + at + 32, c);
    store(to + at + 48, d);
  }
  if (size - at > 32) {
    const __m128i a = load(from + at), b = load(from + at + 16);
    store(to + at, a);
    store(to + at + 16, b);
  }
  store(to + size - 32, tail0);
  store(to + size - 16, tail1);
}

/* The same, descending, for overlap where `to` is above `from`. */
static inline void copyDown(unsigned char *to, const unsigned char *from, size_t size) {
  const __m128i head0 = load(from), head1 = load(from + 16);
  size_t at = size;
  for (; at >= 64; at -= 64) {
    const __m128i a = load(from + at - 16), b = load(from + at - 32);
    const __m128i c = load(from + at - 48), d = load(from + at - 64);
    store(to + at - 16, a);
    store(to + at - 32, b);
    store(to + at - 48, c);
    store(to + at - 64, d);
  }
  if (at > 32) {
    const __m128i a = load(from + at - 16), b = load(from + at - 32);
    store(to + at - 16, a);
    store(to + at - 32, b);
  }
  store(to + 16, head1);
  store(to, head0);
}

BUILTIN void *memcpy(void *restrict to, const void *restrict from, size_t size) {
  void *result = to;
  if (size <= 32)
    copySmall(to, from, size);
  else if (size < stringSize)
    copyUp(to, from, size);
  else
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  return result;
}

BUILTIN void *memmove(void *to, const void *from, size_t size) {
  void *result = to;
  const size_t distance = (uintptr_t)to - (uintptr_t)from;
  if (size <= 32)
    copySmall(to, from, size);
  else if (distance < size)
    copyDown(to, from, size);
  else if (-distance < size || size < stringSize)
    copyUp(to, from, size);
  else
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  return result;
}

BUILTIN void *memset(void *to, int value, size_t size) {
  unsigned char *at = to;
  if (size >= stringSize) {
    void *end = to;
    __asm__ volatile("rep stosb" : "+D"(end), "+c"(size) : "a"(value) : "memory");
    return to;
  }
  if (size >= 16) {
    const __m128i filled = _mm_set1_epi8((char)value);
    for (size_t i = 0; i + 16 <= size; i += 16)
      store(at + i, filled);
    store(at + size - 16, filled);
    return to;
  }
  const uint64_t word = (unsigned char)value * UINT64_C(0x0101010101010101);
  if (size >= 8) {
    *(Word8 *)at = word;
    *(Word8 *)(at + size - 8) = word;
  } else if (size >= 4) {
    *(Word4 *)at = (uint32_t)word;
    *(Word4 *)(at + size - 4) = (uint32_t)word;
  } else if (size) {
    at[0] = at[size / 2] = at[size - 1] = (unsigned char)value;
  }
  return to;
}

BUILTIN int memcmp(const void *a, const void *b, size_t size) {
  const unsigned char *x = a, *y = b;
  size_t at = 0;
  for (; at + 16 <= size; at += 16) {
    const int equal = _mm_movemask_epi8(_mm_cmpeq_epi8(load(x + at), load(y + at)));
    if (equal != 0xFFFF) {
      at += (size_t)__builtin_ctz(~(unsigned)equal);
      return x[at] - y[at];
    }
  }
  for (; at < size; ++at)
    if (x[at] != y[at])
      return x[at] - y[at];
  return 0;
}

BUILTIN int bcmp(const void *a, const void *b, size_t size) {
  const unsigned char *x = a, *y = b;
  size_t at = 0;
  for (; at + 16 <= size; at += 16)
    if (_mm_movemask_epi8(_mm_cmpeq_epi8(load(x + at), load(y + at))) != 0xFFFF)
      return 1;
  for (; at < size; ++at)
    if (x[at] != y[at])
      return 1;
  return 0;
}
