//===- Fiber.h - Stacks that take turns on one thread -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_FIBER_H
#define WEFT_RUNTIME_FIBER_H

#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace weft::runtime {

/// Where a stack that does not run goes on. All fibers of a thread are left and
/// entered by `switchTo`; what is left for good needs no end.
class Fiber {
public:
  using Body = void (*)(void *argument);

  /// Lets the fiber begin with `body`, which must not return, on a stack.
  void prepare(void *stack, size_t bytes, Body body, void *argument);
  /// Leaves `from`, the running one, for this one.
  void switchTo(Fiber &from);

private:
#if defined(__x86_64__)
  void *stackPointer = nullptr;
#else
  ucontext_t context;
#endif
};

} // namespace weft::runtime

#endif // WEFT_RUNTIME_FIBER_H
