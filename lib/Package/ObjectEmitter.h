//===- ObjectEmitter.h - From LLVM IR to an ELF object --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PACKAGE_OBJECTEMITTER_H
#define WEFT_PACKAGE_OBJECTEMITTER_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace llvm {
class Module;
} // namespace llvm

namespace weft {

/// The bytes of one relocatable object and the name that messages call it by.
struct ObjectBuffer {
  std::string name;
  llvm::SmallVector<char, 0> bytes;
};

struct EmitOptions {
  std::string triple = "x86_64-unknown-linux-gnu";
  std::string cpu = "x86-64"; ///< LLVM's name, never "native"
  std::string features;       ///< LLVM's syntax: "+avx512f,-avx512bw"
  unsigned optLevel = 3;      ///< 0 to 3, as in -O0 to -O3
  bool pic = true;
  /// The only functions that stay visible outside of the module.
  llvm::SmallVector<std::string, 1> exports;
  /// Receives LLVM's warnings (a stack frame over the limit of a function's
  /// "warn-stack-size" attribute is one).
  llvm::function_ref<void(llvm::StringRef)> onWarning = nullptr;
  /// Receives the optimised IR as assembly text as well, for --save-asm.
  llvm::SmallVectorImpl<char> *assembly = nullptr;
};

/// Makes assembly text of `module`, code for a device that carries all it calls: fails
/// where a function is left that no one defines. Otherwise as emitObject, whose
/// objects of code for AMD GPUs are such, too.
llvm::Expected<std::string> emitDeviceAssembly(llvm::Module &module, const EmitOptions &options);

/// Optimises `module` for `options.cpu` (loop and SLP vectorisers on; nothing
/// is turned into a call of a library function except memcpy, memmove, memset,
/// memcmp and bcmp, which the builtins provide) and emits it as an ELF object
/// with a section per function. Rewrites `module`. Fails on an unknown triple,
/// CPU or feature, on invalid IR, and on errors that LLVM reports through its
/// diagnostics; errors that LLVM calls fatal end the process. Needs a context
/// of its own where several threads emit at once.
llvm::Expected<ObjectBuffer> emitObject(llvm::Module &module, const EmitOptions &options);

/// Writes assembly text to `folder`, which is made if it is missing, for --save-asm. Where
/// `file` has a slash, the file's name has an underscore.
llvm::Error writeAssembly(llvm::StringRef folder, std::string file, llvm::StringRef text);

} // namespace weft

#endif // WEFT_PACKAGE_OBJECTEMITTER_H
