//===- BenchCommand.cpp - weft bench --------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Cache.h"
#include "OutputPaths.h"
#include "Peer.h"
#include "Program.h"
#include "Tensor/Json.h"

#include "Base/MappedFile.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <numeric>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace weft;

Command weft::describeBench() {
  Command command{
      "bench",
      "MODULE|MODEL [options]",
      "measures load, first call and latency",
      "Without --input, inputs of the declared shapes are made: floats normal, "
      "integers and\nbooleans 0 or 1, free dimensions from --dim, else 1.",
      {{"input", "[NAME=]SPEC", "Inputs", "As in weft run; made up where not given"},
       {"threads", "N", "Execution", "Threads of each call (default: all usable)"},
       {"device", "NAME", "Execution",
        "Where device kernels run: cuda:0, hip:0, emulation (default: the first that the module "
        "has code for)"},
       {"concurrency", "N", "Execution", "Calls at a time (default: 1)"},
       {"duration", "S", "Execution", "Seconds of measuring (default: 2)"},
       {"iterations", "N", "Execution", "Calls to measure instead"},
       {"cold", "", "Execution", "Also ten fresh processes: load, first call"},
       {"peer", "NAME,...", "Comparison", "Measures onnxruntime or openvino too (by Python)"},
       {"baseline", "FILE.json", "Comparison", "An earlier --json"},
       {"max-slowdown", "P%", "Comparison",
        "Exit code 4 if the median is slower than the baseline by more "
        "(default: 5%)"},
       {"json", "FILE", "Output", "Writes the figures; - is standard output"}}};
  for (const Option &option : cacheOptions())
    command.options.push_back(option);
  return command;
}

namespace {

struct Figures {
  double load = 0, first = 0, compile = 0;
  std::vector<double> times; // seconds, sorted
  double wall = 0;           // seconds in which all calls were made
  int64_t threads = 0;
  weft_stats stats = {};

  double percentile(double p) const {
    double position = p / 100 * static_cast<double>(times.size() - 1);
    size_t low = static_cast<size_t>(position);
    size_t high = std::min(low + 1, times.size() - 1);
    double part = position - static_cast<double>(low);
    return times[low] + (times[high] - times[low]) * part;
  }
  double mean() const {
    return std::accumulate(times.begin(), times.end(), 0.0) / static_cast<double>(times.size());
  }
};

struct BenchOptions {
  int64_t threads = 0, concurrency = 1, iterations = 0;
  std::optional<std::string> device;
  double duration = 2;
};

} // namespace

/// Calls kept of each thread; more tell nothing about a percentile.
static constexpr int64_t maxSamples = 10'000'000;

static std::string machineName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name"))
      if (size_t colon = line.find(": "); colon != std::string::npos)
        return line.substr(colon + 2);
  return "unknown CPU";
}

/// Floating-point operations of a call, where the compiler has recorded them.
static std::optional<double> operations(const weft_module &module) {
  Result<Json> options = Json::parse(module.options ? module.options : "", "options");
  const Json *flops = options && options->isObject() ? options->find("flops") : nullptr;
  return flops && flops->isNumber() ? std::optional(flops->asNumber()) : std::nullopt;
}

/// Calls from one thread until `isOver` says so.
template <typename Predicate>
static Status measure(Call &call, std::vector<double> &times, Predicate isOver) {
  while (!isOver(static_cast<int64_t>(times.size()))) {
    double start = now();
    if (Status status = call.run(); !status)
      return status;
    times.push_back(now() - start);
  }
  return {};
}

