//===- Chip.h - Which processor to compile for ----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_CPU_CHIP_H
#define WEFT_TARGETS_CPU_CHIP_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace weft::cpu {

/// A resolved processor.
struct Chip {
  std::string cpu;          ///< LLVM's name, never "native"
  std::string features;     ///< for LLVM: "+avx512f,-amx-bf16"
  std::string required;     ///< what the machine must have: "avx,avx2,fma"
  int64_t vectorBits = 128; ///< of the widest vector register that is used
};

/// An error unless LLVM knows a processor or level of that name.
llvm::Error checkName(llvm::StringRef cpu);

/// Resolves `--cpu`: "native", or LLVM's name of a processor or level. Levels
/// below x86-64-v2 and names that LLVM does not know are errors.
llvm::Expected<Chip> resolveChip(llvm::StringRef name);

/// The processor that `#weft.target` describes.
Chip makeChip(llvm::StringRef cpu, llvm::StringRef features, int64_t vectorBits);

/// Resolves a list of such names, separated by commas, to processors of
/// different names and extensions, best first: by vector width, then by the
/// number of extensions. The list's order does not matter.
llvm::Expected<std::vector<Chip>> resolveChips(llvm::StringRef names);

/// What all of `chips`, best first, have: for code that they share.
Chip commonChip(llvm::ArrayRef<Chip> chips);

} // namespace weft::cpu

#endif // WEFT_TARGETS_CPU_CHIP_H
