//===- InspectCommand.cpp - weft inspect ----------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Cache.h"
#include "Compiler.h"
#include "DeviceCode.h"
#include "ElfSymbols.h"
#include "Peer.h"
#include "Program.h"
#include "Tensor/Json.h"

#include <cstdio>
#include <filesystem>

using namespace weft;

Command weft::describeInspect() {
  Command command{
      "inspect",
      "MODULE|MODEL [options]",
      "shows what a module consists of",
      "",
      {{"json", "", "Output", "As JSON"},
       {"disassemble", "KERNEL", "Output",
        "The machine code of a kernel (needs llvm-objdump or objdump; for NVIDIA GPUs nvdisasm)"},
       {"graph", "dot|svg", "Output", "The model's graph (MODEL only; written by the compiler)"}}};
  for (const Option &option : cacheOptions())
    command.options.push_back(option);
  return command;
}

static std::string hex(const uint8_t (&bytes)[32]) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

static Json argumentJson(const weft_function &function, const weft_argument &argument) {
  Json dims = Json::array();
  for (int32_t axis = 0; axis < argument.rank; ++axis) {
    const weft_dim &dim = argument.dims[axis];
    if (dim.symbol >= 0)
      dims.append(function.symbols[dim.symbol].name);
    else if (dim.size >= 0)
      dims.append(dim.size);
    else
      dims.append(Json());
  }
  Json json = Json::object();
  json.set("name", argument.name);
  json.set("dtype", dataTypeName(argument.dtype));
  json.set("dims", std::move(dims));
  if (argument.alias >= 0)
    json.set("alias", function.inputs[argument.alias].name);
  return json;
}

static Json functionJson(const weft_function &function) {
  Json json = Json::object();
  json.set("name", function.name);
  Json inputs = Json::array(), outputs = Json::array(), symbols = Json::array();
  for (uint32_t i = 0; i < function.input_count; ++i)
    inputs.append(argumentJson(function, function.inputs[i]));
  for (uint32_t i = 0; i < function.output_count; ++i)
    outputs.append(argumentJson(function, function.outputs[i]));
  for (uint32_t i = 0; i < function.symbol_count; ++i) {
    Json symbol = Json::object();
    symbol.set("name", function.symbols[i].name);
    symbol.set("min", function.symbols[i].min);
    symbol.set("max", function.symbols[i].max);
    symbols.append(std::move(symbol));
  }
  json.set("inputs", std::move(inputs));
  json.set("outputs", std::move(outputs));
  json.set("symbols", std::move(symbols));
  return json;
}

/// Bytes of code of a kernel of a variant, where they are known.
static std::optional<int64_t> kernelBytes(const ElfSymbols &symbols, const weft_variant &variant,
                                          uint32_t kernel) {
  std::optional<uint64_t> bytes =
      symbols.kernelBytes(reinterpret_cast<const void *>(variant.kernels[kernel]));
  if (!bytes)
    return std::nullopt;
  return static_cast<int64_t>(*bytes);
}

static Json variantsJson(const Program &program, const ElfSymbols &symbols) {
  const weft_module &module = program.description();
  Json variants = Json::array();
  for (uint32_t i = 0; i < module.variant_count; ++i) {
    const weft_variant &variant = module.variants[i];
    int64_t bytes = 0;
    for (uint32_t k = 0; k < module.kernel_count; ++k)
      bytes += kernelBytes(symbols, variant, k).value_or(0);
    Json json = Json::object();
    json.set("cpu", variant.cpu);
    json.set("features", variant.features);
    json.set("code_bytes", bytes);
    bool isChosen = program.refusal().empty() && &variant == &program.variant();
    json.set("chosen", isChosen);
    if (isChosen)
      json.set("reason", program.variantReason());
    variants.append(std::move(json));
  }
  return variants;
}

/// The variant whose code is shown: the best, where none can run.
static const weft_variant &shownVariant(const Program &program) {
  return program.refusal().empty() ? program.variant() : program.description().variants[0];
}

