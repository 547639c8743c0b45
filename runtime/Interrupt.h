//===- Interrupt.h - Calls that a signal cancels ----------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef WEFT_RUNTIME_INTERRUPT_H
#define WEFT_RUNTIME_INTERRUPT_H

#include "Context.h"

namespace weft::runtime {

/// While it lives, the signal that the context was told of cancels its call, if
/// the call is made by the thread that told it. A signal ends the call in
/// progress only: the destructor takes the request back.
class Interruptible {
public:
  explicit Interruptible(weft_context &context);
  ~Interruptible();
  Interruptible(const Interruptible &) = delete;
  Interruptible &operator=(const Interruptible &) = delete;

private:
  weft_context &context;
  std::atomic<weft_context *> *slot = nullptr;
};

} // namespace weft::runtime

#endif // WEFT_RUNTIME_INTERRUPT_H
