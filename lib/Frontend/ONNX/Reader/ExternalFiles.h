//===- ExternalFiles.h - External tensor data beside a model --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_READER_EXTERNALFILES_H
#define WEFT_FRONTEND_ONNX_READER_EXTERNALFILES_H

#include "Base/MappedFile.h"
#include "Base/Result.h"

#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

namespace weft::onnx {

/// Opens the files that a model's tensors name, beneath the model's folder and
/// nowhere else: relative paths without "..", no symbolic links on the way, no
/// file that has a second name (hard link), regular files only. A model that
/// came from elsewhere can thus not read what its folder does not hold.
///
/// A file is mapped at its first use and stays mapped. Thread-safe. Whoever
/// truncates a file while it is mapped makes the process fail; the caller has
/// to trust other users of the folder not to.
class ExternalFiles {
public:
  /// How paths are opened: by openat2 where the kernel has it, else folder by
  /// folder. `Stepwise` skips openat2, for tests.
  enum class Method : uint8_t { Automatic, Stepwise };

  /// `folder` is opened at the first use; with an empty one every file is
  /// refused. `modelName` is for messages and `model` are the bytes of the
  /// model's own file, to tell offsets in it.
  ExternalFiles(std::string folder, std::string modelName, std::span<const uint8_t> model,
                Method method = Method::Automatic);
  ~ExternalFiles();
  ExternalFiles(const ExternalFiles &) = delete;
  ExternalFiles &operator=(const ExternalFiles &) = delete;

  /// The bytes of the file `location`; the error does not name the tensor.
  Result<std::span<const uint8_t>> map(std::string_view location) const;

  const std::string &getModelName() const { return modelName; }
  std::span<const uint8_t> getModel() const { return model; }

private:
  Result<int> openFolder() const;
  Result<int> open(const std::string &location) const;

  std::string folder;
  std::string modelName;
  std::span<const uint8_t> model;
  Method method;

  mutable std::mutex mutex;
  mutable int folderDescriptor = -1;
  mutable std::map<std::string, MappedFile, std::less<>> mapped;
};

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_READER_EXTERNALFILES_H
