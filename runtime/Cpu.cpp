//===- Cpu.cpp - What the processor can do ------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Cpu.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace weft::runtime;

namespace {
enum Register : uint8_t { EAX, EBX, ECX, EDX };

/// What the operating system must save for a feature to be usable.
enum State : uint8_t { None, Avx, Avx512, Amx };

struct Feature {
  const char *name; // LLVM's
  uint32_t leaf, subleaf;
  Register reg;
  uint8_t bit;
  State state;
};
} // namespace

// Intel SDM volume 2A, CPUID; AMD64 APM volume 3, appendix E.
static constexpr Feature knownFeatures[] = {
    {"cx8", 1, 0, EDX, 8, None},
    {"cmov", 1, 0, EDX, 15, None},
    {"mmx", 1, 0, EDX, 23, None},
    {"fxsr", 1, 0, EDX, 24, None},
    {"sse", 1, 0, EDX, 25, None},
    {"sse2", 1, 0, EDX, 26, None},
    {"sse3", 1, 0, ECX, 0, None},
    {"pclmul", 1, 0, ECX, 1, None},
    {"ssse3", 1, 0, ECX, 9, None},
    {"fma", 1, 0, ECX, 12, Avx},
    {"cx16", 1, 0, ECX, 13, None},
    {"sse4.1", 1, 0, ECX, 19, None},
    {"sse4.2", 1, 0, ECX, 20, None},
    {"crc32", 1, 0, ECX, 20, None},
    {"movbe", 1, 0, ECX, 22, None},
    {"popcnt", 1, 0, ECX, 23, None},
    {"aes", 1, 0, ECX, 25, None},
    {"xsave", 1, 0, ECX, 27, None},
    {"avx", 1, 0, ECX, 28, Avx},
    {"f16c", 1, 0, ECX, 29, Avx},
    {"rdrnd", 1, 0, ECX, 30, None},
    {"fsgsbase", 7, 0, EBX, 0, None},
    {"bmi", 7, 0, EBX, 3, None},
    {"avx2", 7, 0, EBX, 5, Avx},
    {"bmi2", 7, 0, EBX, 8, None},
    {"invpcid", 7, 0, EBX, 10, None},
    {"avx512f", 7, 0, EBX, 16, Avx512},
    {"avx512dq", 7, 0, EBX, 17, Avx512},
    {"rdseed", 7, 0, EBX, 18, None},
    {"adx", 7, 0, EBX, 19, None},
    {"avx512ifma", 7, 0, EBX, 21, Avx512},
    {"clflushopt", 7, 0, EBX, 23, None},
    {"clwb", 7, 0, EBX, 24, None},
    {"avx512cd", 7, 0, EBX, 28, Avx512},
    {"sha", 7, 0, EBX, 29, None},
    {"avx512bw", 7, 0, EBX, 30, Avx512},
    {"avx512vl", 7, 0, EBX, 31, Avx512},
    {"avx512vbmi", 7, 0, ECX, 1, Avx512},
    {"pku", 7, 0, ECX, 4, None},
    {"waitpkg", 7, 0, ECX, 5, None},
    {"avx512vbmi2", 7, 0, ECX, 6, Avx512},
    {"shstk", 7, 0, ECX, 7, None},
    {"gfni", 7, 0, ECX, 8, None},
    {"vaes", 7, 0, ECX, 9, Avx},
    {"vpclmulqdq", 7, 0, ECX, 10, Avx},
    {"avx512vnni", 7, 0, ECX, 11, Avx512},
    {"avx512bitalg", 7, 0, ECX, 12, Avx512},
    {"avx512vpopcntdq", 7, 0, ECX, 14, Avx512},
    {"rdpid", 7, 0, ECX, 22, None},
    {"cldemote", 7, 0, ECX, 25, None},
    {"movdiri", 7, 0, ECX, 27, None},
    {"movdir64b", 7, 0, ECX, 28, None},
    {"enqcmd", 7, 0, ECX, 29, None},
    {"uintr", 7, 0, EDX, 5, None},
    {"avx512vp2intersect", 7, 0, EDX, 8, Avx512},
    {"serialize", 7, 0, EDX, 14, None},
    {"tsxldtrk", 7, 0, EDX, 16, None},
    {"amx-bf16", 7, 0, EDX, 22, Amx},
    {"avx512fp16", 7, 0, EDX, 23, Avx512},
    {"amx-tile", 7, 0, EDX, 24, Amx},
    {"amx-int8", 7, 0, EDX, 25, Amx},
    {"sha512", 7, 1, EAX, 0, Avx},
    {"avxvnni", 7, 1, EAX, 4, Avx},
    {"avx512bf16", 7, 1, EAX, 5, Avx512},
    {"cmpccxadd", 7, 1, EAX, 7, None},
    {"amx-fp16", 7, 1, EAX, 21, Amx},
    {"hreset", 7, 1, EAX, 22, None},
    {"avxifma", 7, 1, EAX, 23, Avx},
    {"avxvnniint8", 7, 1, EDX, 4, Avx},
    {"avxneconvert", 7, 1, EDX, 5, Avx},
    {"amx-complex", 7, 1, EDX, 8, Amx},
    {"avxvnniint16", 7, 1, EDX, 10, Avx},
    {"prefetchi", 7, 1, EDX, 14, None},
    {"xsaveopt", 13, 1, EAX, 0, None},
    {"xsavec", 13, 1, EAX, 1, None},
    {"xsaves", 13, 1, EAX, 3, None},
    {"ptwrite", 0x14, 0, EBX, 4, None},
    {"sahf", 0x80000001, 0, ECX, 0, None},
    {"lzcnt", 0x80000001, 0, ECX, 5, None},
    {"sse4a", 0x80000001, 0, ECX, 6, None},
    {"prfchw", 0x80000001, 0, ECX, 8, None},
    {"mwaitx", 0x80000001, 0, ECX, 29, None},
    {"64bit", 0x80000001, 0, EDX, 29, None},
    {"clzero", 0x80000008, 0, EBX, 0, None},
    {"rdpru", 0x80000008, 0, EBX, 4, None},
    {"wbnoinvd", 0x80000008, 0, EBX, 9, None},
};

