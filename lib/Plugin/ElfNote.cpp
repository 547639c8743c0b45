//===- ElfNote.cpp - A plugin's descriptor out of its file ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Plugin/ElfNote.h"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <optional>

using namespace weft;

#if defined(__x86_64__)
static constexpr uint16_t hostMachine = EM_X86_64;
#elif defined(__aarch64__)
static constexpr uint16_t hostMachine = EM_AARCH64;
#else
#error "add the ELF machine of this processor"
#endif

using Bytes = std::span<const uint8_t>;

/// The `size` bytes at `offset`, or nothing if they do not lie inside `bytes`.
static std::optional<Bytes> slice(Bytes bytes, uint64_t offset, uint64_t size) {
  if (offset > bytes.size() || size > bytes.size() - offset)
    return std::nullopt;
  return bytes.subspan(offset, size);
}

/// A copy of the structure at `offset`: nothing in the file is aligned.
template <typename T> static std::optional<T> read(Bytes bytes, uint64_t offset) {
  std::optional<Bytes> source = slice(bytes, offset, sizeof(T));
  if (!source)
    return std::nullopt;
  T value;
  std::memcpy(&value, source->data(), sizeof(T));
  return value;
}

template <size_t N> static bool isText(const char (&field)[N]) {
  const char *end = std::find(field, field + N, '\0');
  return end != field + N &&
         std::all_of(field, end, [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
}

static bool isPluginName(const char *name) {
  auto isLower = [](char c) { return c >= 'a' && c <= 'z'; };
  if (!isLower(*name))
    return false;
  for (; *name; ++name)
    if (!isLower(*name) && !(*name >= '0' && *name <= '9') && *name != '_' && *name != '-')
      return false;
  return true;
}

/// Parses the descriptor of a note. Fields beyond those that this version knows
/// are skipped: the version check that follows says what to do about them.
static Result<WeftPluginDescriptor> parseDescriptor(Bytes bytes) {
  auto descriptor = read<WeftPluginDescriptor>(bytes, 0);
  if (!descriptor || descriptor->structSize != bytes.size())
    return Error{"its plugin descriptor is damaged: expected at least " +
                 std::to_string(sizeof(WeftPluginDescriptor)) +
                 " bytes and the same size in the descriptor, found " +
                 std::to_string(bytes.size()) + " bytes"};
  if (!isText(descriptor->llvmVersion) || !isText(descriptor->fingerprint) ||
      !isText(descriptor->name) || !isText(descriptor->version))
    return Error{"its plugin descriptor is damaged: a field is not text"};
  if (!isPluginName(descriptor->name))
    return Error{"its plugin descriptor has the name '" + std::string(descriptor->name) +
                 "', expected lower-case letters, digits, '-' and '_'"};
  return *descriptor;
}

/// Collects the plugin descriptors among the notes of one segment.
static Status scanNotes(Bytes notes, uint64_t alignment, std::optional<Bytes> &found) {
  // Notes are padded to 4 bytes, or to 8 in a segment aligned to that.
  uint64_t padding = alignment == 8 ? 8 : 4;
  auto pad = [&](uint64_t size) { return (size + padding - 1) / padding * padding; };
  uint64_t offset = 0;
  while (auto header = read<Elf64_Nhdr>(notes, offset)) {
    // 32-bit sizes and an offset inside the file: the sums fit in 64 bits.
    uint64_t owner = offset + sizeof(Elf64_Nhdr);
    uint64_t descriptor = offset + pad(sizeof(Elf64_Nhdr) + header->n_namesz);
    auto ownerBytes = slice(notes, owner, header->n_namesz);
    auto descriptorBytes = slice(notes, descriptor, header->n_descsz);
    if (!ownerBytes || !descriptorBytes)
      return Error{"not a valid ELF file: a note at byte " + std::to_string(offset) +
                   " of its segment is cut off"};
    if (header->n_type == WEFT_PLUGIN_NOTE_TYPE &&
        ownerBytes->size() == sizeof(WEFT_PLUGIN_NOTE_OWNER) &&
        std::memcmp(ownerBytes->data(), WEFT_PLUGIN_NOTE_OWNER, sizeof(WEFT_PLUGIN_NOTE_OWNER)) ==
            0) {
      if (found)
        return Error{"it has two plugin descriptors, expected one"};
      found = *descriptorBytes;
    }
    offset = descriptor + pad(header->n_descsz);
  }
  return {};
}

Result<WeftPluginDescriptor> weft::findPluginDescriptor(Bytes file) {
  if (file.size() < EI_NIDENT || std::memcmp(file.data(), ELFMAG, SELFMAG) != 0)
    return Error{"not a plugin: it is no ELF shared library"};
  if (file[EI_CLASS] != ELFCLASS64 || file[EI_DATA] != ELFDATA2LSB)
    return Error{"not a plugin for this machine: expected a 64-bit "
                 "little-endian ELF file"};
  auto header = read<Elf64_Ehdr>(file, 0);
  if (!header)
    return Error{"not a plugin: the file is cut off inside its ELF header"};
  if (header->e_type != ET_DYN)
    return Error{"not a plugin: expected a shared library (ELF type 3), found "
                 "ELF type " +
                 std::to_string(header->e_type)};
  if (header->e_machine != hostMachine)
    return Error{"not a plugin for this machine: expected ELF machine " +
                 std::to_string(hostMachine) + ", found " + std::to_string(header->e_machine)};
  if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == PN_XNUM)
    return Error{"not a plugin: its ELF program headers are not valid"};
  // At most 65534 headers of 56 bytes: the product fits.
  auto table = slice(file, header->e_phoff, uint64_t(header->e_phnum) * sizeof(Elf64_Phdr));
  if (!table)
    return Error{"the file is cut off: its program headers end beyond its " +
                 std::to_string(file.size()) + " bytes"};

  std::optional<Bytes> found;
  for (unsigned i = 0; i < header->e_phnum; ++i) {
    auto segment = *read<Elf64_Phdr>(*table, i * sizeof(Elf64_Phdr));
    if (segment.p_type != PT_LOAD && segment.p_type != PT_NOTE)
      continue;
    // A segment that ends beyond the file would be a bus error once loaded.
    auto bytes = slice(file, segment.p_offset, segment.p_filesz);
    if (!bytes)
      return Error{"the file is cut off: its segment " + std::to_string(i) + " ends beyond its " +
                   std::to_string(file.size()) + " bytes"};
    if (segment.p_type == PT_NOTE)
      if (Status status = scanNotes(*bytes, segment.p_align, found); !status)
        return status.error();
  }
  if (!found)
    return Error{"not a Weft plugin: it has no descriptor (ELF note "
                 "'.note.weft.plugin')"};
  return parseDescriptor(*found);
}
