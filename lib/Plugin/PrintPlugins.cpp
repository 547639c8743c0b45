//===- PrintPlugins.cpp - Who is registered and with what -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weft/Plugin.h"

#include "llvm/ADT/StringExtras.h"

using namespace weft;

/// Prints "  label: a, b, c", or nothing without names.
static void printNames(llvm::raw_ostream &os, llvm::StringRef label,
                       llvm::ArrayRef<std::string> names) {
  if (!names.empty())
    os << "  " << label << ": " << llvm::join(names, ", ") << "\n";
}

template <typename Range, typename Function>
static void printEach(llvm::raw_ostream &os, llvm::StringRef label, const Range &range,
                      Function describe) {
  std::vector<std::string> names;
  for (const auto &element : range)
    names.push_back(describe(element));
  printNames(os, label, names);
}

static std::string describeFrontend(const FrontendInfo &frontend) {
  if (frontend.fileExtensions.empty())
    return frontend.name;
  return frontend.name + " (" + llvm::join(frontend.fileExtensions, " ") + ")";
}

static std::string describeOption(const OptionInfo &option) {
  return option.name + "=" + option.defaultValue;
}

static std::string describeCallback(const StageCallbackInfo &callback) {
  return (stagePositionName(callback.position) + " " + stageName(callback.stage)).str();
}

/// "com.example (2)": the standard frontend has several hundred operators, so
/// only their number is printed, by domain.
static void printImporterOps(llvm::raw_ostream &os, const Contribution &contribution) {
  std::map<std::string, size_t> counts;
  for (const ImporterOpInfo &op : contribution.importerOps)
    ++counts[op.domain.empty() ? "ai.onnx" : op.domain];
  printEach(os, "importer ops", counts, [](const auto &domain) {
    return domain.first + " (" + std::to_string(domain.second) + ")";
  });
}

void weft::printPlugins(llvm::raw_ostream &os, const Registry &registry) {
  os << "Weft " WEFT_VERSION_STRING ", plugin API " << WEFT_PLUGIN_API_MAJOR << "."
     << WEFT_PLUGIN_API_MINOR << ", fingerprint " WEFT_FINGERPRINT "\n";
  for (const auto &entry : registry.contributions()) {
    const Contribution &contribution = *entry;
    const PluginInfo &info = contribution.info;
    os << info.name << " " << info.version << " (" << (info.file.empty() ? "built in" : info.file)
       << ")\n";
    printNames(os, "dialects", contribution.dialects);
    printEach(os, "passes", contribution.passes,
              [](const PassInfo &pass) { return pass.argument; });
    printEach(os, "pipelines", contribution.pipelines,
              [](const PipelineInfo &pipeline) { return pipeline.name; });
    printEach(os, "stage callbacks", contribution.stageCallbacks, describeCallback);
    printEach(os, "options", contribution.options, describeOption);
    printEach(os, "frontends", contribution.frontends, describeFrontend);
    printImporterOps(os, contribution);
    printEach(os, "targets", contribution.targets,
              [](const std::unique_ptr<Target> &target) { return target->name().str(); });
    printEach(os, "formats", contribution.formats,
              [](const FormatInfo &format) { return "#" + format.attribute; });
  }
}