static Result<Figures> benchWarm(const Program &program, const std::vector<Tensor> &inputs,
                                 const BenchOptions &options) {
  Figures figures;
  std::vector<Call> calls;
  for (int64_t i = 0; i < options.concurrency; ++i) {
    Result<Call> call = Call::create(program, options.threads, options.device);
    if (!call)
      return call.error();
    if (Status status = call->bind(inputs); !status)
      return status.error();
    calls.push_back(*std::move(call));
  }
  double start = now();
  for (Call &call : calls) {
    if (Status status = call.run(); !status)
      return status.error();
    if (&call == &calls[0])
      figures.first = now() - start;
  }
  figures.threads = calls[0].threads();
  figures.stats = calls[0].stats();
  // Caches and clock speed settle.
  double warm = now() + std::min(1.0, std::max(0.1, options.duration / 4));
  std::vector<double> ignored;
  if (Status status = measure(calls[0], ignored,
                              [&](int64_t n) {
                                return now() > warm ||
                                       (options.iterations && n >= options.iterations);
                              });
      !status)
    return status.error();

  std::vector<std::vector<double>> times(calls.size());
  std::vector<Status> statuses(calls.size());
  std::vector<std::thread> others;
  double end = now() + options.duration;
  start = now();
  auto work = [&](size_t i) {
    statuses[i] = measure(calls[i], times[i], [&](int64_t n) {
      return options.iterations ? n >= options.iterations
                                : (now() > end && n >= 3) || n >= maxSamples;
    });
  };
  for (size_t i = 1; i < calls.size(); ++i)
    others.emplace_back(work, i);
  work(0);
  for (std::thread &thread : others)
    thread.join();
  figures.wall = now() - start;
  for (const Status &status : statuses)
    if (!status)
      return status.error();
  for (const std::vector<double> &part : times)
    figures.times.insert(figures.times.end(), part.begin(), part.end());
  std::sort(figures.times.begin(), figures.times.end());
  return figures;
}

/// Load and first call in fresh processes: medians of both.
static Result<std::pair<double, double>> benchCold(const std::string &path,
                                                   const std::vector<Tensor> &inputs,
                                                   int64_t threads,
                                                   const std::optional<std::string> &device) {
  constexpr int rounds = 10;
  std::vector<double> loads, firsts;
  for (int i = 0; i < rounds; ++i) {
    int ends[2];
    if (::pipe(ends) != 0)
      return Error{"cannot make a pipe"};
    std::fflush(nullptr);
    pid_t pid = ::fork();
    if (pid == 0) {
      double seconds[2] = {-1, -1}, start = now();
      if (Result<Program> program = Program::load(path)) {
        seconds[0] = now() - start;
        start = now();
        Result<Call> call = Call::create(*program, threads, device);
        if (call && call->bind(inputs) && call->run())
          seconds[1] = now() - start;
        ssize_t ignored = ::write(ends[1], seconds, sizeof seconds);
        (void)ignored;
        ::_exit(0);
      }
      ::_exit(1);
    }
    ::close(ends[1]);
    double seconds[2] = {-1, -1};
    ssize_t count = pid > 0 ? ::read(ends[0], seconds, sizeof seconds) : 0;
    ::close(ends[0]);
    if (pid > 0)
      ::waitpid(pid, nullptr, 0);
    if (count != sizeof seconds || seconds[1] < 0)
      return Error{"a fresh process could not run the module"};
    loads.push_back(seconds[0]);
    firsts.push_back(seconds[1]);
  }
  std::sort(loads.begin(), loads.end());
  std::sort(firsts.begin(), firsts.end());
  return std::pair(loads[rounds / 2], firsts[rounds / 2]);
}

