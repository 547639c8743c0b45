//===- Variant.h - Which of a module's variants to run ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_VARIANT_H
#define WEFT_RUNTIME_VARIANT_H

#include "Error.h"
#include "weft-runtime/module.h"

namespace weft::runtime {

/// Which variant is asked for, by weft_variant.cpu, and by whom, for messages.
/// Without a name it is the best one.
struct WantedVariant {
  const char *cpu = nullptr;
  const char *source = "";
};

/// The load option, else the environment variable WEFT_CPU if it is not empty.
WantedVariant wantedVariant(const char *option);

/// Takes the first variant whose features `hasFeatures` finds (see Cpu.h), or
/// the one that is asked for. An error where there is none, naming all.
weft_error *chooseVariant(const Allocator &allocator, const char *moduleName,
                          const weft_module &module, WantedVariant wanted,
                          bool (*hasFeatures)(const char *features, Text &missing),
                          const weft_variant *&chosen);

} // namespace weft::runtime

#endif // WEFT_RUNTIME_VARIANT_H
