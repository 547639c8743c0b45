//===- OutputPaths.cpp - Where files may be written -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OutputPaths.h"

#include "Base/MappedFile.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

using namespace weft;
namespace fs = std::filesystem;

static bool isSameFile(const std::string &a, const std::string &b) {
  if (a == "-" || b == "-")
    return a == b;
  std::error_code failed;
  bool aIsThere = fs::exists(a, failed), bIsThere = fs::exists(b, failed);
  if (aIsThere && bIsThere)
    return fs::is_regular_file(a, failed) && fs::equivalent(a, b, failed);
  if (aIsThere != bIsThere)
    return false;
  fs::path first = fs::weakly_canonical(fs::absolute(a, failed), failed);
  fs::path second = fs::weakly_canonical(fs::absolute(b, failed), failed);
  return first == second;
}

Status weft::checkOutputPaths(std::span<const NamedPath> outputs,
                              std::span<const NamedPath> inputs) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    const NamedPath &output = outputs[i];
    for (const NamedPath &input : inputs)
      if (input.path != "-" && isSameFile(output.path, input.path))
        return Error{output.what + ": '" + output.path + "' would overwrite " + input.what};
    for (const NamedPath &other : outputs.first(i))
      if (isSameFile(output.path, other.path))
        return Error{output.what + ": '" + output.path + "' is where " + other.what +
                     " goes already"};
  }
  return {};
}

Status weft::checkOutputFolders(std::span<const NamedPath> outputs) {
  for (const NamedPath &output : outputs) {
    if (output.path == "-")
      continue;
    std::error_code failed;
    if (fs::is_directory(output.path, failed))
      return Error{output.path + ": cannot write the file: it is a folder"};
    fs::path folder = fs::path(output.path).parent_path();
    if (!folder.empty() && !fs::is_directory(folder, failed))
      return Error{output.path +
                   ": cannot write the file: No such file or directory: there is no folder '" +
                   folder.string() + "'"};
  }
  return {};
}

// The names stand behind a field that reads "location" (a StringStringEntryProto);
// bytes that only look like it give a name of nothing.
std::vector<std::string> weft::externalFiles(const std::string &path) {
  static constexpr std::string_view mark("\x0a\x08location\x12", 11);
  std::vector<std::string> files;
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return files;
  std::string_view text(reinterpret_cast<const char *>(file->bytes().data()), file->bytes().size());
  fs::path folder = fs::path(path).parent_path();
  std::string last;
  for (size_t at = text.find(mark); at != std::string_view::npos; at = text.find(mark, at + 1)) {
    size_t length = at + mark.size();
    if (length >= text.size())
      break;
    // Longer names than 127 bytes have a two-byte length.
    size_t size = static_cast<uint8_t>(text[length++]);
    if (size >= 0x80 && length < text.size())
      size = (size & 0x7f) | size_t(static_cast<uint8_t>(text[length++])) << 7;
    std::string name(text.substr(length, size));
    if (name == last || name.find('\0') != std::string::npos)
      continue;
    last = name;
    files.push_back((folder / name).string());
  }
  return files;
}
