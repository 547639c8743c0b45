//===- WriterTest.cpp - A whole module on disk ----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Package/Writer.h"

#include "Base/Checksum.h"
#include "TestModule.h"

#include "llvm/Object/ELFObjectFile.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace weft;

namespace {

class WriterTest : public ::testing::Test {
protected:
  std::string write(const std::string &path, const WriteOptions &options = {}) {
    auto written = writeModule(path, model.info, model.objects, weights, options);
    if (!written)
      return llvm::toString(written.takeError());
    result = *written;
    return "";
  }

  WriteOptions external() {
    WriteOptions options;
    options.embedLimit = 0;
    return options;
  }

  test::Folder folder;
  test::Model model = test::makeModel();
  std::vector<uint8_t> data = std::vector<uint8_t>(5000, 9);
  std::vector<Weight> weights = {{"w", {WEFT_DTYPE_UINT, 8, 1}, {5000}, data, ""}};
  WrittenModule result;
};

} // namespace

TEST_F(WriterTest, Footer) {
  ASSERT_EQ(write(folder / "m.so"), "");
  std::string content = test::read(folder / "m.so");
  EXPECT_EQ(result.moduleSize, content.size());
  weft_footer footer;
  ASSERT_GT(content.size(), sizeof(footer));
  memcpy(&footer, content.data() + content.size() - sizeof(footer), sizeof(footer));
  EXPECT_EQ(footer.magic, WEFT_MODULE_MAGIC);
  EXPECT_EQ(footer.size, content.size());
  EXPECT_EQ(footer.abi_major, WEFT_MODULE_ABI_MAJOR);
  EXPECT_EQ(footer.abi_minor, WEFT_MODULE_ABI_MINOR);
  EXPECT_EQ(footer.checksum, crc32c(0, {reinterpret_cast<const uint8_t *>(content.data()),
                                        content.size() - sizeof(footer)}));
  EXPECT_EQ(folder.list(), std::vector<std::string>{"m.so"});
}

TEST_F(WriterTest, ImportsNothingExportsTheQuery) {
  ASSERT_EQ(write(folder / "m.so"), "");
  std::string content = test::read(folder / "m.so");
  auto elf = llvm::cantFail(
      llvm::object::ELF64LEObjectFile::create(llvm::MemoryBufferRef(content, "m.so")));
  std::vector<std::string> names;
  for (llvm::object::ELFSymbolRef symbol : elf.getDynamicSymbolIterators()) {
    EXPECT_FALSE(llvm::cantFail(symbol.getFlags()) & llvm::object::BasicSymbolRef::SF_Undefined);
    names.push_back(llvm::cantFail(symbol.getName()).str());
  }
  EXPECT_EQ(names, std::vector<std::string>{"weft_module_query"});
  for (const auto &entry : llvm::cantFail(elf.getELFFile().dynamicEntries())) {
    EXPECT_NE(entry.getTag(), int64_t(llvm::ELF::DT_NEEDED));
    EXPECT_NE(entry.getTag(), int64_t(llvm::ELF::DT_TEXTREL));
    EXPECT_NE(entry.getTag(), int64_t(llvm::ELF::DT_SONAME));
  }
  for (const auto &segment : llvm::cantFail(elf.getELFFile().program_headers()))
    EXPECT_FALSE((segment.p_flags & llvm::ELF::PF_W) && (segment.p_flags & llvm::ELF::PF_X));
}

TEST_F(WriterTest, EqualInputGivesEqualBytes) {
  test::Folder other;
  ASSERT_EQ(write(folder / "m.so"), "");
  ASSERT_EQ(write(other / "n.so"), "");
  EXPECT_EQ(test::read(folder / "m.so"), test::read(other / "n.so"));
  ASSERT_EQ(write(folder / "m.so", external()), "");
  ASSERT_EQ(write(other / "m.so", external()), "");
  EXPECT_EQ(test::read(folder / "m.so"), test::read(other / "m.so"));
  EXPECT_EQ(test::read(folder / "m.safetensors"), test::read(other / "m.safetensors"));
}

