//===- Descriptor.h - A module's description as constants -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PACKAGE_DESCRIPTOR_H
#define WEFT_PACKAGE_DESCRIPTOR_H

#include "Package/ModuleInfo.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <memory>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace weft {

/// The hidden symbol under which embedded weights are linked in.
inline constexpr llvm::StringLiteral kWeightsSymbol = "weft_weights";

/// The query function of a module that is linked statically:
/// `weft_module_query_<name>`, where every character of `name` that cannot
/// stand in a C identifier becomes `_`.
std::string staticQuerySymbol(llvm::StringRef name);

/// Emits the constant `weft_module` of `info`, all that it points to, and the
/// exported function `querySymbol`, which returns it to runtimes of this ABI's
/// major version and NULL to others. Everything else in the module is private.
/// Fails if `info` contradicts itself: an index out of range, a count that does
/// not match, a string with a NUL inside, a weight outside of the section.
llvm::Expected<std::unique_ptr<llvm::Module>>
buildDescriptor(llvm::LLVMContext &context, const ModuleInfo &info, llvm::StringRef querySymbol);

} // namespace weft

#endif // WEFT_PACKAGE_DESCRIPTOR_H
