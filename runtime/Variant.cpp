//===- Variant.cpp - Which of a module's variants to run ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Variant.h"

#include <cstdlib>
#include <cstring>

using namespace weft::runtime;

WantedVariant weft::runtime::wantedVariant(const char *option) {
  if (option)
    return {option, ""};
  // Not what a program with raised privileges is given by its caller.
  const char *variable = secure_getenv("WEFT_CPU");
  if (variable && *variable)
    return {variable, " (from WEFT_CPU)"};
  return {};
}

weft_error *weft::runtime::chooseVariant(const Allocator &allocator, const char *moduleName,
                                         const weft_module &module, WantedVariant wanted,
                                         bool (*hasFeatures)(const char *features, Text &missing),
                                         const weft_variant *&chosen) {
  Text missing, known;
  for (uint32_t i = 0; i < module.variant_count; ++i) {
    const weft_variant &variant = module.variants[i];
    known.append(i ? ", %s" : "%s", variant.cpu);
    if (wanted.cpu && strcmp(wanted.cpu, variant.cpu) != 0)
      continue;
    Text lacking;
    if (hasFeatures(variant.features, lacking)) {
      chosen = &variant;
      return nullptr;
    }
    missing.append(*missing.get() ? "; %s%s needs %s" : "%s%s needs %s", variant.cpu, wanted.source,
                   lacking.get());
  }
  if (wanted.cpu && !*missing.get())
    return makeError(allocator, WEFT_NOT_FOUND,
                     "module '%s' has no variant for CPU '%s'%s; it has %s", moduleName, wanted.cpu,
                     wanted.source, known.get());
  return makeError(allocator, WEFT_UNAVAILABLE,
                   "module '%s' cannot run on this CPU: %s, which it lacks", moduleName,
                   missing.get());
}
