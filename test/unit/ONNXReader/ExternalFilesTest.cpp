//===- ExternalFilesTest.cpp - Tests of external tensor data --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/ExternalFiles.h"
#include "Frontend/ONNX/Reader/Reader.h"

#include "TestFiles.h"
#include "WireWriter.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

using namespace weft;
using namespace weft::onnx;
using namespace weft::onnx::test;

namespace {
/// A folder `model` with weights, in a folder with a secret file. Every test
/// runs with openat2 and with its replacement.
class ExternalFilesTest : public testing::TestWithParam<ExternalFiles::Method> {
protected:
  ExternalFilesTest() {
    std::filesystem::create_directory(outer / "model");
    std::filesystem::create_directory(outer / "model/sub");
    outer.write("secret.bin", std::string(64, 's'));
    outer.write("model/weights.bin", "0123456789abcdef");
    outer.write("model/sub/deep.bin", "deep");
    files = makeFiles(outer / "model");
  }

  std::unique_ptr<ExternalFiles> makeFiles(std::string folder) {
    return std::make_unique<ExternalFiles>(std::move(folder), "m.onnx", std::span<const uint8_t>(),
                                           GetParam());
  }

  /// The message of the refusal of `location`, or "mapped".
  std::string map(std::string_view location) {
    auto result = files->map(location);
    return result ? "mapped" : result.error().message;
  }

  /// What a tensor uint8 [8] with this external data holds, or the error.
  std::string read(std::string_view location, std::string_view offset, std::string_view length) {
    Message message = tensor("w", 2, {8}).varint(14, 1);
    auto add = [&](std::string_view key, std::string_view text) {
      message.message(13, Message().text(1, key).text(2, text));
    };
    add("location", location);
    if (!offset.empty())
      add("offset", offset);
    if (!length.empty())
      add("length", length);
    Result<Tensor> parsed = readTensor(message.span(), "w.pb");
    if (!parsed)
      return parsed.error().message;
    Result<TensorBytes> contents = parsed->contents(*files);
    if (!contents)
      return contents.error().message;
    EXPECT_EQ(contents->getSource(), TensorBytes::Source::External);
    EXPECT_EQ(contents->getFile(), location);
    auto bytes = contents->bytes();
    return std::string(bytes.begin(), bytes.end());
  }

  TemporaryFolder outer;
  std::unique_ptr<ExternalFiles> files;
};
} // namespace

INSTANTIATE_TEST_SUITE_P(Methods, ExternalFilesTest,
                         testing::Values(ExternalFiles::Method::Automatic,
                                         ExternalFiles::Method::Stepwise),
                         [](const auto &info) {
                           return info.param == ExternalFiles::Method::Automatic ? "Automatic"
                                                                                 : "Stepwise";
                         });

TEST_P(ExternalFilesTest, ReadsWhatIsBeneathTheFolder) {
  EXPECT_EQ(read("weights.bin", "", ""), "01234567");
  EXPECT_EQ(read("weights.bin", "4", "8"), "456789ab");
  EXPECT_EQ(read("weights.bin", "8", ""), "89abcdef");
  EXPECT_EQ(read("./weights.bin", "8", "8"), "89abcdef");
  EXPECT_EQ(map("sub/deep.bin"), "mapped");
  EXPECT_EQ(map("sub//./deep.bin"), "mapped");
}

TEST_P(ExternalFilesTest, MapsAFileOnce) {
  auto first = files->map("weights.bin"), second = files->map("weights.bin");
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->data(), second->data());
}

TEST_P(ExternalFilesTest, RefusesPathsThatLeaveTheFolder) {
  std::string absolute = outer / "secret.bin";
  EXPECT_EQ(map(absolute), "external file '" + absolute +
                               "': expected a path relative to the model's folder, found an "
                               "absolute one");
  for (const char *path : {"../secret.bin", "..", "sub/../../secret.bin", "sub/../weights.bin",
                           "./../secret.bin", "sub/.."})
    EXPECT_EQ(map(path), "external file '" + std::string(path) +
                             "': expected a path inside the model's folder, "
                             "found '..'");
  EXPECT_EQ(map(""), "its location is empty, expected a path relative to the "
                     "model's folder");
  EXPECT_EQ(map(std::string_view("weights.bin\0x", 13)),
            "external file 'weights.bin\\x00x': the path holds a zero byte");
  EXPECT_EQ(map(std::string(5000, 'a')), "its location has 5000 bytes, expected at most 4096");
  EXPECT_EQ(map("sub/"), "external file 'sub/': expected a file, found a folder");
}

