//===- TempFolder.h - A folder that is removed with its owner -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TOOLS_WEFT_TEMPFOLDER_H
#define WEFT_TOOLS_WEFT_TEMPFOLDER_H

#include "Base/Result.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

namespace weft {

class TempFolder {
public:
  /// $TMPDIR, else /tmp.
  static std::string systemFolder() {
    const char *folder = std::getenv("TMPDIR");
    return folder && *folder ? folder : "/tmp";
  }

  static Result<TempFolder> create(const std::string &parent) {
    TempFolder folder;
    std::string name = parent + "/weft-XXXXXX";
    if (!::mkdtemp(name.data()))
      return Error{parent + ": cannot make a folder: " + std::strerror(errno)};
    folder.name = name;
    return folder;
  }

  TempFolder(TempFolder &&other) noexcept : name(std::move(other.name)) { other.name.clear(); }
  TempFolder &operator=(TempFolder &&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    if (!name.empty())
      std::filesystem::remove_all(name, ignored);
  }

  const std::string &path() const { return name; }
  /// The folder has moved or is to stay.
  void release() { name.clear(); }

private:
  TempFolder() = default;
  std::string name;
};

} // namespace weft

#endif // WEFT_TOOLS_WEFT_TEMPFOLDER_H