TEST_F(WriterTest, ReplacesUnderANewInode) {
  std::ofstream(folder / "m.so") << "old";
  int old = ::open((folder / "m.so").c_str(), O_RDONLY);
  ASSERT_EQ(write(folder / "m.so"), "");
  char content[4] = {};
  EXPECT_EQ(::read(old, content, 3), 3);
  EXPECT_STREQ(content, "old");
  ::close(old);
  EXPECT_EQ(test::read(folder / "m.so").substr(1, 3), "ELF");
  EXPECT_EQ(folder.list(), std::vector<std::string>{"m.so"});
}

TEST_F(WriterTest, RelativePaths) {
  std::filesystem::path saved = std::filesystem::current_path();
  std::filesystem::current_path(folder.path);
  EXPECT_EQ(write("m.so", external()), "");
  std::filesystem::current_path(saved);
  EXPECT_EQ(folder.list(), (std::vector<std::string>{"m.safetensors", "m.so"}));
  EXPECT_EQ(result.weightsPath, "m.safetensors");
}

TEST_F(WriterTest, PathsThatCannotBeWritten) {
  EXPECT_EQ(write(folder / "missing/m.so"),
            "cannot write '" + folder / "missing/m.so" + "': No such file or directory");
  std::filesystem::create_directory(folder / "directory");
  EXPECT_EQ(write(folder / "directory"),
            "cannot write '" + folder / "directory" + "': Is a directory");
  ::mkfifo((folder / "pipe").c_str(), 0600);
  EXPECT_EQ(write(folder / "pipe"), "cannot write '" + folder / "pipe" + "': not a regular file");
  std::ofstream(folder / "file") << "";
  EXPECT_EQ(write(folder / "file/m.so"),
            "cannot write '" + folder / "file/m.so" + "': Not a directory");
  EXPECT_NE(write(""), "");
  EXPECT_NE(write(folder / "m.safetensors", external()), "");
  // The weights cannot be written, so there is no module either.
  std::filesystem::create_directory(folder / "m.safetensors");
  EXPECT_EQ(write(folder / "m.so", external()),
            "cannot write '" + folder / "m.safetensors" + "': Is a directory");
  EXPECT_EQ(folder.list(),
            (std::vector<std::string>{"directory", "file", "m.safetensors", "pipe"}));
}

// A limit on the size of files fails a write half-way, as a full disk does.
TEST_F(WriterTest, FullDiskLeavesNothing) {
  data.assign(1 << 20, 1);
  weights[0].shape = {1 << 20};
  weights[0].bytes = data;
  std::ofstream(folder / "m.so") << "old";
  rlimit saved;
  getrlimit(RLIMIT_FSIZE, &saved);
  auto handler = std::signal(SIGXFSZ, SIG_IGN);
  for (const WriteOptions &options : {WriteOptions(), external()}) {
    rlimit limit = {100000, saved.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    std::string text = write(folder / "m.so", options);
    setrlimit(RLIMIT_FSIZE, &saved);
    EXPECT_TRUE(llvm::StringRef(text).ends_with("': File too large")) << text;
    EXPECT_TRUE(llvm::StringRef(text).starts_with("cannot write '")) << text;
  }
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(folder.list(), std::vector<std::string>{"m.so"});
  EXPECT_EQ(test::read(folder / "m.so"), "old");
}

TEST_F(WriterTest, LinkErrorsLeaveNothing) {
  model.info.variants[0].kernelSymbols[1] = "no_such_kernel";
  std::string text = write(folder / "m.so", external());
  EXPECT_NE(text.find("no_such_kernel"), std::string::npos) << text;
  EXPECT_TRUE(folder.list().empty());
}

// The way for file systems without nameless files.
TEST(OutputFile, TemporaryNames) {
  test::Folder folder;
  {
    auto file = OutputFile::create(folder / "f", OutputFile::Kind::Temporary);
    ASSERT_TRUE(bool(file));
    EXPECT_EQ(test::message(file->write("abc")), "");
    EXPECT_EQ(folder.list().size(), 1u);
    EXPECT_EQ(folder.list()[0].substr(0, 3), ".f.");
  }
  EXPECT_TRUE(folder.list().empty());
  auto file = OutputFile::create(folder / "f", OutputFile::Kind::Temporary);
  ASSERT_TRUE(bool(file));
  EXPECT_EQ(test::message(file->write("abc")), "");
  EXPECT_EQ(test::message(file->publish()), "");
  EXPECT_EQ(folder.list(), std::vector<std::string>{"f"});
  EXPECT_EQ(test::read(folder / "f"), "abc");
}

TEST(OutputFile, NamelessUntilPublished) {
  test::Folder folder;
  auto file = OutputFile::create(folder / "f");
  ASSERT_TRUE(bool(file));
  EXPECT_EQ(test::message(file->write("abc")), "");
  EXPECT_TRUE(folder.list().empty());
  EXPECT_EQ(file->size(), 3u);
  EXPECT_EQ(test::message(file->publish()), "");
  EXPECT_EQ(test::read(folder / "f"), "abc");
}

/// Peak resident memory of this process in bytes since the last reset.
static uint64_t peakMemory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0)
      return std::stoull(line.substr(6)) * 1024;
  return 0;
}

