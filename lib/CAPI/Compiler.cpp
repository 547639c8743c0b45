//===- Compiler.cpp - The compiler behind a C interface -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM and lld can end the process that they run in. Each compilation therefore
// runs in a forked worker, which sends progress and text through a pipe; its
// death becomes an exit code and a sentence.
//
//===----------------------------------------------------------------------===//

#include "weft/compiler.h"

#include "weft/Plugin.h"
#include "weft/Registry.h"
#include "weft/Session.h"
#include "weft/Version.h"

#include "llvm/Support/Signals.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace weft;

/// A message of the worker: its kind, a number, and two strings.
namespace {
enum class MessageKind : uint8_t { Progress = 1, Text = 2, Reproducer = 3 };

struct MessageHeader {
  MessageKind kind;
  int32_t step;
  uint32_t firstSize, secondSize;
};

class MessageWriter {
public:
  explicit MessageWriter(int file) : file(file) {}
  void send(MessageKind kind, int step, llvm::StringRef first, llvm::StringRef second) {
    MessageHeader header{kind, step, static_cast<uint32_t>(first.size()),
                         static_cast<uint32_t>(second.size())};
    std::string bytes(reinterpret_cast<const char *>(&header), sizeof header);
    bytes += first;
    bytes += second;
    for (size_t done = 0; done < bytes.size();) {
      ssize_t written = ::write(file, bytes.data() + done, bytes.size() - done);
      if (written < 0 && errno == EINTR)
        continue;
      if (written <= 0)
        return; // the parent is gone
      done += static_cast<size_t>(written);
    }
  }

private:
  int file;
};
} // namespace

static bool readAll(int file, void *data, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t count = ::read(file, static_cast<char *>(data) + done, size - done);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return false;
    done += static_cast<size_t>(count);
  }
  return true;
}

/// Built-ins and plugins; without plugins it is made once per process.
static llvm::Expected<const Registry *> getRegistry(const CompileOptions &options,
                                                    std::unique_ptr<Registry> &own) {
  static const std::unique_ptr<Registry> shared = std::make_unique<Registry>();
  static const std::string problem = llvm::toString(shared->addBuiltins());
  const char *path = ::getenv("WEFT_PLUGIN_PATH");
  if (!problem.empty())
    return llvm::createStringError(problem);
  if (options.plugins.empty() && !(path && *path))
    return shared.get();
  own = std::make_unique<Registry>();
  if (llvm::Error error = own->addBuiltins())
    return std::move(error);
  if (path && *path)
    if (llvm::Error error = loadPluginPath(path, *own))
      return std::move(error);
  for (const std::string &plugin : options.plugins)
    if (llvm::Error error = loadPlugin(plugin, *own))
      return std::move(error);
  return own.get();
}

static ExitCode compile(const CompileOptions &options, Session::Progress progress,
                        Session::Diagnose diagnose, Session::Reproduce reproduce) {
  std::unique_ptr<Registry> own;
  llvm::Expected<const Registry *> registry = getRegistry(options, own);
  if (!registry) {
    diagnose("error: " + llvm::toString(registry.takeError()));
    return ExitCode::Error;
  }
  return Session(**registry, options).run(progress, diagnose, reproduce);
}

static void append(std::string &text, llvm::StringRef line) {
  text += line;
  text += '\n';
}

static std::string howToReproduce(const std::string &path) {
  return "reproduce it with: weft-opt --run-reproducer " + path;
}

/// What the worker does: compiles, and sends its messages to `pipe`.
[[noreturn]] static void runWorker(const CompileOptions &options, int pipe) {
  for (int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGINT, SIGTERM})
    ::signal(signal, SIG_DFL);
  MessageWriter writer(pipe);
  ExitCode code = compile(
      options,
      [&](int step, llvm::StringRef stage, llvm::StringRef summary) {
        writer.send(MessageKind::Progress, step, stage, summary);
      },
      [&](llvm::StringRef line) { writer.send(MessageKind::Text, 0, line, ""); },
      [&](llvm::StringRef path) { writer.send(MessageKind::Reproducer, 0, path, ""); });
  ::_exit(static_cast<int>(code));
}

namespace {
/// What is known of the worker besides its text.
struct WorkerState {
  std::string lastStage = "input";
  std::string reproducer; ///< its path, if there is one
};
} // namespace

/// Reads the worker's messages from `pipe` until it ends.
static WorkerState readMessages(const weft_compile_options &request, int pipe, std::string &text) {
  WorkerState state;
  MessageHeader header;
  while (readAll(pipe, &header, sizeof header)) {
    std::string first(header.firstSize, '\0'), second(header.secondSize, '\0');
    if (!readAll(pipe, first.data(), first.size()) || !readAll(pipe, second.data(), second.size()))
      break;
    switch (header.kind) {
    case MessageKind::Text:
      append(text, first);
      break;
    case MessageKind::Reproducer:
      state.reproducer = first;
      break;
    case MessageKind::Progress:
      state.lastStage = first;
      if (request.progress && !request.quiet)
        request.progress(request.user, header.step, 8, first.c_str(), second.c_str());
      break;
    }
  }
  return state;
}

