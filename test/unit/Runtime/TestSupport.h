//===- TestSupport.h - Modules and calls for the runtime's tests --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TEST_RUNTIME_TESTSUPPORT_H
#define WEFT_TEST_RUNTIME_TESTSUPPORT_H

#include "weft-runtime/runtime.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

namespace weft::test {

/// Folder of the modules that the build made of TestModule.c.
inline std::string modulePath(const std::string &name) {
  return std::string(WEFT_TEST_MODULES) + "/" + name + ".so";
}

inline std::string readFile(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  EXPECT_TRUE(stream) << path;
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline void writeFile(const std::string &path, const std::string &bytes) {
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream << bytes;
  EXPECT_TRUE(stream.flush()) << path;
}

/// Takes an error apart: "INVALID_ARGUMENT: sentence", or "" for success.
inline std::string describe(weft_error *error) {
  if (!error)
    return "";
  std::string text =
      std::string(weft_code_name(weft_error_code(error))) + ": " + weft_error_message(error);
  weft_error_free(error);
  return text;
}

/// The error that `action` throws, in the same form.
inline std::string errorOf(const std::function<void()> &action) {
  try {
    action();
  } catch (const rt::Error &error) {
    return std::string(weft_code_name(error.code())) + ": " + error.what();
  }
  return "";
}

inline std::string loadError(const std::string &path,
                             const weft_module_options *options = nullptr) {
  return errorOf([&] { rt::Module::load(path, options); });
}

/// The bytes of a weights file that TestModule.c with EXTERNAL_WEIGHTS expects:
/// 8 + 184 bytes of header and four floats.
inline std::string weightsFile(const std::string &hash) {
  std::string json = "{\"__metadata__\":{\"format\":\"weft\",\"weft.hash\":\"" + hash +
                     "\"},\"w\":{\"dtype\":\"F32\",\"shape\":[4],"
                     "\"data_offsets\":[0,16]}}";
  EXPECT_LE(json.size(), 184u);
  json.resize(184, ' ');
  const float values[4] = {1, 2, 3, 4};
  std::string bytes("\xB8\0\0\0\0\0\0\0", 8);
  return bytes + json + std::string(reinterpret_cast<const char *>(values), sizeof(values));
}
inline std::string rightHash() { return "abcdef" + std::string(58, '0'); }

} // namespace weft::test

#endif // WEFT_TEST_RUNTIME_TESTSUPPORT_H
