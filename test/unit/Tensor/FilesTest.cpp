//===- FilesTest.cpp - Tensor files, read and written ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor/Compare.h"
#include "Tensor/Npy.h"
#include "Tensor/Print.h"
#include "Tensor/Safetensors.h"
#include "Tensor/Spec.h"

#include "TempFolder.h"

#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <sys/stat.h>

using namespace weft;

static ByteSource memory(const std::string &bytes) {
  return {{reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()}, "x.npy", nullptr};
}

static Tensor spec(std::string_view text) {
  Result<NamedTensor> named = parseSpec(text);
  EXPECT_TRUE(named) << (named ? "" : named.error().message);
  return named ? named->tensor : Tensor();
}

static std::string npy(const std::string &header, const std::string &data, char major = 1) {
  std::string bytes("\x93NUMPY", 6);
  bytes += {major, '\0'};
  uint32_t length = static_cast<uint32_t>(header.size());
  bytes.append(reinterpret_cast<const char *>(&length), major == 1 ? 2 : 4);
  return bytes + header + data;
}

static std::string readError(const std::string &bytes) {
  Result<Tensor> tensor = readNpy(memory(bytes));
  return tensor ? "no error: " + printTensor(*tensor, 10) : tensor.error().message;
}

TEST(Npy, AllTypesRoundTrip) {
  TempFolder folder;
  for (const char *text :
       {"2x3xf32=[1 2 3][4 5 6]", "f64=0.1", "3xf16=1 2 3", "3xbf16=1 2 3", "2xi64=-1 5",
        "2xi32=-1 5", "2xi16=-1 5", "2xi8=-1 5", "2xu64=1 5", "2xu32=1 5", "2xu16=1 5", "2xu8=1 5",
        "2xbool=1 0", "1xcomplex64=(1,2)", "1xcomplex128=(1,2)", "0x3xf32=[]"}) {
    std::string path = folder.path("x.npy");
    ASSERT_TRUE(writeTensorFile(path, spec(text)));
    EXPECT_EQ(TempFolder::read(path).find('\n') % 64, 63u);
    Result<Tensor> tensor = readTensorFile(path);
    ASSERT_TRUE(tensor) << tensor.error().message;
    EXPECT_EQ(printTensor(*tensor, 100), text);
  }
}

TEST(Npy, NarrowTypesWiden) {
  TempFolder folder;
  std::string path = folder.path("x.npy");
  ASSERT_TRUE(writeTensorFile(path, spec("3xi4=-8 7 1")));
  EXPECT_EQ(printTensor(*readTensorFile(path), 9), "3xi8=-8 7 1");
  ASSERT_TRUE(writeTensorFile(path, spec("2xf4E2M1FN=1.5 -6")));
  EXPECT_EQ(printTensor(*readTensorFile(path), 9), "2xf32=1.5 -6");
  // One raw byte could be anything, unless the type is given.
  ASSERT_TRUE(writeTensorFile(path, spec("2xf8E5M2=1.5 -6")));
  EXPECT_FALSE(readTensorFile(path));
  EXPECT_EQ(printTensor(spec("2xf8E5M2=@" + path), 9), "2xf8E5M2=1.5 -6");
}

TEST(Npy, VersionsOrderAndEndianness) {
  std::string header = "{'descr': '>i2', 'fortran_order': True, "
                       "'shape': (2, 3)}\n";
  std::string data("\0\1\0\4\0\2\0\5\0\3\0\6", 12);
  for (char version : {1, 2, 3})
    EXPECT_EQ(printTensor(*readNpy(memory(npy(header, data, version))), 9),
              "2x3xi16=[1 2 3][4 5 6]");
  EXPECT_EQ(readError(npy("{\"shape\":(2L,),\"descr\":\"|u1\","
                          "\"fortran_order\":False,}",
                          "\1\2")),
            "no error: 2xu8=1 2");
}

TEST(Npy, Refusals) {
  auto header = [](const std::string &descr, const std::string &shape) {
    return "{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + ", }";
  };
  EXPECT_NE(readError("").find("not a .npy file"), std::string::npos);
  EXPECT_NE(
      readError(npy(header("'|O'", "(1,)"), "12345678")).find("element type '|O' is not supported"),
      std::string::npos);
  EXPECT_NE(readError(npy(header("[('a', '<i4')]", "(1,)"), "1234")).find("arrays of structures"),
            std::string::npos);
  EXPECT_NE(readError(npy(header("'<f4'", "(3,)"), "12345678"))
                .find("needs 12 bytes from offset 67, the file has 8 there"),
            std::string::npos);
  EXPECT_NE(readError(npy(header("'<f4'", "(1,)"), "12345678")).find("to end the file at byte"),
            std::string::npos);
  EXPECT_NE(readError(npy(header("'<f4'", "(1152921504606846976, 16)"), ""))
                .find("does not fit in 63 bits"),
            std::string::npos);
  EXPECT_NE(readError(npy(header("'<f4'", "(99999999999999999999,)"), ""))
                .find("an extent that fits in 63 bits"),
            std::string::npos);
  EXPECT_NE(readError(npy("{'descr': '<f4'}", "")).find("only some of them"), std::string::npos);
  EXPECT_NE(readError(npy(header("'<f4'", "(-1,)"), "")).find("expected an extent at byte"),
            std::string::npos);
  EXPECT_NE(readError(npy("{}", "", 9)).find("version 9.0"), std::string::npos);
}

