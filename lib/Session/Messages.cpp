//===- Messages.cpp - What a compilation tells its user -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Session/Messages.h"

#include "dialects/Weft/IR/SourceNodes.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace weft;

std::string weft::renderDiagnostic(Diagnostic &diagnostic) {
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
  // MLIR tells of its own tools' flags.
  std::string message = diagnostic.str();
  size_t advice = message.find(". If this is intended, please");
  if (advice != std::string::npos && message.find("unregistered dialect") < advice)
    message = message.substr(0, advice) + "; --load-plugin=FILE loads the plugin that defines it";
  os << message;
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

LogicalResult weft::enableRemarks(MLIRContext &context, const std::string &categories,
                                  Session::Diagnose diagnose) {
  // The engine does not apply `all` to the kinds that are not given.
  remark::RemarkCategories filter{categories, categories, categories, categories, categories};
  return remark::enableOptimizationRemarks(context, std::make_unique<RemarkLines>(diagnose),
                                           std::make_unique<remark::RemarkEmittingPolicyAll>(),
                                           filter);
}
