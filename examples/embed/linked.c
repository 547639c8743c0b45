/*===- linked.c - Runs two models linked into the program ----------------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Made of two objects that `weft compile --emit=obj` wrote, and the static
 * runtime: no file is loaded at run time. FIRST and SECOND are the names in
 * their `weft_module_query_<name>` symbols.
 *
 *===----------------------------------------------------------------------===*/
#include "call.h"

#include <stdio.h>

#define JOIN(a, b) a##b
#define QUERY(name) JOIN(weft_module_query_, name)

const weft_module *QUERY(FIRST)(uint32_t abi_major);
const weft_module *QUERY(SECOND)(uint32_t abi_major);

static int run(weft_module_query_fn query) {
  weft_loaded_module *module = NULL;
  if (report(weft_module_load_static(query, NULL, &module)))
    return 1;
  printf("model '%s'\n", weft_module_description(module)->name);
  int failed = callModule(module);
  weft_module_release(module);
  return failed;
}

int main(void) { return run(QUERY(FIRST)) || run(QUERY(SECOND)); }
