//===- LoadTest.cpp - Loading and refusing modules ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <gmock/gmock.h>

#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

using namespace weft;
using namespace weft::test;
using testing::HasSubstr;

namespace {
class LoadTest : public testing::Test {
protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/weft-load-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder = pattern;
  }
  void TearDown() override {
    for (const char *name : {"m.so", "test.safetensors", "other.safetensors"})
      unlink((folder + "/" + name).c_str());
    rmdir(folder.c_str());
  }
  std::string write(const std::string &name, const std::string &bytes) {
    writeFile(folder + "/" + name, bytes);
    return folder + "/" + name;
  }
  /// The error of loading these bytes, from a file and from memory.
  std::string refusal(const std::string &bytes) {
    std::string path = write("m.so", bytes);
    std::string fromFile = loadError(path);
    std::string fromMemory = errorOf([&] { rt::Module::loadMemory(bytes.data(), bytes.size()); });
    EXPECT_FALSE(fromMemory.empty());
    return fromFile;
  }
  std::string folder;
};

/// Replaces the footer of a module by a right one.
std::string withFooter(std::string bytes, uint16_t major = 1, uint16_t minor = 0) {
  weft_footer footer;
  bytes.resize(bytes.size() - sizeof(footer));
  memset(&footer, 0, sizeof(footer));
  footer.magic = WEFT_MODULE_MAGIC;
  footer.size = bytes.size() + sizeof(footer);
  uint32_t crc = ~0u;
  for (unsigned char byte : bytes) { // the definition, bit by bit
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78u : 0);
  }
  footer.checksum = ~crc;
  footer.abi_major = major;
  footer.abi_minor = minor;
  return bytes.append(reinterpret_cast<const char *>(&footer), sizeof(footer));
}
} // namespace

TEST_F(LoadTest, DescribesAModule) {
  auto module = rt::Module::load(modulePath("plain"));
  const weft_module &description = module.description();
  EXPECT_STREQ(description.name, "test");
  EXPECT_STREQ(description.compiler_version, "hand-written 1.0");
  EXPECT_STREQ(module.variant().cpu, "x86-64");
  const weft_function &function = description.functions[0];
  EXPECT_STREQ(function.inputs[0].name, "x");
  EXPECT_STREQ(function.symbols[function.inputs[0].dims[0].symbol].name, "batch");
  EXPECT_EQ(weft_module_weights_path(module.get()), nullptr);
  EXPECT_EQ(module.findFunction("gather"), 1u);
  EXPECT_THAT(errorOf([&] { module.findFunction("nope"); }),
              HasSubstr("NOT_FOUND: module 'test' has no function 'nope'; it "
                        "has 'main', 'gather'"));
}

TEST_F(LoadTest, LoadsFromMemoryTwice) {
  // Two different modules one after the other: the descriptor's number is the
  // same, the dynamic linker must not take one for the other.
  std::string first = readFile(modulePath("plain"));
  std::string second = readFile(modulePath("other"));
  auto a = rt::Module::loadMemory(first.data(), first.size());
  auto b = rt::Module::loadMemory(second.data(), second.size());
  EXPECT_NE(a.description().functions, b.description().functions);
  auto again = rt::Module::loadMemory(first.data(), first.size());
  EXPECT_STREQ(again.description().name, "test");
}

TEST_F(LoadTest, SameFileTwiceIsFine) {
  auto a = rt::Module::load(modulePath("plain"));
  auto b = rt::Module::load(modulePath("plain"));
  EXPECT_EQ(&a.description(), &b.description());
}

TEST_F(LoadTest, ReloadsAfterTheFileWasReplaced) {
  std::string path = write("m.so", readFile(modulePath("plain")));
  auto a = rt::Module::load(path);
  unlink(path.c_str());
  write("m.so", readFile(modulePath("other")));
  auto b = rt::Module::load(path);
  EXPECT_NE(&a.description(), &b.description());
}

