//===- Import.h - What a frontend gets and gives --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_IMPORT_H
#define WEFT_FRONTEND_IMPORT_H

#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringMap.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weft {

class Registry;

/// What the user says about dimensions.
struct DimRange {
  int64_t min = 0;
  int64_t max = INT64_MAX; ///< equal to min: the dimension is static
};

struct ImportOptions {
  /// By the name of the symbolic dimension (`--dim batch=4`, `--dim seq=1..512`).
  std::map<std::string, DimRange> dims;
  /// By the name of the input (`--shape=x:1x3x224x224`; -1 leaves a dimension).
  std::map<std::string, std::vector<int64_t>> shapes;
  /// Makes every dimension of every input a symbol of its own (`--all-dynamic`).
  bool allDynamic = false;
  /// Inputs that become constants, by position among the inputs: TensorProto
  /// files (`--constant-inputs=DIR` with input_N.pb).
  std::string constantInputs;

  /// The flag of one of those that are given; empty if there is none.
  std::string firstGiven() const {
    return !dims.empty()             ? "--dim"
           : !shapes.empty()         ? "--shape"
           : allDynamic              ? "--all-dynamic"
           : !constantInputs.empty() ? "--constant-inputs"
                                     : "";
  }
};

/// Why an import gave nothing. Usage: the options do not fit the model.
enum class ImportFailure { None, Error, Unsupported, Usage };

/// What a frontend gets, and where it leaves word of what it found. Errors are
/// diagnostics of the context.
class ImportContext {
public:
  ImportContext(mlir::MLIRContext &context, const Registry &registry, std::string path,
                const ImportOptions &options)
      : context(context), registry(registry), path(std::move(path)), options(options) {}

  mlir::MLIRContext &context;
  const Registry &registry;
  const std::string path; ///< of the model
  const ImportOptions &options;

  /// Set by the frontend.
  ImportFailure failure = ImportFailure::None;
  /// Number of nodes imported, for the progress line.
  int64_t nodeCount = 0;
};

} // namespace weft

#endif // WEFT_FRONTEND_IMPORT_H
