//===- Session.cpp - Compiling a model ------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weft/Session.h"

#include "Frontend/ONNX/ModelGraph.h"
#include "Package/Writer.h"
#include "Session/BuildModuleInfo.h"
#include "Session/GenerateObjects.h"
#include "Session/GraphDrawing.h"
#include "Session/Report.h"
#include "Session/RunStage.h"
#include "Session/WeightFiles.h"
#include "dialects/Weft/IR/SourceNodes.h"
#include "dialects/Weft/IR/Variants.h"
#include "targets/CPU/Chip.h"
#include "weft/Registry.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Remarks.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/Timing.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/Threading.h"

#include <chrono>
#include <limits>

using namespace mlir;
using namespace weft;

std::string weft::versionText() {
  return "weft " WEFT_VERSION_STRING ", LLVM " LLVM_VERSION_STRING;
}

namespace {
/// One compilation: the context and what the stages leave.
class Compilation {
public:
  Compilation(const Registry &registry, const CompileOptions &options, Session::Progress progress,
              Session::Diagnose diagnose, Session::Reproduce reproduce)
      : registry(registry), options(options), progress(progress), diagnose(diagnose),
        reproduce(reproduce), start(std::chrono::steady_clock::now()) {}
  ExitCode run();

private:
  ExitCode fail(const Twine &message, ExitCode code = ExitCode::Error) {
    diagnose(("error: " + message).str());
    return code;
  }
  /// A warning or remark: to the user, and into the report.
  void tell(const std::string &line) {
    report.addMessage(line);
    diagnose(line);
  }
  /// Whether files can come into being where the options want them; said before
  /// time is spent on what goes into them.
  ExitCode checkOutputs();
  ExitCode drawGraph();
  llvm::Error writeReport(const ModuleInfo &info, ArrayRef<Weight> weights,
                          const WrittenModule &written);
  /// Since the last call, or since the start.
  double secondsOfStage() {
    auto before = std::exchange(stageStart, std::chrono::steady_clock::now());
    return std::chrono::duration<double>(stageStart - before).count();
  }
  /// Writes `print`'s text to the file `path`; "-" is standard output.
  ExitCode writeText(const std::string &path, llvm::function_ref<void(llvm::raw_ostream &)> print);
  /// Where text goes that is not a module.
  std::string textPath() const { return options.output.empty() ? "-" : options.output; }
  ExitCode import();
  ExitCode importPrinted();
  void recordSource();
  ExitCode chooseTarget();
  /// The first stage that `module` has not been through.
  ExitCode findFirstStage(Stage &first);
  ExitCode runStages(TimingScope &timing);
  ExitCode runPasses(Stage stage, TimingScope &timing);
  std::string summaryOf(Stage stage);
  /// Prints the module; its computed weights go to a file beside it.
  ExitCode print(const std::string &path);
  ExitCode dump(Stage stage);
  ExitCode writeModule(TimingScope &timing);
  std::string optionsText() const;
  /// "x86-64-v4,x86-64-v3".
  std::string chipNames() const {
    return llvm::join(llvm::map_range(chips, [](const cpu::Chip &chip) { return chip.cpu; }), ",");
  }
  std::string outputPath() const;

  const Registry &registry;
  const CompileOptions &options;
  Session::Progress progress;
  Session::Diagnose diagnose;
  Session::Reproduce reproduce;
  const std::chrono::steady_clock::time_point start;
  std::chrono::steady_clock::time_point stageStart = start;
  std::vector<cpu::Chip> chips; ///< best first
  unsigned optLevel = 3;
  std::unique_ptr<MLIRContext> context;
  OwningOpRef<ModuleOp> module;
  int64_t nodeCount = 0;
  Report report;
  bool hasReported = false; ///< an error, since the stage began
};
} // namespace

/// The lines of a diagnostic: its message, where it has a place in a file, and
/// its notes. Operations are never printed: a user wants the sentence.
static std::string render(Diagnostic &diagnostic) {
  std::string text;
  llvm::raw_string_ostream os(text);
  switch (diagnostic.getSeverity()) {
  case DiagnosticSeverity::Error:
    os << "error: ";
    break;
  case DiagnosticSeverity::Warning:
    os << "warning: ";
    break;
  case DiagnosticSeverity::Note:
  case DiagnosticSeverity::Remark:
    os << "note: ";
    break;
  }
  if (auto file = diagnostic.getLocation()->findInstanceOf<FileLineColLoc>())
    os << file.getFilename().getValue() << ":" << file.getLine() << ":" << file.getColumn() << ": ";
  os << diagnostic.str();
  return text;
}

