//===- RunCommand.cpp - weft run ------------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Cache.h"
#include "OutputPaths.h"
#include "Program.h"
#include "Tensor/Compare.h"
#include "Tensor/Print.h"

#include <cstdio>
#include <filesystem>

using namespace weft;

Command weft::describeRun() {
  Command command{
      "run",
      "MODULE|MODEL [options]",
      "runs a module, or compiles a model and runs it",
      "SPEC is TYPE[=VALUES|@FILE|random[:SEED[:LOW..HIGH]]] or @FILE.npy or "
      "@FILE.pb:\n  1x3xf32=1 2 3   4xf32=0.5 (all)   2x2xi32=[[1 2][3 4]]   "
      "2xi32 (zeros)\n  @x.npy   2x4xf32=@raw.bin   1x128xi64=random:7:0..1000",
      {{"input", "[NAME=]SPEC", "Inputs", "An input, by name or in the order of the signature"},
       {"output", "[NAME=]@FILE|-", "Output",
        "Writes an output to FILE (.npy, .pb, else raw bytes); - is standard "
        "output as .npy"},
       {"output-dir", "DIR", "Output", "Writes every output to DIR/NAME.npy"},
       {"max-elements", "N", "Output", "Values printed per output (default: 16)"},
       {"expect", "[NAME=]SPEC", "Comparison", "What an output must be; exit code 4 if it is not"},
       {"rtol", "R", "Comparison", "Relative tolerance (default: 1e-3)"},
       {"atol", "A", "Comparison", "Absolute tolerance (default: 1e-7)"},
       {"threads", "N", "Execution", "Threads (default: all usable)"},
       {"device", "NAME", "Execution",
        "Where device kernels run: cuda:0, hip:0, emulation (default: the first that the module "
        "has code for)"}}};
  for (const Option &option : cacheOptions())
    command.options.push_back(option);
  return command;
}

namespace {

/// Where an output goes.
struct Destination {
  uint32_t output;
  std::string path;
};

} // namespace

/// Parses [NAME=]@FILE or [NAME=]-.
static Result<std::vector<Destination>> parseDestinations(const std::vector<std::string> &texts,
                                                          const weft_function &function) {
  std::vector<Destination> destinations;
  uint32_t position = 0;
  for (const std::string &text : texts) {
    uint32_t index = function.output_count;
    std::string path = text;
    for (uint32_t i = 0; i < function.output_count; ++i) {
      std::string prefix = std::string(function.outputs[i].name) + "=";
      if (text.starts_with(prefix) &&
          (text.substr(prefix.size()).starts_with("@") || text.substr(prefix.size()) == "-")) {
        index = i;
        path = text.substr(prefix.size());
      }
    }
    if (path != "-" && (!path.starts_with("@") || path.size() == 1))
      return Error{"--output '" + text +
                   "': expected [NAME=]@FILE or [NAME=]-"
                   " with a NAME of " +
                   argumentNames(function.outputs, function.output_count)};
    if (index == function.output_count) {
      index = position++;
      if (index >= function.output_count)
        return Error{"--output '" + text + "': there are only " +
                     std::to_string(function.output_count) + " outputs"};
    }
    destinations.push_back({index, path == "-" ? path : path.substr(1)});
  }
  return destinations;
}

/// A file name from a tensor's name, which may hold anything.
static std::string fileName(const std::string &name) {
  std::string safe;
  for (char c : name)
    safe += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '.'
                ? c
                : '_';
  return (safe.empty() || safe[0] == '.' ? "_" + safe : safe) + ".npy";
}

/// Whether the outputs can be written without harm to what the command reads.
static Status checkPaths(const std::string &program, const Program &loaded,
                         const std::vector<Destination> &destinations,
                         const weft_function &function, const Arguments &arguments) {
  std::vector<NamedPath> inputs = {{"the module or model", program}}, outputs;
  if (std::string weights = loaded.weightsPath(); !weights.empty())
    inputs.push_back({"the module's weights", std::move(weights)});
  for (std::string &file : externalFiles(program))
    inputs.push_back({"the model's external data", std::move(file)});
  for (const char *option : {"input", "expect"})
    for (const std::string &spec : arguments.all(option))
      if (size_t at = spec.find('@'); at != std::string::npos)
        inputs.push_back(
            {std::string("what option '--") + option + "' reads", spec.substr(at + 1)});
  for (const Destination &destination : destinations)
    outputs.push_back({"option '--output'", destination.path});
  if (std::optional<std::string> folder = arguments.get("output-dir")) {
    std::error_code failed;
    std::filesystem::create_directories(*folder, failed);
    if (failed)
      return Error{*folder + ": cannot make the folder: " + failed.message()};
    for (uint32_t i = 0; i < function.output_count; ++i)
      outputs.push_back(
          {"option '--output-dir'", *folder + "/" + fileName(function.outputs[i].name)});
  }
  if (Status status = checkOutputPaths(outputs, inputs); !status)
    return status;
  return checkOutputFolders(outputs);
}

