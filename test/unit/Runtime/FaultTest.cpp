//===- FaultTest.cpp - Allocators that fail -----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <mutex>
#include <unordered_map>

using namespace weft;
using namespace weft::test;
using testing::HasSubstr;

// Counts the C library's allocations of this thread while it is asked to. The
// runtime is a shared library, so these replace what it calls.
static thread_local bool counting = false;
static thread_local int64_t libraryAllocations = 0;

extern "C" {
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

#if !WEFT_TEST_SANITIZED
void *malloc(size_t size) {
  libraryAllocations += counting;
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  libraryAllocations += counting;
  return __libc_calloc(count, size);
}
void *realloc(void *memory, size_t size) {
  libraryAllocations += counting;
  return __libc_realloc(memory, size);
}
int posix_memalign(void **memory, size_t alignment, size_t size) {
  libraryAllocations += counting;
  *memory = __libc_memalign(alignment, size);
  return *memory ? 0 : 12;
}
#endif
}

namespace {
/// Fails at one allocation (counted from 0) and knows what is not given back.
class FailingAllocator {
public:
  explicit FailingAllocator(int64_t failAt, bool onlyOnce) : failAt(failAt), onlyOnce(onlyOnce) {
    table.struct_size = sizeof(table);
    table.user = this;
    table.allocate = [](void *user, size_t size, size_t alignment) -> void * {
      return static_cast<FailingAllocator *>(user)->allocate(size, alignment);
    };
    table.deallocate = [](void *user, void *memory, size_t size, size_t alignment) {
      static_cast<FailingAllocator *>(user)->deallocate(memory, size, alignment);
    };
  }
  weft_allocator table{};
  int64_t count = 0;
  size_t live() const { return blocks.size(); }
  bool mismatch = false;

private:
  struct Block {
    size_t size, alignment;
  };
  void *allocate(size_t size, size_t alignment) {
    std::lock_guard<std::mutex> guard(lock);
    const int64_t number = count++;
    if (number == failAt || (!onlyOnce && failAt >= 0 && number > failAt))
      return nullptr;
    void *memory = nullptr;
    if (posix_memalign(&memory, alignment < 8 ? 8 : alignment, size))
      return nullptr;
    blocks[memory] = {size, alignment};
    return memory;
  }
  void deallocate(void *memory, size_t size, size_t alignment) {
    std::lock_guard<std::mutex> guard(lock);
    auto found = blocks.find(memory);
    if (found == blocks.end() || found->second.size != size ||
        found->second.alignment != alignment) {
      mismatch = true;
      return;
    }
    blocks.erase(found);
    free(memory);
  }
  int64_t failAt;
  bool onlyOnce;
  std::mutex lock;
  std::unordered_map<void *, Block> blocks;
};

/// Loads a module and calls three of its functions. The first error, or "".
std::string loadAndCall(const weft_allocator *allocator, int32_t threads) {
  auto moduleOptions = rt::moduleOptions();
  moduleOptions.allocator = allocator;
  std::vector<float> x(1200, 1), bias(4, 1);
  return errorOf([&] {
    auto module = rt::Module::load(modulePath("plain"), &moduleOptions);
    auto options = rt::contextOptions(threads);
    rt::Context main(module, "main", &options);
    main({rt::view(x.data(), {300, 4}), rt::view(bias.data(), {4})});
    struct DLManagedTensorVersioned *taken = nullptr;
    rt::check(weft_context_take_output(main.get(), 0, &taken));
    struct Head {
      uint32_t version[2];
      void *manager;
      void (*deleter)(DLManagedTensorVersioned *);
    };
    reinterpret_cast<Head *>(taken)->deleter(taken);
    rt::Context nonzero(module, "nonzero", &options);
    nonzero({rt::view(x.data(), {1000})});
    rt::Context wide(module, "wide", &options);
    wide({rt::view(x.data(), {20})});
  });
}
} // namespace

TEST(FaultTest, EveryFailedAllocationIsAnError) {
  for (int32_t threads : {1, 3}) {
    FailingAllocator healthy(-1, true);
    ASSERT_EQ(loadAndCall(&healthy.table, threads), "");
    ASSERT_EQ(healthy.live(), 0u);
    ASSERT_GT(healthy.count, 10);
    for (bool onlyOnce : {true, false})
      for (int64_t n = 0; n < healthy.count; ++n) {
        FailingAllocator failing(n, onlyOnce);
        std::string error = loadAndCall(&failing.table, threads);
        ASSERT_THAT(error, HasSubstr("RESOURCE_EXHAUSTED: ")) << n;
        ASSERT_THAT(error, HasSubstr("out of memory")) << n;
        ASSERT_EQ(failing.live(), 0u) << n;
        ASSERT_FALSE(failing.mismatch) << n;
      }
  }
}

TEST(FaultTest, ContextsHaveTheirOwnAllocator) {
  FailingAllocator own(-1, true);
  auto module = rt::Module::load(modulePath("plain"));
  auto options = rt::contextOptions(1);
  options.allocator = &own.table;
  std::vector<float> state(4);
  {
    rt::Context cache(module, "cache", &options);
    EXPECT_GT(own.live(), 0u);
    cache({rt::view(state.data(), {4})});
  }
  EXPECT_EQ(own.live(), 0u);
  weft_allocator broken{};
  options.allocator = &broken;
  EXPECT_THAT(errorOf([&] { rt::Context(module, 0, &options); }),
              HasSubstr("the allocator table has no allocate"));
}

TEST(FaultTest, ErrorsOutliveTheirContext) {
  FailingAllocator own(-1, true);
  auto options = rt::moduleOptions();
  options.allocator = &own.table;
  weft_error *error = nullptr;
  {
    auto module = rt::Module::load(modulePath("plain"), &options);
    rt::Context main(module, 0);
    error = weft_context_run(main.get());
  }
  EXPECT_EQ(own.live(), 1u);
  EXPECT_THAT(describe(error), HasSubstr("input 'x' of function 'main'"));
  EXPECT_EQ(own.live(), 0u);
}

TEST(FaultTest, ACallAllocatesNothing) {
  auto module = rt::Module::load(modulePath("plain"));
  std::vector<float> x(1200, 1), bias(4, 1), y(1200);
  float total;
  alignas(64) static char workspace[32768];
  for (int32_t threads : {1, 2}) {
    FailingAllocator own(-1, true);
    auto options = rt::contextOptions(threads);
    options.allocator = &own.table;
    rt::Context main(module, 0, &options);
    main.setWorkspace(workspace, sizeof(workspace));
    main.bindInput(0, rt::view(x.data(), {300, 4}));
    main.bindInput(1, rt::view(bias.data(), {4}));
    main.bindOutput(0, rt::view(y.data(), {300, 4}));
    main.bindOutput(1, rt::view(&total, {}));
    const int64_t before = own.count;
    if (threads == 1) {
      // From the first call on.
      libraryAllocations = 0;
      counting = true;
      for (int i = 0; i < 1000; ++i)
        (void)weft_context_run(main.get());
      counting = false;
      EXPECT_EQ(libraryAllocations, 0);
    } else {
      // oneTBB keeps memory of its own: bounded, whatever the number of calls.
      for (int i = 0; i < 1000; ++i)
        (void)weft_context_run(main.get());
      libraryAllocations = 0;
      counting = true;
      for (int i = 0; i < 1000; ++i)
        (void)weft_context_run(main.get());
      counting = false;
      EXPECT_LE(libraryAllocations, 50);
    }
    EXPECT_EQ(own.count, before);
    EXPECT_EQ(main.stats().allocations, 0u);
    EXPECT_EQ(y[0], 2.f);
  }
}
