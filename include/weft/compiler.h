/*===- compiler.h - The compiler behind a small C interface ---------------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * What the `weft` command opens libWeft.so for, so that it starts without it.
 *
 *===----------------------------------------------------------------------===*/
#ifndef WEFT_COMPILER_H
#define WEFT_COMPILER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_compile_options {
  uint32_t struct_size;
  const char *input;  /* path; NULL: the arguments ask --list-plugins or
                         --print-pipeline, and the answer is the text */
  const char *output; /* path, "-" is standard output */
  /* The flags of `weft compile` that remain, verbatim. */
  const char *const *arguments;
  int argument_count;
  /* Called when stage `step` of `steps` is done; may be NULL. */
  void (*progress)(void *user, int step, int steps, const char *stage, const char *summary);
  void *user;
  int quiet;
} weft_compile_options;

/* Compiles in a forked worker and returns the exit code of `weft compile`.
 *diagnostics is its text, which the caller frees with weft_compiler_free. */
int weft_compiler_compile(const weft_compile_options *options, char **diagnostics);
/* Of Weft, LLVM and plugins. */
const char *weft_compiler_version(void);
void weft_compiler_free(void *memory);

#ifdef __cplusplus
}
#endif
#endif /* WEFT_COMPILER_H */
