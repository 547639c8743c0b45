//===- CheckCommand.cpp - weft check --------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each case is a forked process, so that a crash, a hang or memory that runs
// out is the failure of that case alone. The compiler is opened before the
// first fork: a worker starts in a millisecond.
//
//===----------------------------------------------------------------------===//

#include "Check.h"

#include "Peer.h"
#include "Program.h"
#include "TempFolder.h"
#include "Tool.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <set>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace weft;

Command weft::describeCheck() {
  Command command{
      "check",
      "DIR...|MODEL [options]",
      "compiles and runs models and compares with expected outputs",
      "Every folder below DIR with model.onnx (or one *.onnx) and "
      "test_data_set_* folders\nof input_*.pb and output_*.pb is a case, run "
      "in "
      "a process of its own. Exit code 4 if\na case failed, else 3 if one is "
      "unsupported.",
      {{"against", "PEER", "Comparison",
        "Compares with onnxruntime or openvino (by Python) on random inputs"},
       {"input", "[NAME=]SPEC", "Comparison",
        "An input for --against instead of a random one, as in weft run"},
       {"bisect", "", "Comparison", "Names the first node whose output differs from onnxruntime's"},
       {"rtol", "R", "Comparison", "Relative tolerance (default: 1e-3)"},
       {"atol", "A", "Comparison",
        "Absolute tolerance (default: 1e-7; with --against, without --rtol: derived from each "
        "output, and printed)"},
       {"scale-atol", "", "Comparison",
        "Multiplies atol with the largest |expected| of an output, if above 1"},
       {"variant", "dynamic|constant", "Comparison",
        "Compiles with every dimension dynamic, or with the inputs as "
        "constants"},
       {"exclude", "LIST", "Cases", "File of lines PATTERN REASON: cases not to run"},
       {"filter", "PATTERN", "Cases", "Only cases whose name matches"},
       {"jobs", "N", "Execution", "Cases at a time (default: usable threads)"},
       {"threads", "N", "Execution", "Threads of each case (default: 1)"},
       {"device", "NAME", "Execution",
        "Where device kernels run: cuda:0, hip:0, emulation (default: the first that the module "
        "has code for)"},
       {"timeout", "SECONDS", "Execution", "Per case (default: 300)"},
       {"json", "FILE", "Output", "Writes a record per case"},
       {"verbose", "", "Output", "A line for every case"},
       {"quiet", "", "Output", "Only the last line"}}};
  for (const Option &option : compilerOptions())
    if (option.name != "all-dynamic" && option.name != "constant-inputs")
      command.options.push_back(option);
  return command;
}

namespace {

/// A process that checks one case.
struct WorkerProcess {
  size_t index = 0; // of the case
  pid_t pid = -1;
  int result = -1; // its record as JSON
  int log = -1;    // what it printed
  double deadline = 0;
  std::string text;
};

class Checker {
public:
  Checker(std::vector<CheckCase> cases, const Compiler &compiler, CheckOptions options,
          const Arguments &arguments)
      : cases(std::move(cases)), compiler(compiler), options(std::move(options)),
        arguments(arguments), records(this->cases.size()), isDone(this->cases.size()) {}

  /// False after Ctrl-C.
  bool run(int64_t jobs, double timeout, const ExclusionList &exclusions);
  const std::vector<CheckRecord> &results() const { return records; }

private:
  std::optional<Error> start(size_t index, double timeout);
  void poll();
  void finish(WorkerProcess &worker, bool isLate);
  void report(size_t index);
  void stopAll();

  std::vector<CheckCase> cases;
  const Compiler &compiler;
  CheckOptions options;
  const Arguments &arguments;
  std::vector<CheckRecord> records;
  std::vector<bool> isDone;
  std::vector<WorkerProcess> workers;
  size_t finished = 0;
};

} // namespace

static volatile std::sig_atomic_t stopRequested;
static void requestStop(int) { stopRequested = 1; }

