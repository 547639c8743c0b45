//===- VariantTest.cpp - Which variant a machine takes --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Variant.h"
#include "weft-runtime/runtime.h"

#include <cstdlib>
#include <gtest/gtest.h>
#include <set>
#include <sstream>
#include <string>

using namespace weft::runtime;

/// The extensions of the machine that is played.
static std::set<std::string> machine;

static bool hasFeatures(const char *features, Text &missing) {
  std::stringstream list(features);
  bool all = true;
  for (std::string name; std::getline(list, name, ',');) {
    if (machine.count(name))
      continue;
    missing.append(all ? "%s" : ", %s", name.c_str());
    all = false;
  }
  return all;
}

static const weft_variant variants[] = {{"amx", "avx2,avx512f,amx-tile", nullptr},
                                        {"x86-64-v4", "avx2,avx512f", nullptr},
                                        {"x86-64-v3", "avx2", nullptr}};

/// The CPU of the variant that is taken, or the error.
static std::string choose(std::set<std::string> features, WantedVariant wanted = {},
                          const weft_variant *table = variants, uint32_t count = 3) {
  machine = std::move(features);
  weft_module module = {};
  module.variants = table;
  module.variant_count = count;
  const weft_variant *chosen = nullptr;
  weft_error *error = chooseVariant(Allocator(), "m", module, wanted, hasFeatures, chosen);
  if (!error)
    return chosen->cpu;
  EXPECT_EQ(chosen, nullptr);
  std::string text = std::to_string(weft_error_code(error)) + ": " + weft_error_message(error);
  weft_error_free(error);
  return text;
}

TEST(VariantTest, TakesTheFirstThatTheMachineRuns) {
  EXPECT_EQ(choose({"avx2"}), "x86-64-v3");
  EXPECT_EQ(choose({"avx2", "avx512f"}), "x86-64-v4");
  EXPECT_EQ(choose({"avx2", "avx512f", "amx-tile"}), "amx");
  // All of them, not some.
  EXPECT_EQ(choose({"avx2", "amx-tile"}), "x86-64-v3");
}

TEST(VariantTest, GoesByFeaturesNotByNames) {
  const weft_variant misnamed[] = {{"x86-64-v4", "avx2", nullptr},
                                   {"x86-64-v3", "avx512f", nullptr}};
  EXPECT_EQ(choose({"avx2"}, {}, misnamed, 2), "x86-64-v4");
  EXPECT_EQ(choose({"avx512f"}, {}, misnamed, 2), "x86-64-v3");
}

TEST(VariantTest, SaysWhatEachVariantNeeds) {
  EXPECT_EQ(choose({"sse2"}), "14: module 'm' cannot run on this CPU: amx needs avx2, avx512f, "
                              "amx-tile; x86-64-v4 needs avx2, avx512f; x86-64-v3 needs avx2, "
                              "which it lacks");
}

TEST(VariantTest, TakesTheOneThatIsAskedFor) {
  const std::set<std::string> all = {"avx2", "avx512f", "amx-tile"};
  EXPECT_EQ(choose(all, {"x86-64-v3", ""}), "x86-64-v3");
  EXPECT_EQ(choose(all, {"x86-64-v4", ""}), "x86-64-v4");
  EXPECT_EQ(choose({"avx2"}, {"x86-64-v4", " (from WEFT_CPU)"}),
            "14: module 'm' cannot run on this CPU: x86-64-v4 (from WEFT_CPU) "
            "needs avx512f, which it lacks");
  EXPECT_EQ(choose(all, {"z80", " (from WEFT_CPU)"}),
            "5: module 'm' has no variant for CPU 'z80' (from WEFT_CPU); it has "
            "amx, x86-64-v4, x86-64-v3");
  EXPECT_EQ(choose(all, {"", ""}),
            "5: module 'm' has no variant for CPU ''; it has amx, x86-64-v4, "
            "x86-64-v3");
}

TEST(VariantTest, ReadsTheEnvironment) {
  unsetenv("WEFT_CPU");
  EXPECT_EQ(wantedVariant(nullptr).cpu, nullptr);
  setenv("WEFT_CPU", "", 1);
  EXPECT_EQ(wantedVariant(nullptr).cpu, nullptr);
  setenv("WEFT_CPU", "x86-64-v3", 1);
  EXPECT_STREQ(wantedVariant(nullptr).cpu, "x86-64-v3");
  // The program's own option comes first.
  EXPECT_STREQ(wantedVariant("x86-64-v4").cpu, "x86-64-v4");
  EXPECT_STREQ(wantedVariant("x86-64-v4").source, "");
  unsetenv("WEFT_CPU");
}
