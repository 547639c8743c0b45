//===- peaks.cpp - What the machine can do at this moment -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The limits that a kernel is measured against: multiply-adds of f32, dot
// products of bf16 and of int8 out of registers, and reading memory. bench/
// compare.py asks for them in every round, because they drift within minutes.
//
//   peaks            prints one line of JSON for one and for all threads
//   peaks --serve    answers each line "THREADS MILLISECONDS" with such a line
//
// An instruction that the CPU lacks is null.
//
//===----------------------------------------------------------------------===//

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <immintrin.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

using Clock = std::chrono::steady_clock;

// Twice what latency times ports needs (4 x 2), so that neither port waits.
#define SIXTEEN(STEP)                                                                              \
  STEP(0)                                                                                          \
  STEP(1)                                                                                          \
  STEP(2)                                                                                          \
  STEP(3)                                                                                          \
  STEP(4) STEP(5) STEP(6) STEP(7) STEP(8) STEP(9) STEP(10) STEP(11) STEP(12) STEP(13) STEP(14)     \
      STEP(15)
#define TWELVE(STEP)                                                                               \
  STEP(0)                                                                                          \
  STEP(1)                                                                                          \
  STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7) STEP(8) STEP(9) STEP(10) STEP(11)
/// Keeps the compiler from knowing a value.
#define OPAQUE(VALUE) __asm__ volatile("" : "+v"(VALUE))

/// Instructions between two looks at the clock.
static constexpr int64_t steps = 2000;

__attribute__((target("avx512f"))) static double multiplyAdd512() {
  __m512 factor = _mm512_set1_ps(0.999f), term = _mm512_set1_ps(0.001f);
  OPAQUE(factor);
  OPAQUE(term);
#define DECLARE(I) __m512 sum##I = term;
#define STEP(I) sum##I = _mm512_fmadd_ps(sum##I, factor, term);
#define KEEP(I) OPAQUE(sum##I);
  SIXTEEN(DECLARE)
  for (int64_t i = 0; i < steps; ++i) {
    SIXTEEN(STEP)
    SIXTEEN(KEEP)
  }
#undef DECLARE
#undef STEP
  return double(steps) * 16 * 16 * 2;
}

__attribute__((target("avx2,fma"))) static double multiplyAdd256() {
  __m256 factor = _mm256_set1_ps(0.999f), term = _mm256_set1_ps(0.001f);
  OPAQUE(factor);
  OPAQUE(term);
#define DECLARE(I) __m256 sum##I = term;
#define STEP(I) sum##I = _mm256_fmadd_ps(sum##I, factor, term);
  TWELVE(DECLARE)
  for (int64_t i = 0; i < steps; ++i) {
    TWELVE(STEP)
    TWELVE(KEEP)
  }
#undef DECLARE
#undef STEP
  return double(steps) * 12 * 8 * 2;
}

__attribute__((target("avx512f,avx512bf16"))) static double dotBF16() {
  __m512 start = _mm512_setzero_ps();
  __m512i bits = _mm512_set1_epi32(0x3F803F80);
  OPAQUE(bits);
  const __m512bh ones = (__m512bh)bits;
#define DECLARE(I) __m512 sum##I = start;
#define STEP(I) sum##I = _mm512_dpbf16_ps(sum##I, ones, ones);
  SIXTEEN(DECLARE)
  for (int64_t i = 0; i < steps; ++i) {
    SIXTEEN(STEP)
    SIXTEEN(KEEP)
  }
#undef DECLARE
#undef STEP
  return double(steps) * 16 * 32 * 2;
}

__attribute__((target("avx512f,avx512vnni"))) static double dotInt8() {
  __m512i start = _mm512_setzero_si512(), ones = _mm512_set1_epi8(1);
  OPAQUE(ones);
#define DECLARE(I) __m512i sum##I = start;
#define STEP(I) sum##I = _mm512_dpbusd_epi32(sum##I, ones, ones);
  SIXTEEN(DECLARE)
  for (int64_t i = 0; i < steps; ++i) {
    SIXTEEN(STEP)
    SIXTEEN(KEEP)
  }
#undef DECLARE
#undef STEP
#undef KEEP
  return double(steps) * 16 * 64 * 2;
}

/// Memory of which a part is read at a time; far larger than the last cache.
static constexpr size_t memoryBytes = size_t(256) << 20;
static constexpr size_t partBytes = size_t(1) << 20;
static const char *memory = nullptr;
static std::atomic<size_t> nextPart{0};

