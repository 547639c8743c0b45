//===- CompilationOutput.cpp - What a compilation writes ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/ModelGraph.h"
#include "Session/BuildModuleInfo.h"
#include "Session/Compilation.h"
#include "Session/GenerateObjects.h"
#include "Support/GraphDrawing.h"
#include "dialects/Weft/IR/Weft.h"
#include "transforms/Printing/WeightFiles.h"
#include "weft/Version.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Threading.h"

#include <limits>

using namespace mlir;
using namespace weft;

std::string Compilation::outputPath() const {
  if (!options.output.empty())
    return options.output;
  SmallString<128> path(llvm::sys::path::filename(options.input));
  llvm::sys::path::replace_extension(path, "so");
  return std::string(path);
}

ExitCode Compilation::checkOutputs() {
  bool isFile = options.lastStage == Stage::Module && options.emit != CompileOptions::Emit::MLIR;
  std::string output = isFile ? outputPath() : options.output;
  for (const std::string &path : {output, options.report}) {
    if (path.empty() || path == "-")
      continue;
    if (llvm::sys::fs::is_directory(path))
      return fail(path + ": cannot be written: it is a folder");
    StringRef folder = llvm::sys::path::parent_path(path);
    if (folder.empty())
      folder = ".";
    if (!llvm::sys::fs::is_directory(folder))
      return fail(path + ": cannot be written: there is no folder '" + folder + "'");
    if (std::error_code error = llvm::sys::fs::access(folder, llvm::sys::fs::AccessMode::Write))
      return fail(path + ": cannot be written: folder '" + folder + "': " + error.message());
  }
  return ExitCode::Success;
}

ExitCode Compilation::writeText(const std::string &path,
                                llvm::function_ref<void(llvm::raw_ostream &)> print) {
  std::error_code error;
  llvm::raw_fd_ostream os(path, error);
  if (error)
    return fail(path + ": " + error.message());
  print(os);
  os.close();
  if (!os.has_error())
    return ExitCode::Success;
  error = os.error();
  os.clear_error();
  // Whoever read the text has seen enough of it.
  if (error == std::errc::broken_pipe)
    return ExitCode::Success;
  return fail(path + ": " + error.message());
}

ExitCode Compilation::drawGraph() {
  llvm::Expected<DrawnGraph> graph = onnx::graphOfModel(options.input);
  if (!graph)
    return fail(llvm::toString(graph.takeError()));
  return writeText(textPath(), [&](llvm::raw_ostream &os) {
    options.graph == "dot" ? writeDot(*graph, os) : writeSvg(*graph, os);
  });
}

ExitCode Compilation::print(const std::string &path) {
  llvm::Expected<unsigned> leftOut = saveWeightFiles(*module, path);
  if (!leftOut)
    return fail(path + ": " + llvm::toString(leftOut.takeError()));
  if (*leftOut)
    tell("warning: " + std::to_string(*leftOut) +
         " computed weights are not kept; -o FILE writes them beside it");
  // Locations name the nodes of the model.
  return writeText(path, [&](llvm::raw_ostream &os) {
    module->print(os, OpPrintingFlags().enableDebugInfo());
    os << '\n';
  });
}

/// `--dump-stages`: the IR after a stage.
ExitCode Compilation::dump(Stage stage) {
  if (options.dumpStages.empty())
    return ExitCode::Success;
  SmallString<128> path(options.dumpStages);
  if (std::error_code error = llvm::sys::fs::create_directories(path))
    return fail(options.dumpStages + ": " + error.message());
  llvm::sys::path::append(
      path, llvm::formatv("{0}-{1}.mlir", static_cast<int>(stage) + 1, stageName(stage)).str());
  return print(std::string(path));
}

/// `weft.metadata` as JSON. ONNX does not promise that text is UTF-8, JSON does.
static llvm::json::Object metadataObject(DictionaryAttr metadata) {
  llvm::json::Object object;
  for (NamedAttribute entry : metadata) {
    llvm::json::ObjectKey key(llvm::json::fixUTF8(entry.getName().getValue()));
    if (auto text = dyn_cast<StringAttr>(entry.getValue()))
      object[key] = llvm::json::fixUTF8(text.getValue());
    else if (auto number = dyn_cast<IntegerAttr>(entry.getValue()))
      object[key] = number.getInt();
    else if (auto nested = dyn_cast<DictionaryAttr>(entry.getValue()))
      object[key] = metadataObject(nested);
  }
  return object;
}

