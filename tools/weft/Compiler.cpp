//===- Compiler.cpp - The compiler library, opened on demand --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Compiler.h"

#include "Tool.h"
#include "weft/compiler.h"

#include <algorithm>
#include <cstdio>
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace weft;

static constexpr const char *libraryName = "libWeft.so";

Result<Compiler> Compiler::open() {
  // The program's run path ($ORIGIN/../lib) and the usual folders.
  void *library = ::dlopen(libraryName, RTLD_NOW | RTLD_GLOBAL);
  if (!library)
    return Error{std::string("the compiler is not available: ") + ::dlerror()};
  Compiler compiler;
  compiler.compileFunction = ::dlsym(library, "weft_compiler_compile");
  compiler.freeFunction = ::dlsym(library, "weft_compiler_free");
  auto *version =
      reinterpret_cast<decltype(&weft_compiler_version)>(::dlsym(library, "weft_compiler_version"));
  if (!compiler.compileFunction || !compiler.freeFunction || !version)
    return Error{std::string("the compiler is not available: ") + libraryName +
                 " lacks its C interface (it is of another version)"};
  compiler.versionText = version();
  return compiler;
}

std::string weft::fileIdentity(const std::string &path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0)
    return path;
  return path + "\n" + std::to_string(info.st_size) + "\n" + std::to_string(info.st_mtim.tv_sec) +
         "." + std::to_string(info.st_mtim.tv_nsec) + "\n";
}

std::string Compiler::identity() const {
  Dl_info info;
  bool isKnown = ::dladdr(compileFunction, &info) != 0 && info.dli_fname;
  return versionText + "\n" + (isKnown ? fileIdentity(info.dli_fname) : "");
}

/// A bar that is redrawn on a terminal, else a line a stage.
static void showProgress(void *user, int step, int steps, const char *stage, const char *summary) {
  bool isTerminal = *static_cast<bool *>(user);
  if (!isTerminal) {
    std::fprintf(stderr, "[%d/%d] %s: %s\n", step, steps, stage, summary);
    return;
  }
  constexpr int width = 24;
  int filled = steps > 0 ? width * step / steps : 0;
  std::string bar(static_cast<size_t>(filled), '#');
  bar.resize(width, '-');
  // Cut to the usual width, so that the line is overwritten whole.
  char line[512];
  std::snprintf(line, sizeof line, "[%s] %d/%d %s: %s", bar.c_str(), step, steps, stage, summary);
  std::fprintf(stderr, "\r\033[K%.79s", line);
  if (step == steps)
    std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
}

/// Removes the lines that start with `prefix`.
static void dropLines(std::string &text, const std::string &prefix) {
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    if (text.compare(at, prefix.size(), prefix) == 0)
      text.erase(at, end - at);
    else
      at = end;
  }
}

CompileOutcome Compiler::compile(const CompileRequest &request) const {
  std::vector<const char *> words;
  for (const std::string &argument : request.arguments)
    words.push_back(argument.c_str());
  bool isTerminal = ::isatty(STDERR_FILENO) == 1;
  weft_compile_options options = {};
  options.struct_size = sizeof options;
  options.input = request.input.empty() ? nullptr : request.input.c_str();
  options.output = request.output.empty() ? nullptr : request.output.c_str();
  options.arguments = words.data();
  options.argument_count = static_cast<int>(words.size());
  options.progress = request.quiet ? nullptr : showProgress;
  options.user = &isTerminal;
  options.quiet = request.quiet;

  CompileOutcome outcome;
  char *diagnostics = nullptr;
  double start = now();
  outcome.code =
      reinterpret_cast<decltype(&weft_compiler_compile)>(compileFunction)(&options, &diagnostics);
  outcome.seconds = now() - start;
  if (!request.quiet && isTerminal)
    std::fputs("\r\033[K", stderr); // of a compilation that stopped midway
  if (diagnostics) {
    outcome.diagnostics = diagnostics;
    if (outcome.code == ExitSuccess && !request.output.empty())
      dropLines(outcome.diagnostics, request.output + ": ");
    reinterpret_cast<decltype(&weft_compiler_free)>(freeFunction)(diagnostics);
  }
  return outcome;
}
