//===- Interrupt.cpp - Calls that a signal cancels ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// An interpreter notes a signal and acts on it when control returns to it,
// which is after the call. So the handler here cancels the calls that asked for
// it and then calls the handler that was there before.
//
// A signal has one disposition in a process, hence the state of this file. The
// handler only loads and stores atomics. It stays installed, because another
// handler may have been chained onto it in the meantime.
//
//===----------------------------------------------------------------------===//

#include "Interrupt.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <dlfcn.h>
#include <sched.h>

using namespace weft::runtime;

/// Calls that a signal may end at a time; more run to their end.
static constexpr size_t maxInterruptible = 16;
static constexpr int maxSignal = 64;

static std::atomic<weft_context *> callsInProgress[maxInterruptible];
static std::atomic<int> handlersRunning{0};
static struct sigaction previousActions[maxSignal + 1];
static Lock installation;

static void cancelCalls(int signal, siginfo_t *info, void *machine) {
  const int error = errno;
  handlersRunning.fetch_add(1);
  for (std::atomic<weft_context *> &call : callsInProgress)
    if (weft_context *context = call.load())
      if (context->interruptSignal == signal) {
        __atomic_store_n(&context->interrupted, true, __ATOMIC_RELAXED);
        weft_context_cancel(context);
      }
  handlersRunning.fetch_sub(1);
  const struct sigaction &previous = previousActions[signal];
  errno = error;
  if (previous.sa_flags & SA_SIGINFO)
    previous.sa_sigaction(signal, info, machine);
  else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN)
    previous.sa_handler(signal);
}

/// Puts the handler in front of the one that is there. A signal that ends the
/// process or is ignored stays as it is.
static bool install(int signal) {
  Locked locked(installation);
  struct sigaction action;
  if (sigaction(signal, nullptr, &action) != 0)
    return false;
  if (action.sa_flags & SA_SIGINFO) {
    if (action.sa_sigaction == cancelCalls)
      return true;
  } else if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) {
    return true;
  }
  // The handler's code must not be unloaded.
  Dl_info library;
  if (dladdr(reinterpret_cast<void *>(&cancelCalls), &library) && library.dli_fname)
    dlopen(library.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
  previousActions[signal] = action;
  action.sa_sigaction = cancelCalls;
  action.sa_flags |= SA_SIGINFO;
  return sigaction(signal, &action, nullptr) == 0;
}

weft_error *weft_context_cancel_on_signal(weft_context *context, int32_t signal) {
  if (!context)
    return makeError(Allocator(), WEFT_INVALID_ARGUMENT,
                     "weft_context_cancel_on_signal: no context is given");
  if (signal < 0 || signal > maxSignal || (signal && !install(signal)))
    return makeError(context->allocator, WEFT_INVALID_ARGUMENT,
                     "there is no signal %d that a handler could catch", signal);
  context->interruptThread = pthread_self();
  context->interruptSignal = signal;
  return nullptr;
}

Interruptible::Interruptible(weft_context &context) : context(context) {
  if (!context.interruptSignal || !pthread_equal(context.interruptThread, pthread_self()))
    return;
  for (std::atomic<weft_context *> &call : callsInProgress) {
    weft_context *free = nullptr;
    if (call.compare_exchange_strong(free, &context)) {
      slot = &call;
      return;
    }
  }
}

Interruptible::~Interruptible() {
  if (!slot)
    return;
  slot->store(nullptr);
  // A handler in another thread may still hold the context.
  while (handlersRunning.load())
    sched_yield();
  if (__atomic_load_n(&context.interrupted, __ATOMIC_RELAXED)) {
    __atomic_store_n(&context.interrupted, false, __ATOMIC_RELAXED);
    weft_context_reset_cancel(&context);
  }
}