TEST_F(LoadTest, RefusesWhatIsNoFile) {
  EXPECT_THAT(loadError("/nonexistent/m.so"),
              HasSubstr("NOT_FOUND: module '/nonexistent/m.so': No such file"));
  EXPECT_THAT(loadError(folder), HasSubstr("is not a regular file"));
  std::string fifo = folder + "/m.so";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(loadError(fifo), HasSubstr("is not a regular file"));
  EXPECT_THAT(describe(weft_module_load_file(nullptr, nullptr, nullptr)),
              HasSubstr("INVALID_ARGUMENT"));
}

TEST_F(LoadTest, RefusesGarbage) {
  EXPECT_THAT(refusal(""), HasSubstr("0 bytes, too few"));
  EXPECT_THAT(refusal(std::string(5000, 'x')), HasSubstr("no ELF file"));
  EXPECT_THAT(refusal("\x7F"
                      "ELF" +
                      std::string(5000, 'x')),
              HasSubstr("not a module's footer"));
}

TEST_F(LoadTest, RefusesTruncationAtEveryByte) {
  std::string whole = readFile(modulePath("plain"));
  ASSERT_GT(whole.size(), 1000u);
  for (size_t size = 0; size < whole.size(); ++size) {
    std::string error = describe(weft_module_check_memory(whole.data(), size, "m.so"));
    ASSERT_THAT(error, HasSubstr("'m.so'")) << size;
  }
  // And through the file, where a mapping beyond the end would be a SIGBUS.
  std::string path = write("m.so", whole);
  for (size_t size = whole.size() - 1; size > 0; size -= size > 97 ? 97 : 1) {
    ASSERT_EQ(truncate(path.c_str(), off_t(size)), 0);
    ASSERT_THAT(loadError(path), HasSubstr("m.so'")) << size;
  }
}

TEST_F(LoadTest, RefusesTruncationBelowARightFooter) {
  // A footer that matches what is left: the ELF extents alone must tell.
  std::string whole = readFile(modulePath("plain"));
  std::string body = whole.substr(0, whole.size() - sizeof(weft_footer));
  for (size_t size = 64; size < body.size(); size += 61) {
    std::string error =
        refusal(withFooter(body.substr(0, size) + std::string(sizeof(weft_footer), 'x')));
    ASSERT_THAT(error, HasSubstr("DATA_LOSS")) << size;
  }
}

TEST_F(LoadTest, RefusesEveryFlippedByte) {
  std::string whole = readFile(modulePath("plain"));
  for (size_t i = 0; i < whole.size(); i += 1) {
    std::string damaged = whole;
    damaged[i] = char(damaged[i] ^ 0x20);
    ASSERT_NE(describe(weft_module_check_memory(damaged.data(), damaged.size(), "m.so")), "") << i;
    if (i > 4096) // the checksum covers the rest alike
      i += 96;
  }
}

TEST_F(LoadTest, RefusesOtherVersions) {
  std::string whole = readFile(modulePath("plain"));
  EXPECT_THAT(refusal(withFooter(whole, 2, 0)), HasSubstr("FAILED_PRECONDITION"));
  EXPECT_THAT(refusal(withFooter(whole, 1, 9)),
              HasSubstr("has ABI version 1.9, this runtime (0.1.0) supports "
                        "1.0 to 1.2"));
  std::string machine = whole;
  machine[18] = char(183); // AArch64
  EXPECT_THAT(refusal(withFooter(machine)), HasSubstr("ELF machine 183"));
  std::string kind = whole;
  kind[16] = 2; // an executable
  EXPECT_THAT(refusal(withFooter(kind)), HasSubstr("no 64-bit"));
}

TEST_F(LoadTest, RefusesOtherLibraries) {
  std::string library = readFile(modulePath("not-a-module"));
  std::string footer(sizeof(weft_footer), 'x');
  EXPECT_THAT(refusal(withFooter(library + footer)), HasSubstr("exports no weft_module_query"));
}

