//===- CompileCommand.cpp - weft compile ----------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Everything is the compiler's; what is done here is progress and the summary.
//
//===----------------------------------------------------------------------===//

#include "Compiler.h"
#include "OutputPaths.h"
#include "Program.h"
#include "Tool.h"

#include <cstdio>
#include <filesystem>

using namespace weft;

Command weft::describeCompile() {
  Command command{
      "compile",
      "MODEL [options]",
      "compiles a model to a module",
      "",
      {{"o", "FILE|-", "Output",
        "The module (default: the model's name with .so); - is standard "
        "output, with the weights in it"},
       {"emit", "module|obj|mlir", "Output", "A module (default), an object to link, or IR", true},
       {"compile-to", "STAGE", "Output",
        "Stops after input, model, fuse, tile, vector, buffer, target or "
        "module",
        true},
       {"embed-limit", "BYTES", "Output",
        "Weights above this go to a file beside the module (default: 64 MB)", true},
       {"report", "FILE.html", "Diagnosis", "Writes a report", true},
       {"save-asm", "DIR", "Diagnosis",
        "Keeps the assembly of each kernel, for devices too, and of the host functions", true},
       {"dump-stages", "DIR", "Diagnosis", "Writes the IR after every stage", true},
       {"remarks", "[=CATEGORIES]", "Diagnosis",
        "Prints what the compiler decided and why; CATEGORIES is a regular "
        "expression of fuse, tile, vector, buffer",
        true},
       {"mlir-timing", "", "Diagnosis", "Prints the time of each pass", true},
       {"verify-each", "", "Diagnosis", "Verifies the IR after every pass", true},
       {"jobs", "N", "Execution",
        "Threads that generate code (default: usable cores); the module does "
        "not depend on it",
        true},
       {"quiet", "", "Execution", "No progress and no summary; warnings stay"}}};
  for (const Option &option : compilerOptions())
    command.options.push_back(option);
  return command;
}

static std::string fileLine(const std::string &path) {
  std::error_code failed;
  uintmax_t size = std::filesystem::file_size(path, failed);
  return path + (failed ? "" : " (" + formatBytes(size) + ")");
}

/// What a call brings to the device and back, each with the reason.
static void printDevice(const weft_module &module) {
  std::printf("device    %u kernels, %u transfers\n", module.device_kernel_count,
              module.transfer_count);
  constexpr uint32_t mostShown = 8;
  static constexpr const char *directions[] = {"to device", "to host", "on device"};
  for (uint32_t i = 0; i < module.transfer_count && i < mostShown; ++i) {
    const weft_transfer &transfer = module.transfers[i];
    std::printf("          %s: %s, %s bytes: %s\n", directions[transfer.direction], transfer.value,
                transfer.bytes, transfer.reason);
  }
  if (module.transfer_count > mostShown)
    std::printf("          and %u more, which 'weft inspect' lists\n",
                module.transfer_count - mostShown);
}

