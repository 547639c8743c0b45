//===- Memory.h - Memory that can run out -------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The runtime is compiled without exceptions and takes all memory through the
// caller's allocator table, so containers of the standard library are out: what
// is here returns null instead.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_MEMORY_H
#define WEFT_RUNTIME_MEMORY_H

#include "weft-runtime/runtime.h"

#include <cstring>
#include <new>
#include <utility>

namespace weft::runtime {

/// A copy of the caller's allocator table, or the C library's functions.
class Allocator {
public:
  Allocator();
  /// `table` may be null; it has been checked by `checkAllocator`.
  explicit Allocator(const weft_allocator *table);

  /// Null when there is no memory or `size` is 0.
  void *allocate(size_t size, size_t alignment) const {
    return size ? table.allocate(table.user, size, alignment) : nullptr;
  }
  void deallocate(void *memory, size_t size, size_t alignment) const {
    if (memory)
      table.deallocate(table.user, memory, size, alignment);
  }

  template <typename T, typename... Args> T *create(Args &&...args) const {
    void *memory = allocate(sizeof(T), alignof(T));
    return memory ? new (memory) T(std::forward<Args>(args)...) : nullptr;
  }
  template <typename T> void destroy(T *object) const {
    if (!object)
      return;
    object->~T();
    deallocate(object, sizeof(T), alignof(T));
  }

  const weft_allocator &get() const { return table; }

private:
  weft_allocator table;
};

/// Bytes owned through an allocator, which must outlive them.
class Buffer {
public:
  Buffer() = default;
  Buffer(Buffer &&other) noexcept { swap(other); }
  Buffer &operator=(Buffer &&other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() { reset(); }

  /// Replaces the contents by `size` uninitialised bytes; false and empty when
  /// there is no memory.
  bool allocate(const Allocator &from, size_t size, size_t align) {
    reset();
    bytes = from.allocate(size, align);
    if (!bytes)
      return false;
    owner = &from;
    length = size;
    alignment = align;
    return true;
  }
  void reset() {
    if (bytes)
      owner->deallocate(bytes, length, alignment);
    bytes = nullptr;
    length = 0;
  }
  /// Gives the ownership up.
  void *take() {
    length = 0;
    return std::exchange(bytes, nullptr);
  }

  void *data() const { return bytes; }
  size_t size() const { return length; }
  template <typename T> T *as() const { return static_cast<T *>(bytes); }
  char *text() const { return static_cast<char *>(bytes); }

private:
  void swap(Buffer &other) {
    std::swap(owner, other.owner);
    std::swap(bytes, other.bytes);
    std::swap(length, other.length);
    std::swap(alignment, other.alignment);
  }

  const Allocator *owner = nullptr;
  void *bytes = nullptr;
  size_t length = 0, alignment = 1;
};

/// Lays several arrays out in one block: `add` for each array, then one
/// allocation of `size()` bytes, then `get` in the same order of offsets.
class Layout {
public:
  /// The offset of `count` objects of T.
  template <typename T> size_t add(size_t count) {
    size_t align = alignof(T) > 8 ? alignof(T) : 8, bytes;
    overflow |= __builtin_mul_overflow(count, sizeof(T), &bytes);
    overflow |= __builtin_add_overflow(total, align - 1, &total);
    total &= ~(align - 1);
    size_t offset = total;
    overflow |= __builtin_add_overflow(total, bytes, &total);
    return offset;
  }
  /// 0 where the sum does not fit.
  size_t size() const { return overflow ? 0 : total ? total : 1; }

private:
  size_t total = 0;
  bool overflow = false;
};

} // namespace weft::runtime

#endif // WEFT_RUNTIME_MEMORY_H
