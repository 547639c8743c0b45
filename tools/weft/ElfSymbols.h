//===- ElfSymbols.h - Functions of a module by address --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TOOLS_WEFT_ELFSYMBOLS_H
#define WEFT_TOOLS_WEFT_ELFSYMBOLS_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace weft {

struct ElfSymbol {
  uint64_t address = 0, size = 0; // as in the file
};

/// The functions in a module's symbol table, for sizes and disassembly. Empty
/// where the file has none or is malformed.
class ElfSymbols {
public:
  /// `inside` is any address in the loaded module, which tells where it lies.
  static ElfSymbols read(const std::string &path, const void *inside);

  /// The function at an address of the loaded module.
  std::optional<ElfSymbol> find(const void *address) const;

private:
  uint64_t base = 0;
  std::map<uint64_t, uint64_t> sizes; // by address in the file
};

} // namespace weft

#endif // WEFT_TOOLS_WEFT_ELFSYMBOLS_H
