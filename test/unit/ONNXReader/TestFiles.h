//===- TestFiles.h - Temporary folders and files for tests ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TEST_UNIT_ONNXREADER_TESTFILES_H
#define WEFT_TEST_UNIT_ONNXREADER_TESTFILES_H

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace weft::onnx::test {

/// A folder that is removed with everything in it.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "weft-XXXXXX").string();
    if (const char *made = ::mkdtemp(name.data()))
      path = made;
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path.empty())
      std::filesystem::remove_all(path, ignored);
  }

  std::string operator/(const std::string &name) const { return path + "/" + name; }
  /// Writes a file and gives its path.
  std::string write(const std::string &name, const std::string &bytes) const {
    std::string file = *this / name;
    std::ofstream(file, std::ios::binary) << bytes;
    return file;
  }

  std::string path;
};

} // namespace weft::onnx::test

#endif // WEFT_TEST_UNIT_ONNXREADER_TESTFILES_H