TEST_P(ExternalFilesTest, RefusesSymbolicLinks) {
  std::filesystem::create_symlink(outer / "secret.bin", outer / "model/out.bin");
  std::filesystem::create_symlink("weights.bin", outer / "model/in.bin");
  std::filesystem::create_symlink(outer.path, outer / "model/up");
  std::filesystem::create_symlink("sub", outer / "model/alias");
  for (const char *path :
       {"out.bin", "in.bin", "up/secret.bin", "alias/deep.bin", "sub/../out.bin"})
    EXPECT_NE(map(path), "mapped") << path;
  for (const char *path : {"out.bin", "in.bin", "up/secret.bin", "alias/deep.bin"})
    EXPECT_EQ(map(path), "external file '" + std::string(path) +
                             "': it is reached through a symbolic link, which "
                             "is not allowed for external data");
}

TEST_P(ExternalFilesTest, RefusesHardLinks) {
  std::filesystem::create_hard_link(outer / "secret.bin", outer / "model/hard.bin");
  EXPECT_EQ(map("hard.bin"), "external file 'hard.bin': expected a file with one name, found one "
                             "with 2 hard links, which is not allowed for external data");
}

TEST_P(ExternalFilesTest, RefusesWhatIsNoRegularFile) {
  ASSERT_EQ(::mkfifo((outer / "model/fifo").c_str(), 0600), 0);
  EXPECT_EQ(map("fifo"), "external file 'fifo': expected a regular file");
  EXPECT_EQ(map("sub"), "external file 'sub': expected a regular file");
  EXPECT_EQ(map("."), "external file '.': expected a regular file");
}

TEST_P(ExternalFilesTest, NamesWhatIsMissing) {
  EXPECT_EQ(read("no.bin", "", ""),
            "m.onnx: tensor 'w': external file 'no.bin': there is no such file "
            "in the model's folder");
  EXPECT_EQ(map("weights.bin/x"), "external file 'weights.bin/x': cannot open it: Not a directory");
  files = makeFiles("");
  EXPECT_EQ(map("weights.bin"), "external data was found, but the model has no "
                                "folder to look for it");
  files = makeFiles(outer / "none");
  EXPECT_EQ(map("weights.bin"),
            "cannot open the model's folder '" + (outer / "none") + "': No such file or directory");
}

TEST_P(ExternalFilesTest, ChecksOffsetAndLength) {
  EXPECT_EQ(read("weights.bin", "9", ""),
            "m.onnx: tensor 'w': external file 'weights.bin': expected 8 bytes "
            "at offset 9, found a file of 16 bytes");
  EXPECT_EQ(read("weights.bin", "18446744073709551612", "8"),
            "m.onnx: tensor 'w': external file 'weights.bin': expected 8 bytes "
            "at offset 18446744073709551612, found a file of 16 bytes");
  EXPECT_EQ(read("weights.bin", "0", "7"),
            "m.onnx: tensor 'w': expected 8 bytes of external data for uint8 "
            "[8], found length 7");
  for (const char *bad : {"-1", "x", "1x", " 1", "0x10", "18446744073709551616"})
    EXPECT_EQ(read("weights.bin", bad, "8"),
              "m.onnx: tensor 'w': expected a number of bytes as the offset of "
              "its external data, found '" +
                  std::string(bad) + "'");
  EXPECT_EQ(read("weights.bin", "0", "-8"),
            "m.onnx: tensor 'w': expected a number of bytes as the length of "
            "its external data, found '-8'");
}

TEST_P(ExternalFilesTest, EmptyFilesHoldEmptyTensors) {
  outer.write("model/empty.bin", "");
  EXPECT_EQ(read("empty.bin", "", ""),
            "m.onnx: tensor 'w': external file 'empty.bin': expected 8 bytes at "
            "offset 0, found a file of 0 bytes");
  Message message = tensor("w", 1, {0, 4})
                        .varint(14, 1)
                        .message(13, Message().text(1, "location").text(2, "empty.bin"));
  Result<Tensor> parsed = readTensor(message.span(), "w.pb");
  ASSERT_TRUE(parsed);
  Result<TensorBytes> contents = parsed->contents(*files);
  ASSERT_TRUE(contents) << contents.error().message;
  EXPECT_TRUE(contents->bytes().empty());
}

TEST(ExternalData, IsFoundBesideTheModel) {
  TemporaryFolder folder;
  folder.write("w.bin", "abcdefgh");
  Message initializer =
      tensor("w", 2, {4}).varint(14, 1).message(13, Message().text(1, "location").text(2, "w.bin"));
  std::string path = folder.write("m.onnx", model(Message().message(5, initializer)).bytes);
  Result<Model> parsed = readModel(path);
  ASSERT_TRUE(parsed) << parsed.error().message;
  Result<TensorBytes> contents = parsed->graph.initializers[0].contents(*parsed->files);
  ASSERT_TRUE(contents) << contents.error().message;
  EXPECT_EQ(contents->bytes()[3], 'd');
}
