//===- Program.cpp - A loaded module, called with tensors -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Program.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>

using namespace weft;

// What the signal handler needs: the contexts that it may cancel. A handler can
// reach nothing but globals.
static constexpr size_t maxCalls = 256;
static std::atomic<weft_context *> liveContexts[maxCalls];

static void handleInterrupt(int signal) {
  for (std::atomic<weft_context *> &slot : liveContexts)
    if (weft_context *context = slot.load(std::memory_order_acquire))
      weft_context_cancel(context);
  // A second Ctrl-C ends the process at once.
  ::signal(signal, SIG_DFL);
}

static Error take(weft_error *error) {
  Error result{weft_error_message(error)};
  weft_error_free(error);
  return result;
}

static Result<weft_loaded_module *> loadFile(const std::string &path, uint32_t flags) {
  weft_loaded_module *loaded = nullptr;
  weft_module_options options{};
  options.struct_size = sizeof(options);
  options.flags = flags;
  // A bare name is a file of the current folder.
  if (weft_error *error = weft_module_load_file(path.c_str(), &options, &loaded))
    return take(error);
  return loaded;
}

Result<Program> Program::describe(const std::string &path) {
  Result<Program> program = load(path);
  if (program)
    return program;
  Result<weft_loaded_module *> loaded = loadFile(path, WEFT_MODULE_DESCRIBE);
  if (!loaded || weft_module_variant(*loaded)) {
    if (loaded)
      weft_module_release(*loaded);
    return program;
  }
  Program described;
  described.module.reset(*loaded);
  described.whyNot = program.error().message;
  return described;
}

Result<Program> Program::load(const std::string &path) {
  Result<weft_loaded_module *> loaded = loadFile(path, 0);
  if (!loaded)
    return loaded.error();
  Program program;
  program.module.reset(*loaded);
  if (program.description().function_count == 0)
    return Error{path + ": the module has no functions"};
  return program;
}

std::string weft::wantedVariant() {
  const char *variable = std::getenv("WEFT_CPU");
  return variable ? variable : "";
}

std::string Program::variantReason() const {
  if (!wantedVariant().empty())
    return "from WEFT_CPU";
  if (description().variant_count == 1)
    return "the only one";
  std::string names, lacking;
  for (uint32_t i = 0; i < description().variant_count; ++i) {
    const weft_variant &other = description().variants[i];
    names += std::string(i ? ", " : "") + other.cpu;
    if (&other >= &variant())
      continue;
    weft_error *error = weft_cpu_check(other.features);
    lacking += std::string("; for ") + other.cpu + " " + (error ? weft_error_message(error) : "");
    weft_error_free(error);
  }
  return (lacking.empty() ? "the best of " : "the best that runs here of ") + names + lacking;
}

std::string Program::weightsPath() const {
  const char *path = weft_module_weights_path(module.get());
  return path ? path : "";
}

void Call::Release::operator()(weft_context *context) const {
  for (std::atomic<weft_context *> &slot : liveContexts) {
    weft_context *expected = context;
    slot.compare_exchange_strong(expected, nullptr);
  }
  weft_context_release(context);
}

Result<Call> Call::create(const Program &program, int64_t threads,
                          const std::optional<std::string> &device) {
  weft_context_options options = {};
  options.struct_size = sizeof options;
  options.threads = static_cast<int32_t>(threads);
  options.device = device ? device->c_str() : nullptr;
  weft_context *created = nullptr;
  if (weft_error *error = weft_context_create(program.handle(), 0, &options, &created))
    return take(error);
  Call call;
  call.context.reset(created);
  for (std::atomic<weft_context *> &slot : liveContexts) {
    weft_context *expected = nullptr;
    if (slot.compare_exchange_strong(expected, created))
      break;
  }
  struct sigaction action = {};
  action.sa_handler = handleInterrupt;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  return call;
}

static weft_tensor viewOf(const Tensor &tensor) {
  weft_tensor view = {};
  view.data = const_cast<uint8_t *>(tensor.raw());
  view.dtype = tensor.dtype();
  view.rank = static_cast<int32_t>(tensor.rank());
  view.dims = tensor.dims().data();
  return view;
}

