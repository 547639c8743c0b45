//===- Report.h - The report of a compilation -------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_SESSION_REPORT_H
#define WEFT_SESSION_REPORT_H

#include "Package/ModuleInfo.h"
#include "Package/Writer.h"
#include "weft/Stage.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/raw_ostream.h"

#include <string>
#include <vector>

namespace weft {

/// What `weft compile --report` shows, gathered as the stages pass: their times
/// and results, kernels with schedules and the nodes that they compute, the
/// memory plan, sizes.
class Report {
public:
  /// After a stage that took `seconds`; `summary` is its line of progress.
  void addStage(Stage stage, double seconds, llvm::StringRef summary, mlir::ModuleOp module);
  /// A warning or remark to the user.
  void addMessage(llvm::StringRef text) { messages.push_back(text.str()); }

  /// The whole as one HTML file that needs no other.
  void write(llvm::raw_ostream &os, llvm::StringRef input, const ModuleInfo &info,
             llvm::ArrayRef<Weight> weights, const WrittenModule &written, double seconds) const;

private:
  struct Kernel {
    int64_t dispatches = 0;
    std::string schedule;
    llvm::SetVector<mlir::StringAttr> nodes;
    bool isFallback = false;
    std::string reason;
  };
  struct StageLine {
    std::string name, summary;
    double seconds;
  };
  void writeKernels(llvm::raw_ostream &os, const ModuleInfo &info) const;
  void writeSizes(llvm::raw_ostream &os, llvm::ArrayRef<Weight> weights,
                  const WrittenModule &written) const;

  std::vector<StageLine> stages;
  llvm::MapVector<mlir::StringAttr, Kernel> kernels;
  std::vector<std::string> messages;
  int64_t arenaBytes = -1, arenaLowerBound = -1, arenaAssumedExtent = -1;
};

} // namespace weft

#endif // WEFT_SESSION_REPORT_H