static void printSummary(const std::string &path, bool isNative, double seconds) {
  Result<Program> program = Program::load(path);
  std::printf("module    %s\n", fileLine(path).c_str());
  if (!program) {
    // It may well be for another machine.
    std::printf("          cannot run here: %s\n", program.error().message.c_str());
    std::printf("time      %s\n", formatTime(seconds).c_str());
    return;
  }
  const weft_module &module = program->description();
  const weft_function &function = program->entry();
  if (std::string weights = program->weightsPath(); !weights.empty())
    std::printf("weights   %s\n", fileLine(weights).c_str());
  else if (module.weights_size)
    std::printf("weights   %s, embedded\n", formatBytes(module.weights_size).c_str());
  for (uint32_t i = 0; i < function.input_count; ++i)
    std::printf("%s%s\n", i ? "          " : "inputs    ",
                describeArgument(function, function.inputs[i]).c_str());
  for (uint32_t i = 0; i < function.output_count; ++i)
    std::printf("%s%s\n", i ? "          " : "outputs   ",
                describeArgument(function, function.outputs[i]).c_str());
  for (uint32_t i = 0; i < module.variant_count; ++i)
    std::printf("%s%s%s\n", i ? "          " : "cpu       ",
                describeVariant(module.variants[i], isNative).c_str(),
                &module.variants[i] == &program->variant() ? " (runs here)" : "");
  if (module.variant_count == 1 && !std::string_view(module.variants[0].cpu).starts_with("x86-64"))
    std::printf("          (--cpu=x86-64-v3,x86-64-v4 is for any CPU with AVX2)\n");
  uint32_t fallbacks = 0;
  for (uint32_t i = 0; i < module.kernel_count; ++i)
    fallbacks += (module.kernels[i].flags & WEFT_KERNEL_FALLBACK) != 0;
  std::printf("kernels   %u, of them %u fallbacks\n", module.kernel_count, fallbacks);
  constexpr uint32_t mostShown = 4;
  uint32_t shown = 0;
  for (uint32_t i = 0; i < module.kernel_count && shown < mostShown; ++i)
    if (const weft_site *site = fallbackSite(module, i)) {
      std::printf("          %s (%s): %s\n", module.kernels[i].name, site->node, site->message);
      ++shown;
    }
  if (fallbacks > shown)
    std::printf("          and %u more, which 'weft inspect' lists\n", fallbacks - shown);
  std::optional<WorkspaceExample> arena = exampleWorkspace(function, weft_usable_threads());
  if (!arena)
    std::printf("arena     grows with the shapes\n");
  else
    std::printf("arena     %s%s%s\n", formatBytes(static_cast<uint64_t>(arena->bytes)).c_str(),
                arena->symbols.empty() ? "" : " at ", arena->symbols.c_str());
  if (module.struct_size >= sizeof(weft_module) && module.device_kernel_count)
    printDevice(module);
  std::printf("time      %s\n", formatTime(seconds).c_str());
  std::printf("next      weft bench %s\n", path.c_str());
}

/// What is read must not be overwritten, nor what was just written.
static Status checkPaths(const CompileRequest &request, const Arguments &arguments, bool isText) {
  std::vector<NamedPath> inputs = {{"the model", request.input}};
  for (std::string &file : externalFiles(request.input))
    inputs.push_back({"the model's external data", std::move(file)});
  std::vector<NamedPath> outputs = {{"option '-o'", request.output}};
  if (std::optional<std::string> report = arguments.get("report"))
    outputs.push_back({"option '--report'", *report});
  // Large weights go there.
  if (!isText && request.output != "-")
    outputs.push_back(
        {"the weights file of option '-o'",
         std::filesystem::path(request.output).replace_extension(".safetensors").string()});
  return checkOutputPaths(outputs, inputs);
}

int weft::runCompile(const Command &command, const Arguments &arguments) {
  if (arguments.positional().size() != 1)
    return fail("expected one model, found " + std::to_string(arguments.positional().size()) +
                    "; see 'weft compile --help'",
                ExitUsage);
  CompileRequest request;
  request.input = arguments.positional()[0];
  request.arguments = arguments.forCompiler();
  request.quiet = arguments.has("quiet");
  std::string emit = arguments.get("emit").value_or("module");
  std::string stage = arguments.get("compile-to").value_or("module");
  bool isPrinted = request.input.ends_with(".mlir"); // keeps its CPU
  bool isModule = emit == "module" && stage == "module";
  std::vector<std::string> processors = arguments.all("cpu");
  std::filesystem::path base = std::filesystem::path(request.input).filename();
  request.output = arguments.get("o").value_or(base.replace_extension(emit == "obj" ? ".o"
                                                                      : isModule    ? ".so"
                                                                                    : ".mlir")
                                                   .string());
  bool isText = !isModule && emit != "obj";
  if (Status status = checkPaths(request, arguments, isText); !status)
    return fail(status.error());
  Result<Compiler> compiler = Compiler::open();
  if (!compiler)
    return fail(compiler.error());
  CompileOutcome outcome = compiler->compile(request);
  if (!outcome.diagnostics.empty()) {
    std::fputs(outcome.diagnostics.c_str(), stderr);
    if (!outcome.diagnostics.ends_with("\n"))
      std::fputc('\n', stderr);
  } else if (outcome.code != ExitSuccess) {
    return fail(request.input + ": the compiler failed without a message", outcome.code);
  }
  if (outcome.code == ExitSuccess && !request.quiet && request.output != "-") {
    if (isModule)
      printSummary(request.output,
                   processors.empty() ? !isPrinted
                                      : processors == std::vector<std::string>{"native"},
                   outcome.seconds);
    else
      std::printf("written   %s\ntime      %s\n", fileLine(request.output).c_str(),
                  formatTime(outcome.seconds).c_str());
  }
  return outcome.code;
}
