//===- Result.h - A value or a sentence that says what is wrong -----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_BASE_RESULT_H
#define WEFT_BASE_RESULT_H

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace weft {

/// One sentence, ready for the user: it names the file, tensor or argument, what
/// was expected and what was found.
struct Error {
  std::string message;
};

/// A `T` or an Error. Test it like a pointer, then dereference it.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : state(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state.index() == 0; }
  T &operator*() & { return *std::get_if<0>(&state); }
  const T &operator*() const & { return *std::get_if<0>(&state); }
  T &&operator*() && { return std::move(*std::get_if<0>(&state)); }
  T *operator->() { return std::get_if<0>(&state); }
  const T *operator->() const { return std::get_if<0>(&state); }
  const Error &error() const { return *std::get_if<1>(&state); }

private:
  std::variant<T, Error> state;
};

/// Success or an Error.
class [[nodiscard]] Status {
public:
  Status() = default;
  Status(Error error) : failure(std::move(error)) {}

  explicit operator bool() const { return !failure; }
  const Error &error() const { return *failure; }

private:
  std::optional<Error> failure;
};

/// The product of two sizes, or nothing where it does not fit in 63 bits or a
/// factor is negative.
inline std::optional<int64_t> checkedMultiply(int64_t a, int64_t b) {
  int64_t product;
  if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &product))
    return std::nullopt;
  return product;
}

/// The number of elements of a shape, under the same condition. A shape with a
/// zero has no elements, however large its other extents are.
template <typename Range> std::optional<int64_t> checkedElementCount(const Range &shape) {
  bool empty = false;
  for (int64_t extent : shape) {
    if (extent < 0)
      return std::nullopt;
    empty |= extent == 0;
  }
  int64_t count = empty ? 0 : 1;
  if (!empty)
    for (int64_t extent : shape) {
      auto product = checkedMultiply(count, extent);
      if (!product)
        return std::nullopt;
      count = *product;
    }
  return count;
}

} // namespace weft

#endif // WEFT_BASE_RESULT_H
