//===- ElfNote.h - A plugin's descriptor out of its file ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_LIB_PLUGIN_ELFNOTE_H
#define WEFT_LIB_PLUGIN_ELFNOTE_H

#include "Base/Result.h"
#include "weft/PluginDescriptor.h"

#include <span>

namespace weft {

/// Finds the plugin descriptor in the bytes of an ELF shared library and checks
/// that all of its segments lie inside the file. No byte of `file` is trusted.
/// The error is the part of a sentence that follows the file's name.
Result<WeftPluginDescriptor> findPluginDescriptor(std::span<const uint8_t> file);

} // namespace weft

#endif // WEFT_LIB_PLUGIN_ELFNOTE_H