static Json moduleJson(const Loaded &loaded, const ElfSymbols &symbols) {
  const Program &program = loaded.program;
  const weft_module &module = program.description();
  std::error_code failed;
  uintmax_t size = std::filesystem::file_size(loaded.path, failed);
  Json json = Json::object();
  json.set("file", loaded.path);
  json.set("file_bytes", failed ? int64_t(0) : static_cast<int64_t>(size));
  json.set("name", module.name ? module.name : "");
  json.set("abi", std::to_string(module.abi_major) + "." + std::to_string(module.abi_minor));
  json.set("compiler", module.compiler_version ? module.compiler_version : "");
  Result<Json> options = Json::parse(module.options ? module.options : "", "options");
  json.set("options", options ? *options : Json());
  json.set("source_sha256", hex(module.source_hash));
  json.set("runs_here", program.refusal().empty());
  if (!program.refusal().empty())
    json.set("refusal", program.refusal());
  json.set("variants", variantsJson(program, symbols));
  Json functions = Json::array();
  for (uint32_t i = 0; i < module.function_count; ++i)
    functions.append(functionJson(module.functions[i]));
  json.set("functions", std::move(functions));
  Json weights = Json::object();
  weights.set("count", module.weight_count);
  weights.set("bytes", static_cast<int64_t>(module.weights_size));
  weights.set("sha256", hex(module.weights_hash));
  weights.set("file", program.weightsPath());
  json.set("weights", std::move(weights));
  Json kernels = Json::array();
  for (uint32_t i = 0; i < module.kernel_count; ++i) {
    Json kernel = Json::object();
    kernel.set("name", module.kernels[i].name);
    const weft_site *fallback = fallbackSite(module, i);
    kernel.set("fallback", fallback != nullptr);
    if (fallback) {
      kernel.set("nodes", fallback->node);
      kernel.set("reason", fallback->message);
    }
    if (std::optional<int64_t> bytes = kernelBytes(symbols, shownVariant(program), i))
      kernel.set("code_bytes", *bytes);
    Json sizes = Json::object();
    for (uint32_t v = 0; v < module.variant_count; ++v)
      if (std::optional<int64_t> bytes = kernelBytes(symbols, module.variants[v], i))
        sizes.set(module.variants[v].cpu, *bytes);
    kernel.set("variant_code_bytes", std::move(sizes));
    kernels.append(std::move(kernel));
  }
  json.set("kernels", std::move(kernels));
  json.set("sites", module.site_count);
  if (hasDeviceCode(module))
    json.set("device", deviceJson(module));
  return json;
}

static void printModule(const Loaded &loaded, const Json &json) {
  const weft_module &module = loaded.program.description();
  auto text = [&](const char *name) { return json.find(name)->asString(); };
  std::printf("file        %s (%s)\n", loaded.path.c_str(),
              formatBytes(static_cast<uint64_t>(json.find("file_bytes")->asNumber())).c_str());
  std::printf("model       %s\n", text("name").c_str());
  std::printf("compiler    %s, module ABI %s\n", text("compiler").c_str(), text("abi").c_str());
  // What the model's file says of itself can be long: --json has it.
  Json options = Json::object();
  for (const Json::Member &member : json.find("options")->members())
    if (member.name != "metadata")
      options.set(member.name, member.value);
  std::printf("options     %s\n", options.dump().c_str());
  std::printf("source      sha256 %s\n", text("source_sha256").c_str());
  auto size = [](const Json *bytes) {
    return bytes ? formatBytes(static_cast<uint64_t>(bytes->asNumber())) : "";
  };
  const weft_variant *described = module.variants;
  for (const Json &variant : json.find("variants")->elements()) {
    const Json *reason = variant.find("reason");
    std::printf("variant     %s, %s of code%s (%s)\n", describeVariant(*described++).c_str(),
                size(variant.find("code_bytes")).c_str(),
                reason ? (", chosen here: " + reason->asString()).c_str() : "",
                variant.find("features")->asString().c_str());
  }
  if (std::string why = loaded.program.refusal(); !why.empty())
    std::printf("not here    %s\n", why.c_str());
  for (uint32_t f = 0; f < module.function_count; ++f) {
    const weft_function &function = module.functions[f];
    std::printf("function    %s\n", function.name);
    for (uint32_t i = 0; i < function.input_count; ++i)
      std::printf("  input     %s\n", describeArgument(function, function.inputs[i]).c_str());
    for (uint32_t i = 0; i < function.output_count; ++i)
      std::printf("  output    %s\n", describeArgument(function, function.outputs[i]).c_str());
    for (uint32_t i = 0; i < function.symbol_count; ++i)
      std::printf("  symbol    %s: %lld..%lld\n", function.symbols[i].name,
                  static_cast<long long>(function.symbols[i].min),
                  static_cast<long long>(function.symbols[i].max));
  }
  std::string weights = loaded.program.weightsPath();
  std::printf("weights     %u, %s, %s\n", module.weight_count,
              formatBytes(module.weights_size).c_str(),
              weights.empty() ? "embedded" : weights.c_str());
  std::printf("kernels     %u\n", module.kernel_count);
  if (module.variant_count > 1) {
    std::printf("  %-40s", "");
    for (uint32_t v = 0; v < module.variant_count; ++v)
      std::printf(" %10s", module.variants[v].cpu);
    std::printf("\n");
  }
  for (const Json &kernel : json.find("kernels")->elements()) {
    std::printf("  %-40s", kernel.find("name")->asString().c_str());
    for (uint32_t v = 0; v < module.variant_count; ++v) {
      const Json *sizes = kernel.find("variant_code_bytes");
      std::printf(" %10s", size(sizes->find(module.variants[v].cpu)).c_str());
    }
    std::printf("%s\n", kernel.find("fallback")->asBool()
                            ? ("  fallback (" + kernel.find("nodes")->asString() +
                               "): " + kernel.find("reason")->asString())
                                  .c_str()
                            : "");
  }
  if (const Json *device = json.find("device"))
    printDevice(*device);
}

