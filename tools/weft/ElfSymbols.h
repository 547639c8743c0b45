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
#include <span>
#include <string>
#include <vector>

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

  /// The function at an address of the loaded module, and what it was divided into:
  /// functions `<name>.<part>`, by address.
  std::vector<ElfSymbol> findParts(const void *address) const;

  /// Bytes of code of the kernel at an address, with its parallel loops, which
  /// are functions `<kernel>.parallel_<number>`.
  std::optional<uint64_t> kernelBytes(const void *address) const;

private:
  struct Function {
    uint64_t size;
    std::string name;
  };
  void readTable(std::span<const uint8_t> bytes, uint64_t offset, uint64_t size,
                 uint64_t namesOffset, uint64_t namesSize);

  uint64_t base = 0;
  std::map<uint64_t, Function> functions;             // by address in the file
  std::map<std::string, uint64_t, std::less<>> sizes; // by name
};

} // namespace weft

#endif // WEFT_TOOLS_WEFT_ELFSYMBOLS_H
