//===- NoEntry.cpp - A descriptor without a registration function ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weft/Plugin.h"

WEFT_PLUGIN_NOTE(weft::makePluginNote(WEFT_PLUGIN_API_MAJOR,
                                      WEFT_PLUGIN_API_MINOR,
                                      LLVM_VERSION_STRING, WEFT_FINGERPRINT,
                                      "no-entry", "1.0"));