std::string Compilation::optionsText() const {
  llvm::json::Object object;
  object["target"] = options.pipeline.target;
  object["cpu"] = chipNames();
  object["opt_level"] = static_cast<int64_t>(optLevel);
  if (auto metadata = (*module)->getAttrOfType<DictionaryAttr>(WeftDialect::metadataAttrName))
    object["metadata"] = metadataObject(metadata);
  return llvm::formatv("{0}", llvm::json::Value(std::move(object)));
}

/// `--report`. Without it there is no module either.
llvm::Error Compilation::writeReport(const ModuleInfo &info, ArrayRef<Weight> weights,
                                     const WrittenModule &written) {
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::error_code error;
  llvm::raw_fd_ostream os(options.report, error);
  if (!error) {
    report.write(os, options.input, info, weights, written, seconds);
    os.close();
    error = os.error();
    os.clear_error();
  }
  return error ? llvm::createStringError(options.report + ": " + error.message())
               : llvm::Error::success();
}

ExitCode Compilation::writeModule(TimingScope &timing) {
  FailureOr<ModuleContents> contents = buildModuleContents(*module);
  if (failed(contents))
    return ExitCode::Error;
  ModuleInfo &info = contents->info;
  auto source = (*module)->getAttrOfType<DictionaryAttr>(WeftDialect::sourceAttrName);
  info.name = source.getAs<StringAttr>("name").str();
  info.compilerVersion = versionText();
  info.options = optionsText();
  std::string hash;
  if (llvm::tryGetFromHex(source.getAs<StringAttr>("sha256").getValue(), hash) &&
      hash.size() == info.sourceHash.size())
    llvm::copy(hash, info.sourceHash.begin());
  for (auto [variant, chip] : llvm::zip(info.variants, chips)) {
    variant.cpu = chip.cpu;
    variant.features = chip.required;
  }

  GenerateOptions generate;
  generate.optLevel = optLevel;
  generate.jobs = options.jobs ? options.jobs : llvm::hardware_concurrency().compute_thread_count();
  generate.assemblyFolder = options.saveAssembly;
  auto warn = [&](StringRef text) { tell(("warning: " + text).str()); };
  generate.onWarning = warn;
  TimingScope objectsScope = timing.nest("objects");
  llvm::Expected<std::vector<ObjectBuffer>> objects = generateObjects(*module, chips, generate);
  objectsScope.stop();
  if (!objects)
    return fail(llvm::toString(objects.takeError()));
  WriteOptions write;
  write.embedLimit = options.embedLimit;
  if (options.emit == CompileOptions::Emit::Object)
    write.kind = WriteOptions::Kind::Object;
  if (outputPath() == "-")
    write.embedLimit = std::numeric_limits<uint64_t>::max();
  size_t kernelCount = info.kernels.size();
  write.beforePublish = [&](const WrittenModule &written) -> llvm::Error {
    std::string summary = llvm::formatv("{0} bytes", written.moduleSize);
    progress(8, stageName(Stage::Module), summary);
    report.addStage(Stage::Module, secondsOfStage(), summary, *module);
    if (options.report.empty())
      return llvm::Error::success();
    return writeReport(info, contents->weights, written);
  };
  llvm::Expected<WrittenModule> written =
      weft::writeModule(outputPath(), info, std::move(*objects), contents->weights, write);
  if (!written)
    return fail(llvm::toString(written.takeError()));
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  diagnose(llvm::formatv("{0}: {1} bytes{2}, {3} kernels, for {4}, compiled in {5:f2} s",
                         outputPath(), written->moduleSize,
                         written->weightsPath.empty()
                             ? std::string()
                             : " and " + written->weightsPath + " (" +
                                   std::to_string(written->weightsSize) + " bytes)",
                         kernelCount, chipNames(), seconds)
               .str());
  return ExitCode::Success;
}