Status Call::bind(std::vector<Tensor> tensors) {
  const weft_function &function = *weft_context_function(context.get());
  if (tensors.size() != function.input_count)
    return Error{"expected " + std::to_string(function.input_count) + " inputs (" +
                 argumentNames(function.inputs, function.input_count) + "), found " +
                 std::to_string(tensors.size())};
  inputs = std::move(tensors);
  for (uint32_t i = 0; i < function.input_count; ++i) {
    weft_tensor view = viewOf(inputs[i]);
    if (weft_error *error = weft_context_bind_input(context.get(), i, &view))
      return take(error);
  }
  return {};
}

Status Call::run() {
  if (weft_error *error = weft_context_run(context.get()))
    return take(error);
  return {};
}

Result<std::vector<Tensor>> Call::outputs() const {
  const weft_function &function = *weft_context_function(context.get());
  std::vector<Tensor> tensors;
  for (uint32_t i = 0; i < function.output_count; ++i) {
    weft_tensor view = {};
    if (weft_error *error = weft_context_output(context.get(), i, &view))
      return take(error);
    Result<Tensor> tensor = Tensor::zeros(view.dtype, Dims(view.dims, view.dims + view.rank));
    if (!tensor)
      return tensor.error();
    if (isString(view.dtype)) {
      std::vector<std::string_view> texts;
      auto *strings = static_cast<const weft_string *const *>(view.data);
      for (int64_t element = 0; element < tensor->count(); ++element)
        texts.push_back(textOf(strings[element]));
      tensor = Tensor::strings(Dims(tensor->dims()), texts);
      if (!tensor)
        return tensor.error();
      tensors.push_back(*std::move(tensor));
      continue;
    }
    if (!tensor->bytes().empty())
      std::memcpy(tensor->mutableRaw(), view.data, tensor->bytes().size());
    tensors.push_back(*std::move(tensor));
  }
  return tensors;
}

weft_stats Call::stats() const {
  weft_stats stats = {};
  stats.struct_size = sizeof stats;
  weft_error_free(weft_context_stats(context.get(), &stats));
  return stats;
}

const weft_site *weft::fallbackSite(const weft_module &module, uint32_t kernel) {
  const weft_kernel_info &info = module.kernels[kernel];
  return info.flags & WEFT_KERNEL_FALLBACK ? &module.sites[info.site] : nullptr;
}

namespace {
struct CpuLevel {
  const char *name;
  const char *features; // LLVM's names
};
} // namespace

static constexpr CpuLevel cpuLevels[] = {
    {"x86-64-v4", "avx512f,avx512bw,avx512cd,avx512dq,avx512vl"},
    {"x86-64-v3", "avx,avx2,bmi,bmi2,f16c,fma,lzcnt,movbe"},
    {"x86-64-v2", "sse3,ssse3,sse4.1,sse4.2,popcnt,cx16"}};
static constexpr CpuLevel cpuExtensions[] = {
    {"+vnni", "avx512vnni"},         {"+bf16", "avx512bf16"},
    {"+fp16", "avx512fp16"},         {"+avxvnni", "avxvnni"},
    {"+avxvnniint8", "avxvnniint8"}, {"+amx", "amx-tile,amx-int8,amx-bf16"}};

/// Whether all names of the list `wanted` are in the list `features`.
static bool hasFeatures(std::string_view features, std::string_view wanted) {
  std::string list = "," + std::string(features) + ",";
  while (!wanted.empty()) {
    std::string name(wanted.substr(0, wanted.find(',')));
    if (list.find("," + name + ",") == std::string::npos)
      return false;
    wanted.remove_prefix(std::min(wanted.size(), name.size() + 1));
  }
  return true;
}

std::string weft::describeFeatures(std::string_view features) {
  for (const CpuLevel &level : cpuLevels) {
    if (!hasFeatures(features, level.features))
      continue;
    std::string text = level.name;
    for (const CpuLevel &extension : cpuExtensions)
      if (hasFeatures(features, extension.features))
        text += extension.name;
    return text;
  }
  return "";
}

