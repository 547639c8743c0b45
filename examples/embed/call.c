/*===- call.c - Calls a module with zeros --------------------------------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Free dimensions are 1, or the least that the signature allows.
 *
 *===----------------------------------------------------------------------===*/
#include "call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_ARGUMENTS = 256, SHOWN = 8 };

int report(weft_error *error) {
  if (!error)
    return 0;
  fprintf(stderr, "error: %s: %s\n", weft_code_name(weft_error_code(error)),
          weft_error_message(error));
  weft_error_free(error);
  return 1;
}

static int64_t extentOf(const weft_function *function, weft_dim dim) {
  if (dim.symbol < 0)
    return dim.size;
  int64_t least = function->symbols[dim.symbol].min;
  return least > 1 ? least : 1;
}

/* A tensor of zeros for one input. */
static int makeInput(const weft_function *function, const weft_argument *argument,
                     weft_tensor *tensor) {
  int64_t *dims = calloc((size_t)argument->rank + 1, sizeof(int64_t));
  if (!dims)
    return 1;
  for (int32_t i = 0; i < argument->rank; ++i)
    dims[i] = extentOf(function, argument->dims[i]);
  tensor->dtype = argument->dtype;
  tensor->rank = argument->rank;
  tensor->dims = dims;
  uint64_t bytes = 0;
  if (report(weft_tensor_bytes(tensor, &bytes)))
    return 1;
  tensor->data = calloc(bytes ? bytes : 1, 1);
  return !tensor->data;
}

static void printTensor(const char *name, const weft_tensor *tensor) {
  int64_t count = 1;
  printf("%s: ", name);
  for (int32_t i = 0; i < tensor->rank; ++i) {
    printf("%" PRId64 "x", tensor->dims[i]);
    count *= tensor->dims[i];
  }
  printf("%s =", weft_dtype_name(tensor->dtype));
  for (int64_t i = 0; i < count && i < SHOWN; ++i)
    if (tensor->dtype.code == WEFT_DTYPE_FLOAT && tensor->dtype.bits == 32)
      printf(" %g", (double)((const float *)tensor->data)[i]);
    else if (tensor->dtype.code == WEFT_DTYPE_INT && tensor->dtype.bits == 64)
      printf(" %" PRId64, ((const int64_t *)tensor->data)[i]);
    else
      printf(" 0x%02x", ((const unsigned char *)tensor->data)[i]);
  printf(count > SHOWN ? " ...\n" : "\n");
}

static int callFunction(weft_context *context) {
  const weft_function *function = weft_context_function(context);
  static weft_tensor inputs[MAX_ARGUMENTS];
  if (function->input_count > MAX_ARGUMENTS) {
    fprintf(stderr, "error: %u inputs are too many\n", function->input_count);
    return 1;
  }
  int failed = 0;
  for (uint32_t i = 0; i < function->input_count && !failed; ++i)
    failed = makeInput(function, &function->inputs[i], &inputs[i]);
  if (!failed)
    failed = report(weft_invoke(context, inputs, function->input_count, NULL, 0));
  for (uint32_t i = 0; i < function->output_count && !failed; ++i) {
    weft_tensor output;
    failed = report(weft_context_output(context, i, &output));
    if (!failed)
      printTensor(function->outputs[i].name, &output);
  }
  for (uint32_t i = 0; i < function->input_count; ++i) {
    free(inputs[i].data);
    free((void *)inputs[i].dims);
  }
  return failed;
}

int callModule(weft_loaded_module *module) {
  weft_context *context = NULL;
  int failed = report(weft_context_create(module, 0, NULL, &context)) || callFunction(context);
  weft_context_release(context);
  return failed;
}
