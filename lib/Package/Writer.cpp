//===- Writer.cpp - A whole module on disk --------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Package/Writer.h"

#include "Package/Descriptor.h"
#include "Package/Linker.h"

#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

using namespace weft;
using llvm::StringRef;

/// Offsets within an image fit in 31 bits only up to here, with room for code.
static constexpr uint64_t kMaxEmbedded = uint64_t(1) << 30;

std::string weft::weightsPath(StringRef path) {
  llvm::SmallString<128> result(path);
  llvm::sys::path::replace_extension(result, "safetensors");
  return result.str().str();
}

/// The object with the description and the query function.
static llvm::Expected<ObjectBuffer> emitDescriptor(const ModuleInfo &info, StringRef querySymbol) {
  llvm::LLVMContext context;
  auto module = buildDescriptor(context, info, querySymbol);
  if (!module)
    return module.takeError();
  EmitOptions options; // the baseline: it runs before the CPU is looked at
  options.exports.push_back(querySymbol.str());
  return emitObject(**module, options);
}

/// The file's last bytes, by which the loader recognises a whole module.
static llvm::Error writeFooter(OutputFile &output) {
  weft_footer footer = {};
  footer.magic = WEFT_MODULE_MAGIC;
  footer.size = output.size() + sizeof(footer);
  footer.checksum = output.checksum();
  footer.abi_major = WEFT_MODULE_ABI_MAJOR;
  footer.abi_minor = WEFT_MODULE_ABI_MINOR;
  return output.write(llvm::ArrayRef(reinterpret_cast<const uint8_t *>(&footer), sizeof(footer)));
}

/// Plans the weights into `info`; says whether they go into a file.
static llvm::Expected<bool> planWeights(StringRef path, ModuleInfo &info,
                                        llvm::ArrayRef<Weight> weights, const WriteOptions &options,
                                        WeightsPlan &plan) {
  uint64_t total = 0;
  for (const Weight &weight : weights)
    total = llvm::SaturatingAdd(total, uint64_t(weight.bytes.size()));
  bool external = total > std::min(options.embedLimit, kMaxEmbedded);
  auto planned =
      external ? planSafetensors(weights, info.compilerVersion) : planWeightsSection(weights);
  if (!planned)
    return planned.takeError();
  plan = std::move(*planned);
  info.weights = plan.table;
  info.weightsHash = plan.hash;
  info.weightsSize = plan.size;
  info.weightsFile = external ? llvm::sys::path::filename(weightsPath(path)).str() : "";
  return external;
}

static llvm::Error copyToStandardOutput(const OutputFile &module) {
  constexpr uint64_t most = uint64_t(1) << 20;
  std::vector<char> bytes(std::min(module.size(), most));
  for (uint64_t at = 0; at < module.size();) {
    ssize_t count =
        ::pread(module.descriptor(), bytes.data(), bytes.size(), static_cast<off_t>(at));
    for (ssize_t done = 0; count > 0 && done < count;) {
      ssize_t written =
          ::write(STDOUT_FILENO, bytes.data() + done, static_cast<size_t>(count - done));
      if (written < 0 && errno != EINTR)
        return llvm::createStringError(std::string("standard output: ") + std::strerror(errno));
      done += std::max<ssize_t>(written, 0);
    }
    if (count <= 0)
      return llvm::createStringError("standard output: the module cannot be read back");
    at += static_cast<uint64_t>(count);
  }
  return llvm::Error::success();
}

/// Gives both files their names. If the second cannot have its, a first that
/// replaced nothing is taken away again.
static llvm::Error publish(OutputFile *weights, OutputFile &module) {
  bool isNew = false;
  if (weights) {
    struct stat status;
    isNew = ::lstat(weights->path().str().c_str(), &status) != 0;
    if (auto error = weights->publish())
      return error;
  }
  auto error = module.publish();
  if (error && isNew)
    ::unlink(weights->path().str().c_str());
  return error;
}

llvm::Expected<WrittenModule> weft::writeModule(StringRef path, ModuleInfo info,
                                                std::vector<ObjectBuffer> objects,
                                                llvm::ArrayRef<Weight> weights,
                                                const WriteOptions &options) {
  // Paths that cannot be written are found before the work is done.
  bool isPiped = path == "-";
  auto kind = isPiped ? OutputFile::Kind::Memory : OutputFile::Kind::Nameless;
  auto output = OutputFile::create(path, kind);
  if (!output)
    return output.takeError();
  WeightsPlan plan;
  auto external = planWeights(path, info, weights, options, plan);
  if (!external)
    return external.takeError();
  std::string weightsFile = weightsPath(path);
  if (*external && isPiped)
    return llvm::createStringError(
        "the module cannot be written to standard output: its weights need a file beside it");
  if (*external && weightsFile == path)
    return llvm::createStringError("cannot write '" + path +
                                   "': its weights file would have the same name; give the module "
                                   "another extension than .safetensors");

  std::string querySymbol = options.kind == WriteOptions::Kind::Module
                                ? std::string(WEFT_MODULE_QUERY_NAME)
                                : staticQuerySymbol(info.name);
  auto descriptor = emitDescriptor(info, querySymbol);
  if (!descriptor)
    return descriptor.takeError();
  objects.push_back(std::move(*descriptor));

  // Embedded weights take the way through a file too, which is mapped by the
  // linker: in the output's folder, not in memory.
  OutputFile weightsOutput;
  if (plan.size) {
    auto file = OutputFile::create(*external ? StringRef(weightsFile) : path, kind);
    if (!file)
      return file.takeError();
    weightsOutput = std::move(*file);
    if (auto error = *external ? writeSafetensors(plan, weights, weightsOutput)
                               : writeWeightsObject(plan, weights, weightsOutput))
      return std::move(error);
  }

  const OutputFile *embedded = plan.size && !*external ? &weightsOutput : nullptr;
  auto *link = options.kind == WriteOptions::Kind::Module ? linkSharedObject : linkRelocatable;
  if (auto error = link(objects, embedded, querySymbol, *output))
    return std::move(error);
  if (options.kind == WriteOptions::Kind::Module)
    if (auto error = writeFooter(*output))
      return std::move(error);
  WrittenModule written{output->size(), *external ? weightsFile : "", plan.size};
  if (options.beforePublish)
    if (auto error = options.beforePublish(written))
      return std::move(error);
  if (isPiped) {
    if (auto error = copyToStandardOutput(*output))
      return std::move(error);
    return written;
  }
  if (auto error = publish(*external ? &weightsOutput : nullptr, *output))
    return std::move(error);
  return written;
}