std::string weft::describeVariant(const weft_variant &variant, bool isNative) {
  std::string cpu = variant.cpu, features = describeFeatures(variant.features);
  if (isNative && !features.empty())
    return "native: " + features + (features == cpu ? "" : ", tuned for " + cpu);
  return features.empty() || features == cpu ? cpu : cpu + ": " + features;
}

std::optional<WorkspaceExample> weft::exampleWorkspace(const weft_function &function,
                                                       int64_t workers) {
  // What cannot be computed, or is more than can be addressed, is no size.
  constexpr int64_t most = int64_t(1) << 47;
  constexpr int64_t largestExtent = 1 << 20;
  std::vector<int64_t> symbols(function.symbol_count);
  auto clamped = [&](size_t i, int64_t value) {
    const weft_symbol &symbol = function.symbols[i];
    return std::min(std::max({value, symbol.min, int64_t(1)}), std::max<int64_t>(symbol.max, 1));
  };
  auto bytes = [&] { return function.workspace_size(symbols.data(), workers); };
  auto isSize = [&](int64_t size) { return size >= 0 && size < most; };
  // All symbols grow together until it is one; then each shrinks by itself.
  for (int64_t extent = 1; extent <= largestExtent; extent *= 2) {
    for (size_t i = 0; i < symbols.size(); ++i)
      symbols[i] = clamped(i, extent);
    if (!isSize(bytes()))
      continue;
    for (size_t i = 0; i < symbols.size(); ++i) {
      int64_t before = symbols[i];
      symbols[i] = clamped(i, 1);
      if (!isSize(bytes()))
        symbols[i] = before;
    }
    WorkspaceExample example{bytes(), ""};
    constexpr size_t mostShown = 6;
    for (size_t i = 0; i < std::min(symbols.size(), mostShown); ++i)
      example.symbols += (i ? ", " : "") + std::string(function.symbols[i].name) + "=" +
                         std::to_string(symbols[i]);
    if (symbols.size() > mostShown)
      example.symbols += ", ...";
    return example;
  }
  return std::nullopt;
}

std::string weft::describeArgument(const weft_function &function, const weft_argument &argument) {
  std::string text = std::string(argument.name) + ": ";
  for (int32_t axis = 0; axis < argument.rank; ++axis) {
    const weft_dim &dim = argument.dims[axis];
    text += dim.symbol >= 0 ? std::string(function.symbols[dim.symbol].name)
            : dim.size >= 0 ? std::to_string(dim.size)
                            : std::string("?");
    text += "x";
  }
  return text + dataTypeName(argument.dtype);
}

std::string weft::argumentNames(const weft_argument *arguments, uint32_t count) {
  std::string names;
  for (uint32_t i = 0; i < count; ++i)
    names += std::string(i ? ", " : "") + "'" + arguments[i].name + "'";
  return count ? names : "none";
}

/// Whether an input may be of this type, as far as the signature can tell: a
/// typing error in an extent would take all memory before the call refuses it.
static Status checkType(const weft_argument &argument, DataType type, const Dims &dims) {
  bool isEqual = isSame(type, argument.dtype) && dims.size() == static_cast<size_t>(argument.rank);
  std::string expected;
  for (int32_t axis = 0; axis < argument.rank; ++axis) {
    const weft_dim &dim = argument.dims[axis];
    bool isFixed = dim.symbol < 0 && dim.size >= 0;
    isEqual &= !isFixed || (isEqual && dims[static_cast<size_t>(axis)] == dim.size);
    expected += (isFixed ? std::to_string(dim.size) : "?") + "x";
  }
  if (isEqual)
    return {};
  return Error{"'" + std::string(argument.name) + "' is " + expected +
               dataTypeName(argument.dtype) + ", found " + typeName(type, dims)};
}