static std::string sourceHash(const weft_module &module) {
  std::string text;
  for (uint8_t byte : module.source_hash) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

static Json toJson(const Figures &figures, const Loaded &loaded, const BenchOptions &options) {
  const weft_module &module = loaded.program.description();
  Json json = Json::object();
  json.set("name", "weft");
  json.set("model", module.name ? module.name : "");
  json.set("source_hash", sourceHash(module));
  json.set("compiler", module.compiler_version ? module.compiler_version : "");
  json.set("machine", machineName());
  json.set("variant", loaded.program.variant().cpu);
  json.set("variant_reason", loaded.program.variantReason());
  json.set("threads", figures.threads);
  json.set("concurrency", options.concurrency);
  json.set("load_seconds", figures.load);
  json.set("first_call_seconds", figures.first);
  if (figures.compile > 0)
    json.set("compile_seconds", figures.compile);
  json.set("calls", static_cast<int64_t>(figures.times.size()));
  json.set("min_seconds", figures.times.front());
  json.set("p50_seconds", figures.percentile(50));
  json.set("p90_seconds", figures.percentile(90));
  json.set("p99_seconds", figures.percentile(99));
  json.set("mean_seconds", figures.mean());
  json.set("calls_per_second", static_cast<double>(figures.times.size()) / figures.wall);
  if (std::optional<double> flops = operations(module))
    json.set("gflops", *flops / figures.percentile(50) * 1e-9);
  json.set("arena_bytes", static_cast<int64_t>(figures.stats.workspace_bytes));
  json.set("kernels", static_cast<int64_t>(figures.stats.kernels));
  json.set("unbounded_allocations", static_cast<int64_t>(figures.stats.unbounded_allocations));
  json.set("unbounded_peak_bytes", static_cast<int64_t>(figures.stats.unbounded_peak_bytes));
  return json;
}

static double member(const Json &json, const char *name) {
  const Json *value = json.find(name);
  return value ? value->asNumber() : std::nan("");
}

static void printRow(const std::string &name, const Json &json) {
  std::printf("%-12s %10s %10s %10s %10s %10s %10s\n", name.c_str(),
              formatTime(member(json, "first_call_seconds")).c_str(),
              formatTime(member(json, "min_seconds")).c_str(),
              formatTime(member(json, "p50_seconds")).c_str(),
              formatTime(member(json, "p90_seconds")).c_str(),
              formatTime(member(json, "p99_seconds")).c_str(),
              formatTime(member(json, "mean_seconds")).c_str());
}

static void printFigures(const Json &json, const Loaded &loaded) {
  const std::string model = json.find("model")->asString();
  std::printf("module      %s%s%s\n", loaded.path.c_str(), model.empty() ? "" : ", model ",
              model.c_str());
  std::printf("machine     %s, variant %s (%s), %lld threads, %lld calls at a time\n",
              json.find("machine")->asString().c_str(), json.find("variant")->asString().c_str(),
              json.find("variant_reason")->asString().c_str(),
              static_cast<long long>(member(json, "threads")),
              static_cast<long long>(member(json, "concurrency")));
  if (json.find("compile_seconds"))
    std::printf("compile     %s\n", formatTime(member(json, "compile_seconds")).c_str());
  std::printf("load        %s\n", formatTime(member(json, "load_seconds")).c_str());
  if (json.find("cold_load_seconds"))
    std::printf("cold        load %s, first call %s (fresh processes, "
                "medians)\n",
                formatTime(member(json, "cold_load_seconds")).c_str(),
                formatTime(member(json, "cold_first_call_seconds")).c_str());
  std::printf("arena       %s, %lld kernels a call\n",
              formatBytes(static_cast<uint64_t>(member(json, "arena_bytes"))).c_str(),
              static_cast<long long>(member(json, "kernels")));
  std::printf("rate        %s calls/s in %lld calls",
              formatNumber(member(json, "calls_per_second")).c_str(),
              static_cast<long long>(member(json, "calls")));
  if (json.find("gflops"))
    std::printf(", %s GFLOP/s", formatNumber(member(json, "gflops")).c_str());
  std::printf("\n\n%-12s %10s %10s %10s %10s %10s %10s\n", "", "first", "min", "p50", "p90", "p99",
              "mean");
  printRow("weft", json);
}

/// The names in "a,b".
static Result<std::vector<std::string>> parsePeers(const std::string &names) {
  std::vector<std::string> peers;
  for (size_t start = 0; start <= names.size();) {
    size_t comma = std::min(names.find(',', start), names.size());
    std::string name = names.substr(start, comma - start);
    start = comma + 1;
    if (name != "onnxruntime" && name != "openvino")
      return Error{"option '--peer': expected onnxruntime, openvino or both with a comma "
                   "between them, found '" +
                   name + "'"};
    peers.push_back(std::move(name));
  }
  return peers;
}

/// Measures the peers and prints their rows; a peer that cannot
/// be run is a row that says why, and `areComplete` false.
static Json benchPeers(const std::vector<std::string> &names, const std::string &model,
                       const std::vector<NamedTensor> &inputs, int64_t threads,
                       const BenchOptions &options, double median, bool &areComplete) {
  Json peers = Json::array();
  for (const std::string &name : names) {
    Result<Json> peer = benchPeer(name, model, inputs, threads, options.duration);
    if (!peer) {
      std::printf("%-12s %s\n", name.c_str(), peer.error().message.c_str());
      Json missing = Json::object();
      missing.set("name", name);
      missing.set("error", peer.error().message);
      peers.append(std::move(missing));
      areComplete = false;
      continue;
    }
    printRow(name, *peer);
    double ratio = member(*peer, "p50_seconds") / median;
    std::printf("%-12s weft is %sx as fast at the median\n", "", formatNumber(ratio, 3).c_str());
    peers.append(*std::move(peer));
  }
  return peers;
}

static Result<double> parsePercent(const Arguments &arguments) {
  std::string text = arguments.get("max-slowdown").value_or("5%");
  double value = 0;
  const char *last = text.data() + text.size();
  std::from_chars_result parsed = std::from_chars(text.data(), last, value);
  bool isWhole = parsed.ptr == last || (parsed.ptr + 1 == last && *parsed.ptr == '%');
  if (parsed.ec != std::errc() || !isWhole || !(value >= 0))
    return Error{"option '--max-slowdown': expected a percentage such as 5%, "
                 "found '" +
                 text + "'"};
  return value / 100;
}

/// An earlier --json, if it is of this model with as many threads. Files of
/// versions that did not say what they measured are taken as they are.
static Result<Json> readBaseline(const std::string &path, const Program &program,
                                 const BenchOptions &options) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.error();
  std::string_view text(reinterpret_cast<const char *>(file->bytes().data()), file->bytes().size());
  Result<Json> json = Json::parse(text, path);
  if (!json)
    return json;
  const Json *median = json->isObject() ? json->find("p50_seconds") : nullptr;
  if (!median || !median->isNumber() || !(median->asNumber() > 0))
    return Error{path + ": expected the output of weft bench --json, found no p50_seconds"};
  const Json *hash = json->find("source_hash");
  if (hash && hash->isString() && hash->asString() != sourceHash(program.description()))
    return Error{path + ": the baseline is of another model or another version of it"};
  Result<Call> call = Call::create(program, options.threads, options.device);
  if (!call)
    return call.error();
  for (auto [name, value] :
       {std::pair("threads", call->threads()), std::pair("concurrency", options.concurrency)}) {
    const Json *before = json->find(name);
    if (before && before->isNumber() && before->asNumber() != static_cast<double>(value))
      return Error{path + ": the baseline has " + name + " " + formatNumber(before->asNumber()) +
                   ", this run has " + std::to_string(value)};
  }
  return json;
}

