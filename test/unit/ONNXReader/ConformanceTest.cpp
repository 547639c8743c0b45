//===- ConformanceTest.cpp - Reads every model of the ONNX test data ------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/Reader.h"
#include "Frontend/ONNX/Reader/Verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

using namespace weft;
using namespace weft::onnx;

namespace fs = std::filesystem;

/// Where Debian's package libonnx-testdata puts its files.
static constexpr const char *testData = "/usr/share/libonnx-testdata/data";

/// The files below `folder` that end in `extension`, sorted.
static std::vector<fs::path> findFiles(const fs::path &folder, const char *extension) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto &entry : fs::recursive_directory_iterator(folder, error))
    if (entry.is_regular_file() && entry.path().extension() == extension)
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

static void readContents(const Tensor &tensor, const ExternalFiles &files) {
  if (tensor.elementType == ElementType::String) {
    auto strings = tensor.strings();
    EXPECT_TRUE(strings) << strings.error().message;
    return;
  }
  Result<TensorBytes> bytes = tensor.contents(files);
  ASSERT_TRUE(bytes) << bytes.error().message;
  EXPECT_EQ(static_cast<int64_t>(bytes->bytes().size()), *tensor.byteSize());
}

static void readContents(const Graph &graph, const ExternalFiles &files) {
  for (const Tensor &tensor : graph.initializers)
    readContents(tensor, files);
  for (const Node &node : graph.nodes)
    for (const NodeAttribute &attribute : node.attributes) {
      for (const Tensor &tensor : attribute.tensors)
        readContents(tensor, files);
      for (const Graph &inner : attribute.graphs)
        readContents(inner, files);
    }
}

TEST(Conformance, EveryModelReadsAndVerifies) {
  std::vector<fs::path> files = findFiles(testData, ".onnx");
  if (files.empty())
    GTEST_SKIP() << "the package libonnx-testdata is not installed";
  EXPECT_GE(files.size(), 1000u);
  for (const fs::path &file : files) {
    Result<Model> model = readModel(file.string());
    ASSERT_TRUE(model) << model.error().message;
    Status status = verify(*model);
    EXPECT_TRUE(status) << status.error().message;
    EXPECT_FALSE(model->graph.nodes.empty()) << file;
    readContents(model->graph, *model->files);
  }
}

TEST(Conformance, EveryTensorReads) {
  std::vector<fs::path> files = findFiles(testData, ".pb");
  if (files.empty())
    GTEST_SKIP() << "the package libonnx-testdata is not installed";
  size_t read = 0;
  for (const fs::path &file : files) {
    Result<MappedFile> bytes = MappedFile::open(file.string());
    ASSERT_TRUE(bytes) << bytes.error().message;
    // Sequences and optionals are other messages, and training data is text.
    Result<Tensor> tensor = readTensor(bytes->bytes(), file.string());
    if (!tensor || !isKnown(tensor->elementType) || !tensor->verify())
      continue;
    ++read;
    readContents(*tensor, ExternalFiles("", file.string(), bytes->bytes()));
  }
  EXPECT_GE(read * 100, files.size() * 97) << read << " of " << files.size();
}
