//===- ElfNoteTest.cpp - The descriptor reader against damaged files ------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Plugin/ElfNote.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <elf.h>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

using namespace weft;

static std::vector<uint8_t> readTestPlugin() {
  std::ifstream file(TEST_PLUGIN, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A file that is nothing but an ELF header, one note segment and its note.
static std::vector<uint8_t> makeFile(const PluginNote &note) {
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_DYN;
#if defined(__x86_64__)
  header.e_machine = EM_X86_64;
#else
  header.e_machine = EM_AARCH64;
#endif
  header.e_phoff = sizeof(header);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  Elf64_Phdr segment = {};
  segment.p_type = PT_NOTE;
  segment.p_align = 4;
  segment.p_offset = sizeof(header) + sizeof(segment);
  segment.p_filesz = sizeof(note);
  std::vector<uint8_t> file(sizeof(header) + sizeof(segment) + sizeof(note));
  std::memcpy(file.data(), &header, sizeof(header));
  std::memcpy(file.data() + sizeof(header), &segment, sizeof(segment));
  std::memcpy(file.data() + segment.p_offset, &note, sizeof(note));
  return file;
}

static PluginNote makeNote() { return makePluginNote(1, 2, "22.1.8", "print", "name", "3"); }

static std::string errorOf(const std::vector<uint8_t> &file) {
  auto result = findPluginDescriptor(file);
  return result ? std::string() : result.error().message;
}

TEST(ElfNote, ReadsTheDescriptorOfALibrary) {
  auto file = readTestPlugin();
  auto descriptor = findPluginDescriptor(file);
  ASSERT_TRUE(descriptor) << descriptor.error().message;
  EXPECT_STREQ(descriptor->name, "plugintest");
  EXPECT_STREQ(descriptor->version, "3.14");
  EXPECT_EQ(descriptor->apiMajor, WEFT_PLUGIN_API_MAJOR);
}

TEST(ElfNote, ReadsAMinimalFile) {
  auto descriptor = findPluginDescriptor(makeFile(makeNote()));
  ASSERT_TRUE(descriptor) << descriptor.error().message;
  EXPECT_EQ(descriptor->apiMinor, 2);
  EXPECT_STREQ(descriptor->llvmVersion, "22.1.8");
  EXPECT_STREQ(descriptor->fingerprint, "print");
  EXPECT_STREQ(descriptor->name, "name");
}

TEST(ElfNote, RefusesEveryTruncation) {
  auto file = makeFile(makeNote());
  for (size_t size = 0; size < file.size(); ++size)
    EXPECT_NE(errorOf({file.begin(), file.begin() + size}), "") << size;
}

TEST(ElfNote, RefusesATruncatedLibrary) {
  // Only what follows the last segment (section headers, symbols) may lack.
  auto file = readTestPlugin();
  Elf64_Ehdr header;
  std::memcpy(&header, file.data(), sizeof(header));
  uint64_t end = 0;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, &file[header.e_phoff + i * sizeof(segment)], sizeof(segment));
    if (segment.p_type == PT_LOAD)
      end = std::max(end, segment.p_offset + segment.p_filesz);
  }
  for (uint64_t size = 0; size < end; size += size < 4096 ? 1 : 509)
    EXPECT_NE(errorOf({file.begin(), file.begin() + size}), "") << size;
  EXPECT_NE(errorOf({file.begin(), file.begin() + end - 1}), "");
  EXPECT_EQ(errorOf({file.begin(), file.begin() + end}), "");
}

TEST(ElfNote, SurvivesAnyBytes) {
  // Each byte of the small file at several values, then many at once: no read
  // leaves the file (checked by the sanitizer builds), and whatever is accepted
  // has strings that end.
  auto good = makeFile(makeNote());
  auto check = [](const std::vector<uint8_t> &file) {
    auto descriptor = findPluginDescriptor(file);
    if (descriptor) {
      EXPECT_LT(strnlen(descriptor->name, 64), 64u);
      EXPECT_LT(strnlen(descriptor->fingerprint, 80), 80u);
    } else {
      EXPECT_NE(descriptor.error().message, "");
    }
  };
  for (size_t i = 0; i < good.size(); ++i)
    for (int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      auto file = good;
      file[i] = uint8_t(value);
      check(file);
    }
  std::mt19937 random(7);
  for (int round = 0; round < 100000; ++round) {
    auto file = good;
    for (unsigned n = random() % 12; n-- > 0;)
      file[random() % file.size()] = uint8_t(random());
    file.resize(file.size() - random() % 3);
    check(file);
  }
}

TEST(ElfNote, SaysWhatIsWrongWithADescriptor) {
  auto note = makeNote();
  note.descriptor.structSize = 12;
  EXPECT_NE(errorOf(makeFile(note)).find("descriptor is damaged"), std::string::npos);

  note = makeNote();
  std::memset(note.descriptor.name, 'x', sizeof(note.descriptor.name));
  EXPECT_EQ(errorOf(makeFile(note)), "its plugin descriptor is damaged: a field is not text");

  note = makeNote();
  note.descriptor.name[0] = '\0';
  EXPECT_NE(errorOf(makeFile(note)).find("has the name ''"), std::string::npos);

  note = makeNote();
  note.descriptorSize = 0xffffffff;
  EXPECT_NE(errorOf(makeFile(note)).find("is cut off"), std::string::npos);

  note = makeNote();
  note.owner[0] = 'w';
  EXPECT_NE(errorOf(makeFile(note)).find("not a Weft plugin"), std::string::npos);
}

TEST(ElfNote, AcceptsTheLargerDescriptorOfANewerMinorVersion) {
  // Fields are only added at the end; the version check then refuses it by
  // name.
  auto note = makeNote();
  note.descriptor.structSize += 8;
  note.descriptorSize += 8;
  auto file = makeFile(note);
  file.resize(file.size() + 8);
  Elf64_Phdr segment;
  std::memcpy(&segment, &file[sizeof(Elf64_Ehdr)], sizeof(segment));
  segment.p_filesz += 8;
  std::memcpy(&file[sizeof(Elf64_Ehdr)], &segment, sizeof(segment));
  EXPECT_EQ(errorOf(file), "");
}

TEST(ElfNote, RefusesOtherMachinesAndKinds) {
  auto file = makeFile(makeNote());
  auto with = [&](size_t offset, uint8_t value) {
    auto changed = file;
    changed[offset] = value;
    return errorOf(changed);
  };
  EXPECT_NE(with(EI_CLASS, ELFCLASS32).find("expected a 64-bit"), std::string::npos);
  EXPECT_NE(with(EI_DATA, ELFDATA2MSB).find("little-endian"), std::string::npos);
  EXPECT_NE(with(offsetof(Elf64_Ehdr, e_type), ET_REL).find("ELF type 1"), std::string::npos);
  EXPECT_NE(with(offsetof(Elf64_Ehdr, e_machine), 0xf3).find("found 243"), std::string::npos);
}