// No prefix of a file is taken for a file.
TEST(Npy, TruncatedAnywhere) {
  TempFolder folder;
  std::string path = folder.path("x.npy");
  ASSERT_TRUE(writeTensorFile(path, spec("2x3xf32=[1 2 3][4 5 6]")));
  std::string bytes = TempFolder::read(path);
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(readNpy(memory(bytes.substr(0, size)))) << size;
}

TEST(TensorProto, AllTypesRoundTrip) {
  TempFolder folder;
  for (const char *text :
       {"2x3xf32=[1 2 3][4 5 6]", "f64=0.1", "3xf16=1 2 3", "3xbf16=1 2 3", "2xi64=-1 5",
        "2xi8=-1 5", "2xu16=1 5", "2xbool=1 0", "1xcomplex64=(1,2)", "3xi4=-8 7 1", "3xu4=15 0 3",
        "3xf8E4M3FN=1 2 3", "3xf4E2M1FN=1 2 6", "0x3xf32=[]"}) {
    std::string path = folder.path("x.pb");
    ASSERT_TRUE(writeTensorFile(path, spec(text)));
    Result<Tensor> tensor = readTensorFile(path);
    ASSERT_TRUE(tensor) << tensor.error().message;
    EXPECT_EQ(printTensor(*tensor, 100), text);
  }
}

static std::string proto(const std::string &bytes) {
  ByteSource source = memory(bytes);
  source.name = "x.pb";
  Result<NamedTensor> named = readTensorProto(source);
  return named ? printTensor(named->tensor, 100) : named.error().message;
}

TEST(TensorProto, Strings) {
  TempFolder folder;
  std::string path = folder.path("x.pb");
  Tensor words = spec("2x2xstring=\"a\" \"\" \"drei ü\" \"\\\"\"");
  ASSERT_TRUE(writeTensorFile(path, words));
  Result<Tensor> back = readTensorFile(path);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(printTensor(*back, 9), printTensor(words, 9));
  EXPECT_TRUE(compareTensors(*back, words, {}).isEqual);
  Comparison other = compareTensors(spec("2x2xstring=\"a\" \"b\" \"drei ü\" \"c\""), words, {});
  EXPECT_EQ(other.mismatches, 2);
  EXPECT_NE(other.message.find("element [0, 1] is \"b\", expected \"\""), std::string::npos)
      << other.message;
  Status refused = writeTensorFile(folder.path("x.npy"), words);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("only .pb files hold strings"), std::string::npos);
}

TEST(TensorProto, TypedFields) {
  using namespace std::string_literals;
  // dims 2, data_type, then the values.
  std::string dims = "\x08\x02"s;
  EXPECT_EQ(proto(dims + "\x10\x01\x22\x08\0\0\x80\x3f\0\0\0\x40"s), "2xf32=1 2");
  EXPECT_EQ(proto(dims + "\x10\x01\x25\0\0\x80\x3f\x25\0\0\0\x40"s),
            "2xf32=1 2"); // unpacked
  EXPECT_EQ(proto(dims + "\x10\x07\x3a\x0b\x05"s + std::string(9, '\xff') + "\x01"s), "2xi64=5 -1");
  EXPECT_EQ(proto(dims + "\x10\x0a\x2a\x05\x80\x78\x80\x80\x01"s), "2xf16=1 2");
  EXPECT_EQ(proto(dims + "\x10\x16\x2a\x02\xf8\x01"s), "2xi4=-8 -1");
  EXPECT_EQ(proto(dims + "\x10\x09\x2a\x02\x01\x00"s), "2xbool=1 0");
  EXPECT_EQ(proto("\x0a\x02\x01\x02\x10\x0c\x5a\x02\x07\x08"s),
            "1x2xu32=[7 8]"); // packed dims
}

