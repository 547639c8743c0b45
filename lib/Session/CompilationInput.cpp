//===- CompilationInput.cpp - What a compilation begins with --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Session/Compilation.h"
#include "dialects/Weft/IR/Variants.h"
#include "dialects/Weft/IR/Weft.h"
#include "transforms/Printing/WeightFiles.h"

#include "mlir/Parser/Parser.h"
#include "weft/Registry.h"
#include "weft/Target.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"

using namespace mlir;
using namespace weft;

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

ExitCode Compilation::chooseChips() {
  if (options.chip.empty())
    return ExitCode::Success;
  ArrayRef<llvm::StringLiteral> known = registry.findTarget(options.pipeline.target)->chips();
  if (known.empty())
    return fail("--chip=" + options.chip + ": the target '" + options.pipeline.target +
                    "' has no chips to choose from",
                ExitCode::Usage);
  SmallVector<StringRef> names;
  StringRef(options.chip).split(names, ',');
  llvm::SetVector<StringRef> wanted;
  for (StringRef name : names) {
    if (!llvm::is_contained(known, name))
      return fail("--chip=" + options.chip + ": unknown chip '" + name +
                      "'; the chips are: " + llvm::join(known, ", "),
                  ExitCode::Usage);
    wanted.insert(name);
  }
  auto chips = Builder(context.get()).getStrArrayAttr(wanted.getArrayRef());
  if ((*module)->hasAttr(WeftDialect::stageAttrName) &&
      (*module)->getAttr(WeftDialect::chipsAttrName) != chips)
    return fail(Twine(options.input) + ": was made for other chips than --chip=" + options.chip +
                ", which cannot be changed");
  (*module)->setAttr(WeftDialect::chipsAttrName, chips);
  return ExitCode::Success;
}

/// What has been through a stage keeps the target that it was made for.
ExitCode Compilation::chooseTarget() {
  if (ExitCode code = chooseChips(); code != ExitCode::Success)
    return code;
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
  for (const cpu::Chip &chip : recorded)
    // What LLVM calls a native processor that it does not know.
    if (llvm::Error error =
            chip.cpu == "generic" ? llvm::Error::success() : cpu::checkName(chip.cpu))
      return fail(Twine(options.input) + ": " + llvm::toString(std::move(error)));
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
