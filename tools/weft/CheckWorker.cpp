//===- CheckWorker.cpp - Compiles, runs and compares one case -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Check.h"

#include "Peer.h"
#include "Program.h"
#include "TempFolder.h"
#include "Tool.h"

#include <algorithm>
#include <cmath>

using namespace weft;
namespace fs = std::filesystem;

namespace {

/// Why a case did not pass.
struct Finding {
  Verdict verdict;
  std::string reason;
};

/// How an output may differ.
struct Allowance {
  Tolerance tolerance;
  std::optional<double> mean; ///< what the mean error must not exceed
  std::string explanation;    ///< empty unless derived
};

class Worker {
public:
  Worker(const CheckCase &testCase, const Compiler &compiler, const CheckOptions &options)
      : testCase(testCase), compiler(compiler), options(options) {
    record.name = testCase.name;
  }

  CheckRecord run();

private:
  std::optional<Finding> check();
  std::optional<Finding> compile(const std::string &model, const std::string &constantInputs,
                                 std::optional<Program> &program);
  std::optional<Finding> checkDataSet(const std::string &folder, const Program &program);
  std::optional<Finding> checkPeer(const Program &program);
  std::optional<Finding> execute(const Program &program, std::vector<Tensor> inputs,
                                 std::vector<Tensor> &outputs);
  std::optional<Finding> compare(const Program &program, const std::vector<Tensor> &outputs,
                                 const std::vector<PeerOutput> &expected, const std::string &where);
  Allowance allowanceFor(const PeerOutput &expected) const;
  std::string bisect(const Program &program, const std::vector<Tensor> &inputs);

  const CheckCase &testCase;
  const Compiler &compiler;
  const CheckOptions &options;
  CheckRecord record;
  std::optional<TempFolder> folder;
  int modules = 0;
};

} // namespace

static Finding failed(std::string reason) { return {Verdict::Failed, std::move(reason)}; }

/// One line, for a record.
static std::string oneLine(std::string text) {
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ';');
  return text.size() > 2000 ? text.substr(0, 2000) + "..." : text;
}

std::optional<Finding> Worker::compile(const std::string &model, const std::string &constantInputs,
                                       std::optional<Program> &program) {
  CompileRequest request;
  request.input = model;
  // A name of its own: an earlier module is still mapped.
  request.output = folder->path() + "/module" + std::to_string(modules++) + ".so";
  request.arguments = options.compilerArguments;
  // The cases are what runs in parallel.
  request.arguments.push_back("--jobs=1");
  if (options.variant == Variant::Dynamic)
    request.arguments.push_back("--all-dynamic");
  if (options.variant == Variant::Constant)
    request.arguments.push_back("--constant-inputs=" + constantInputs);
  CompileOutcome outcome = compiler.compile(request);
  record.compileSeconds += outcome.seconds;
  if (outcome.code == ExitUnsupported)
    return Finding{Verdict::Unsupported, oneLine(outcome.diagnostics)};
  if (outcome.code != ExitSuccess)
    return failed("compile (exit " + std::to_string(outcome.code) +
                  "): " + oneLine(outcome.diagnostics));
  Result<Program> loaded = Program::load(request.output);
  if (!loaded)
    return failed("load: " + loaded.error().message);
  program = *std::move(loaded);
  return std::nullopt;
}

/// Reads PREFIX_0.pb, PREFIX_1.pb, ... of a data set.
static std::optional<Finding> readTensors(const std::string &folder, const char *prefix,
                                          std::vector<Tensor> &tensors) {
  std::error_code ignored;
  for (size_t i = 0;; ++i) {
    std::string path = folder + "/" + prefix + "_" + std::to_string(i) + ".pb";
    if (!fs::exists(path, ignored))
      return std::nullopt;
    Result<Tensor> tensor = readTensorFile(path);
    if (!tensor)
      return Finding{Verdict::Failed, tensor.error().message};
    tensors.push_back(*std::move(tensor));
  }
}

/// Tools without bf16 write its bits as u16; the module knows better.
static void relabelBFloat16(std::vector<Tensor> &tensors, const weft_argument *arguments,
                            uint32_t count) {
  for (size_t i = 0; i < std::min<size_t>(tensors.size(), count); ++i) {
    weft_dtype wanted = arguments[i].dtype, found = tensors[i].dtype();
    if (wanted.code == WEFT_DTYPE_BFLOAT && wanted.bits == 16 && found.code == WEFT_DTYPE_UINT &&
        found.bits == 16)
      tensors[i] = tensors[i].withType(dtype::bf16);
  }
}

std::optional<Finding> Worker::execute(const Program &program, std::vector<Tensor> inputs,
                                       std::vector<Tensor> &outputs) {
  Result<Call> call = Call::create(program, options.threads, options.device);
  if (!call)
    return failed("run: " + call.error().message);
  if (Status status = call->bind(std::move(inputs)); !status)
    return failed("run: " + status.error().message);
  double start = now();
  Status status = call->run();
  record.runSeconds += now() - start;
  if (!status)
    return failed("run: " + status.error().message);
  Result<std::vector<Tensor>> results = call->outputs();
  if (!results)
    return failed("run: " + results.error().message);
  outputs = *std::move(results);
  return std::nullopt;
}

