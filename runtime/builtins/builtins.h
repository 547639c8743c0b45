/*===- builtins.h - What modules carry instead of a C library -----------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * LLVM calls these functions by name when it has no instruction for an
 * operation. Modules import nothing, so a copy of what they need is linked into
 * each. All are hidden, and weak, so that several objects made by `--emit=obj`
 * can be linked into one program.
 *
 * Everything here is compiled for baseline x86-64, freestanding, with the
 * default rounding mode.
 *
 *===----------------------------------------------------------------------===*/
#ifndef WEFT_RUNTIME_BUILTINS_H
#define WEFT_RUNTIME_BUILTINS_H

#include <stddef.h>
#include <stdint.h>

#define BUILTIN __attribute__((weak, visibility("hidden")))

static inline uint32_t bitsOfFloat(float value) {
  union {
    float value;
    uint32_t bits;
  } u = {.value = value};
  return u.bits;
}
static inline float floatOfBits(uint32_t bits) {
  union {
    uint32_t bits;
    float value;
  } u = {.bits = bits};
  return u.value;
}
static inline uint64_t bitsOfDouble(double value) {
  union {
    double value;
    uint64_t bits;
  } u = {.value = value};
  return u.bits;
}
static inline double doubleOfBits(uint64_t bits) {
  union {
    uint64_t bits;
    double value;
  } u = {.bits = bits};
  return u.value;
}

#endif /* WEFT_RUNTIME_BUILTINS_H */
