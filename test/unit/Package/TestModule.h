//===- TestModule.h - What the tests of packaging share -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TEST_UNIT_PACKAGE_TESTMODULE_H
#define WEFT_TEST_UNIT_PACKAGE_TESTMODULE_H

#include "Package/ModuleInfo.h"
#include "Package/ObjectEmitter.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace weft::test {

/// A folder of its own, removed with all that is in it.
class Folder {
public:
  Folder();
  ~Folder();
  std::string operator/(llvm::StringRef name) const;
  /// Sorted names of the entries.
  std::vector<std::string> list() const;
  const std::string path;
};

/// Emits an object from LLVM assembly; fails the test on an error.
ObjectBuffer emit(llvm::StringRef ir, llvm::StringRef name, const EmitOptions &options = {});

/// Parses and emits; the error goes to the caller.
llvm::Expected<ObjectBuffer> tryEmit(llvm::StringRef ir, llvm::StringRef name,
                                     const EmitOptions &options = {});

/// The whole content of a file.
std::string read(const std::string &path);

/// The message of an error that is expected; empty if there is none.
std::string message(llvm::Error error);

/// A model with one function, two kernels in two variants, and two sites, in
/// objects "host", "v4" and "v3". Kernel k of variant v returns 10 v + k.
struct Model {
  ModuleInfo info;
  std::vector<ObjectBuffer> objects;
};
Model makeModel(llvm::StringRef name = "model");

} // namespace weft::test

#endif // WEFT_TEST_UNIT_PACKAGE_TESTMODULE_H
