//===- Version.h - The compiler's version -----------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_VERSION_H
#define WEFT_VERSION_H

#include <string>

namespace weft {

/// "weft 0.1.0, LLVM 22.1.8".
std::string versionText();

} // namespace weft

#endif // WEFT_VERSION_H
