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

#include <tuple>

using namespace llvm;

/// Of processors that LLVM calls `cpu`.
static StringSet<> featuresOf(StringRef cpu) {
  StringSet<> names;
  SmallVector<StringRef> features;
  if (X86::parseArchX86(cpu) != X86::CK_None)
    X86::getFeaturesForCPU(cpu, features);
  // LLVM lists what does not follow from the rest: AVX2, but not AVX.
  StringMap<bool> implied;
  for (StringRef feature : features) {
    names.insert(feature);
    X86::updateImpliedFeatures(feature, /*Enabled=*/true, implied);
  }
  for (const auto &feature : implied)
    names.insert(feature.first());
  return names;
}

/// Extensions that generated code may use. What is not among them (system
/// instructions, say) is not asked of the machine either.
static constexpr StringLiteral usedFeatures[] = {
    "sse3",         "ssse3",      "sse4.1",      "sse4.2",      "popcnt",       "cx16",
    "lzcnt",        "bmi",        "bmi2",        "movbe",       "avx",          "avx2",
    "fma",          "f16c",       "avxvnni",     "avxvnniint8", "avxvnniint16", "avxifma",
    "avxneconvert", "avx512f",    "avx512cd",    "avx512bw",    "avx512dq",     "avx512vl",
    "avx512ifma",   "avx512vbmi", "avx512vbmi2", "avx512vnni",  "avx512bitalg", "avx512vpopcntdq",
    "avx512bf16",   "avx512fp16", "gfni",        "amx-tile",    "amx-int8",     "amx-bf16"};

Error weft::cpu::checkName(StringRef cpu) {
  SmallVector<StringRef> known;
  X86::fillValidCPUArchList(known, /*Only64Bit=*/true);
  if (llvm::is_contained(known, cpu))
    return Error::success();
  return createStringError("unknown processor '" + cpu +
                           "'; try native, x86-64-v3, x86-64-v4 or a name that "
                           "'llc -mcpu=help' lists");
}

Expected<weft::cpu::Chip> weft::cpu::resolveChip(StringRef name) {
  Chip chip;
  StringSet<> available;
  if (name == "native") {
    chip.cpu = sys::getHostCPUName().str();
    for (const auto &feature : sys::getHostCPUFeatures())
      if (feature.second)
        available.insert(feature.first());
  } else {
    if (Error error = checkName(name))
      return error;
    chip.cpu = name.str();
    available = featuresOf(name);
  }
  if (!available.contains("sse4.2"))
    return createStringError(
        "processor '" + chip.cpu +
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

/// Views into `chip`.
static SmallVector<StringRef> extensionsOf(const weft::cpu::Chip &chip) {
  SmallVector<StringRef> names;
  StringRef(chip.required).split(names, ',', -1, /*KeepEmpty=*/false);
  return names;
}

Expected<std::vector<weft::cpu::Chip>> weft::cpu::resolveChips(StringRef names) {
  SmallVector<StringRef> list;
  names.split(list, ',');
  std::vector<Chip> chips;
  for (StringRef name : list) {
    Expected<Chip> chip = resolveChip(name);
    if (!chip)
      return chip.takeError();
    for (const Chip &other : chips) {
      if (other.required == chip->required)
        return createStringError("--cpu=" + names + ": '" + other.cpu + "' and '" + chip->cpu +
                                 "' need the same extensions; give one of them");
      // This machine can lack what its processor's namesakes have.
      if (other.cpu == chip->cpu)
        return createStringError("--cpu=" + names + ": this machine is a '" + chip->cpu +
                                 "' with other extensions; give one of them");
    }
    chips.push_back(std::move(*chip));
  }
  // More extensions come before fewer of them: the first that a machine can run is
  // the best. The last criterion only makes the order independent of the list's.
  auto rank = [](const Chip &chip) {
    return std::tuple(chip.vectorBits, extensionsOf(chip).size(), chip.required);
  };
  llvm::sort(chips, [&](const Chip &a, const Chip &b) { return rank(a) > rank(b); });
  return chips;
}

weft::cpu::Chip weft::cpu::commonChip(ArrayRef<Chip> chips) {
  if (chips.size() == 1)
    return chips.front();
  Chip common;
  common.cpu = chips.back().cpu;
  common.vectorBits = chips.back().vectorBits;
  for (StringRef feature : extensionsOf(chips.back())) {
    if (!llvm::all_of(chips, [&](const Chip &chip) {
          return llvm::is_contained(extensionsOf(chip), feature);
        }))
      continue;
    common.features += (common.features.empty() ? "+" : ",+") + feature.str();
    common.required += (common.required.empty() ? "" : ",") + feature.str();
  }
  return common;
}