Result<std::vector<std::optional<Tensor>>> weft::assignSpecs(const std::vector<std::string> &specs,
                                                             const weft_argument *arguments,
                                                             uint32_t count, const char *option,
                                                             int *code) {
  if (code)
    *code = ExitUsage;
  std::vector<std::optional<Tensor>> tensors(count);
  uint32_t position = 0;
  std::string prefix = std::string(option) + " ";
  for (const std::string &text : specs) {
    SpecOptions parsing;
    if (std::string_view(option) == "--input")
      parsing.accepts = [&](const std::string &name, DataType type, const Dims &dims) -> Status {
        for (uint32_t i = 0; i < count; ++i)
          if (name.empty() ? i == position : arguments[i].name == name)
            return checkType(arguments[i], type, dims);
        return {}; // said below
      };
    Result<NamedTensor> spec = parseSpec(text, parsing);
    if (!spec)
      return Error{prefix + spec.error().message};
    uint32_t index = position;
    if (spec->name.empty()) {
      ++position;
      if (index >= count)
        return Error{prefix + "'" + text + "': there are only " + std::to_string(count) +
                     " of them (" + argumentNames(arguments, count) + ")"};
    } else {
      for (index = 0; index < count; ++index)
        if (arguments[index].name == spec->name)
          break;
      if (index == count)
        return Error{prefix + "'" + text + "': there is none of that name, " + "expected one of " +
                     argumentNames(arguments, count)};
    }
    if (tensors[index])
      return Error{prefix + "'" + text + "': '" + arguments[index].name + "' is given twice"};
    tensors[index] = std::move(spec->tensor);
  }
  return tensors;
}

/// "batch=4" into the map.
static Status parseDims(const std::vector<std::string> &dims, const weft_function &function,
                        std::map<std::string, int64_t> &values) {
  for (const std::string &text : dims) {
    size_t equals = text.find('=');
    int64_t value = 0;
    std::string number = equals == std::string::npos ? "" : text.substr(equals + 1);
    // A range was for the compiler; its lower end is a value that fits.
    number = number.substr(0, number.find(".."));
    const char *last = number.data() + number.size();
    std::from_chars_result parsed = std::from_chars(number.data(), last, value);
    if (number.empty() || parsed.ec != std::errc() || parsed.ptr != last || value < 0)
      return Error{"option '--dim': expected NAME=N or NAME=LOW..HIGH, found '" + text + "'"};
    values[text.substr(0, equals)] = value;
  }
  return {};
}

Result<std::vector<Tensor>> weft::completeInputs(const weft_function &function,
                                                 const std::vector<std::optional<Tensor>> &given,
                                                 const std::vector<std::string> &dims,
                                                 std::string &made) {
  std::map<std::string, int64_t> values;
  if (Status status = parseDims(dims, function, values); !status)
    return status.error();
  // Symbols that given inputs fix.
  for (uint32_t i = 0; i < function.input_count; ++i) {
    const weft_argument &argument = function.inputs[i];
    if (!given[i] || given[i]->rank() != argument.rank)
      continue;
    for (int32_t axis = 0; axis < argument.rank; ++axis)
      if (int32_t symbol = argument.dims[axis].symbol; symbol >= 0)
        values[function.symbols[symbol].name] = given[i]->dims()[static_cast<size_t>(axis)];
  }
  std::vector<Tensor> inputs;
  for (uint32_t i = 0; i < function.input_count; ++i) {
    if (given[i]) {
      inputs.push_back(*given[i]);
      continue;
    }
    const weft_argument &argument = function.inputs[i];
    Dims shape;
    for (int32_t axis = 0; axis < argument.rank; ++axis) {
      const weft_dim &dim = argument.dims[axis];
      if (dim.symbol < 0) {
        shape.push_back(dim.size);
        continue;
      }
      const weft_symbol &symbol = function.symbols[dim.symbol];
      auto value = values.find(symbol.name);
      shape.push_back(value != values.end()
                          ? value->second
                          : std::clamp<int64_t>(1, symbol.min, std::max(symbol.min, symbol.max)));
    }
    Result<Tensor> tensor = randomTensor(argument.dtype, shape, i + 1);
    if (!tensor)
      return Error{"input '" + std::string(argument.name) + "': " + tensor.error().message};
    made += std::string(made.empty() ? "" : ", ") + argument.name + " (" + tensor->typeName() + ")";
    inputs.push_back(*std::move(tensor));
  }
  return inputs;
}