/// Pages of a file, as a module's weights are.
static bool mapMemory() {
  const char *folder = std::getenv("TMPDIR");
  int fd = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0)
    fd = memfd_create("peaks", MFD_CLOEXEC);
  if (fd < 0)
    return false;
  std::vector<char> part(partBytes, 1);
  for (size_t at = 0; at < memoryBytes; at += partBytes)
    if (write(fd, part.data(), partBytes) != ssize_t(partBytes))
      return false;
  void *address = mmap(nullptr, memoryBytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  close(fd);
  if (address == MAP_FAILED)
    return false;
  memory = static_cast<const char *>(address);
  return true;
}

/// Reads a part of the memory in a line's steps, so that it costs no more
/// instructions than the widest load would.
static double readMemory() {
  const size_t part = nextPart.fetch_add(1) % (memoryBytes / partBytes);
  const char *from = memory + part * partBytes;
  uint64_t sum = 0;
  for (size_t i = 0; i < partBytes; i += 256) {
    uint64_t a, b, c, d;
    std::memcpy(&a, from + i, sizeof a);
    std::memcpy(&b, from + i + 64, sizeof b);
    std::memcpy(&c, from + i + 128, sizeof c);
    std::memcpy(&d, from + i + 192, sizeof d);
    sum += a + b + c + d;
  }
  __asm__ volatile("" : : "r"(sum));
  return double(partBytes);
}

/// What `threads` threads do of `work` in a second, measured over `seconds`.
static double measure(double (*work)(), int threads, double seconds) {
  std::atomic<int> ready{0};
  std::vector<double> rates(static_cast<size_t>(threads), 0.0);
  auto run = [&](size_t index) {
    work(); // pages, caches, the vector units' power
    ready.fetch_add(1);
    while (ready.load() < threads)
      _mm_pause();
    const Clock::time_point begin = Clock::now();
    double amount = 0, passed = 0;
    do {
      amount += work();
      passed = std::chrono::duration<double>(Clock::now() - begin).count();
    } while (passed < seconds);
    rates[index] = amount / passed;
  };
  std::vector<std::thread> others;
  for (size_t i = 1; i < rates.size(); ++i)
    others.emplace_back(run, i);
  run(0);
  for (std::thread &other : others)
    other.join();
  double sum = 0;
  for (double rate : rates)
    sum += rate;
  return sum;
}

static void print(const char *name, double (*work)(), int threads, double seconds) {
  if (work)
    std::printf(", \"%s\": %.3f", name, measure(work, threads, seconds) * 1e-9);
  else
    std::printf(", \"%s\": null", name);
}

static void answer(int threads, double seconds) {
  const bool wide = __builtin_cpu_supports("avx512f");
  const bool fused = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  std::printf("{\"threads\": %d", threads);
  print("fma_gflops", wide ? multiplyAdd512 : fused ? multiplyAdd256 : nullptr, threads, seconds);
  print("bf16_gflops", __builtin_cpu_supports("avx512bf16") ? dotBF16 : nullptr, threads, seconds);
  print("int8_gops", __builtin_cpu_supports("avx512vnni") ? dotInt8 : nullptr, threads, seconds);
  print("read_gbytes", readMemory, threads, seconds);
  std::printf("}\n");
  std::fflush(stdout);
}

int main(int argc, char **argv) {
  if (!mapMemory()) {
    std::fprintf(stderr, "peaks: no %zu MB of memory to read\n", memoryBytes >> 20);
    return 1;
  }
  if (argc < 2) {
    answer(1, 0.1);
    answer(static_cast<int>(std::max(1u, std::thread::hardware_concurrency())), 0.1);
    return 0;
  }
  if (argc != 2 || std::strcmp(argv[1], "--serve") != 0) {
    std::fprintf(stderr, "usage: peaks [--serve]\n");
    return 2;
  }
  int threads = 0;
  double milliseconds = 0;
  while (std::scanf("%d %lf", &threads, &milliseconds) == 2) {
    if (threads < 1 || threads > 4096 || !(milliseconds >= 0)) {
      std::fprintf(stderr, "peaks: expected THREADS MILLISECONDS\n");
      return 2;
    }
    answer(threads, milliseconds * 1e-3);
  }
  return 0;
}
