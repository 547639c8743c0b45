//===- Check.h - Cases of weft check and their verdicts -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TOOLS_WEFT_CHECK_H
#define WEFT_TOOLS_WEFT_CHECK_H

#include "Compiler.h"
#include "Tensor/Compare.h"
#include "Tensor/Json.h"

#include <string>
#include <vector>

namespace weft {

/// A model and the folders with its inputs and expected outputs.
struct CheckCase {
  /// The folder's path below the argument it was found in.
  std::string name;
  std::string model;
  std::vector<std::string> dataSets; // sorted; may be empty with a peer
};

/// Every folder at or below `root` with test_data_set_* folders and either
/// model.onnx or just one *.onnx; or the one model `root`. Sorted by name.
Result<std::vector<CheckCase>> findCases(const std::string &root);

/// Whether the shell pattern matches the name or its last part.
bool matchesPattern(const std::string &pattern, const std::string &name);

/// Lines of "PATTERN  REASON" that name cases not to run; '#' starts a comment.
class ExclusionList {
public:
  static Result<ExclusionList> read(const std::string &path);
  /// The reason of the first pattern that matches.
  const std::string *find(const std::string &name) const;

private:
  std::vector<std::pair<std::string, std::string>> patterns;
};

enum class Verdict { Passed, Failed, Unsupported, Excluded };
const char *verdictName(Verdict verdict);

struct CheckRecord {
  std::string name;
  Verdict verdict = Verdict::Failed;
  std::string reason;
  double maxAbsoluteError = 0, maxRelativeError = 0;
  /// What was derived for each output, a sentence; empty unless compared with a peer.
  std::string tolerance;
  double compileSeconds = 0, runSeconds = 0;

  Json toJson() const;
  static std::optional<CheckRecord> fromJson(const Json &json);
};

enum class Variant { AsIs, Dynamic, Constant };

struct CheckOptions {
  Tolerance tolerance;
  /// Against a peer: the absolute tolerance is derived from the peer's outputs.
  bool isDerived = false;
  /// atol is multiplied with the largest finite |expected| of an output.
  bool isScaled = false;
  int64_t threads = 1;
  std::optional<std::string> device;
  Variant variant = Variant::AsIs;
  std::vector<std::string> compilerArguments;
  /// Compare with this peer on random inputs; empty: with the data sets.
  std::string peer;
  std::vector<std::string> dims;
  /// --input, for the peer.
  std::vector<std::string> inputs;
  /// Look for the first node whose output differs when a case fails.
  bool isBisected = false;
  /// Where the case may write; removed by the caller.
  std::string workFolder;
};

/// Compiles, runs and compares one case, in this process. Prints nothing.
CheckRecord runCase(const CheckCase &testCase, const Compiler &compiler,
                    const CheckOptions &options);

} // namespace weft

#endif // WEFT_TOOLS_WEFT_CHECK_H