namespace {
/// Gives remarks to the user as lines.
class RemarkLines : public remark::detail::MLIRRemarkStreamerBase {
public:
  explicit RemarkLines(Session::Diagnose diagnose) : diagnose(diagnose) {}
  void streamOptimizationRemark(const remark::detail::Remark &remark) override {
    std::string text;
    llvm::raw_string_ostream os(text);
    os << "remark: " << remark.getCategoryName() << ": " << remark.getRemarkName() << " of '"
       << remark.getFunction() << "'";
    if (std::string nodes = sourceNodesOf(remark.getLocation()).nodes; !nodes.empty())
      os << " (" << nodes << ")";
    llvm::ListSeparator separator(", ");
    os << ": ";
    for (const remark::detail::Remark::Arg &argument : remark.getArgs())
      os << separator << argument.key << " = " << argument.val;
    diagnose(text);
  }

private:
  Session::Diagnose diagnose;
};
} // namespace

static LogicalResult enableRemarks(MLIRContext &context, const std::string &categories,
                                   Session::Diagnose diagnose) {
  // The engine does not apply `all` to the kinds that are not given.
  remark::RemarkCategories filter{categories, categories, categories, categories, categories};
  return remark::enableOptimizationRemarks(context, std::make_unique<RemarkLines>(diagnose),
                                           std::make_unique<remark::RemarkEmittingPolicyAll>(),
                                           filter);
}

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

ExitCode Compilation::importPrinted() {
  if (std::string flag = options.import.firstGiven(); !flag.empty())
    return fail(flag + " has no effect on '" + options.input +
                    "', whose inputs and extents are decided: give it with the model",
                ExitCode::Usage);
  module = parseSourceFile<ModuleOp>(options.input, context.get());
  if (!module)
    return ExitCode::Error;
  if (llvm::Error error = loadWeightFiles(*module, llvm::sys::path::parent_path(options.input)))
    return fail(Twine(options.input) + ": " + llvm::toString(std::move(error)));
  return ExitCode::Success;
}

ExitCode Compilation::import() {
  if (StringRef(options.input).ends_with(".mlir"))
    return importPrinted();
  llvm::sys::fs::file_status status;
  if (std::error_code error = llvm::sys::fs::status(options.input, status))
    return fail(options.input + ": " + error.message());
  std::vector<uint8_t> firstBytes;
  if (auto buffer = llvm::MemoryBuffer::getFileSlice(options.input,
                                                     std::min<uint64_t>(4096, status.getSize()), 0))
    firstBytes.assign((*buffer)->getBufferStart(), (*buffer)->getBufferEnd());
  const FrontendInfo *frontend = registry.findFrontend(options.input, firstBytes);
  if (!frontend)
    return fail(options.input + ": no frontend knows this format; .onnx and .mlir files are read");
  ImportContext importContext(*context, registry, options.input, options.import);
  module = frontend->import(importContext);
  nodeCount = importContext.nodeCount;
  if (module)
    return ExitCode::Success;
  switch (importContext.failure) {
  case ImportFailure::Unsupported:
    return ExitCode::Unsupported;
  case ImportFailure::Usage:
    return ExitCode::Usage;
  default:
    return ExitCode::Error;
  }
}