/// The sentence about a worker that `signal` has ended.
static std::string describeDeath(const weft_compile_options &request, const CompileOptions &options,
                                 const WorkerState &state, int signal) {
  std::string command = "weft compile " + options.input;
  for (int i = 0; i < request.argument_count; ++i)
    command += std::string(" ") + request.arguments[i];
  return "error: " + options.input + ": the compiler's worker was ended by signal " +
         std::to_string(signal) + " (" + ::strsignal(signal) +
         (signal == SIGKILL ? ", out of memory perhaps" : "") + ") after the stage '" +
         state.lastStage + "'; nothing was written; " +
         (state.reproducer.empty() ? "reproduce it with: " + command + " --dump-stages=DIR"
                                   : howToReproduce(state.reproducer));
}

/// Runs the compilation in a child; reads its messages until it ends.
static int compileInWorker(const weft_compile_options &request, const CompileOptions &options,
                           std::string &text) {
  int pipes[2];
  if (::pipe(pipes) != 0) {
    append(text, std::string("error: cannot start the compiler's worker: ") + std::strerror(errno));
    return static_cast<int>(ExitCode::Internal);
  }
  pid_t parent = ::getpid();
  pid_t child = ::fork();
  if (child < 0) {
    append(text, std::string("error: cannot start the compiler's worker: ") + std::strerror(errno));
    ::close(pipes[0]);
    ::close(pipes[1]);
    return static_cast<int>(ExitCode::Internal);
  }
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
      ::_exit(static_cast<int>(ExitCode::Internal));
    ::close(pipes[0]);
    runWorker(options, pipes[1]);
  }
  ::close(pipes[1]);
  WorkerState state = readMessages(request, pipes[0], text);
  ::close(pipes[0]);
  int status = 0;
  pid_t waited;
  do
    waited = ::waitpid(child, &status, 0);
  while (waited < 0 && errno == EINTR);
  if (waited != child) {
    // Somebody else reaped it (SIGCHLD ignored, say): how it ended is unknown.
    append(text, std::string("error: the compiler's worker cannot be waited for: ") +
                     std::strerror(errno));
    return static_cast<int>(ExitCode::Internal);
  }
  if (WIFEXITED(status)) {
    if (!state.reproducer.empty())
      append(text, "note: " + howToReproduce(state.reproducer));
    return WEXITSTATUS(status);
  }
  int signal = WTERMSIG(status);
  // Nobody reads standard output any more: no error, and nothing to say.
  if (signal == SIGPIPE && options.output == "-")
    return static_cast<int>(ExitCode::Success);
  append(text, describeDeath(request, options, state, signal));
  return static_cast<int>(ExitCode::Internal);
}

/// `--list-plugins` and `--print-pipeline`, which need no model.
static ExitCode answerQuery(llvm::ArrayRef<std::string> arguments, std::string &text) {
  llvm::StringRef query;
  std::vector<std::string> rest;
  for (const std::string &argument : arguments) {
    if (argument == "--list-plugins" || argument == "--print-pipeline")
      query = argument;
    else
      rest.push_back(argument);
  }
  CompileOptions options;
  if (llvm::Error error = parseCompileOptions(rest, options)) {
    append(text, "error: " + llvm::toString(std::move(error)));
    return ExitCode::Usage;
  }
  std::unique_ptr<Registry> own;
  llvm::Expected<const Registry *> registry = getRegistry(options, own);
  llvm::Error error =
      registry ? checkPipelineOptions(**registry, options.pipeline) : registry.takeError();
  if (error) {
    append(text, "error: " + llvm::toString(std::move(error)));
    return ExitCode::Error;
  }
  llvm::raw_string_ostream os(text);
  if (query == "--list-plugins")
    printPlugins(os, **registry);
  else
    printPipeline(os, **registry, options.pipeline);
  return ExitCode::Success;
}

extern "C" int weft_compiler_compile(const weft_compile_options *request, char **diagnostics) {
  std::string text;
  int code = static_cast<int>(ExitCode::Usage);
  CompileOptions options;
  if (request->input)
    options.input = request->input;
  if (request->output)
    options.output = request->output;
  std::vector<std::string> arguments(request->arguments,
                                     request->arguments + request->argument_count);
  if (!request->input) {
    code = static_cast<int>(answerQuery(arguments, text));
  } else if (llvm::Error error = parseCompileOptions(arguments, options)) {
    append(text, "error: " + llvm::toString(std::move(error)));
  } else {
    // The registry is made before the fork, so that workers share it.
    std::unique_ptr<Registry> own;
    llvm::Expected<const Registry *> registry = getRegistry(CompileOptions(), own);
    if (!registry)
      llvm::consumeError(registry.takeError());
    code = compileInWorker(*request, options, text);
  }
  if (diagnostics)
    *diagnostics = ::strdup(text.c_str());
  return code;
}

extern "C" const char *weft_compiler_version(void) {
  static const std::string text = versionText();
  return text.c_str();
}

extern "C" void weft_compiler_free(void *memory) { ::free(memory); }
