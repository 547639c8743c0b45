//===- Cache.h - Modules that run and bench compiled before ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TOOLS_WEFT_CACHE_H
#define WEFT_TOOLS_WEFT_CACHE_H

#include "Program.h"
#include "Tool.h"

#include <string>
#include <vector>

namespace weft {

/// $XDG_CACHE_HOME/weft, else ~/.cache/weft; "" where neither is set.
std::string cacheFolder();

/// Bytes that the cache may take: $WEFT_CACHE_SIZE, else 4 GB. When an entry is
/// added, the ones used longest ago go.
uint64_t cacheCapacity();

/// Bytes and number of entries.
struct CacheUse {
  uint64_t bytes = 0;
  int64_t entries = 0;
};
CacheUse cacheUse(const std::string &folder);

/// A module on disk that is loaded, and what it took.
struct Loaded {
  Program program;
  std::string path;
  bool compiled = false;
  double compileSeconds = 0, loadSeconds = 0;
};

/// Options that commands on MODULE|MODEL share.
std::vector<Option> cacheOptions();

/// Loads `path`, which is a module, or a model that is compiled first unless
/// the cache has it. The key is the SHA-256 of model, options, compiler and
/// CPU; plugins and external data count by name, size and time of change.
/// Returns the exit code and has printed the error if that is not ExitSuccess.
/// To be described, a module need not be able to run here.
int loadProgram(const std::string &path, const Arguments &arguments, std::optional<Loaded> &loaded,
                bool toDescribe = false);

/// Whether the file is a module (an ELF file) and not a model.
Result<bool> isModuleFile(const std::string &path);

} // namespace weft

#endif // WEFT_TOOLS_WEFT_CACHE_H