std::string Compilation::summaryOf(Stage stage) {
  int64_t operations = 0, dispatches = 0, kernels = 0, composites = 0;
  module->walk([&](Operation *op) {
    ++operations;
    dispatches += isa<DispatchOp>(op);
    kernels += isa<KernelOp>(op);
    composites += isa<CompositeOp>(op);
  });
  switch (stage) {
  case Stage::Input:
    return llvm::formatv("{0} nodes -> {1} ops", nodeCount, operations);
  case Stage::Fuse:
    return llvm::formatv("{0} kernels ({1} distinct)", dispatches, kernels);
  case Stage::Buffer: {
    int64_t bytes = 0, bound = 0;
    std::string assumed;
    module->walk([&](func::FuncOp op) {
      if (auto attribute = op->getAttrOfType<IntegerAttr>(WeftDialect::arenaBytesAttrName))
        bytes = attribute.getInt();
      if (auto attribute = op->getAttrOfType<IntegerAttr>(WeftDialect::arenaLowerBoundAttrName))
        bound = attribute.getInt();
      if (auto attribute = op->getAttrOfType<IntegerAttr>(WeftDialect::arenaAssumedExtentAttrName))
        assumed = llvm::formatv(", free dimensions at {0}", attribute.getInt());
    });
    return llvm::formatv("arena {0} bytes (lower bound {1}{2})", bytes, bound, assumed);
  }
  default:
    return llvm::formatv("{0} ops", operations);
  }
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

ExitCode Compilation::runPasses(Stage stage, TimingScope &timing) {
  TimingScope scope = timing.nest(stageName(stage));
  hasReported = false;
  if (succeeded(runStage(stage, *module, registry, options.pipeline, options.verifyEach, scope,
                         llvm::sys::path::stem(options.input), reproduce))) {
    releaseUnusedWeights(*module);
    return ExitCode::Success;
  }
  if (!hasReported)
    fail("the stage '" + stageName(stage) + "' failed without saying why");
  return ExitCode::Internal;
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

static std::array<uint8_t, 32> hashOf(StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, false, false);
  if (!buffer)
    return {};
  StringRef bytes = (*buffer)->getBuffer();
  return llvm::SHA256::hash(
      ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()));
}

