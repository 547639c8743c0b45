//===- OutputPaths.h - Where files may be written -------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TOOLS_WEFT_OUTPUTPATHS_H
#define WEFT_TOOLS_WEFT_OUTPUTPATHS_H

#include "Base/Result.h"

#include <span>
#include <string>
#include <vector>

namespace weft {

/// A file that a command reads or writes, and what it is called in messages:
/// "the model", "option '-o'".
struct NamedPath {
  std::string what, path;
};

/// Fails where an output would overwrite an input or another output, whatever
/// the paths look like. "-" is standard output, which can be
/// one output's. Devices and pipes can be everybody's.
Status checkOutputPaths(std::span<const NamedPath> outputs, std::span<const NamedPath> inputs);

/// Fails where an output is a folder or lies in none. (The compiler sees to this
/// itself.)
Status checkOutputFolders(std::span<const NamedPath> outputs);

/// The files with external data that the model at `path` names, in its order.
std::vector<std::string> externalFiles(const std::string &path);

} // namespace weft

#endif // WEFT_TOOLS_WEFT_OUTPUTPATHS_H
