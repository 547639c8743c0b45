//===- Main.cpp - The weft command ----------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Starts in milliseconds: the compiler is a library that is opened only by the
// commands that compile.
//
//===----------------------------------------------------------------------===//

#include "Compiler.h"
#include "Tensor/Print.h"
#include "Tool.h"
#include "weft-runtime/runtime.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

using namespace weft;

static constexpr CommandEntry commands[] = {
    {describeCompile, runCompile}, {describeRun, runRun},         {describeCheck, runCheck},
    {describeBench, runBench},     {describeInspect, runInspect}, {describeDoctor, runDoctor}};

int weft::fail(const std::string &message, int code) {
  std::fflush(stdout);
  std::fprintf(stderr, "weft: error: %s\n", message.c_str());
  return code;
}

int weft::fail(const Error &error, int code) { return fail(error.message, code); }

std::string weft::formatNumber(double value, int digits) { return printNumber(value, digits); }

std::string weft::formatBytes(uint64_t bytes) {
  static constexpr const char *units[] = {"B", "KB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1000 && unit + 1 < std::size(units); ++unit)
    value /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value,
                units[unit]);
  return text;
}

std::string weft::formatTime(double seconds) {
  struct Unit {
    double seconds;
    const char *name;
  };
  static constexpr Unit units[] = {{1, "s"}, {1e-3, "ms"}, {1e-6, "us"}};
  char text[32];
  for (const Unit &unit : units)
    if (seconds >= unit.seconds || unit.seconds == 1e-6) {
      double value = seconds / unit.seconds;
      std::snprintf(text, sizeof text,
                    value < 10    ? "%.2f %s"
                    : value < 100 ? "%.1f %s"
                                  : "%.0f %s",
                    value, unit.name);
      break;
    }
  return text;
}

double weft::now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static std::string usage() {
  std::string text = "weft compiles machine-learning models to native modules "
                     "and runs them.\n\nUsage: weft COMMAND [arguments]\n\n"
                     "Commands:\n";
  for (const CommandEntry &entry : commands) {
    Command command = entry.describe();
    std::string left = "  " + std::string(command.name);
    left.resize(12, ' ');
    text += left + std::string(command.summary) + "\n";
  }
  return text + "\n  weft COMMAND --help  explains a command\n"
                "  weft --version       prints all versions\n"
                "  weft --list-plugins, --print-pipeline [--target=NAME]\n"
                "                       show what the compiler is made of\n"
                "\nExit codes: 0 success, 1 error, 2 wrong usage, 3 the model needs "
                "something\nunsupported, 4 numbers differ or are too slow, 70 "
                "internal "
                "error.\n";
}

static int printVersion() {
  std::printf("weft %s\nruntime %s (interface %u.%u)\n", WEFT_VERSION, weft_runtime_version(),
              weft_runtime_api_version() >> 16, weft_runtime_api_version() & 0xffff);
  Result<Compiler> compiler = Compiler::open();
  if (compiler)
    std::printf("compiler %s\n", compiler->version().c_str());
  else
    std::printf("compiler not available: %s\n", compiler.error().message.c_str());
  return ExitSuccess;
}

static int runCommandLine(int argc, char **argv) {
  if (argc < 2) {
    std::fputs(usage().c_str(), stderr);
    return ExitUsage;
  }
  std::string_view name = argv[1];
  if (name == "--help" || name == "-h" || name == "help") {
    std::fputs(usage().c_str(), stdout);
    return ExitSuccess;
  }
  if (name == "--version")
    return printVersion();
  // Questions about the compiler are its own to answer.
  if (name.starts_with("--list-plugins") || name.starts_with("--print-pipeline") ||
      name.starts_with("--load-plugin")) {
    Result<Compiler> compiler = Compiler::open();
    if (!compiler)
      return fail(compiler.error());
    CompileRequest request;
    for (int i = 1; i < argc; ++i)
      request.arguments.push_back(argv[i]);
    CompileOutcome outcome = compiler->compile(request);
    std::fputs(outcome.diagnostics.c_str(), outcome.code == ExitSuccess ? stdout : stderr);
    return outcome.code;
  }
  std::vector<std::string_view> names;
  for (const CommandEntry &entry : commands) {
    Command command = entry.describe();
    names.push_back(command.name);
    if (command.name != name)
      continue;
    std::span<const char *const> words(argv + 2, static_cast<size_t>(argc - 2));
    for (std::string_view word : words) {
      if (word == "--")
        break;
      if (word == "--help" || word == "-h") {
        std::fputs(helpText(command).c_str(), stdout);
        return ExitSuccess;
      }
    }
    Result<Arguments> arguments = Arguments::parse(command, words);
    if (!arguments)
      return fail(arguments.error(), ExitUsage);
    return entry.run(command, *arguments);
  }
  std::optional<std::string_view> meant = nearest(name, names);
  return fail("unknown command '" + std::string(name) + "'" +
                  (meant ? "; did you mean '" + std::string(*meant) + "'?" : "; see 'weft --help'"),
              ExitUsage);
}

int main(int argc, char **argv) {
  int code = runCommandLine(argc, argv);
  // A full disk shows when the buffer is written. A reader that has gone away has
  // ended the process by then.
  errno = 0;
  bool isWritten = std::fflush(stdout) == 0 && !std::ferror(stdout);
  if (!isWritten && code == ExitSuccess)
    return fail(std::string("standard output: ") + std::strerror(errno ? errno : EIO));
  return code;
}