/// ExitDifferent if the median is too slow.
static int compareBaseline(const Json &baseline, double median, double maxSlowdown) {
  double before = member(baseline, "p50_seconds");
  double slowdown = median / before - 1;
  std::printf("\nbaseline    p50 %s, now %s%s%%\n", formatTime(before).c_str(),
              slowdown >= 0 ? "+" : "", formatNumber(slowdown * 100, 3).c_str());
  if (slowdown <= maxSlowdown)
    return ExitSuccess;
  return fail("slower than the baseline by " + formatNumber(slowdown * 100, 3) + "%, allowed are " +
                  formatNumber(maxSlowdown * 100, 3) + "%",
              ExitDifferent);
}

/// What can be known to be wrong before anything is compiled or measured.
static int checkComparisons(const Arguments &arguments, const std::string &path,
                            std::vector<std::string> &peers) {
  if (std::optional<std::string> names = arguments.get("peer")) {
    Result<std::vector<std::string>> parsed = parsePeers(*names);
    if (!parsed)
      return fail(parsed.error(), ExitUsage);
    peers = *std::move(parsed);
    Result<bool> isModule = isModuleFile(path);
    if (!isModule)
      return fail(isModule.error());
    if (*isModule)
      return fail("option '--peer' needs the model, '" + path + "' is a module", ExitUsage);
    for (const std::string &peer : peers)
      if (Status status = findPeer(peer); !status)
        return fail(status.error());
  }
  if (std::optional<std::string> baseline = arguments.get("baseline"))
    if (Result<MappedFile> file = MappedFile::open(*baseline); !file)
      return fail(file.error());
  if (std::optional<std::string> json = arguments.get("json")) {
    std::vector<NamedPath> inputs = {{"the module or model", path}};
    for (std::string &file : externalFiles(path))
      inputs.push_back({"the model's external data", std::move(file)});
    NamedPath output{"option '--json'", *json};
    if (Status status = checkOutputPaths({&output, 1}, inputs); !status)
      return fail(status.error());
    if (Status status = checkOutputFolders({&output, 1}); !status)
      return fail(status.error());
  }
  return ExitSuccess;
}

