//===- CompiledFunction.h - A math operation, expanded and compiled -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TEST_UNIT_MATH_COMPILEDFUNCTION_H
#define WEFT_TEST_UNIT_MATH_COMPILEDFUNCTION_H

#include <cstdint>
#include <memory>
#include <string>

namespace llvm::orc {
class LLJIT;
} // namespace llvm::orc

namespace weft::test {

/// One operation on arrays, compiled with weft-expand-math and upstream's
/// conversions, and linked with nothing: a call of any library function makes
/// `create` fail.
class CompiledFunction {
public:
  struct Description {
    /// Text of the operation; its result is %y, its operands %a and %b (which
    /// it need not use): "%y = math.exp %a : $A".
    std::string operation;
    /// Element types, as MLIR writes them. $A, $B and $Y in the operation
    /// become the types of the operands and of the result.
    std::string a, b, y;
    /// Lanes of a vector, or 0 for scalars.
    int lanes = 0;
    std::string cpu = "x86-64-v3";
  };

  /// Null, and `error` set, where a step fails.
  static std::unique_ptr<CompiledFunction> create(const Description &description,
                                                  std::string &error);
  ~CompiledFunction();

  /// y[i] = operation(a[i], b[i]) for i < n, a multiple of the lanes.
  void operator()(const void *a, const void *b, void *y, int64_t n) const;

private:
  CompiledFunction() = default;
  struct MemRef {
    const void *allocated, *aligned;
    int64_t offset, size, stride;
  };
  std::unique_ptr<llvm::orc::LLJIT> jit;
  void (*entry)(MemRef *, MemRef *, MemRef *) = nullptr;
};

} // namespace weft::test

#endif // WEFT_TEST_UNIT_MATH_COMPILEDFUNCTION_H
