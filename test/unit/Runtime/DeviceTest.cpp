//===- DeviceTest.cpp - Device kernels on the emulation -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <gmock/gmock.h>

#include <numeric>

using namespace weft::test;
using testing::HasSubstr;

namespace {
enum Case : int64_t {
  Copy,
  Reverse,
  Sum,
  OddThreadsLeave,
  TwoBarriers,
  OutOfBounds,
  LanesMissing,
  ReadPoison,
  OverflowStack,
  HostArgument,
  LargeBlock,
  WrongTransfer,
  EmptyGrid,
  BadKernel,
  DeviceTemporary
};

struct Result {
  std::string error;
  std::vector<int64_t> y;
  weft_stats stats = {};
};

class DeviceTest : public testing::Test {
protected:
  void load(const std::string &name) {
    ASSERT_EQ(describe(weft_module_load_file(modulePath(name).c_str(), nullptr, &module)), "");
  }
  ~DeviceTest() override { weft_module_release(module); }

  Result run(int64_t which, int64_t n, int32_t threads = 1, const char *device = nullptr) {
    Result result;
    weft_context_options options = {};
    options.struct_size = sizeof(options);
    options.threads = threads;
    options.device = device;
    weft_context *context = nullptr;
    result.error = describe(weft_context_create(module, 0, &options, &context));
    if (!context)
      return result;
    std::vector<int64_t> x(n);
    std::iota(x.begin(), x.end(), 100);
    const int64_t one = 1;
    const weft_dtype dtype{WEFT_DTYPE_INT, 64, 1};
    weft_tensor inputs[] = {{&which, dtype, 1, &one, nullptr}, {x.data(), dtype, 1, &n, nullptr}};
    weft_tensor output = {};
    result.error = describe(weft_invoke(context, inputs, 2, &output, 1));
    if (result.error.empty()) {
      auto *data = static_cast<const int64_t *>(output.data);
      result.y.assign(data, data + n);
    }
    result.stats.struct_size = sizeof(result.stats);
    EXPECT_EQ(describe(weft_context_stats(context, &result.stats)), "");
    weft_context_release(context);
    return result;
  }

  weft_loaded_module *module = nullptr;
};
} // namespace

TEST_F(DeviceTest, RunsThreadsAndCountsTransfers) {
  load("device32");
  for (int64_t n : {0, 1, 63, 64, 65, 1000}) {
    Result result = run(Copy, n);
    EXPECT_EQ(result.error, "");
    for (int64_t i = 0; i < n; ++i)
      ASSERT_EQ(result.y[i], 100 + i);
    EXPECT_EQ(result.stats.launches, n ? 1u : 0u);
    EXPECT_EQ(result.stats.transfers_to_device, n ? 1u : 0u);
    EXPECT_EQ(result.stats.bytes_to_host, uint64_t(8 * n));
    EXPECT_EQ(result.stats.bytes_to_device, uint64_t(8 * n));
  }
}

TEST_F(DeviceTest, ThreadsMeetAtBarriers) {
  load("device32");
  for (int32_t threads : {1, 4}) {
    Result result = run(Reverse, 640, threads);
    EXPECT_EQ(result.error, "");
    for (int64_t i = 0; i < 640; ++i)
      ASSERT_EQ(result.y[i], 100 + i / 64 * 64 + 63 - i % 64);
  }
}

TEST_F(DeviceTest, LanesExchange) {
  for (int64_t size : {32, 64}) {
    load("device" + std::to_string(size));
    for (int32_t threads : {1, 3}) {
      Result result = run(Sum, 256, threads);
      EXPECT_EQ(result.error, "");
      for (int64_t i = 0; i < 256; ++i) {
        int64_t first = 100 + i / size * size;
        ASSERT_EQ(result.y[i], size * first + size * (size - 1) / 2);
      }
    }
    weft_module_release(std::exchange(module, nullptr));
  }
}

TEST_F(DeviceTest, ThreadsThatDoNotArriveAreAnError) {
  load("device32");
  for (int32_t threads : {1, 4}) {
    EXPECT_EQ(run(OddThreadsLeave, 1000, threads).error,
              "FAILED_PRECONDITION: node 'node' (Op): device kernel 'odd_threads_leave': not all "
              "threads arrived at a barrier: 32 of 64 did");
    EXPECT_EQ(run(TwoBarriers, 1000, threads).error,
              "FAILED_PRECONDITION: node 'node' (Op): device kernel 'two_barriers': not all "
              "threads arrived at a barrier: 16 of 64 did");
    EXPECT_EQ(run(LanesMissing, 1000, threads).error,
              "FAILED_PRECONDITION: node 'node' (Op): device kernel 'lanes_missing': not all lanes "
              "arrived at an operation of their subgroup: 31 of 32 did");
  }
}

TEST_F(DeviceTest, SharedMemoryHasBounds) {
  load("device32");
  EXPECT_EQ(run(OutOfBounds, 1000).error,
            "OUT_OF_RANGE: node 'node' (Op): device kernel 'out_of_bounds': index 77 is outside of "
            "shared memory of extent 64");
  EXPECT_EQ(run(OutOfBounds, 64).error, ""); // nobody is at fault there
}