/// What a worker does after the fork; never returns.
[[noreturn]] static void workerMain(const CheckCase &testCase, const Compiler &compiler,
                                    const CheckOptions &options, int result, int log) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGINT, SIG_DFL);
  ::signal(SIGTERM, SIG_DFL);
  struct rlimit noCore = {0, 0};
  ::setrlimit(RLIMIT_CORE, &noCore);
  int null = ::open("/dev/null", O_RDWR);
  ::dup2(null, STDIN_FILENO);
  ::dup2(log >= 0 ? log : null, STDOUT_FILENO);
  ::dup2(log >= 0 ? log : null, STDERR_FILENO);
  std::string text = runCase(testCase, compiler, options).toJson().dump();
  for (size_t at = 0; at < text.size();) {
    ssize_t count = ::write(result, text.data() + at, text.size() - at);
    if (count < 0 && errno != EINTR)
      break;
    at += count > 0 ? static_cast<size_t>(count) : 0;
  }
  ::_exit(0);
}

std::optional<Error> Checker::start(size_t index, double timeout) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return Error{std::string("cannot make a pipe: ") + std::strerror(errno)};
  WorkerProcess worker;
  worker.index = index;
  worker.result = ends[0];
  worker.log = ::memfd_create("weft-check", MFD_CLOEXEC);
  worker.deadline = now() + timeout;
  std::fflush(nullptr);
  worker.pid = ::fork();
  if (worker.pid == 0)
    workerMain(cases[index], compiler, options, ends[1], worker.log);
  int failure = errno;
  ::close(ends[1]);
  if (worker.pid < 0) {
    ::close(ends[0]);
    ::close(worker.log);
    return Error{std::string("cannot start a process: ") + std::strerror(failure)};
  }
  ::setpgid(worker.pid, worker.pid); // also here: whoever comes first
  workers.push_back(std::move(worker));
  return std::nullopt;
}

/// The end of what a crashed worker printed, on one line.
static std::string lastOutput(int log) {
  char buffer[2000];
  off_t size = log >= 0 ? ::lseek(log, 0, SEEK_END) : 0;
  off_t start = std::max<off_t>(0, size - off_t(sizeof buffer));
  ssize_t count = size > 0 ? ::pread(log, buffer, sizeof buffer, start) : 0;
  std::string text(buffer, count > 0 ? static_cast<size_t>(count) : 0);
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ';');
  return text.empty() ? "" : ": " + text;
}

void Checker::finish(WorkerProcess &worker, bool isLate) {
  // The whole group: the compiler has a process of its own.
  if (isLate)
    ::kill(-worker.pid, SIGKILL);
  int status = 0;
  while (::waitpid(worker.pid, &status, 0) < 0 && errno == EINTR) {
  }
  ::kill(-worker.pid, SIGKILL);
  CheckRecord &record = records[worker.index];
  Result<Json> json = Json::parse(worker.text, "worker");
  std::optional<CheckRecord> received =
      json && !isLate ? CheckRecord::fromJson(*json) : std::nullopt;
  if (received && WIFEXITED(status)) {
    record = *std::move(received);
  } else {
    record.verdict = Verdict::Failed;
    record.reason =
        isLate ? "timed out"
        : WIFSIGNALED(status)
            ? std::string("crashed with signal ") + std::to_string(WTERMSIG(status)) + " (" +
                  ::strsignal(WTERMSIG(status)) + ")"
            : "ended with exit code " + std::to_string(WEXITSTATUS(status)) + " without a result";
    record.reason += lastOutput(worker.log);
  }
  ::close(worker.result);
  if (worker.log >= 0)
    ::close(worker.log);
  record.name = cases[worker.index].name;
  isDone[worker.index] = true;
  report(worker.index);
}

