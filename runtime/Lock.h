//===- Lock.h - Mutual exclusion ----------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_LOCK_H
#define WEFT_RUNTIME_LOCK_H

#include <pthread.h>

namespace weft::runtime {

/// A lock that, unlike std::mutex, has no way to throw.
class Lock {
public:
  void acquire() { pthread_mutex_lock(&mutex); }
  void release() { pthread_mutex_unlock(&mutex); }

private:
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
};

class Locked {
public:
  explicit Locked(Lock &lock) : lock(lock) { lock.acquire(); }
  ~Locked() { lock.release(); }
  Locked(const Locked &) = delete;

private:
  Lock &lock;
};

} // namespace weft::runtime

#endif // WEFT_RUNTIME_LOCK_H
