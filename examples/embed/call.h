/*===- call.h - Calls a module with zeros --------------------------------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * What both programs of this example do with a module once they have it.
 *
 *===----------------------------------------------------------------------===*/
#ifndef EMBED_CALL_H
#define EMBED_CALL_H

#include <weft-runtime/runtime.h>

/* Prints and frees an error. 0 if there is none. */
int report(weft_error *error);

/* Calls the module's first function with inputs of zeros and prints what comes
   out. 0 for success. */
int callModule(weft_loaded_module *module);

#endif /* EMBED_CALL_H */
