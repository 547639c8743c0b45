//===- Writer.h - A whole module on disk ----------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PACKAGE_WRITER_H
#define WEFT_PACKAGE_WRITER_H

#include "Package/ModuleInfo.h"
#include "Package/ObjectEmitter.h"
#include "Package/Weights.h"

#include <functional>

namespace weft {

/// What was written.
struct WrittenModule {
  uint64_t moduleSize = 0;  ///< bytes of the file at `path`
  std::string weightsPath;  ///< empty if the weights are embedded
  uint64_t weightsSize = 0; ///< bytes of the section or file
};

struct WriteOptions {
  enum class Kind {
    Module, ///< a shared object with a footer, for the runtime's loader
    Object, ///< one relocatable object, for linking into a program
  };
  Kind kind = Kind::Module;
  /// Weights of more bytes than this in all, and in any case of more than
  /// 1 GiB, go into a .safetensors file.
  uint64_t embedLimit = uint64_t(64) << 20;
  /// Called when everything is written and nothing has its name yet; if it fails,
  /// nothing gets one.
  std::function<llvm::Error(const WrittenModule &)> beforePublish = nullptr;
};

/// The path of the weights file of the module at `path`: beside it, with the
/// extension .safetensors.
std::string weightsPath(llvm::StringRef path);

/// Writes the module that consists of `objects`, the weights and the
/// description `info` to `path` (and, where the weights are too large to embed,
/// to weightsPath(path)). `info` gives everything except its weights' fields,
/// which this fills in; the order of `weights` is that of the weight table.
///
/// "-" is standard output, which has no place for a weights file.
/// Files come into being whole, under new inodes, weights first; after a
/// failure there is none that was not there before. Objects are linked in the
/// order given: sort them, and equal inputs give equal bytes. At most one link
/// runs in a process at a time.
llvm::Expected<WrittenModule> writeModule(llvm::StringRef path, ModuleInfo info,
                                          std::vector<ObjectBuffer> objects,
                                          llvm::ArrayRef<Weight> weights,
                                          const WriteOptions &options = {});

} // namespace weft

#endif // WEFT_PACKAGE_WRITER_H