namespace {
/// The smallest and the largest of 0 and the finite elements.
struct Range {
  double low = 0, high = 0;
  double magnitude() const { return std::max(-low, high); }
};
} // namespace

static Range rangeOf(const Tensor &tensor) {
  Range range;
  DataType type = componentType(tensor.dtype());
  if (isString(type))
    return range;
  for (int64_t i = 0; i < tensor.count() * componentCount(tensor.dtype()); ++i)
    if (double value = loadNumber(type, tensor.raw(), i); std::isfinite(value)) {
      range.low = std::min(range.low, value);
      range.high = std::max(range.high, value);
    }
  return range;
}

/// What errors of rounding may add up to, as a part of the largest magnitude: 64 units in the
/// last place. How many terms a sum had is not known; the errors of 4096 terms that are as
/// often up as down are about as much.
static double roundingPart(DataType type) {
  switch (type.bits) {
  case 64:
    return 64 * 0x1p-53;
  case 32:
    return 64 * 0x1p-24;
  default: // products and sums are f32 or better: the result is rounded, and a few before it
    return 4 * (type.code == WEFT_DTYPE_BFLOAT ? 0x1p-8 : 0x1p-11);
  }
}

static std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2g", value);
  return text;
}

/// Where a number lies between two codes, errors of rounding decide which it becomes, and the
/// codes that are computed from it follow. Codes at the end differ by 2 then, and few of them;
/// what is computed in floats from codes, by 8 steps of 255 of its range. (ONNX Runtime's own
/// results with and without its optimizations do: up to 0.2 of a range of 8 for a MiniLM.)
Allowance Worker::allowanceFor(const PeerOutput &expected) const {
  Allowance allowance{options.tolerance};
  Tolerance &tolerance = allowance.tolerance;
  DataType type = componentType(expected.tensor.dtype());
  Range range = rangeOf(expected.tensor);
  if (options.isScaled)
    tolerance.absolute *= std::max(1.0, range.magnitude());
  if (!options.isDerived || isString(type))
    return allowance;
  bool isCodes = isIntegral(type);
  if (isCodes && !(expected.isQuantized && expected.step > 0 && type.bits <= 8)) {
    allowance.explanation = "exact";
    return allowance;
  }
  if (!isCodes) {
    tolerance.absolute = std::max(tolerance.absolute, roundingPart(type) * range.magnitude());
    allowance.explanation =
        "rtol " + number(tolerance.relative) + ", atol " + number(tolerance.absolute);
    if (!expected.isQuantized)
      return allowance;
    allowance.explanation += " + ";
  }
  bool isKnown = expected.step > 0;
  double step = isCodes ? 1 : isKnown ? expected.step : 4 * (range.high - range.low) / 255;
  allowance.mean = tolerance.absolute + step / 2 + 2 * expected.meanSpread;
  tolerance.absolute += 2 * step + 2 * expected.spread;
  tolerance.integer = tolerance.absolute;
  allowance.explanation += number(2 * step) + (isKnown ? " (2 codes)" : " (8/255 of the range)");
  if (expected.spread > 0)
    allowance.explanation +=
        " + " + number(2 * expected.spread) + " (twice the spread of the peer's results)";
  allowance.explanation += ", in the mean " + number(*allowance.mean);
  return allowance;
}

std::optional<Finding> Worker::compare(const Program &program, const std::vector<Tensor> &outputs,
                                       const std::vector<PeerOutput> &expected,
                                       const std::string &where) {
  const weft_function &function = program.entry();
  if (outputs.size() != expected.size())
    return failed(where + "expected " + std::to_string(expected.size()) +
                  " outputs, the module has " + std::to_string(outputs.size()));
  std::optional<Finding> first;
  for (size_t i = 0; i < outputs.size(); ++i) {
    Allowance allowance = allowanceFor(expected[i]);
    Comparison comparison = compareTensors(outputs[i], expected[i].tensor, allowance.tolerance);
    if (!allowance.explanation.empty())
      record.tolerance +=
          (i ? "; '" : "'") + std::string(function.outputs[i].name) + "' " + allowance.explanation;
    // Single codes round the other way; if most of them do, something else is wrong.
    if (comparison.isEqual && allowance.mean && comparison.meanAbsoluteError > *allowance.mean) {
      comparison.isEqual = false;
      comparison.message = "differs by " + number(comparison.meanAbsoluteError) +
                           " in the mean, expected at most " + number(*allowance.mean);
    }
    record.maxAbsoluteError = std::max(record.maxAbsoluteError, comparison.maxAbsoluteError);
    record.maxRelativeError = std::max(record.maxRelativeError, comparison.maxRelativeError);
    if (!comparison.isEqual && !first)
      first = failed(where + "output '" + function.outputs[i].name + "': " + comparison.message);
  }
  return first;
}