TEST_F(DeviceTest, MemoryIsPoisonUntilItIsWritten) {
  load("device32");
  Result result = run(ReadPoison, 100);
  EXPECT_EQ(result.error, "");
  for (int64_t value : result.y)
    ASSERT_EQ(value, -1);
}

TEST_F(DeviceTest, StacksHaveAnEnd) {
  load("device32");
  EXPECT_EQ(run(OverflowStack, 64).error,
            "RESOURCE_EXHAUSTED: node 'node' (Op): device kernel 'overflow_stack': a thread needs "
            "more than 114688 bytes of stack");
  EXPECT_EQ(run(Reverse, 64).error, "");
}

TEST_F(DeviceTest, SidesAreKeptApart) {
  load("device32");
  EXPECT_EQ(run(HostArgument, 100).error,
            "INTERNAL: node 'node' (Op): device kernel 'copy': argument 1 is no memory of "
            "emulation");
  EXPECT_EQ(run(WrongTransfer, 100).error,
            "INTERNAL: node 'node' (Op): emulation: a transfer reads memory of the wrong side");
}

TEST_F(DeviceTest, RefusesWhatCannotBeLaunched) {
  load("device32");
  EXPECT_EQ(run(LargeBlock, 100).error,
            "INVALID_ARGUMENT: node 'node' (Op): device kernel 'copy': the grid or block is larger "
            "than emulation can run");
  EXPECT_EQ(run(BadKernel, 100).error, "INTERNAL: node 'node' (Op): failed with INTERNAL");
}

TEST_F(DeviceTest, WeightsThatKernelsReadAreThere) {
  load("device32");
  Result result = run(EmptyGrid, 8);
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.y, (std::vector<int64_t>{1, 2, 3, 4, 1, 2, 3, 4}));
  EXPECT_EQ(result.stats.launches, 0u);
}

TEST_F(DeviceTest, TemporariesLieThere) {
  load("device32");
  Result result = run(DeviceTemporary, 100);
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.y[99], 199);
  EXPECT_EQ(result.stats.unbounded_allocations, 2u);
}

TEST_F(DeviceTest, DevicesAreNamed) {
  load("device32");
  EXPECT_EQ(run(Copy, 10, 1, "emulation").error, "");
  EXPECT_EQ(run(Copy, 10, 1, "emulation:0").error, "");
  EXPECT_EQ(run(Copy, 10, 1, "emulation:1").error,
            "NOT_FOUND: there is no device emulation:1: there is 1");
  EXPECT_EQ(run(Copy, 10, 1, "cuda:0").error,
            "FAILED_PRECONDITION: module 'device' has no code for 'cuda:0', only for emulation");
  for (const char *wrong : {"gpu", "cuda:", "cuda:x", "cuda:1x", "emulation:-1", ":", "cuda:99999"})
    EXPECT_THAT(run(Copy, 10, 1, wrong).error, HasSubstr("is no device: expected cuda:<number>"));
}

TEST_F(DeviceTest, ModulesWithoutDeviceCodeRunOnNone) {
  load("plain");
  EXPECT_EQ(run(Copy, 10, 1, "emulation").error,
            "FAILED_PRECONDITION: module 'test' has no code for 'emulation': it was compiled for "
            "the CPU alone");
}

namespace {
/// The C library's memory, of which allocation number `failing` fails.
struct FailingMemory {
  int64_t failing = -1, count = 0, alive = 0;

  weft_allocator table() {
    weft_allocator allocator = {};
    allocator.struct_size = sizeof(allocator);
    allocator.user = this;
    allocator.allocate = [](void *user, size_t size, size_t alignment) -> void * {
      auto &memory = *static_cast<FailingMemory *>(user);
      if (memory.count++ == memory.failing)
        return nullptr;
      ++memory.alive;
      return aligned_alloc(alignment < 16 ? 16 : alignment, (size + 63) / 64 * 64);
    };
    allocator.deallocate = [](void *user, void *block, size_t, size_t) {
      --static_cast<FailingMemory *>(user)->alive;
      free(block);
    };
    return allocator;
  }
};
} // namespace

TEST_F(DeviceTest, EveryAllocationMayFail) {
  int64_t failures = 0;
  for (int64_t failing = 0; failing < 200; ++failing) {
    FailingMemory memory;
    memory.failing = failing;
    weft_allocator table = memory.table();
    weft_module_options options = {};
    options.struct_size = sizeof(options);
    options.allocator = &table;
    std::string error =
        describe(weft_module_load_file(modulePath("device32").c_str(), &options, &module));
    if (error.empty())
      error = run(DeviceTemporary, 100).error;
    if (error.empty())
      error = run(Reverse, 100).error;
    weft_module_release(std::exchange(module, nullptr));
    EXPECT_EQ(memory.alive, 0) << "allocation " << failing;
    if (memory.count <= failing) {
      EXPECT_EQ(error, "");
      break;
    }
    ++failures;
    EXPECT_NE(error, "") << "allocation " << failing;
  }
  EXPECT_GT(failures, 10);
}