// The source's own pages, the linker's input and the linker's output: three
// times the weights, all told, and once where they go into a file.
TEST_F(WriterTest, LargeWeightsTakeLittleMemory) {
  constexpr uint64_t size = 60 << 20;
  test::Folder source;
  int fd = ::open((source / "data").c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_EQ(::ftruncate(fd, size), 0);
  void *map = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  ASSERT_NE(map, MAP_FAILED);
  weights[0].bytes = llvm::ArrayRef(static_cast<const uint8_t *>(map), size);
  weights[0].shape = {int64_t(size)};
  auto peak = [&](const WriteOptions &options) {
    std::ofstream("/proc/self/clear_refs") << 5;
    uint64_t before = peakMemory();
    EXPECT_EQ(write(folder / "m.so", options), "");
    ::madvise(map, size, MADV_DONTNEED);
    return peakMemory() - before;
  };
  uint64_t code = 24 << 20; // of LLVM, first touched here
  EXPECT_LT(peak(external()), size + code);
  EXPECT_LT(peak(WriteOptions()), 3 * size + code);
  ::munmap(map, size);
  ::close(fd);
}

// Two models in one program, each with its own memcpy, kernels and weights.
TEST_F(WriterTest, ObjectsLinkTogether) {
  WriteOptions options;
  options.kind = WriteOptions::Kind::Object;
  ASSERT_EQ(write(folder / "a.o", options), "");
  model = test::makeModel("other-model");
  data.assign(5000, 77);
  ASSERT_EQ(write(folder / "b.o", options), "");
  EXPECT_EQ(folder.list(), (std::vector<std::string>{"a.o", "b.o"}));

  std::ofstream(folder / "main.c") << R"(
#include "weft-runtime/module.h"
#include <stdio.h>
const weft_module *weft_module_query_model(uint32_t);
const weft_module *weft_module_query_other_model(uint32_t);
static void show(const weft_module *module) {
  int64_t symbols[2] = {300, 2};
  printf("%s %d %d %d\n", module->name, module->weights[4999],
         module->variants[1].kernels[1](0, 0, 0, 0),
         module->functions[0].invoke(0, symbols, 0));
}
int main(void) {
  show(weft_module_query_model(WEFT_MODULE_ABI_MAJOR));
  show(weft_module_query_other_model(WEFT_MODULE_ABI_MAJOR));
}
)";
  for (const char *flags : {"", "-no-pie", "-fuse-ld=bfd -Wl,--gc-sections"}) {
    std::string command = std::string(WEFT_TEST_CC " ") + flags + " -I" WEFT_TEST_INCLUDE " -o " +
                          folder / "main" + " " + folder / "main.c" + " " + folder / "a.o" + " " +
                          folder / "b.o" + " && " + folder / "main" + " > " + folder / "output";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    EXPECT_EQ(test::read(folder / "output"), "model 9 21 6\nother-model 77 21 6\n");
  }
}
