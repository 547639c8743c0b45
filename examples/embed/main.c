/*===- main.c - Runs a compiled module in a C program --------------------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Loads a module file and calls it.
 *
 *===----------------------------------------------------------------------===*/
#include "call.h"

#include <stdio.h>

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s MODULE.so\n", argv[0]);
    return 2;
  }
  weft_loaded_module *module = NULL;
  int failed = report(weft_module_load_file(argv[1], NULL, &module)) || callModule(module);
  weft_module_release(module);
  return failed;
}
