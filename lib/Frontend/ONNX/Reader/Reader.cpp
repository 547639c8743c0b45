//===- Reader.cpp - Reads ONNX models from files and memory ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/Reader.h"

#include "Frontend/ONNX/Reader/Parser.h"

#include <cstring>

using namespace weft;
using namespace weft::onnx;

/// What `bytes` look like if they are no ONNX model, or null: beginners pass
/// the file beside it, and Git leaves pointers instead of large files.
static const char *recogniseOther(std::span<const uint8_t> bytes) {
  static constexpr struct {
    size_t offset;
    std::string_view magic;
    const char *format;
  } formats[] = {
      {0, "version https://git-lfs", "a Git LFS pointer (run 'git lfs pull')"},
      {0, "PK\x03\x04", "a ZIP archive (perhaps a PyTorch checkpoint)"},
      {0, "\x89HDF\r\n", "an HDF5 file (perhaps a Keras model)"},
      {0, "GGUF", "a GGUF file"},
      {4, "TFL3", "a TensorFlow Lite model"},
      {4, "ORTM", "an ONNX Runtime flatbuffer model"},
      {0,
       "\x7f"
       "ELF",
       "an ELF file"},
      {0, "\x93NUMPY", "a NumPy array"},
      {0, "\x1f\x8b", "gzip-compressed"},
      {0, "<!DOCTYPE", "an HTML page"},
      {0, "<html", "an HTML page"},
      {8, "{\"", "a safetensors file"},
      {0, "{", "a JSON text"},
      {0, "<ir_version", "ONNX's text format"},
  };
  std::string_view text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  for (const auto &format : formats)
    if (text.size() >= format.offset && text.substr(format.offset).starts_with(format.magic))
      return format.format;
  return nullptr;
}

static Status parseModel(std::span<const uint8_t> bytes, const std::string &name,
                         const ReaderLimits &limits, Model &model) {
  if (bytes.empty())
    return Error{name + ": expected an ONNX model, found an empty file"};
  Parser parser(bytes, limits);
  if (parser.parse(bytes, model))
    return {};
  std::string message = name + ": cannot read the ONNX model: ";
  if (const char *other = recogniseOther(bytes))
    message = name + ": expected an ONNX model, but this looks like " + std::string(other) + "; ";
  return Error{message + parser.takeError()};
}

Result<Model> onnx::readModel(const std::string &path, const ReaderLimits &limits) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.error();
  size_t slash = path.rfind('/');
  std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  Result<Model> model = readModel(file->bytes(), path, std::move(folder), limits);
  if (model)
    model->file = std::move(*file);
  return model;
}

Result<Model> onnx::readModel(std::span<const uint8_t> bytes, std::string name, std::string folder,
                              const ReaderLimits &limits) {
  Model model;
  if (Status status = parseModel(bytes, name, limits, model); !status)
    return status.error();
  model.files = std::make_unique<ExternalFiles>(std::move(folder), name, bytes);
  model.path = std::move(name);
  return model;
}

Result<Tensor> onnx::readTensor(std::span<const uint8_t> bytes, std::string name,
                                const ReaderLimits &limits) {
  Parser parser(bytes, limits);
  Tensor tensor;
  if (!parser.parse(bytes, tensor))
    return Error{name + ": cannot read the ONNX tensor: " + parser.takeError()};
  return tensor;
}
