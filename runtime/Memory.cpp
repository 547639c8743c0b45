//===- Memory.cpp - Memory that can run out -----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"

#include <cstdlib>
#include <sys/mman.h>

using namespace weft::runtime;

/// Blocks of this size are aligned to huge pages and ask for them: a workspace
/// is walked by every call, and 4 KiB pages cost a TLB miss each.
static constexpr size_t hugePage = size_t(2) << 20;
static constexpr size_t hugeBlock = size_t(8) << 20;

static void *allocateFromLibrary(void *, size_t size, size_t alignment) {
  size_t align = size >= hugeBlock && alignment < hugePage ? hugePage : alignment;
  if (align < sizeof(void *))
    align = sizeof(void *);
  void *memory = nullptr;
  if (size > SIZE_MAX / 2 || posix_memalign(&memory, align, size) != 0)
    return nullptr;
  if (size >= hugeBlock)
    (void)madvise(memory, size & ~(hugePage - 1), MADV_HUGEPAGE);
  return memory;
}

static void deallocateToLibrary(void *, void *memory, size_t, size_t) { free(memory); }

Allocator::Allocator()
    : table{sizeof(weft_allocator), 0, nullptr, allocateFromLibrary, deallocateToLibrary} {}

Allocator::Allocator(const weft_allocator *given) : Allocator() {
  if (given)
    table = *given;
}