std::optional<Finding> Worker::checkDataSet(const std::string &dataSet, const Program &program) {
  std::vector<Tensor> inputs, expected, outputs;
  if (auto finding = readTensors(dataSet, "input", inputs))
    return finding;
  if (auto finding = readTensors(dataSet, "output", expected))
    return finding;
  relabelBFloat16(inputs, program.entry().inputs, program.entry().input_count);
  relabelBFloat16(expected, program.entry().outputs, program.entry().output_count);
  // Folded inputs are gone from the signature.
  if (options.variant == Variant::Constant && program.entry().input_count == 0)
    inputs.clear();
  if (auto finding = execute(program, inputs, outputs))
    return finding;
  std::string where =
      testCase.dataSets.size() > 1 ? fs::path(dataSet).filename().string() + ": " : std::string();
  std::vector<PeerOutput> wanted;
  for (Tensor &tensor : expected)
    wanted.push_back({"", std::move(tensor)});
  std::optional<Finding> finding = compare(program, outputs, wanted, where);
  if (finding && options.isBisected)
    finding->reason += "; bisect: " + bisect(program, inputs);
  return finding;
}

std::optional<Finding> Worker::checkPeer(const Program &program) {
  const weft_function &function = program.entry();
  std::string made;
  Result<std::vector<std::optional<Tensor>>> given =
      assignSpecs(options.inputs, function.inputs, function.input_count, "--input");
  if (!given)
    return failed(given.error().message);
  Result<std::vector<Tensor>> inputs = completeInputs(function, *given, options.dims, made);
  if (!inputs)
    return failed(inputs.error().message);
  std::vector<NamedTensor> named;
  for (size_t i = 0; i < inputs->size(); ++i)
    named.push_back({function.inputs[i].name, (*inputs)[i]});
  Result<std::vector<PeerOutput>> peer =
      runPeer(options.peer, testCase.model, named, std::max<int64_t>(1, options.threads));
  if (!peer)
    return failed(peer.error().message);
  std::vector<Tensor> outputs;
  if (auto finding = execute(program, *inputs, outputs))
    return finding;
  std::optional<Finding> finding =
      compare(program, outputs, *peer, "against " + options.peer + ": ");
  if (finding && options.isBisected)
    finding->reason += "; bisect: " + bisect(program, *inputs);
  return finding;
}

/// What the first node is whose output differs from ONNX Runtime's, in a model
/// in which every value is an output. Says so if none does: fusion ends at
/// outputs, so that its mistakes are gone there.
std::string Worker::bisect(const Program &program, const std::vector<Tensor> &inputs) {
  if (inputs.size() != program.entry().input_count)
    return "not possible with constant inputs";
  std::vector<NamedTensor> named;
  for (size_t i = 0; i < inputs.size(); ++i)
    named.push_back({program.entry().inputs[i].name, inputs[i]});
  Result<std::vector<ExposedValue>> values = exposeValues(testCase.model, named, folder->path());
  if (!values)
    return values.error().message;
  std::optional<Program> exposed;
  if (auto finding = compile(folder->path() + "/exposed.onnx", "", exposed))
    return finding->reason;
  std::vector<Tensor> outputs;
  if (auto finding = execute(*exposed, inputs, outputs))
    return finding->reason;
  std::string names;
  for (const ExposedValue &value : *values)
    names += (names.empty() ? "" : ", ") + value.name;
  if (outputs.size() != values->size())
    return "expected " + std::to_string(values->size()) + " outputs (" + names +
           "), the module has " + std::to_string(outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const ExposedValue &value = (*values)[i];
    Comparison comparison = compareTensors(outputs[i], value.tensor,
                                           allowanceFor({value.name, value.tensor}).tolerance);
    if (!comparison.isEqual)
      return "node '" + value.node + "' (" + value.op +
             ") is the first whose "
             "output differs: '" +
             value.name + "': " + comparison.message;
  }
  return "no node differs when every value is an output, so that fusion or "
         "memory planning is to be suspected";
}

std::optional<Finding> Worker::check() {
  Result<TempFolder> made = TempFolder::create(options.workFolder);
  if (!made)
    return failed(made.error().message);
  folder.emplace(*std::move(made));
  std::optional<Program> program;
  bool isPeer = !options.peer.empty();
  if (!isPeer && testCase.dataSets.empty())
    return failed("there is no test_data_set_* folder beside the model; "
                  "--against=onnxruntime needs none");
  if (options.variant != Variant::Constant)
    if (auto finding = compile(testCase.model, "", program))
      return finding;
  if (isPeer)
    return checkPeer(*program);
  for (const std::string &dataSet : testCase.dataSets) {
    if (options.variant == Variant::Constant)
      if (auto finding = compile(testCase.model, dataSet, program))
        return finding;
    if (auto finding = checkDataSet(dataSet, *program))
      return finding;
  }
  return std::nullopt;
}

CheckRecord Worker::run() {
  std::optional<Finding> finding = check();
  record.verdict = finding ? finding->verdict : Verdict::Passed;
  record.reason = finding ? finding->reason : "";
  return record;
}

CheckRecord weft::runCase(const CheckCase &testCase, const Compiler &compiler,
                          const CheckOptions &options) {
  return Worker(testCase, compiler, options).run();
}