TEST(TensorProto, Refusals) {
  using namespace std::string_literals;
  std::string dims = "\x08\x02"s;
  EXPECT_EQ(proto(""), "x.pb: not an ONNX tensor of a known type: expected a "
                       "data_type between 1 and 28, found 0");
  EXPECT_EQ(proto(dims + "\x10\x08\x32\x01x"s),
            "x.pb: an unnamed tensor: expected 2 strings for string [2], found 1");
  EXPECT_EQ(proto(dims + "\x10\x01"s),
            "x.pb: an unnamed tensor: expected 8 bytes of data for float [2], "
            "found 0");
  EXPECT_EQ(proto(dims + "\x10\x01\x4a\x04\0\0\0\0"s),
            "x.pb: an unnamed tensor: expected 8 bytes of data for float [2], "
            "found 4");
  EXPECT_EQ(proto(dims + "\x10\x01\x3a\x02\x01\x02"s),
            "x.pb: an unnamed tensor: expected elements of type float in "
            "raw_data or float_data, found them in int64_data");
  // A shape that the file could never fill is refused before it is allocated.
  EXPECT_EQ(proto("\x08\x80\x80\x80\x80\x20\x10\x01"s),
            "x.pb: an unnamed tensor: expected 34359738368 bytes of data for "
            "float [8589934592], found 0");
  // Negative extents and external data; the words are the reader's.
  EXPECT_TRUE(proto("\x10\x01\x08"s + std::string(9, '\xff') + "\x01"s)
                  .starts_with("x.pb: an unnamed tensor: "));
  EXPECT_TRUE(proto("\x10\x01\x70\x01"s).starts_with("x.pb: an unnamed tensor: "));
  EXPECT_TRUE(proto("\x4a\x7f"s)
                  .starts_with("x.pb: cannot read the ONNX "
                               "tensor: at byte 2 of 2: "));
}

TEST(TensorProto, TruncatedAnywhere) {
  TempFolder folder;
  std::string path = folder.path("x.pb");
  ASSERT_TRUE(writeTensorFile(path, spec("2x3xf32=[1 2 3][4 5 6]")));
  std::string bytes = TempFolder::read(path);
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(readTensorProto(memory(bytes.substr(0, size)))) << size;
}

// Every tensor of ONNX's test data is read and written to the same values.
TEST(TensorProto, OnnxTestData) {
  std::filesystem::path root = "/usr/share/libonnx-testdata/data/node";
  if (!std::filesystem::exists(root))
    GTEST_SKIP() << "libonnx-testdata is not installed";
  TempFolder folder;
  int64_t read = 0;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(root)) {
    std::string path = entry.path().string();
    if (!path.ends_with(".pb") || path.find("_seq") != std::string::npos ||
        path.find("_opt") != std::string::npos)
      continue;
    Result<Tensor> tensor = readTensorFile(path);
    ASSERT_TRUE(tensor) << tensor.error().message;
    ++read;
    if (read % 10)
      continue; // a sample is written
    std::string copy = folder.path("copy.pb");
    ASSERT_TRUE(writeTensorFile(copy, *tensor));
    Result<Tensor> again = readTensorFile(copy);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_TRUE(compareTensors(*again, *tensor, {0, 0}).isEqual);
  }
  EXPECT_GT(read, 2000);
}

static SafetensorsFile sample() {
  SafetensorsFile file;
  file.tensors.push_back({"a", spec("2x3xf32=[1 2 3][4 5 6]")});
  file.tensors.push_back({"odd", spec("3xi8=1 2 3")});
  file.tensors.push_back({"q", spec("5xi4=-1 2 3 4 5")});
  file.tensors.push_back({"empty", spec("0xf32")});
  file.tensors.push_back({"h", spec("2xbf16=1 2")});
  file.metadata = {{"format", "weft"}, {"quote", "\"\n"}};
  return file;
}

TEST(Safetensors, RoundTrip) {
  TempFolder folder;
  std::string path = folder.path("x.safetensors");
  SafetensorsFile written = sample();
  Result<OutputFile> out = OutputFile::create(path);
  ASSERT_TRUE(out);
  ASSERT_TRUE(writeSafetensors(*out, written));
  ASSERT_TRUE(out->commit());
  Result<ByteSource> source = ByteSource::open(path);
  ASSERT_TRUE(source);
  Result<SafetensorsFile> file = readSafetensors(*source);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->metadata, written.metadata);
  ASSERT_EQ(file->tensors.size(), written.tensors.size());
  for (size_t i = 0; i < file->tensors.size(); ++i) {
    EXPECT_EQ(file->tensors[i].name, written.tensors[i].name);
    EXPECT_EQ(printTensor(file->tensors[i].tensor, 99), printTensor(written.tensors[i].tensor, 99));
    if (file->tensors[i].tensor.count())
      EXPECT_EQ(reinterpret_cast<uintptr_t>(file->tensors[i].tensor.raw()) % 64, 0u);
  }
  std::string bytes = TempFolder::read(path);
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(readSafetensors(memory(bytes.substr(0, size)))) << size;
}

