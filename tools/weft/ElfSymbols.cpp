//===- ElfSymbols.cpp - Functions of a module by address ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ElfSymbols.h"

#include "Base/MappedFile.h"

#include <algorithm>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>

using namespace weft;

/// Entry `index` of a table of `T` at `offset`, if the file has it.
template <typename T>
static std::optional<T> entryAt(std::span<const uint8_t> bytes, uint64_t offset, uint64_t index) {
  uint64_t start;
  if (__builtin_mul_overflow(index, sizeof(T), &start) ||
      __builtin_add_overflow(start, offset, &start) || start > bytes.size() ||
      bytes.size() - start < sizeof(T))
    return std::nullopt;
  T entry;
  std::memcpy(&entry, bytes.data() + start, sizeof entry);
  return entry;
}

ElfSymbols ElfSymbols::read(const std::string &path, const void *inside) {
  ElfSymbols symbols;
  Dl_info info;
  if (::dladdr(inside, &info) == 0)
    return symbols;
  symbols.base = reinterpret_cast<uint64_t>(info.dli_fbase);
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return symbols;
  std::span<const uint8_t> bytes = file->bytes();
  std::optional<Elf64_Ehdr> header = entryAt<Elf64_Ehdr>(bytes, 0, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_shentsize != sizeof(Elf64_Shdr))
    return symbols;
  for (uint64_t i = 0; i < header->e_shnum; ++i) {
    std::optional<Elf64_Shdr> section = entryAt<Elf64_Shdr>(bytes, header->e_shoff, i);
    if (!section || section->sh_type != SHT_SYMTAB)
      continue;
    std::optional<Elf64_Shdr> names = entryAt<Elf64_Shdr>(bytes, header->e_shoff, section->sh_link);
    symbols.readTable(bytes, section->sh_offset, section->sh_size, names ? names->sh_offset : 0,
                      names ? names->sh_size : 0);
  }
  return symbols;
}

void ElfSymbols::readTable(std::span<const uint8_t> bytes, uint64_t offset, uint64_t size,
                           uint64_t namesOffset, uint64_t namesSize) {
  std::string_view names;
  if (namesOffset <= bytes.size() && namesSize <= bytes.size() - namesOffset)
    names = std::string_view(reinterpret_cast<const char *>(bytes.data()) + namesOffset, namesSize);
  for (uint64_t k = 0; k < size / sizeof(Elf64_Sym); ++k) {
    std::optional<Elf64_Sym> symbol = entryAt<Elf64_Sym>(bytes, offset, k);
    if (!symbol)
      break;
    if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || !symbol->st_size)
      continue;
    std::string_view name = names.substr(std::min<size_t>(symbol->st_name, names.size()));
    name = name.substr(0, name.find('\0'));
    functions[symbol->st_value] = {symbol->st_size, std::string(name)};
    sizes.insert_or_assign(std::string(name), symbol->st_size);
  }
}

std::optional<ElfSymbol> ElfSymbols::find(const void *address) const {
  uint64_t offset = reinterpret_cast<uint64_t>(address) - base;
  auto entry = functions.find(offset);
  if (entry == functions.end())
    return std::nullopt;
  return ElfSymbol{offset, entry->second.size};
}

std::vector<ElfSymbol> ElfSymbols::findParts(const void *address) const {
  std::vector<ElfSymbol> parts;
  auto whole = functions.find(reinterpret_cast<uint64_t>(address) - base);
  if (whole == functions.end())
    return parts;
  const std::string &name = whole->second.name;
  for (const auto &[offset, function] : functions)
    if (function.name == name || function.name.starts_with(name + "."))
      parts.push_back({offset, function.size});
  return parts;
}

std::optional<uint64_t> ElfSymbols::kernelBytes(const void *address) const {
  auto entry = functions.find(reinterpret_cast<uint64_t>(address) - base);
  if (entry == functions.end())
    return std::nullopt;
  uint64_t bytes = entry->second.size;
  for (unsigned loop = 0;; ++loop) {
    auto size = sizes.find(entry->second.name + ".parallel_" + std::to_string(loop));
    if (size == sizes.end())
      return bytes;
    bytes += size->second;
  }
}