TEST_F(LoadTest, NamesTheMissingFeatures) {
  EXPECT_THAT(loadError(modulePath("never")), HasSubstr("UNAVAILABLE: module"));
  EXPECT_THAT(loadError(modulePath("never")),
              HasSubstr("cannot run on this CPU: future needs quantum-leap, "
                        "time-travel, which it lacks"));
}

TEST_F(LoadTest, DescribesWhatCannotRun) {
  auto options = rt::moduleOptions();
  options.flags = WEFT_MODULE_DESCRIBE;
  weft_loaded_module *module = nullptr;
  ASSERT_EQ(weft_module_load_file(modulePath("never").c_str(), &options, &module), nullptr);
  EXPECT_STREQ(weft_module_description(module)->variants[0].cpu, "future");
  EXPECT_EQ(weft_module_variant(module), nullptr);
  weft_context *context = nullptr;
  weft_error *error = weft_context_create(module, 0, nullptr, &context);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(weft_error_code(error), WEFT_UNAVAILABLE);
  EXPECT_THAT(weft_error_message(error), HasSubstr("cannot run on this CPU"));
  weft_error_free(error);
  weft_module_release(module);

  options.flags = 2;
  EXPECT_THAT(loadError(modulePath("plain"), &options), HasSubstr("unknown flags 0x2"));
}

TEST_F(LoadTest, TakesTheVariantThatIsAskedFor) {
  auto options = rt::moduleOptions();
  options.cpu = "x86-64";
  EXPECT_EQ(loadError(modulePath("plain"), &options), "");
  options.cpu = "future";
  EXPECT_THAT(loadError(modulePath("plain"), &options), HasSubstr("future needs quantum-leap"));
  options.cpu = "z80";
  EXPECT_THAT(loadError(modulePath("plain"), &options),
              HasSubstr("no variant for CPU 'z80'; it has future, x86-64"));
}

TEST_F(LoadTest, TakesTheVariantOfTheEnvironment) {
  setenv("WEFT_CPU", "x86-64", 1);
  EXPECT_EQ(loadError(modulePath("plain")), "");
  setenv("WEFT_CPU", "z80", 1);
  EXPECT_THAT(loadError(modulePath("plain")),
              HasSubstr("has no variant for CPU 'z80' (from WEFT_CPU); it has "
                        "future, x86-64"));
  auto options = rt::moduleOptions();
  options.cpu = "x86-64";
  EXPECT_EQ(loadError(modulePath("plain"), &options), "");
  unsetenv("WEFT_CPU");
}

TEST_F(LoadTest, RefusesEveryDefectOfADescription) {
  const char *const expected[] = {
      "",
      "its description has no magic number",
      "its description has no magic number or is too short",
      "it has no name, compiler version or options",
      "weight 'w' of 16 bytes at 64 reaches beyond the weights' 64 bytes",
      "variant 'future' lacks kernel 'empty'",
      "function 'no_code' has no code",
      "symbol 'n' has the range [5, 2]",
      "input 'x' has the unknown type (99, 7, 3)",
      "output 'next' is an alias of input 7 of 1",
      "symbol 'n' is no dimension of any input",
      "has ABI version 1.77",
      "its weights file '../w.safetensors' is not a plain file name",
      "does not support ABI version 1",
  };
  for (int i = 1; i <= 13; ++i)
    EXPECT_THAT(loadError(modulePath("defect" + std::to_string(i))), HasSubstr(expected[i]));
}

TEST_F(LoadTest, FindsWeightsBesideTheModule) {
  std::string path = write("m.so", readFile(modulePath("external")));
  EXPECT_THAT(loadError(path),
              HasSubstr("NOT_FOUND: weights file '" + folder + "/test.safetensors': No such file"));
  std::string weights = write("test.safetensors", weightsFile(rightHash()));
  auto module = rt::Module::load(path);
  EXPECT_EQ(weft_module_weights_path(module.get()), weights);
  std::vector<float> x(4, 1), bias(4, 10);
  auto outputs = rt::Context(module)({rt::view(x.data(), {1, 4}), rt::view(bias.data(), {4})});
  (void)outputs;
}

