//===- CompileOptions.cpp - The flags of `weft compile` -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weft/Session.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Regex.h"

using namespace weft;
using namespace llvm;

static Error fail(const Twine &sentence) { return createStringError(sentence); }

/// `name=4` or `name=1..512`.
static Error parseDim(StringRef text, ImportOptions &options) {
  auto [name, value] = text.split('=');
  auto [low, high] = value.split("..");
  DimRange range;
  bool isRange = value.contains("..");
  if (name.empty() || low.getAsInteger(10, range.min) ||
      (isRange && high.getAsInteger(10, range.max)))
    return fail("--dim=" + text + ": expected NAME=SIZE or NAME=MIN..MAX");
  if (!isRange)
    range.max = range.min;
  if (range.min < 0 || range.max < range.min)
    return fail("--dim=" + text + ": expected 0 <= MIN <= MAX");
  auto [previous, isNew] = options.dims.insert({name.str(), range});
  if (!isNew && (previous->second.min != range.min || previous->second.max != range.max))
    return fail("--dim=" + text + ": '" + name + "' is given as " + Twine(previous->second.min) +
                ".." + Twine(previous->second.max) + " before");
  return Error::success();
}

/// `name:1x3x224x224`, where ? leaves a dimension as it is.
static Error parseShape(StringRef text, ImportOptions &options) {
  if (!text.contains(':'))
    return fail("--shape=" + text + ": expected NAME:1x3x224x224");
  auto [name, shape] = text.rsplit(':');
  std::vector<int64_t> dims;
  SmallVector<StringRef> parts;
  if (!shape.empty())
    shape.split(parts, 'x');
  for (StringRef part : parts) {
    int64_t size = -1;
    if (part != "?" && (part.getAsInteger(10, size) || size < 0))
      return fail("--shape=" + text + ": expected NAME:1x3x224x224");
    dims.push_back(size);
  }
  if (name.empty())
    return fail("--shape=" + text + ": expected NAME:1x3x224x224");
  auto [previous, isNew] = options.shapes.insert({name.str(), dims});
  if (!isNew && previous->second != dims)
    return fail("--shape=" + text + ": another shape of '" + name + "' is given before");
  return Error::success();
}

Error weft::parseCompileOptions(ArrayRef<std::string> arguments, CompileOptions &options) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    StringRef argument = arguments[i];
    auto [flag, value] = argument.split('=');
    bool hasValue = argument.contains('=');
    // The value can be the next argument.
    auto need = [&]() -> Error {
      if (hasValue)
        return Error::success();
      if (i + 1 >= arguments.size())
        return fail(flag + " expects a value");
      value = arguments[++i];
      return Error::success();
    };
    auto number = [&](auto &result) -> Error {
      if (Error error = need())
        return error;
      if (value.getAsInteger(10, result))
        return fail(flag + "=" + value + ": expected a number");
      return Error::success();
    };
    if (flag == "-O0" || flag == "-O1" || flag == "-O2" || flag == "-O3") {
      options.optLevel = static_cast<unsigned>(flag[2] - '0');
    } else if (argument.starts_with("-O")) {
      return fail("-O" + argument.drop_front(2) + ": expected -O0, -O1, -O2 or -O3");
    } else if (flag == "--all-dynamic") {
      options.import.allDynamic = true;
    } else if (flag == "--mlir-timing" || flag == "--timing") {
      options.timing = true;
    } else if (flag == "--remarks") {
      options.remarks = hasValue ? value.str() : ".*";
      std::string problem;
      if (!Regex(*options.remarks).isValid(problem))
        return fail("--remarks=" + *options.remarks +
                    ": expected a regular expression of categories: " + problem);
    } else if (flag == "--verify-each") {
      options.verifyEach = true;
    } else if (flag == "--jobs") {
      if (Error e = number(options.jobs))
        return e;
      if (options.jobs == 0)
        return fail("--jobs=0: expected at least 1");
    } else if (flag == "--embed-limit") {
      if (Error e = number(options.embedLimit))
        return e;
    } else {
      if (!flag.starts_with("--"))
        return fail("unknown argument '" + argument + "'");
      if (Error e = need())
        return e;
      if (flag == "--target") {
        options.pipeline.target = value.str();
      } else if (flag == "--cpu") {
        if (value.empty())
          return fail("--cpu=: expected native, x86-64-v3, x86-64-v4 or another processor");
        // Given again, it goes on with the list.
        options.cpu += (options.cpu.empty() ? "" : ",") + value.str();
      } else if (flag == "--chip") {
        if (value.empty())
          return fail("--chip=: expected the name of a chip of the target's devices");
        options.chip += (options.chip.empty() ? "" : ",") + value.str();
      } else if (flag == "--dim") {
        if (Error e = parseDim(value, options.import))
          return e;
      } else if (flag == "--shape") {
        if (Error e = parseShape(value, options.import))
          return e;
      } else if (flag == "--constant-inputs") {
        options.import.constantInputs = value.str();
      } else if (flag == "--compile-to") {
        std::optional<Stage> stage = parseStage(value);
        if (!stage)
          return fail("--compile-to=" + value + ": expected one of " + allStageNames());
        options.lastStage = *stage;
      } else if (flag == "--emit") {
        auto emit = StringSwitch<std::optional<CompileOptions::Emit>>(value)
                        .Case("module", CompileOptions::Emit::Module)
                        .Case("obj", CompileOptions::Emit::Object)
                        .Case("mlir", CompileOptions::Emit::MLIR)
                        .Default(std::nullopt);
        if (!emit)
          return fail("--emit=" + value + ": expected module, obj or mlir");
        options.emit = *emit;
      } else if (flag == "--report") {
        options.report = value.str();
      } else if (flag == "--graph") {
        if (value != "dot" && value != "svg")
          return fail("--graph=" + value + ": expected dot or svg");
        options.graph = value.str();
      } else if (flag == "--dump-stages") {
        options.dumpStages = value.str();
      } else if (flag == "--save-asm") {
        options.saveAssembly = value.str();
        options.pipeline.assemblyFolder = value.str();
      } else if (flag == "--load-plugin") {
        options.plugins.push_back(value.str());
      } else if (flag == "--plugin-option") {
        if (Error e = options.pipeline.setPluginOption(value))
          return e;
      } else {
        return fail("unknown flag '" + flag + "'");
      }
    }
  }
  return Error::success();
}
