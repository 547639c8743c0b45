//===- PluginDescriptor.h - What a plugin says before it runs ---*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The descriptor lies in an ELF note of the plugin (section
// `.note.weft.plugin`, owner "Weft", type 1), so that the loader reads it from
// the file and refuses a library that does not fit before dlopen runs any of
// its static constructors. It holds no pointers, because nothing is relocated
// then, and only ever grows at its end.
//
// Plugins use WEFT_PLUGIN of weft/Plugin.h, not this file.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PLUGINDESCRIPTOR_H
#define WEFT_PLUGINDESCRIPTOR_H

#include <cstddef>
#include <cstdint>

/// The plugin API of these headers. The major number is raised when an existing
/// plugin's source has to change, the minor one when something is added.
#define WEFT_PLUGIN_API_MAJOR 1
#define WEFT_PLUGIN_API_MINOR 0

/// Owner and type of the ELF note.
#define WEFT_PLUGIN_NOTE_OWNER "Weft"
#define WEFT_PLUGIN_NOTE_TYPE 1u

/// Everything the loader compares before it runs a plugin's code. Strings end
/// in a zero byte; the rest of their field is zero.
struct WeftPluginDescriptor {
  uint32_t structSize; ///< Bytes of this struct that the plugin knows.
  uint16_t apiMajor;
  uint16_t apiMinor;
  char llvmVersion[24]; ///< LLVM_VERSION_STRING that the plugin was built with.
  char fingerprint[80]; ///< WEFT_FINGERPRINT that the plugin was built with.
  char name[64];        ///< Unique among plugins: [a-z][a-z0-9_-]*.
  char version[32];     ///< The plugin's own, for display.
};

static_assert(sizeof(WeftPluginDescriptor) == 208 && alignof(WeftPluginDescriptor) == 4,
              "the descriptor is a file format");

namespace weft {

/// The note as it lies in the file: header, owner padded to 4 bytes,
/// descriptor.
struct PluginNote {
  uint32_t ownerSize;
  uint32_t descriptorSize;
  uint32_t type;
  char owner[8];
  WeftPluginDescriptor descriptor;
};

namespace detail {
template <size_t N, size_t M> constexpr void copyString(char (&field)[N], const char (&text)[M]) {
  static_assert(M <= N, "too long for its field of the plugin descriptor");
  for (size_t i = 0; i < M; ++i)
    field[i] = text[i];
}
} // namespace detail

template <size_t A, size_t B, size_t C, size_t D>
constexpr PluginNote makePluginNote(uint16_t apiMajor, uint16_t apiMinor,
                                    const char (&llvmVersion)[A], const char (&fingerprint)[B],
                                    const char (&name)[C], const char (&version)[D]) {
  PluginNote note = {};
  note.ownerSize = sizeof(WEFT_PLUGIN_NOTE_OWNER);
  note.descriptorSize = sizeof(WeftPluginDescriptor);
  note.type = WEFT_PLUGIN_NOTE_TYPE;
  detail::copyString(note.owner, WEFT_PLUGIN_NOTE_OWNER);
  note.descriptor.structSize = sizeof(WeftPluginDescriptor);
  note.descriptor.apiMajor = apiMajor;
  note.descriptor.apiMinor = apiMinor;
  detail::copyString(note.descriptor.llvmVersion, llvmVersion);
  detail::copyString(note.descriptor.fingerprint, fingerprint);
  detail::copyString(note.descriptor.name, name);
  detail::copyString(note.descriptor.version, version);
  return note;
}

} // namespace weft

/// Puts `NOTE`, a constant expression of type weft::PluginNote, into the
/// library that contains this line. Once per library.
#define WEFT_PLUGIN_NOTE(NOTE)                                                                     \
  extern "C" __attribute__((visibility("hidden"))) const ::weft::PluginNote weftPluginNote;        \
  __attribute__((section(".note.weft.plugin"), used,                                               \
                 aligned(4))) constexpr ::weft::PluginNote weftPluginNote = NOTE

#endif // WEFT_PLUGINDESCRIPTOR_H
