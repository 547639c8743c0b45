//===- Report.cpp - The report of a compilation ---------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Session/Report.h"
#include "Support/GraphDrawing.h"
#include "dialects/Weft/IR/Variants.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace weft;
using llvm::raw_ostream;
using llvm::StringRef;

/// Rows of a table of weights; the rest is one more row.
static constexpr size_t mostWeights = 40;
/// Nodes named beside a kernel.
static constexpr size_t mostNodes = 6;

void Report::addStage(Stage stage, double seconds, StringRef summary, ModuleOp module) {
  stages.push_back({stageName(stage).str(), summary.str(), seconds});
  if (stage == Stage::Fuse)
    module.walk([&](DispatchOp op) {
      Kernel &kernel = kernels[op.getKernelAttr().getAttr()];
      ++kernel.dispatches;
      // Importers give loc("node"("operation")).
      op->getLoc()->walk([&](Location loc) {
        if (auto name = dyn_cast<NameLoc>(loc); name && isa<NameLoc>(name.getChildLoc()))
          kernel.nodes.insert(name.getName());
        return WalkResult::advance();
      });
    });
  if (stage == Stage::Tile || stage == Stage::Vector)
    for (KernelOp op : module.getOps<KernelOp>()) {
      StringAttr name = op.getSymNameAttr(), dispatched = dispatchedNameOf(op);
      if (auto base = kernels.find(dispatched);
          name != dispatched && base != kernels.end() && !kernels.contains(name)) {
        Kernel variant;
        variant.dispatches = base->second.dispatches;
        variant.nodes = base->second.nodes;
        kernels.insert({name, std::move(variant)});
      }
      Kernel &kernel = kernels[name];
      if (auto schedule = op.getScheduleAttr(); schedule && kernel.schedule.empty())
        llvm::raw_string_ostream(kernel.schedule) << schedule;
      if (auto reason = op->getAttrOfType<StringAttr>(WeftDialect::fallbackAttrName)) {
        kernel.isFallback = true;
        kernel.reason = reason.getValue().str();
      }
    }
  if (stage == Stage::Buffer)
    module.walk([&](func::FuncOp op) {
      if (auto bytes = op->getAttrOfType<IntegerAttr>(WeftDialect::arenaBytesAttrName))
        arenaBytes = bytes.getInt();
      if (auto bytes = op->getAttrOfType<IntegerAttr>(WeftDialect::arenaLowerBoundAttrName))
        arenaLowerBound = bytes.getInt();
      if (auto extent = op->getAttrOfType<IntegerAttr>(WeftDialect::arenaAssumedExtentAttrName))
        arenaAssumedExtent = extent.getInt();
    });
}