static bool readBit(const Feature &feature) {
  uint32_t regs[4];
  if (__get_cpuid_max(feature.leaf & 0x80000000, nullptr) < feature.leaf)
    return false;
  __cpuid_count(feature.leaf, feature.subleaf, regs[EAX], regs[EBX], regs[ECX], regs[EDX]);
  return regs[feature.reg] >> feature.bit & 1;
}

/// Linux gives the 8 KiB of AMX state only to processes that ask for it; the
/// permission holds for all threads (arch_prctl ARCH_REQ_XCOMP_PERM,
/// XTILEDATA).
static bool requestTiles() { return syscall(SYS_arch_prctl, 0x1023, 18) == 0; }

static bool isSaved(State state) {
  if (state == None)
    return true;
  uint32_t a, b, c, d, low, high;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) // OSXSAVE
    return false;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  const uint32_t needed = state == Avx ? 0x6 : state == Avx512 ? 0xE6 : 0x60006;
  if ((low & needed) != needed)
    return false;
  return state != Amx || requestTiles();
}

static bool hasFeature(const char *name, size_t length) {
  for (const Feature &feature : knownFeatures)
    if (strlen(feature.name) == length && memcmp(feature.name, name, length) == 0)
      return readBit(feature) && isSaved(feature.state);
  return false;
}

bool weft::runtime::hasFeatures(const char *features, Text &missing) {
  bool all = true;
  for (const char *at = features; *at;) {
    size_t length = strcspn(at, ",");
    const char *name = at;
    at += length + (at[length] == ',');
    for (; length && (*name == ' ' || *name == '+'); ++name)
      --length;
    if (!length || hasFeature(name, length))
      continue;
    missing.append(all ? "%.*s" : ", %.*s", int(length), name);
    all = false;
  }
  return all;
}

weft_error *weft_cpu_check(const char *features) {
  Text missing;
  if (!features || hasFeatures(features, missing))
    return nullptr;
  return makeError(Allocator(), WEFT_UNAVAILABLE, "this CPU or its operating system lacks %s",
                   missing.get());
}