TEST_F(LoadTest, RefusesWrongWeights) {
  std::string path = write("m.so", readFile(modulePath("external")));
  const std::string right = weightsFile(rightHash());
  for (size_t size = 0; size < right.size(); ++size) {
    write("test.safetensors", right.substr(0, size));
    ASSERT_THAT(loadError(path), HasSubstr("has " + std::to_string(size) + " bytes"));
  }
  write("test.safetensors", right + "x");
  EXPECT_THAT(loadError(path), HasSubstr("expects 208: it is another"));
  write("test.safetensors", weightsFile("abcd" + std::string(60, '0')));
  EXPECT_THAT(loadError(path), HasSubstr("belongs to another module: its hash is abcd00"));
  write("test.safetensors", std::string(208, '\0'));
  EXPECT_THAT(loadError(path), HasSubstr("not a JSON object"));
  write("test.safetensors", std::string(208, '\xFF'));
  EXPECT_THAT(loadError(path), HasSubstr("not a safetensors file: its header "
                                         "of 18446744073709551615 bytes"));
  std::string other = right;
  other[other.find("weft.hash")] = 'W';
  write("test.safetensors", other);
  EXPECT_THAT(loadError(path), HasSubstr("no 'weft.hash' in its metadata"));
  // Damage anywhere in the JSON header is an error or leaves the hash as it is.
  for (size_t i = 0; i < 192; ++i)
    for (char c : {'{', '}', '"', '\\', ',', '\0'}) {
      std::string damaged = right;
      damaged[i] = c;
      write("test.safetensors", damaged);
      (void)loadError(path);
    }
}

TEST_F(LoadTest, TakesWeightsFromElsewhere) {
  std::string bytes = readFile(modulePath("external"));
  EXPECT_THAT(errorOf([&] { rt::Module::loadMemory(bytes.data(), bytes.size()); }),
              HasSubstr("needs its weights file 'test.safetensors': give its "
                        "path in weights_path"));
  auto options = rt::moduleOptions();
  std::string path = write("other.safetensors", weightsFile(rightHash()));
  options.weights_path = path.c_str();
  rt::Module::loadMemory(bytes.data(), bytes.size(), &options);

  alignas(64) char memory[256];
  std::string weights = weightsFile(rightHash());
  memcpy(memory, weights.data(), weights.size());
  options.weights_data = memory;
  options.weights_size = weights.size();
  rt::Module::loadMemory(bytes.data(), bytes.size(), &options);
  options.weights_data = memory + 4;
  EXPECT_THAT(errorOf([&] { rt::Module::loadMemory(bytes.data(), bytes.size(), &options); }),
              HasSubstr("not aligned to 64 bytes"));
}

TEST_F(LoadTest, ChecksCpuFeatures) {
  EXPECT_EQ(describe(weft_cpu_check("sse2,cx8,+cmov, fxsr")), "");
  EXPECT_EQ(describe(weft_cpu_check("")), "");
  EXPECT_THAT(describe(weft_cpu_check("sse2,abacus,sse,slide-rule")),
              HasSubstr("lacks abacus, slide-rule"));
  EXPECT_EQ(weft_cpu_check("avx512f") == nullptr, bool(__builtin_cpu_supports("avx512f")));
  EXPECT_EQ(weft_cpu_check("avx2,fma,bmi2") == nullptr, __builtin_cpu_supports("avx2") &&
                                                            __builtin_cpu_supports("fma") &&
                                                            __builtin_cpu_supports("bmi2"));
  EXPECT_EQ(weft_cpu_check("avx512bf16") == nullptr, bool(__builtin_cpu_supports("avx512bf16")));
}

extern "C" const weft_module *weft_module_query_linked(uint32_t);

TEST_F(LoadTest, LoadsALinkedModule) {
  auto module = rt::Module::loadStatic(weft_module_query_linked);
  EXPECT_STREQ(module.description().name, "test");
  EXPECT_THAT(errorOf([&] { rt::Module::loadStatic(nullptr); }), HasSubstr("no query function"));
}