static std::string safetensorsError(const std::string &header, const std::string &data) {
  uint64_t length = header.size();
  std::string bytes(reinterpret_cast<const char *>(&length), 8);
  ByteSource source = memory(bytes + header + data);
  std::string copy = bytes + header + data;
  source = memory(copy);
  source.name = "x";
  Result<SafetensorsFile> file = readSafetensors(source);
  return file ? "no error" : file.error().message;
}

TEST(Safetensors, Refusals) {
  auto entry = [](const std::string &name, const std::string &shape, const std::string &offsets,
                  const char *type = "U8") {
    return "\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":" + shape +
           ",\"data_offsets\":" + offsets + "}";
  };
  EXPECT_EQ(safetensorsError("{" + entry("a", "[2]", "[0,2]") + "}", "12"), "no error");
  EXPECT_EQ(safetensorsError("{" + entry("a", "[2]", "[0,2]") + "}", "1"),
            "x: tensor \"a\" ends at byte 2 of the data, which has 1 bytes");
  EXPECT_EQ(safetensorsError(
                "{" + entry("a", "[2]", "[0,2]") + "," + entry("b", "[2]", "[1,3]") + "}", "123"),
            "x: tensor \"b\" starts at byte 1 of the data, expected byte 2 (it "
            "overlaps another tensor)");
  EXPECT_EQ(safetensorsError("{" + entry("a", "[2]", "[1,3]") + "}", "123"),
            "x: tensor \"a\" starts at byte 1 of the data, expected byte 0 "
            "(there is a hole before it)");
  EXPECT_EQ(safetensorsError("{" + entry("a", "[2]", "[0,2]") + "}", "123"),
            "x: expected the tensors to fill the data, found 1 bytes after the "
            "last one");
  EXPECT_EQ(safetensorsError("{" + entry("a", "[3]", "[0,2]") + "}", "12"),
            "x: tensor \"a\" of type 3xu8 needs 3 bytes, found data_offsets "
            "[0, 2]");
  EXPECT_EQ(safetensorsError("{" + entry("a", "[2]", "[2,0]") + "}", "12"),
            "x: tensor \"a\" of type 2xu8 needs 2 bytes, found data_offsets "
            "[2, 0]");
  EXPECT_EQ(safetensorsError("{" + entry("a", "[4294967296,4294967296]", "[0,0]") + "}", ""),
            "x: tensor \"a\" of type 4294967296x4294967296xu8 needs more than "
            "2^63 bytes, found data_offsets [0, 0]");
  EXPECT_EQ(safetensorsError("{" + entry("a", "[-1]", "[0,0]") + "}", ""),
            "x: tensor \"a\": expected data_offsets and shape to be integers "
            "from 0 to 2^63 - 1");
  EXPECT_EQ(safetensorsError("{" + entry("a", "[1]", "[0,1]", "Q7") + "}", "1"),
            "x: tensor \"a\": unknown dtype \"Q7\"");
  EXPECT_EQ(safetensorsError("[]", ""), "x: expected the header to be a JSON object");
  EXPECT_EQ(safetensorsError("{\"__metadata__\":{\"a\":1}}", ""),
            "x: expected metadata \"a\" to be a string");
  std::string huge(8, '\xff');
  Result<SafetensorsFile> file = readSafetensors(memory(huge));
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().message.find("found the length 18446744073709551615"), std::string::npos);
}

TEST(OutputFile, NothingIsLeftBehind) {
  TempFolder folder;
  std::string path = folder.write("x", "old");
  {
    Result<OutputFile> file = OutputFile::create(path);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write("new"));
  }
  EXPECT_EQ(TempFolder::read(path), "old");
  EXPECT_EQ(folder.count(), 1u);
  ASSERT_TRUE(writeTextFile(path, "new"));
  EXPECT_EQ(TempFolder::read(path), "new");
  EXPECT_EQ(folder.count(), 1u);
  EXPECT_FALSE(writeTextFile(folder.path("no/such/folder"), "x"));
  EXPECT_FALSE(writeTextFile(folder.path("."), "x"));
}

TEST(OutputFile, DiskFull) {
  Result<OutputFile> file = OutputFile::create("/dev/full");
  if (!file)
    GTEST_SKIP() << "no /dev/full";
  ASSERT_TRUE(file->write("x"));
  Status status = file->commit();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "/dev/full: cannot write the file: No space left on device");
}