/// The code of a kernel: what it does once, and its parallel loops.
static int disassembleParts(const std::string &path, const std::vector<ElfSymbol> &parts) {
  Error last{"no disassembler found: install llvm or binutils"};
  for (const char *tool : {"llvm-objdump-22", "llvm-objdump", "objdump"}) {
    size_t shown = 0;
    for (const ElfSymbol &part : parts) {
      Result<std::string> text = runProgram(
          {tool, "-d", "--no-show-raw-insn", "--start-address=" + std::to_string(part.address),
           "--stop-address=" + std::to_string(part.address + part.size), path});
      if (!text) {
        if (text.error().message.find("cannot run") == std::string::npos)
          last = text.error();
        break;
      }
      std::fputs(text->c_str(), stdout);
      ++shown;
    }
    if (shown == parts.size())
      return ExitSuccess;
    if (shown)
      break;
  }
  return fail(last);
}

static int disassemble(const Loaded &loaded, const ElfSymbols &symbols, const std::string &name) {
  const weft_module &module = loaded.program.description();
  if (hasDeviceKernel(module, name)) {
    Result<std::string> text = disassembleDeviceKernel(module, name);
    if (!text)
      return fail(text.error());
    std::fputs(text->c_str(), stdout);
    return ExitSuccess;
  }
  std::vector<std::string_view> names;
  for (uint32_t i = 0; i < module.kernel_count; ++i) {
    names.push_back(module.kernels[i].name);
    if (name != module.kernels[i].name)
      continue;
    std::vector<ElfSymbol> parts =
        symbols.findParts(reinterpret_cast<const void *>(shownVariant(loaded.program).kernels[i]));
    if (parts.empty())
      return fail(loaded.path +
                  ": the module has no symbols to find the code "
                  "of '" +
                  name + "' by");
    return disassembleParts(loaded.path, parts);
  }
  appendDeviceKernels(module, names);
  std::optional<std::string_view> meant = nearest(name, names);
  return fail("the module has no kernel '" + name + "'" +
                  (meant ? "; did you mean '" + std::string(*meant) + "'?" : ""),
              ExitUsage);
}

int weft::runInspect(const Command &command, const Arguments &arguments) {
  if (arguments.positional().size() != 1)
    return fail("expected one module or model; see 'weft inspect --help'", ExitUsage);
  const std::string &path = arguments.positional()[0];
  if (std::optional<std::string> format = arguments.get("graph")) {
    Result<bool> isModule = isModuleFile(path);
    if (!isModule)
      return fail(isModule.error());
    if (*isModule)
      return fail("option '--graph' needs the model, '" + path + "' is a module", ExitUsage);
    Result<Compiler> compiler = Compiler::open();
    if (!compiler)
      return fail(compiler.error());
    CompileRequest request;
    request.input = path;
    request.output = "-";
    request.arguments = arguments.forCompiler();
    request.arguments.push_back("--graph=" + *format);
    CompileOutcome outcome = compiler->compile(request);
    std::fputs(outcome.diagnostics.c_str(), stderr);
    return outcome.code;
  }
  std::optional<Loaded> loaded;
  if (int code = loadProgram(path, arguments, loaded, /*toDescribe=*/true))
    return code;
  ElfSymbols symbols = ElfSymbols::read(loaded->path, &loaded->program.entry());
  if (std::optional<std::string> kernel = arguments.get("disassemble"))
    return disassemble(*loaded, symbols, *kernel);
  Json json = moduleJson(*loaded, symbols);
  if (arguments.has("json"))
    std::printf("%s\n", json.dump(true).c_str());
  else
    printModule(*loaded, json);
  return ExitSuccess;
}
