//===- Compiler.h - The compiler library, opened on demand ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TOOLS_WEFT_COMPILER_H
#define WEFT_TOOLS_WEFT_COMPILER_H

#include "Base/Result.h"

#include <string>
#include <vector>

namespace weft {

/// Path, size and time of change of a file; the path alone if there is none.
std::string fileIdentity(const std::string &path);

struct CompileRequest {
  std::string input, output;
  /// Further flags, as `weft compile` takes them.
  std::vector<std::string> arguments;
  /// No progress on standard error.
  bool quiet = true;
};

struct CompileOutcome {
  /// An ExitCode.
  int code = 0;
  /// Without the compiler's closing line about the output, which is sometimes a
  /// temporary file; the commands have words of their own for it.
  std::string diagnostics;
  double seconds = 0;
};

/// libWeft.so, which lies in ../lib of the program.
class Compiler {
public:
  static Result<Compiler> open();

  std::string version() const { return versionText; }
  /// What tells this build from any other of the same version: the library's
  /// path, size and time of change.
  std::string identity() const;
  CompileOutcome compile(const CompileRequest &request) const;

private:
  // The library stays open until the process ends: MLIR's registries are not
  // made to be unloaded.
  void *compileFunction = nullptr;
  void *freeFunction = nullptr;
  std::string versionText;
};

} // namespace weft

#endif // WEFT_TOOLS_WEFT_COMPILER_H
