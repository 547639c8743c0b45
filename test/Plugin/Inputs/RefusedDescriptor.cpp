//===- RefusedDescriptor.cpp - Plugins that another Weft was built for ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Only a descriptor with what the build sets, and a static constructor that
// must never run: the descriptor is compared before the library is loaded.
//
//===----------------------------------------------------------------------===//

#include "weft/PluginDescriptor.h"

#include <cstdio>

#ifndef API_MAJOR
#define API_MAJOR WEFT_PLUGIN_API_MAJOR
#endif
#ifndef API_MINOR
#define API_MINOR WEFT_PLUGIN_API_MINOR
#endif
#ifndef LLVM
#define LLVM "22.1.8"
#endif
#ifndef NAME
#define NAME "refused"
#endif

static int shout() { return std::puts("A STATIC CONSTRUCTOR RAN"); }
[[maybe_unused]] static int ran = shout();

WEFT_PLUGIN_NOTE(weft::makePluginNote(API_MAJOR, API_MINOR, LLVM,
                                      "0000000000000000+llvm", NAME, "1.0"));
