//===- Plugin.h - Writing and loading a plugin ------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A plugin is a shared library with, in one source file:
//
//   static mlir::LogicalResult registerAudio(weft::Registrar &registrar) {
//     registrar.addDialect<audio::AudioDialect>();
//     registrar.addPass(audio::createLowerSnakePass);
//     return mlir::success();
//   }
//   WEFT_PLUGIN("audio", "1.0", registerAudio);
//
// and nothing registered by static constructors. It links Weft::Weft of
// find_package(Weft). The same library loads into the stock mlir-opt with
// --load-dialect-plugin= and --load-pass-plugin= (there, its passes are found
// by
// --pass-pipeline= and its stage callbacks do nothing).
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PLUGIN_H
#define WEFT_PLUGIN_H

#include "weft/Fingerprint.h"
#include "weft/PluginDescriptor.h"
#include "weft/Registry.h"

#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "llvm/Config/abi-breaking.h"
#include "llvm/Config/llvm-config.h"

/// The binary interface that this translation unit was compiled for: the
/// contents of Weft's public headers, LLVM, and the flags that change layouts
/// or symbols. Equal fingerprints may share C++ objects. Never the revision: a
/// change inside Weft's sources needs no rebuild of a plugin.
#ifdef __cpp_rtti
#define WEFT_FINGERPRINT_RTTI "+rtti"
#else
#define WEFT_FINGERPRINT_RTTI "-rtti"
#endif
#if LLVM_ENABLE_ABI_BREAKING_CHECKS
#define WEFT_FINGERPRINT_CHECKS "+asserts"
#else
#define WEFT_FINGERPRINT_CHECKS "-asserts"
#endif
#if defined(_LIBCPP_VERSION)
#define WEFT_FINGERPRINT_LIBRARY "+libc++"
#elif defined(_GLIBCXX_DEBUG)
#define WEFT_FINGERPRINT_LIBRARY "+libstdc++debug"
#elif defined(_GLIBCXX_USE_CXX11_ABI) && !_GLIBCXX_USE_CXX11_ABI
#define WEFT_FINGERPRINT_LIBRARY "+libstdc++98"
#else
#define WEFT_FINGERPRINT_LIBRARY "+libstdc++11"
#endif
#define WEFT_FINGERPRINT                                                                           \
  WEFT_HEADERS_HASH "+llvm" LLVM_VERSION_STRING WEFT_FINGERPRINT_RTTI WEFT_FINGERPRINT_CHECKS      \
      WEFT_FINGERPRINT_LIBRARY

namespace weft {

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

/// Reads the descriptor out of the library at `path` without loading it. The
/// file is not trusted.
llvm::Expected<WeftPluginDescriptor> readPluginDescriptor(llvm::StringRef path);

/// Loads the library at `path` into `registry`, for the rest of the process.
/// Each reason to refuse it has its own sentence.
llvm::Error loadPlugin(llvm::StringRef path, Registry &registry);

/// Loads what a list of files and folders names, separated by colons. A file
/// must be a plugin. In a folder every `*.so` that carries a plugin descriptor
/// is loaded, by name; what carries none (a library that plugins share) is not.
llvm::Error loadPluginPath(llvm::StringRef list, Registry &registry);

/// Loads what WEFT_PLUGIN_PATH and then each `--load-plugin=FILE` of a command
/// line name. Called before the command line is parsed, so that the options of
/// plugins' passes are known by then; the flags stay in `argv`.
llvm::Error loadToolPlugins(llvm::ArrayRef<const char *> argv, Registry &registry);

/// One paragraph per plugin and built-in: who it is and what it contributed.
void printPlugins(llvm::raw_ostream &os, const Registry &registry);

namespace detail {
/// The two entry points of the stock MLIR tools: the plugin's passes and
/// pipelines into MLIR's tables, and its dialects and Weft's into `dialects`.
/// There is nobody to return an error to, so they print it and exit.
void publishPluginPipelines(PluginInfo info, RegisterFunction registerFunction);
void appendPluginDialects(PluginInfo info, RegisterFunction registerFunction,
                          mlir::DialectRegistry &dialects);
} // namespace detail

} // namespace weft

//===----------------------------------------------------------------------===//
// Being a plugin
//===----------------------------------------------------------------------===//

#define WEFT_PLUGIN_EXPORT __attribute__((visibility("default")))

/// Makes the library a plugin. `NAME` and `VERSION` are string literals;
/// `REGISTER` is a `mlir::LogicalResult (weft::Registrar &)`. It may run
/// several times in a process, once per registry.
#define WEFT_PLUGIN(NAME, VERSION, REGISTER)                                                       \
  WEFT_PLUGIN_NOTE(::weft::makePluginNote(WEFT_PLUGIN_API_MAJOR, WEFT_PLUGIN_API_MINOR,            \
                                          LLVM_VERSION_STRING, WEFT_FINGERPRINT, NAME, VERSION));  \
  extern "C" WEFT_PLUGIN_EXPORT bool weftRegisterPlugin(::weft::Registrar &registrar) {            \
    return ::mlir::succeeded(REGISTER(registrar));                                                 \
  }                                                                                                \
  extern "C" WEFT_PLUGIN_EXPORT ::mlir::PassPluginLibraryInfo mlirGetPassPluginInfo() {            \
    return {MLIR_PLUGIN_API_VERSION, NAME, VERSION, [] {                                           \
              ::weft::detail::publishPluginPipelines({NAME, VERSION, "", ""}, REGISTER);           \
            }};                                                                                    \
  }                                                                                                \
  extern "C" WEFT_PLUGIN_EXPORT ::mlir::DialectPluginLibraryInfo mlirGetDialectPluginInfo() {      \
    return {MLIR_PLUGIN_API_VERSION, NAME, VERSION, [](::mlir::DialectRegistry *dialects) {        \
              ::weft::detail::appendPluginDialects({NAME, VERSION, "", ""}, REGISTER, *dialects);  \
            }};                                                                                    \
  }                                                                                                \
  static_assert(true, "a semicolon follows")

#endif // WEFT_PLUGIN_H
