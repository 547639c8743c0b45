//===- TestCompiler.cpp - A compiler that does what the model says --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Stands in for libWeft.so in the tests of the tool. A "model" is one line:
// `copy FILE` (the module), `exit CODE MESSAGE`, `crash` or `hang`. Every call
// appends a line to the file $WEFT_TEST_LOG. With $WEFT_TEST_MODULE, any model
// becomes that module.
//
//===----------------------------------------------------------------------===//

#include "weft/compiler.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

static int compile(const weft_compile_options &options, std::string &diagnostics) {
  if (const char *log = std::getenv("WEFT_TEST_LOG")) {
    std::ofstream file(log, std::ios::app);
    file << (options.input ? options.input : "-");
    for (int i = 0; i < options.argument_count; ++i)
      file << ' ' << options.arguments[i];
    file << '\n';
  }
  if (!options.input) {
    diagnostics = "no plugins\n";
    return 0;
  }
  std::ifstream model(options.input);
  std::string word;
  model >> word;
  if (word == "crash")
    __builtin_trap();
  if (word == "hang")
    ::pause();
  if (word == "exit") {
    int code = 1;
    model >> code >> std::ws;
    std::getline(model, diagnostics);
    return code;
  }
  std::string from;
  model >> from;
  if (const char *module = std::getenv("WEFT_TEST_MODULE"))
    from = module; // the model is a real one
  if (options.progress)
    options.progress(options.user, 8, 8, "module", "copied");
  std::error_code failed;
  std::filesystem::copy_file(from, options.output, failed);
  if (!failed)
    diagnostics = std::string(options.output) + ": copied\nwarning: a test\n";
  else
    diagnostics = options.output + (": " + failed.message());
  return failed ? 1 : 0;
}

extern "C" int weft_compiler_compile(const weft_compile_options *options, char **diagnostics) {
  std::string text;
  int code = compile(*options, text);
  *diagnostics = ::strdup(text.c_str());
  return code;
}

extern "C" const char *weft_compiler_version(void) { return "test compiler"; }

extern "C" void weft_compiler_free(void *memory) { std::free(memory); }