static Status writeOutputs(const Arguments &arguments, const std::vector<Destination> &destinations,
                           const weft_function &function, const std::vector<Tensor> &outputs) {
  for (const Destination &destination : destinations)
    if (Status status = writeTensorFile(destination.path, outputs[destination.output]); !status)
      return status;
  std::optional<std::string> folder = arguments.get("output-dir");
  if (!folder)
    return {};
  for (size_t i = 0; i < outputs.size(); ++i)
    if (Status status =
            writeTensorFile(*folder + "/" + fileName(function.outputs[i].name), outputs[i]);
        !status)
      return status;
  return {};
}

static int compareOutputs(const std::vector<std::optional<Tensor>> &expected,
                          const std::vector<Tensor> &outputs, const weft_function &function,
                          const Tolerance &tolerance) {
  bool isEqual = true, isAny = false;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!expected[i])
      continue;
    isAny = true;
    Comparison comparison = compareTensors(outputs[i], *expected[i], tolerance);
    if (!comparison.isEqual) {
      isEqual = false;
      std::fprintf(stderr, "weft: output '%s': %s\n", function.outputs[i].name,
                   comparison.message.c_str());
    }
  }
  if (isAny && isEqual)
    std::fprintf(stderr, "weft: outputs are as expected\n");
  return isEqual ? ExitSuccess : ExitDifferent;
}

int weft::runRun(const Command &command, const Arguments &arguments) {
  if (arguments.positional().size() != 1)
    return fail("expected one module or model, found " +
                    std::to_string(arguments.positional().size()) + "; see 'weft run --help'",
                ExitUsage);
  Result<int64_t> threads = arguments.integer("threads", 0, 0, 4096);
  Result<int64_t> shown = arguments.integer("max-elements", 16, 0, INT64_MAX);
  Result<double> relative = arguments.number("rtol", Tolerance().relative);
  Result<double> absolute = arguments.number("atol", Tolerance().absolute);
  if (!threads || !shown)
    return fail(!threads ? threads.error() : shown.error(), ExitUsage);
  if (!relative || !absolute)
    return fail(!relative ? relative.error() : absolute.error(), ExitUsage);

  std::optional<Loaded> loaded;
  if (int code = loadProgram(arguments.positional()[0], arguments, loaded))
    return code;
  const Program &program = loaded->program;
  const weft_function &function = program.entry();
  if (program.description().variant_count > 1 && !arguments.has("quiet"))
    std::fprintf(stderr, "weft: variant %s: %s\n", program.variant().cpu,
                 program.variantReason().c_str());
  int code = ExitUsage;
  Result<std::vector<std::optional<Tensor>>> given =
      assignSpecs(arguments.all("input"), function.inputs, function.input_count, "--input", &code);
  if (!given)
    return fail(given.error(), code);
  Result<std::vector<std::optional<Tensor>>> expected =
      assignSpecs(arguments.all("expect"), function.outputs, function.output_count, "--expect");
  if (!expected)
    return fail(expected.error(), ExitUsage);
  Result<std::vector<Destination>> destinations =
      parseDestinations(arguments.all("output"), function);
  if (!destinations)
    return fail(destinations.error(), ExitUsage);
  if (Status status =
          checkPaths(arguments.positional()[0], program, *destinations, function, arguments);
      !status)
    return fail(status.error());
  std::vector<Tensor> inputs;
  for (uint32_t i = 0; i < function.input_count; ++i) {
    if (!(*given)[i])
      return fail("input '" + std::string(function.inputs[i].name) +
                      "' is missing: give --input='" + function.inputs[i].name + "=SPEC' (it is " +
                      describeArgument(function, function.inputs[i]) + ")",
                  ExitUsage);
    inputs.push_back(*std::move((*given)[i]));
  }

  Result<Call> call = Call::create(loaded->program, *threads, arguments.get("device"));
  if (!call)
    return fail(call.error());
  if (Status status = call->bind(std::move(inputs)); !status)
    return fail(status.error());
  if (Status status = call->run(); !status)
    return fail(status.error());
  Result<std::vector<Tensor>> outputs = call->outputs();
  if (!outputs)
    return fail(outputs.error());
  // With a tensor on standard output the text would be in its way.
  bool isPiped = false;
  for (const Destination &destination : *destinations)
    isPiped |= destination.path == "-";
  for (size_t i = 0; i < outputs->size(); ++i)
    std::fprintf(isPiped ? stderr : stdout, "%s: %s\n", function.outputs[i].name,
                 printTensor((*outputs)[i], *shown).c_str());
  if (Status status = writeOutputs(arguments, *destinations, function, *outputs); !status)
    return fail(status.error());
  return compareOutputs(*expected, *outputs, function, {*relative, *absolute});
}