/// Notes what the module comes from, unless it was printed and says so.
void Compilation::recordSource() {
  if ((*module)->hasAttr(WeftDialect::sourceAttrName))
    return;
  Builder b(context.get());
  std::string hash = llvm::toHex(hashOf(options.input), /*LowerCase=*/true);
  (*module)->setAttr(
      WeftDialect::sourceAttrName,
      b.getDictionaryAttr(
          {b.getNamedAttr("name", b.getStringAttr(llvm::sys::path::stem(options.input))),
           b.getNamedAttr("sha256", b.getStringAttr(hash))}));
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

ExitCode Compilation::run() {
  if (!options.graph.empty())
    return drawGraph();
  if (ExitCode code = checkOutputs(); code != ExitCode::Success)
    return code;
  if (llvm::Error error = checkPipelineOptions(registry, options.pipeline))
    return fail(llvm::toString(std::move(error)), ExitCode::Usage);
  llvm::Expected<std::vector<cpu::Chip>> resolved =
      cpu::resolveChips(options.cpu.empty() ? "native" : StringRef(options.cpu));
  if (!resolved)
    return fail(llvm::toString(resolved.takeError()), ExitCode::Usage);
  chips = std::move(*resolved);

  DialectRegistry dialects;
  registerAllDialects(dialects);
  registerAllExtensions(dialects);
  registerAllToLLVMIRTranslations(dialects);
  registry.appendDialectsTo(dialects);
  // One thread: workers of a compilation are processes or objects, not passes.
  context = std::make_unique<MLIRContext>(dialects, MLIRContext::Threading::DISABLED);
  context->printOpOnDiagnostic(false);
  ScopedDiagnosticHandler handler(context.get(), [&](Diagnostic &diagnostic) {
    if (isReproducerDiagnostic(diagnostic))
      return success(); // said in fewer words elsewhere
    hasReported |= diagnostic.getSeverity() == DiagnosticSeverity::Error;
    tell(render(diagnostic));
    return success();
  });
  if (options.remarks && failed(enableRemarks(*context, *options.remarks, diagnose)))
    return fail("remarks cannot be enabled");
  // Builders of operators create operations of their plugin's dialects.
  for (const auto &contribution : registry.contributions())
    for (const std::string &name : contribution->dialects)
      context->getOrLoadDialect(name);

  std::string times;
  llvm::raw_string_ostream timesStream(times);
  ExitCode code;
  {
    DefaultTimingManager manager;
    manager.setEnabled(options.timing);
    manager.setOutput(createOutputStrategy(DefaultTimingManager::OutputFormat::Text, timesStream));
    TimingScope root = manager.getRootScope();
    code = runStages(root);
  }
  if (!times.empty())
    diagnose(StringRef(times).rtrim());
  return code;
}

/// What has been through a stage keeps the target that it was made for.
ExitCode Compilation::chooseTarget() {
  auto target = (*module)->getAttrOfType<TargetAttr>(WeftDialect::targetAttrName);
  if (!target || !(*module)->hasAttr(WeftDialect::stageAttrName)) {
    optLevel = options.optLevel.value_or(optLevel);
    SmallVector<Attribute> targets;
    for (const cpu::Chip &chip : chips)
      targets.push_back(TargetAttr::get(context.get(), options.pipeline.target, chip.cpu,
                                        chip.features, chip.vectorBits, optLevel));
    (*module)->setAttr(WeftDialect::targetAttrName, targets.front());
    (*module)->removeAttr(kVariantsAttrName); // of a module that was written by hand
    if (targets.size() > 1)
      (*module)->setAttr(kVariantsAttrName,
                         ArrayAttr::get(context.get(), ArrayRef(targets).drop_front()));
    return ExitCode::Success;
  }
  if (target.getName() != options.pipeline.target)
    return fail(Twine(options.input) + ": was made for the target '" + target.getName() +
                "', which cannot be changed to '" + options.pipeline.target + "'");
  auto chipOf = [](TargetAttr target) {
    return cpu::makeChip(target.getCpu(), target.getFeatures(), target.getVectorBits());
  };
  std::vector<cpu::Chip> recorded = {chipOf(target)};
  if (auto variants = (*module)->getAttrOfType<ArrayAttr>(kVariantsAttrName))
    for (auto variant : variants.getAsRange<TargetAttr>())
      recorded.push_back(chipOf(variant));
  auto sameChip = [](const cpu::Chip &a, const cpu::Chip &b) {
    return a.cpu == b.cpu && a.features == b.features;
  };
  bool same = llvm::equal(chips, recorded, sameChip);
  chips = std::move(recorded);
  if (!options.cpu.empty() && !same)
    return fail(Twine(options.input) + ": was made for the CPU '" + chipNames() +
                "', which cannot be changed to '" + options.cpu + "'");
  optLevel = static_cast<unsigned>(target.getOptLevel());
  if (options.optLevel && *options.optLevel != optLevel)
    return fail(Twine(options.input) + ": was made with -O" + Twine(optLevel) +
                ", which cannot be changed to -O" + Twine(*options.optLevel));
  return ExitCode::Success;
}

ExitCode Compilation::findFirstStage(Stage &first) {
  first = Stage::Input;
  auto name = (*module)->getAttrOfType<StringAttr>(WeftDialect::stageAttrName);
  if (!name)
    return ExitCode::Success;
  Stage done = *parseStage(name); // the dialect verifies that there is one of that name
  if (done == Stage::Module)
    return fail(Twine(options.input) + ": '" + WeftDialect::stageAttrName + "' is '" +
                name.getValue() + "', expected a stage before 'module'");
  if (options.lastStage < done)
    return fail(Twine(options.input) + ": has been through the stage '" + name.getValue() +
                "', so that it cannot be compiled to '" + stageName(options.lastStage) + "'");
  first = static_cast<Stage>(static_cast<int>(done) + 1);
  return ExitCode::Success;
}

ExitCode Compilation::runStages(TimingScope &timing) {
  TimingScope importScope = timing.nest("import");
  if (ExitCode code = import(); code != ExitCode::Success)
    return code;
  importScope.stop();
  if (ExitCode code = chooseTarget(); code != ExitCode::Success)
    return code;
  Stage first;
  if (ExitCode code = findFirstStage(first); code != ExitCode::Success)
    return code;
  recordSource();
  for (Stage stage : allStages) {
    if (stage < first)
      continue;
    if (stage == Stage::Module || stage > options.lastStage)
      break;
    if (ExitCode code = runPasses(stage, timing); code != ExitCode::Success)
      return code;
    std::string summary = summaryOf(stage);
    progress(static_cast<int>(stage) + 1, stageName(stage), summary);
    report.addStage(stage, secondsOfStage(), summary, *module);
    if (ExitCode code = dump(stage); code != ExitCode::Success)
      return code;
  }
  if (options.lastStage != Stage::Module || options.emit == CompileOptions::Emit::MLIR)
    return print(textPath());
  TimingScope scope = timing.nest(stageName(Stage::Module));
  return writeModule(scope);
}

ExitCode Session::run(Progress progress, Diagnose diagnose, Reproduce reproduce) {
  return Compilation(registry, options, progress, diagnose, reproduce).run();
}
