//===- Fiber.cpp - Stacks that take turns on one thread -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fiber.h"

#include <cstdint>

using namespace weft::runtime;

#if defined(__x86_64__)

// Saves what a call preserves, exchanges stacks and goes on where the other one
// was left. Floating-point state is the same for all fibers. A new fiber begins
// in weft_fiber_begin, with its body in r12 and the argument in rbx.
asm(R"(
.text
.p2align 4
.hidden weft_fiber_switch
.globl weft_fiber_switch
.type weft_fiber_switch, @function
weft_fiber_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size weft_fiber_switch, .-weft_fiber_switch
.p2align 4
.hidden weft_fiber_begin
.globl weft_fiber_begin
.type weft_fiber_begin, @function
weft_fiber_begin:
  movq %rbx, %rdi
  callq *%r12
  ud2
.size weft_fiber_begin, .-weft_fiber_begin
)");

extern "C" void weft_fiber_switch(void **from, void *to);
extern "C" void weft_fiber_begin();

void Fiber::prepare(void *stack, size_t bytes, Body body, void *argument) {
  auto top = (reinterpret_cast<uintptr_t>(stack) + bytes) & ~uintptr_t(15);
  auto *at = reinterpret_cast<uint64_t *>(top);
  *--at = 0; // the end for who walks the stack; keeps the alignment of a call
  *--at = 0;
  *--at = reinterpret_cast<uint64_t>(&weft_fiber_begin);
  *--at = 0;                                    // rbp
  *--at = reinterpret_cast<uint64_t>(argument); // rbx
  *--at = reinterpret_cast<uint64_t>(body);     // r12
  for (int i = 0; i < 3; ++i)
    *--at = 0; // r13 to r15
  stackPointer = at;
}

void Fiber::switchTo(Fiber &from) { weft_fiber_switch(&from.stackPointer, stackPointer); }

#else

static void begin(unsigned bodyLow, unsigned bodyHigh, unsigned low, unsigned high) {
  auto body = reinterpret_cast<Fiber::Body>(uintptr_t(bodyHigh) << 32 | bodyLow);
  body(reinterpret_cast<void *>(uintptr_t(high) << 32 | low));
}

void Fiber::prepare(void *stack, size_t bytes, Body body, void *argument) {
  getcontext(&context);
  context.uc_stack.ss_sp = stack;
  context.uc_stack.ss_size = bytes;
  context.uc_link = nullptr;
  auto function = reinterpret_cast<uintptr_t>(body), value = reinterpret_cast<uintptr_t>(argument);
  makecontext(&context, reinterpret_cast<void (*)()>(begin), 4, unsigned(function),
              unsigned(function >> 32), unsigned(value), unsigned(value >> 32));
}

void Fiber::switchTo(Fiber &from) { swapcontext(&from.context, &context); }

#endif
