//===- Peer.cpp - Other runtimes, reached through Python ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Peer.h"

#include "TempFolder.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace weft;

extern char **environ;

static constexpr size_t maxText = 64'000'000;

static std::string readAll(int fd) {
  std::string text;
  char buffer[1 << 14];
  while (text.size() < maxText) {
    ssize_t count = ::read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      break;
    text.append(buffer, static_cast<size_t>(count));
  }
  return text;
}

static std::string lastLine(std::string text) {
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

Result<std::string> weft::runProgram(const std::vector<std::string> &words) {
  int output[2];
  if (::pipe2(output, O_CLOEXEC) != 0)
    return Error{std::string("cannot make a pipe: ") + std::strerror(errno)};
  // Errors go to a file, so that neither pipe can block the program.
  int errors = ::open(TempFolder::systemFolder().c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  if (errors >= 0)
    ::posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  std::vector<char *> argv;
  for (const std::string &word : words)
    argv.push_back(const_cast<char *>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  int failed = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(output[1]);
  std::string text, errorText;
  int status = 0;
  if (!failed) {
    text = readAll(output[0]);
    ::close(output[0]); // a program that still writes is stopped by SIGPIPE
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (errors >= 0 && ::lseek(errors, 0, SEEK_SET) == 0)
      errorText = readAll(errors);
  } else {
    ::close(output[0]);
  }
  if (errors >= 0)
    ::close(errors);
  if (failed)
    return Error{"cannot run " + words[0] + ": " + std::strerror(failed)};
  if (WIFSIGNALED(status))
    return Error{words[0] + " was ended by signal " + std::to_string(WTERMSIG(status))};
  if (WEXITSTATUS(status) != 0)
    return Error{words[0] + " failed: " + lastLine(errorText)};
  return text;
}

/// $WEFT_PYTHON, else python3.
static std::string python() {
  const char *name = std::getenv("WEFT_PYTHON");
  return name && *name ? name : "python3";
}

Status weft::findPeer(const std::string &peer) {
  Result<std::string> text = runProgram({python(), "-c", "import numpy, " + peer});
  if (text)
    return {};
  return Error{peer + ": " + text.error().message + " (WEFT_PYTHON names the Python to use)"};
}

/// ../share/weft/peer.py of this program.
static Result<std::string> peerScript() {
  char path[4096];
  ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  if (length <= 0 || length == sizeof path)
    return Error{"cannot tell where this program lies"};
  std::filesystem::path program(std::string(path, static_cast<size_t>(length)));
  std::filesystem::path script = program.parent_path().parent_path() / "share/weft/peer.py";
  std::error_code failed;
  if (!std::filesystem::exists(script, failed))
    return Error{script.string() + ": the script that runs peers is missing"};
  return script.string();
}

/// Writes the inputs and their names into `folder`.
static Status writeInputs(const std::string &folder, const std::vector<NamedTensor> &inputs) {
  Json names = Json::array();
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (Status status =
            writeTensorFile(folder + "/input_" + std::to_string(i) + ".npy", inputs[i].tensor);
        !status)
      return status;
    Json entry = Json::object();
    entry.set("name", inputs[i].name);
    entry.set("dtype", dataTypeName(inputs[i].tensor.dtype()));
    names.append(std::move(entry));
  }
  return writeTextFile(folder + "/inputs.json", names.dump());
}

static Result<std::string> callPeer(const std::string &action, const std::string &peer,
                                    const std::string &model, const std::string &folder,
                                    int64_t threads, double seconds) {
  Result<std::string> script = peerScript();
  if (!script)
    return script;
  Result<std::string> text = runProgram(
      {python(), *script, action, "--peer=" + peer, "--threads=" + std::to_string(threads),
       "--seconds=" + std::to_string(seconds), "--", model, folder});
  if (!text)
    return Error{peer + ": " + text.error().message};
  return text;
}

Result<std::vector<PeerOutput>> weft::runPeer(const std::string &peer, const std::string &model,
                                              const std::vector<NamedTensor> &inputs,
                                              int64_t threads) {
  Result<TempFolder> folder = TempFolder::create(TempFolder::systemFolder());
  if (!folder)
    return folder.error();
  if (Status status = writeInputs(folder->path(), inputs); !status)
    return status.error();
  Result<std::string> text = callPeer("run", peer, model, folder->path(), threads, 0);
  if (!text)
    return text.error();
  Result<Json> entries = Json::parse(*text, peer);
  if (!entries)
    return entries.error();
  std::vector<PeerOutput> outputs;
  for (size_t i = 0; i < entries->elements().size(); ++i) {
    Result<Tensor> tensor =
        readTensorFile(folder->path() + "/output_" + std::to_string(i) + ".npy");
    if (!tensor)
      return tensor.error();
    const Json &entry = entries->elements()[i];
    const Json *name = entry.find("name"), *quantized = entry.find("quantized");
    if (!name || !quantized)
      return Error{peer + ": malformed answer"};
    PeerOutput output{name->asString(), *std::move(tensor), quantized->asBool()};
    for (auto [key, value] : {std::pair("step", &output.step),
                              {"spread", &output.spread},
                              {"mean_spread", &output.meanSpread}}) {
      const Json *member = entry.find(key);
      *value = member ? member->asNumber() : 0;
    }
    outputs.push_back(std::move(output));
  }
  return outputs;
}

Result<std::vector<ExposedValue>> weft::exposeValues(const std::string &model,
                                                     const std::vector<NamedTensor> &inputs,
                                                     const std::string &folder) {
  if (Status status = writeInputs(folder, inputs); !status)
    return status.error();
  Result<std::string> text = callPeer("expose", "onnxruntime", model, folder, 1, 0);
  if (!text)
    return text.error();
  Result<Json> entries = Json::parse(*text, "onnxruntime");
  if (!entries)
    return entries.error();
  std::vector<ExposedValue> values;
  for (size_t i = 0; i < entries->elements().size(); ++i) {
    Result<Tensor> tensor = readTensorFile(folder + "/output_" + std::to_string(i) + ".npy");
    if (!tensor)
      return tensor.error();
    const Json &entry = entries->elements()[i];
    const Json *name = entry.find("value"), *node = entry.find("node"), *op = entry.find("op");
    if (!name || !node || !op)
      return Error{"onnxruntime: malformed answer"};
    values.push_back({name->asString(), node->asString(), op->asString(), *std::move(tensor)});
  }
  return values;
}

Result<Json> weft::benchPeer(const std::string &peer, const std::string &model,
                             const std::vector<NamedTensor> &inputs, int64_t threads,
                             double seconds) {
  Result<TempFolder> folder = TempFolder::create(TempFolder::systemFolder());
  if (!folder)
    return folder.error();
  if (Status status = writeInputs(folder->path(), inputs); !status)
    return status.error();
  Result<std::string> text = callPeer("bench", peer, model, folder->path(), threads, seconds);
  if (!text)
    return text.error();
  return Json::parse(*text, peer);
}