static Result<BenchOptions> readOptions(const Arguments &arguments) {
  BenchOptions options;
  Result<int64_t> threads = arguments.integer("threads", 0, 0, 4096);
  Result<int64_t> concurrency = arguments.integer("concurrency", 1, 1, 256);
  Result<int64_t> iterations = arguments.integer("iterations", 0, 1, maxSamples);
  for (const Result<int64_t> *value : {&threads, &concurrency, &iterations})
    if (!*value)
      return value->error();
  Result<double> duration = arguments.number("duration", 2);
  if (!duration)
    return duration.error();
  options.threads = *threads;
  options.device = arguments.get("device");
  options.concurrency = *concurrency;
  options.iterations = *iterations;
  options.duration = *duration;
  return options;
}

int weft::runBench(const Command &command, const Arguments &arguments) {
  if (arguments.positional().size() != 1)
    return fail("expected one module or model; see 'weft bench --help'", ExitUsage);
  Result<BenchOptions> options = readOptions(arguments);
  if (!options)
    return fail(options.error(), ExitUsage);
  Result<double> maxSlowdown = parsePercent(arguments);
  if (!maxSlowdown)
    return fail(maxSlowdown.error(), ExitUsage);
  const std::string &path = arguments.positional()[0];
  std::vector<std::string> peers;
  if (int code = checkComparisons(arguments, path, peers))
    return code;
  std::optional<Loaded> loaded;
  if (int code = loadProgram(path, arguments, loaded))
    return code;
  std::optional<Json> baseline;
  if (std::optional<std::string> file = arguments.get("baseline")) {
    Result<Json> json = readBaseline(*file, loaded->program, *options);
    if (!json)
      return fail(json.error());
    baseline = *std::move(json);
  }
  const weft_function &function = loaded->program.entry();
  int code = ExitUsage;
  Result<std::vector<std::optional<Tensor>>> given =
      assignSpecs(arguments.all("input"), function.inputs, function.input_count, "--input", &code);
  if (!given)
    return fail(given.error(), code);
  std::string made;
  Result<std::vector<Tensor>> inputs = completeInputs(function, *given, arguments.all("dim"), made);
  if (!inputs)
    return fail(inputs.error());
  bool toStdout = arguments.get("json") == "-";
  if (!made.empty() && !toStdout)
    std::printf("inputs      made up: %s\n", made.c_str());

  Result<Figures> figures = benchWarm(loaded->program, *inputs, *options);
  if (!figures)
    return fail(figures.error());
  figures->load = loaded->loadSeconds;
  figures->compile = loaded->compileSeconds;
  Json json = toJson(*figures, *loaded, *options);
  if (arguments.has("cold")) {
    Result<std::pair<double, double>> cold =
        benchCold(loaded->path, *inputs, options->threads, options->device);
    if (!cold)
      return fail(cold.error());
    json.set("cold_load_seconds", cold->first);
    json.set("cold_first_call_seconds", cold->second);
  }
  if (!toStdout)
    printFigures(json, *loaded);
  double median = figures->percentile(50);
  bool areComplete = true;
  if (!peers.empty()) {
    std::vector<NamedTensor> named;
    for (size_t i = 0; i < inputs->size(); ++i)
      named.push_back({function.inputs[i].name, (*inputs)[i]});
    json.set("peers",
             benchPeers(peers, path, named, figures->threads, *options, median, areComplete));
  }
  if (std::optional<std::string> file = arguments.get("json"))
    if (Status status = writeTextFile(*file, json.dump(true) + "\n"); !status)
      return fail(status.error());
  if (baseline)
    if (int code = compareBaseline(*baseline, median, *maxSlowdown))
      return code;
  return areComplete ? ExitSuccess : fail("not every peer could be measured");
}
