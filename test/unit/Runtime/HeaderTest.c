//===- HeaderTest.c - The public headers as a C program sees them -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weft-runtime/module.h"
#include "weft-runtime/runtime.h"

/* Layouts that callers and compiled modules rely on. A change here is a change
   of the ABI. */
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#define AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field)

SIZE(weft_footer, 24);
SIZE(weft_env, 136);
AT(weft_env, arena, 16);
AT(weft_env, dispatch, 40);
AT(weft_env, fail, 80);
AT(weft_env, device_arena, 88);
AT(weft_env, launch, 120);
AT(weft_env, transfer, 128);
SIZE(weft_emulated_thread, 176);
AT(weft_emulated_thread, lane, 96);
AT(weft_emulated_thread, shared, 136);
AT(weft_emulated_thread, barrier, 152);
AT(weft_emulated_thread, out_of_bounds, 168);
SIZE(weft_device_kernel, 32);
SIZE(weft_device_code, 48);
SIZE(weft_device_resources, 32);
SIZE(weft_transfer, 32);
SIZE(weft_device_function, 8);
SIZE(weft_dtype, 4);
SIZE(weft_dim, 16);
SIZE(weft_argument, 32);
SIZE(weft_symbol, 24);
SIZE(weft_function, 64);
SIZE(weft_site, 24);
SIZE(weft_kernel_info, 16);
SIZE(weft_variant, 24);
SIZE(weft_weight, 24);
SIZE(weft_tensor, 32);
AT(weft_tensor, dtype, 8);
AT(weft_tensor, dims, 16);
SIZE(weft_allocator, 32);
SIZE(weft_module_options, 64);
SIZE(weft_context_options, 80);
AT(weft_context_options, spin_us, 64);
SIZE(weft_profile_event, 48);
SIZE(weft_stats, 128);

int main(void) {
  return weft_runtime_api_version() == (WEFT_RUNTIME_API_MAJOR << 16 | WEFT_RUNTIME_API_MINOR) ? 0
                                                                                               : 1;
}
