//===- Tool.h - What the commands share -----------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TOOLS_WEFT_TOOL_H
#define WEFT_TOOLS_WEFT_TOOL_H

#include "Options.h"

#include <string>
#include <string_view>

namespace weft {

enum ExitCode {
  ExitSuccess = 0,
  ExitError = 1,
  ExitUsage = 2,
  ExitUnsupported = 3,
  ExitDifferent = 4,
  ExitInternal = 70
};

/// Prints "weft: error: MESSAGE" and returns `code`.
int fail(const Error &error, int code = ExitError);
int fail(const std::string &message, int code = ExitError);

/// "1.2 MB"
std::string formatBytes(uint64_t bytes);
/// "12.3 ms", from seconds.
std::string formatTime(double seconds);
/// `value` with `digits` significant digits.
std::string formatNumber(double value, int digits = 4);

/// Seconds of the monotonic clock.
double now();

/// The commands. Each gets its arguments parsed and returns the exit code.
struct CommandEntry {
  Command (*describe)();
  int (*run)(const Command &command, const Arguments &arguments);
};

Command describeCompile();
int runCompile(const Command &command, const Arguments &arguments);
Command describeRun();
int runRun(const Command &command, const Arguments &arguments);
Command describeCheck();
int runCheck(const Command &command, const Arguments &arguments);
Command describeBench();
int runBench(const Command &command, const Arguments &arguments);
Command describeInspect();
int runInspect(const Command &command, const Arguments &arguments);
Command describeDoctor();
int runDoctor(const Command &command, const Arguments &arguments);

} // namespace weft

#endif // WEFT_TOOLS_WEFT_TOOL_H