void Checker::report(size_t index) {
  ++finished;
  const CheckRecord &record = records[index];
  bool isTerminal = ::isatty(STDERR_FILENO) == 1 && !arguments.has("quiet");
  if (isTerminal)
    std::fputs("\r\033[K", stderr);
  // Whoever asks about one model wants to know why.
  bool isOnly = cases.size() == 1 && record.verdict != Verdict::Passed;
  bool isShown = !arguments.has("quiet") &&
                 (record.verdict == Verdict::Failed || isOnly || arguments.has("verbose"));
  if (isShown) {
    std::fprintf(stdout, "%s: %s%s%s\n", verdictName(record.verdict), record.name.c_str(),
                 record.reason.empty() ? "" : ": ", record.reason.c_str());
    std::fflush(stdout);
  }
  if (!record.tolerance.empty() && !arguments.has("quiet") && (isShown || cases.size() == 1)) {
    std::fprintf(stdout, "tolerance: %s\n", record.tolerance.c_str());
    std::fflush(stdout);
  }
  if (isTerminal && finished < cases.size()) {
    std::fprintf(stderr, "[%zu/%zu] %.60s", finished, cases.size(), record.name.c_str());
    std::fflush(stderr);
  }
}

void Checker::poll() {
  std::vector<pollfd> entries;
  double next = now() + 1;
  for (const WorkerProcess &worker : workers) {
    entries.push_back({worker.result, POLLIN, 0});
    next = std::min(next, worker.deadline);
  }
  int wait = static_cast<int>(std::max(0.0, (next - now()) * 1000)) + 1;
  if (::poll(entries.data(), entries.size(), wait) < 0)
    return; // a signal
  for (size_t i = workers.size(); i-- > 0;) {
    WorkerProcess &worker = workers[i];
    bool isOver = false;
    if (entries[i].revents) {
      char buffer[4096];
      ssize_t count = ::read(worker.result, buffer, sizeof buffer);
      if (count > 0 && worker.text.size() < (size_t(1) << 20))
        worker.text.append(buffer, static_cast<size_t>(count));
      isOver = count == 0;
    }
    bool isLate = !isOver && now() > worker.deadline;
    if (!isOver && !isLate)
      continue;
    finish(worker, isLate);
    workers.erase(workers.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void Checker::stopAll() {
  for (WorkerProcess &worker : workers) {
    ::kill(-worker.pid, SIGKILL);
    ::waitpid(worker.pid, nullptr, 0);
    ::close(worker.result);
    if (worker.log >= 0)
      ::close(worker.log);
  }
  workers.clear();
}

bool Checker::run(int64_t jobs, double timeout, const ExclusionList &exclusions) {
  for (size_t index = 0; index < cases.size(); ++index) {
    records[index].name = cases[index].name;
    if (const std::string *reason = exclusions.find(cases[index].name)) {
      records[index].verdict = Verdict::Excluded;
      records[index].reason = *reason;
      report(index);
      continue;
    }
    while (static_cast<int64_t>(workers.size()) >= jobs && !stopRequested)
      poll();
    if (stopRequested)
      break;
    if (std::optional<Error> failure = start(index, timeout)) {
      records[index].reason = failure->message;
      report(index);
    }
  }
  while (!workers.empty() && !stopRequested)
    poll();
  stopAll();
  return !stopRequested;
}

static Result<CheckOptions> readOptions(const Arguments &arguments) {
  CheckOptions options;
  Result<double> relative = arguments.number("rtol", Tolerance().relative);
  if (!relative)
    return relative.error();
  Result<double> absolute = arguments.number("atol", Tolerance().absolute);
  if (!absolute)
    return absolute.error();
  Result<int64_t> threads = arguments.integer("threads", 1, 0, 4096);
  if (!threads)
    return threads.error();
  options.tolerance = {*relative, *absolute};
  options.isBisected = arguments.has("bisect");
  options.isScaled = arguments.has("scale-atol");
  options.isDerived = arguments.has("against") && !arguments.has("rtol") &&
                      !arguments.has("atol") && !options.isScaled;
  options.threads = *threads;
  options.device = arguments.get("device");
  options.compilerArguments = arguments.forCompiler();
  options.dims = arguments.all("dim");
  options.inputs = arguments.all("input");
  if (!options.inputs.empty() && !arguments.has("against"))
    return Error{"option '--input' needs '--against': other inputs come from "
                 "test data"};
  options.peer = arguments.get("against").value_or("");
  if (!options.peer.empty() && options.peer != "onnxruntime" && options.peer != "openvino")
    return Error{"option '--against': expected onnxruntime or openvino, found "
                 "'" +
                 options.peer + "'"};
  std::string variant = arguments.get("variant").value_or("");
  if (variant == "dynamic")
    options.variant = Variant::Dynamic;
  else if (variant == "constant")
    options.variant = Variant::Constant;
  else if (!variant.empty())
    return Error{"option '--variant': expected dynamic or constant, found '" + variant + "'"};
  if (!options.peer.empty() && options.variant == Variant::Constant)
    return Error{"options '--against' and '--variant=constant' exclude each "
                 "other: constant inputs come from test data"};
  return options;
}

static Status writeRecords(const std::string &path, const std::vector<CheckRecord> &records,
                           const size_t (&counts)[4], double seconds) {
  Json list = Json::array();
  for (const CheckRecord &record : records)
    list.append(record.toJson());
  Json json = Json::object();
  for (Verdict verdict :
       {Verdict::Passed, Verdict::Failed, Verdict::Unsupported, Verdict::Excluded})
    json.set(verdictName(verdict), static_cast<int64_t>(counts[static_cast<size_t>(verdict)]));
  json.set("seconds", seconds);
  json.set("cases", std::move(list));
  return writeTextFile(path, json.dump(true) + "\n");
}

int weft::runCheck(const Command &command, const Arguments &arguments) {
  if (arguments.positional().empty())
    return fail("expected folders or a model; see 'weft check --help'", ExitUsage);
  Result<CheckOptions> options = readOptions(arguments);
  if (!options)
    return fail(options.error(), ExitUsage);
  Result<int64_t> jobs = arguments.integer("jobs", weft_usable_threads(), 1, 4096);
  if (!jobs)
    return fail(jobs.error(), ExitUsage);
  Result<double> timeout = arguments.number("timeout", 300);
  if (!timeout)
    return fail(timeout.error(), ExitUsage);
  ExclusionList exclusions;
  if (std::optional<std::string> path = arguments.get("exclude")) {
    Result<ExclusionList> list = ExclusionList::read(*path);
    if (!list)
      return fail(list.error());
    exclusions = *std::move(list);
  }
  std::vector<CheckCase> cases;
  std::set<std::string> models;
  for (const std::string &root : arguments.positional()) {
    Result<std::vector<CheckCase>> found = findCases(root);
    if (!found)
      return fail(found.error());
    if (found->empty())
      return fail(root + ": no cases: expected folders with model.onnx and "
                         "test_data_set_*");
    std::string filter = arguments.get("filter").value_or("");
    for (CheckCase &testCase : *found)
      if ((filter.empty() || matchesPattern(filter, testCase.name)) &&
          models.insert(testCase.model).second)
        cases.push_back(std::move(testCase));
  }
  if (cases.empty())
    return fail("no case matches '" + arguments.get("filter").value_or("") + "'");
  Result<TempFolder> folder = TempFolder::create(TempFolder::systemFolder());
  if (!folder)
    return fail(folder.error());
  options->workFolder = folder->path();
  if (!options->peer.empty())
    if (Status status = findPeer(options->peer); !status)
      return fail(status.error());
  Result<Compiler> compiler = Compiler::open();
  if (!compiler)
    return fail(compiler.error());

  struct sigaction action = {};
  action.sa_handler = requestStop;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  double start = now();
  Checker checker(std::move(cases), *compiler, *std::move(options), arguments);
  bool isComplete = checker.run(*jobs, *timeout, exclusions);
  if (!isComplete)
    return fail("cancelled");

  size_t counts[4] = {};
  for (const CheckRecord &record : checker.results())
    ++counts[static_cast<size_t>(record.verdict)];
  if (std::optional<std::string> path = arguments.get("json"))
    if (Status status = writeRecords(*path, checker.results(), counts, now() - start); !status)
      return fail(status.error());
  std::printf("%zu passed, %zu failed, %zu unsupported, %zu excluded\n", counts[0], counts[1],
              counts[2], counts[3]);
  return counts[1] ? ExitDifferent : counts[2] ? ExitUnsupported : ExitSuccess;
}