static std::string bytesText(uint64_t bytes) {
  static constexpr const char *units[] = {"B", "KB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1000 && unit + 1 < std::size(units); ++unit)
    value /= 1000;
  return llvm::formatv(unit ? "{0:f1} {1}" : "{0:f0} {1}", value, units[unit]);
}

/// "x: batch x 3 x 224", as the entry's signature has it.
static std::string argumentText(const FunctionInfo &function, const ArgumentInfo &argument) {
  std::string text = argument.name + ": [";
  for (auto [axis, dim] : llvm::enumerate(argument.dims)) {
    text += axis ? ", " : "";
    if (dim.symbol >= 0)
      text += function.symbols[static_cast<size_t>(dim.symbol)].name;
    else
      text += dim.size >= 0 ? std::to_string(dim.size) : "?";
  }
  static constexpr const char *kinds[] = {"i", "u", "f", "opaque", "bf", "c", "bool"};
  text += "] ";
  unsigned code = argument.dtype.code;
  text += code < std::size(kinds) ? kinds[code] : "type " + std::to_string(code) + ", bits ";
  return code == WEFT_DTYPE_BOOL ? text : text + std::to_string(argument.dtype.bits);
}

static void writeRow(raw_ostream &os, StringRef name, StringRef value) {
  os << "<tr><th>" << escapeXml(name) << "</th><td>" << escapeXml(value) << "</td></tr>\n";
}

void Report::writeKernels(raw_ostream &os, const ModuleInfo &info) const {
  size_t fallbacks = llvm::count_if(info.kernels, [](const KernelInfo &kernel) {
    return (kernel.flags & WEFT_KERNEL_FALLBACK) != 0;
  });
  os << "<h2>Kernels</h2>\n<p>" << info.kernels.size() << " kernels, of them " << fallbacks
     << " fallbacks.</p>\n<table>\n<tr><th>kernel</th><th>dispatches</"
        "th><th>schedule</th>"
        "<th>nodes</th><th>fallback</th></tr>\n";
  for (const auto &[name, kernel] : kernels) {
    os << "<tr" << (kernel.isFallback ? " class=\"fallback\"" : "") << "><td>"
       << escapeXml(name.getValue()) << "</td><td class=\"number\">" << kernel.dispatches
       << "</td><td><code>" << escapeXml(kernel.schedule) << "</code></td><td>";
    llvm::ListSeparator comma;
    for (StringAttr node : kernel.nodes.getArrayRef().take_front(mostNodes))
      os << StringRef(comma) << escapeXml(node.getValue());
    if (kernel.nodes.size() > mostNodes)
      os << " and " << kernel.nodes.size() - mostNodes << " more";
    os << "</td><td>" << escapeXml(kernel.reason) << "</td></tr>\n";
  }
  os << "</table>\n";
}

void Report::writeSizes(raw_ostream &os, ArrayRef<Weight> weights,
                        const WrittenModule &written) const {
  os << "<h2>Memory</h2>\n<table>\n";
  std::string arena = "arena of a call";
  if (arenaAssumedExtent >= 0)
    arena += llvm::formatv(", free dimensions at {0}", arenaAssumedExtent);
  if (arenaBytes >= 0)
    writeRow(os, arena, bytesText(static_cast<uint64_t>(arenaBytes)));
  if (arenaLowerBound >= 0)
    writeRow(os, "least that any plan needs", bytesText(static_cast<uint64_t>(arenaLowerBound)));
  os << "</table>\n<h2>Sizes</h2>\n<table>\n";
  writeRow(os, "module file", bytesText(written.moduleSize));
  writeRow(os,
           written.weightsPath.empty() ? "weights, in the module"
                                       : "weights, in " + written.weightsPath,
           bytesText(written.weightsSize));
  os << "</table>\n<table>\n<tr><th>weight</th><th>shape</th><th>layout</"
        "th><th>bytes</th></tr>\n";
  SmallVector<const Weight *> sorted;
  for (const Weight &weight : weights)
    sorted.push_back(&weight);
  llvm::stable_sort(
      sorted, [](const Weight *a, const Weight *b) { return a->bytes.size() > b->bytes.size(); });
  uint64_t rest = 0;
  for (auto [index, weight] : llvm::enumerate(sorted)) {
    if (index >= mostWeights) {
      rest += weight->bytes.size();
      continue;
    }
    os << "<tr><td>" << escapeXml(weight->name) << "</td><td>";
    llvm::interleave(weight->shape, os, " x ");
    os << "</td><td>" << escapeXml(weight->layout) << "</td><td class=\"number\">"
       << bytesText(weight->bytes.size()) << "</td></tr>\n";
  }
  if (sorted.size() > mostWeights)
    os << "<tr><td>" << sorted.size() - mostWeights
       << " more</td><td></td><td></td><td class=\"number\">" << bytesText(rest) << "</td></tr>\n";
  os << "</table>\n";
}

void Report::write(raw_ostream &os, StringRef input, const ModuleInfo &info,
                   ArrayRef<Weight> weights, const WrittenModule &written, double seconds) const {
  os << "<!DOCTYPE html>\n<html lang=\"en\"><head><meta "
        "charset=\"utf-8\"><title>"
     << escapeXml(info.name) << " - Weft</title>\n<style>\n"
     << "body { font: 14px sans-serif; margin: 2em auto; max-width: 75em; "
        "color: #223; }\n"
        "table { border-collapse: collapse; margin: 1em 0; }\n"
        "th, td { border: 1px solid #ccd; padding: 3px 8px; text-align: left; "
        "vertical-align: top; }\n"
        "th { background: #eef1f6; }\ntd.number { text-align: right; "
        "white-space: nowrap; }\n"
        "tr.fallback td { background: #fdeeda; }\n"
        ".bar { background: #6d8fc7; height: 10px; "
        "}\n</style></head><body>\n<h1>"
     << escapeXml(info.name) << "</h1>\n<table>\n";
  writeRow(os, "model", input);
  writeRow(os, "compiler", info.compilerVersion);
  writeRow(os, "options", info.options);
  for (const VariantInfo &variant : info.variants)
    writeRow(os, "CPU", variant.cpu + " (" + variant.features + ")");
  for (const FunctionInfo &function : info.functions) {
    for (const ArgumentInfo &argument : function.inputs)
      writeRow(os, "input", argumentText(function, argument));
    for (const ArgumentInfo &argument : function.outputs)
      writeRow(os, "output", argumentText(function, argument));
  }
  writeRow(os, "time", llvm::formatv("{0:f2} s", seconds).str());
  os << "</table>\n";
  if (!messages.empty()) {
    os << "<h2>Messages</h2>\n<ul>\n";
    for (const std::string &message : messages)
      os << "<li>" << escapeXml(message) << "</li>\n";
    os << "</ul>\n";
  }
  double longest = 1e-9;
  for (const StageLine &stage : stages)
    longest = std::max(longest, stage.seconds);
  os << "<h2>Stages</h2>\n<table>\n<tr><th>stage</th><th>result</th><th "
        "colspan=\"2\">time</th></tr>\n";
  for (const StageLine &stage : stages)
    os << "<tr><td>" << escapeXml(stage.name) << "</td><td>" << escapeXml(stage.summary)
       << "</td><td class=\"number\">" << llvm::format("%.3f s", stage.seconds)
       << "</td><td style=\"width:16em\"><div class=\"bar\" style=\"width:"
       << llvm::format("%.1f", 100 * stage.seconds / longest) << "%\"></div></td></tr>\n";
  os << "</table>\n";
  writeKernels(os, info);
  writeSizes(os, weights, written);
  os << "</body></html>\n";
}
