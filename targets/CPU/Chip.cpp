//===- Chip.cpp - Which processor to compile for --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/CPU/Chip.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"

using namespace llvm;

/// Of processors that LLVM calls `cpu`.
static StringSet<> featuresOf(StringRef cpu) {
  StringSet<> names;
  SmallVector<StringRef> features;
  if (X86::parseArchX86(cpu) != X86::CK_None)
    X86::getFeaturesForCPU(cpu, features);
  for (StringRef feature : features)
    names.insert(feature);
  return names;
}

/// Extensions that generated code may use. What is not among them (system
/// instructions, say) is not asked of the machine either.
static constexpr StringLiteral usedFeatures[] = {
    "sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "cx16", "lzcnt", "bmi", "bmi2", "movbe",
    "avx", "avx2", "fma", "f16c", "avxvnni", "avxvnniint8", "avxvnniint16", "avxifma",
    "avxneconvert", "avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl", "avx512ifma",
    "avx512vbmi", "avx512vbmi2", "avx512vnni", "avx512bitalg", "avx512vpopcntdq", "avx512bf16",
    "avx512fp16", "gfni", "amx-tile", "amx-int8", "amx-bf16"};

Expected<weft::cpu::Chip> weft::cpu::resolveChip(StringRef name) {
  Chip chip;
  StringSet<> available;
  if (name == "native") {
    chip.cpu = sys::getHostCPUName().str();
    for (const auto &feature : sys::getHostCPUFeatures())
      if (feature.second)
        available.insert(feature.first());
  } else {
    if (name.contains(','))
      return createStringError("--cpu=" + name +
                               ": a module is for one processor; compile one for each");
    SmallVector<StringRef> known;
    X86::fillValidCPUArchList(known, /*Only64Bit=*/true);
    if (!llvm::is_contained(known, name))
      return createStringError("unknown processor '" + name +
                               "'; try native, x86-64-v3, x86-64-v4 or a name that "
                               "'llc -mcpu=help' lists");
    chip.cpu = name.str();
    available = featuresOf(name);
  }
  if (!available.contains("sse4.2"))
    return createStringError("processor '" + chip.cpu +
                             "' lacks SSE4.2; x86-64-v2 is the least that modules are compiled for");
  // LLVM's name of this machine's processor stands for more than a hypervisor may
  // leave of it, and LLVM would use that.
  StringSet<> implied = featuresOf(chip.cpu);
  for (StringRef feature : usedFeatures) {
    if (!available.contains(feature)) {
      if (implied.contains(feature))
        chip.features += (chip.features.empty() ? "-" : ",-") + feature.str();
      continue;
    }
    chip.features += (chip.features.empty() ? "+" : ",+") + feature.str();
    chip.required += (chip.required.empty() ? "" : ",") + feature.str();
  }
  chip.vectorBits = available.contains("avx512vl") ? 512 : available.contains("avx2") ? 256 : 128;
  return chip;
}

weft::cpu::Chip weft::cpu::makeChip(StringRef cpu, StringRef features, int64_t vectorBits) {
  Chip chip{cpu.str(), features.str(), "", vectorBits};
  for (StringRef feature : llvm::split(features, ','))
    if (feature.consume_front("+"))
      chip.required += (chip.required.empty() ? "" : ",") + feature.str();
  return chip;
}
