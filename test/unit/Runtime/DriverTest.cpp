//===- DriverTest.cpp - NVIDIA's and AMD's devices, with a fake driver --===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Runs with the folder of the fake libraries first in LD_LIBRARY_PATH.

#include "TestSupport.h"

#include <dlfcn.h>
#include <gmock/gmock.h>

#include <numeric>

using namespace weft::test;
using testing::HasSubstr;

namespace {
/// As in FakeDriver.c.
struct FakeDriver {
  char log[4096];
  char fails[64];
  int devices, major, minor;
  char chip[64];
  int contexts, allocations, streams, modules;
  void *current;
};

class DriverTest : public testing::TestWithParam<const char *> {
protected:
  void SetUp() override {
    const bool isCuda = std::string(GetParam()) == "cuda";
    void *library = dlopen(isCuda ? "libcuda.so.1" : "libamdhip64.so", RTLD_NOW);
    fake = library ? static_cast<FakeDriver *>(dlsym(library, "fakeDriver")) : nullptr;
    ASSERT_NE(fake, nullptr) << "the fake libraries are not in LD_LIBRARY_PATH";
    *fake->log = *fake->fails = 0;
    fake->devices = 1;
    fake->major = 9;
    fake->minor = 0;
    strcpy(fake->chip, "gfx90a:sramecc+:xnack-");
  }
  void TearDown() override {
    EXPECT_EQ(fake->contexts, 0);
    EXPECT_EQ(fake->allocations, 0);
    EXPECT_EQ(fake->streams, 0);
    EXPECT_EQ(fake->modules, 0);
  }

  std::string device(int index = 0) {
    return std::string(GetParam()) + ":" + std::to_string(index);
  }

  /// Loads the module, copies 100 numbers by way of the device, releases all.
  std::string run(const std::string &name, int64_t which = 0) {
    weft_loaded_module *module = nullptr;
    EXPECT_EQ(describe(weft_module_load_file(modulePath("driver").c_str(), nullptr, &module)), "");
    weft_context_options options = {};
    options.struct_size = sizeof(options);
    options.threads = 1;
    options.device = name.c_str();
    weft_context *context = nullptr;
    std::string error = describe(weft_context_create(module, 0, &options, &context));
    if (context) {
      EXPECT_EQ(weft_context_device(context), name);
      int64_t n = 100, one = 1;
      std::vector<int64_t> x(n);
      std::iota(x.begin(), x.end(), 7);
      const weft_dtype dtype{WEFT_DTYPE_INT, 64, 1};
      weft_tensor inputs[] = {{&which, dtype, 1, &one, nullptr}, {x.data(), dtype, 1, &n, nullptr}};
      weft_tensor output = {};
      error = describe(weft_invoke(context, inputs, 2, &output, 1));
      if (error.empty())
        EXPECT_EQ(0, memcmp(output.data, x.data(), sizeof(int64_t) * x.size()));
    }
    weft_context_release(context);
    weft_module_release(module);
    return error;
  }

  FakeDriver *fake = nullptr;
};
} // namespace

TEST_P(DriverTest, RunsInOrderAndLeavesNothing) {
  EXPECT_EQ(run(device()), "");
  const std::string log = fake->log;
  // Code and weights once, then workspace, input, launch, output.
  EXPECT_THAT(log, HasSubstr("load "));
  EXPECT_THAT(log, HasSubstr("stream malloc to-device wait wait end-stream stream malloc to-device "
                             "wait launch to-host wait wait free end-stream"));
  EXPECT_EQ(fake->current != nullptr, std::string(GetParam()) == "cuda");
}

TEST_P(DriverTest, FailuresOfEveryCallAreErrorsWithoutLeaks) {
  for (const char *call : {"malloc", "to-device", "to-host", "stream", "wait", "launch", "count"}) {
    strcpy(fake->fails, call);
    const std::string error = run(device());
    if (std::string(call) == "malloc")
      EXPECT_THAT(error, HasSubstr("RESOURCE_EXHAUSTED: device " + device() + ": no 32 bytes"));
    else
      EXPECT_THAT(error, HasSubstr("the fake fails")) << call;
  }
  strcpy(fake->fails, "sum");
  EXPECT_THAT(run(device()), HasSubstr("has no kernel 'sum'"));
}

TEST_P(DriverTest, SaysWhyThereIsNoDevice) {
  int32_t count = -1;
  fake->devices = 0;
  EXPECT_THAT(describe(weft_device_count(GetParam(), &count)), HasSubstr("finds no device"));
  EXPECT_EQ(count, -1);
  EXPECT_THAT(run(device()), HasSubstr("UNAVAILABLE: lib"));
  fake->devices = 2;
  EXPECT_EQ(describe(weft_device_count(GetParam(), &count)), "");
  EXPECT_EQ(count, 2);
  EXPECT_EQ(run(device(1)), "");
  EXPECT_EQ(run(device(2)), "NOT_FOUND: there is no device " + device(2) + ": there are 2");
}

TEST_P(DriverTest, DevicesAreDescribed) {
  char text[256];
  ASSERT_EQ(describe(weft_device_describe(device().c_str(), text, sizeof(text))), "");
  EXPECT_EQ(std::string(text), std::string("Fake 0, ") +
                                   (device() == "cuda:0" ? "sm_90" : "gfx90a") +
                                   ", 81920 MiB, driver 12040");
}

TEST_P(DriverTest, TakesTheBestCodeForTheChip) {
  if (std::string(GetParam()) == "hip") {
    strcpy(fake->chip, "gfx1100");
    EXPECT_THAT(run(device()), HasSubstr("device hip:0 is gfx1100, for which module 'device' has "
                                         "no code: it has code for gfx90a"));
    return;
  }
  auto loaded = [&](int major, int minor) {
    fake->major = major;
    fake->minor = minor;
    *fake->log = 0;
    std::string error = run(device());
    if (!error.empty())
      return error;
    const std::string log = fake->log;
    const size_t at = log.find("load ") + 5;
    return log.substr(at, log.find(" stream", at) - at);
  };
  EXPECT_EQ(loaded(9, 0), "cubin 90a");
  EXPECT_EQ(loaded(8, 0), "cubin 80");
  EXPECT_EQ(loaded(8, 9), "cubin 80"); // machine code goes on within a major version
  EXPECT_EQ(loaded(10, 0), "ptx 80");  // what ends in a letter does not
  EXPECT_THAT(loaded(7, 5), HasSubstr("device cuda:0 is sm_75, for which module 'device' has no "
                                      "code: it has code for sm_80, sm_80, sm_90a"));
}

INSTANTIATE_TEST_SUITE_P(Families, DriverTest, testing::Values("cuda", "hip"));
