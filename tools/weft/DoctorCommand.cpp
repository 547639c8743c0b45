//===- DoctorCommand.cpp - weft doctor ------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Cache.h"
#include "Compiler.h"
#include "Peer.h"
#include "Program.h"
#include "TempFolder.h"
#include "Tensor/Compare.h"
#include "Tool.h"

#include <cstdio>
#include <dlfcn.h>
#include <fstream>
#include <sched.h>
#include <unistd.h>

using namespace weft;

Command weft::describeDoctor() {
  return {"doctor",
          "",
          "tells what works on this machine and tries it",
          "Exit code 1 if anything that Weft needs is broken.",
          {}};
}

namespace {

/// Prints findings and counts what is broken.
class Doctor {
public:
  int run();

private:
  void fine(const char *topic, const std::string &text) {
    std::printf("ok      %-12s %s\n", topic, text.c_str());
  }
  /// Good to know, nothing is wrong.
  void note(const char *topic, const std::string &text) {
    std::printf("note    %-12s %s\n", topic, text.c_str());
  }
  void broken(const char *topic, const std::string &text) {
    std::printf("BROKEN  %-12s %s\n", topic, text.c_str());
    ++failures;
  }

  void checkVariants();
  void checkThreads();
  void checkHugePages();
  void checkLibraries();
  void checkCache();
  void checkDevices();
  void checkPeers();
  void selfTest();

  std::optional<Compiler> compiler;
  int failures = 0;
};

struct Level {
  const char *cpu;
  const char *features; // LLVM's names
};

} // namespace

// The levels of the x86-64 psABI and what the CPU target has beyond them.
static constexpr Level levels[] = {{"x86-64-v3", "avx2,bmi,bmi2,f16c,fma,lzcnt,movbe"},
                                   {"x86-64-v4", "avx512f,avx512bw,avx512cd,avx512dq,avx512vl"},
                                   {"VNNI", "avx512vnni"},
                                   {"BF16", "avx512bf16"},
                                   {"AMX", "amx-tile,amx-int8,amx-bf16"}};

static std::string readLine(const char *path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

void Doctor::checkVariants() {
  for (const Level &level : levels) {
    weft_error *error = weft_cpu_check(level.features);
    if (!error)
      fine("cpu", std::string(level.cpu) + " (" + level.features + ")");
    else
      note("cpu", std::string("no ") + level.cpu + ": " + weft_error_message(error));
    if (error && &level == &levels[0])
      broken("cpu", "Weft's modules need at least x86-64-v3");
    weft_error_free(error);
  }
  if (std::string wanted = wantedVariant(); !wanted.empty())
    note("cpu", "WEFT_CPU=" + wanted + " is set: only that variant of modules is used");
}

void Doctor::checkThreads() {
  cpu_set_t set;
  int affinity = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
  std::string limit = readLine("/sys/fs/cgroup/cpu.max");
  fine("threads", std::to_string(weft_usable_threads()) + " usable of " +
                      std::to_string(::sysconf(_SC_NPROCESSORS_ONLN)) + " online, " +
                      std::to_string(affinity) + " in the affinity mask, cgroup limit " +
                      (limit.empty() ? "not found" : limit));
}

void Doctor::checkHugePages() {
  std::string mode = readLine("/sys/kernel/mm/transparent_hugepage/enabled");
  note("huge pages", mode.empty() ? "not known to this kernel" : mode);
}

void Doctor::checkLibraries() {
  fine("runtime", std::string(weft_runtime_version()) + ", interface " +
                      std::to_string(weft_runtime_api_version() >> 16) + "." +
                      std::to_string(weft_runtime_api_version() & 0xffff));
  Result<Compiler> opened = Compiler::open();
  if (opened) {
    compiler = *opened;
    fine("compiler", compiler->version());
  } else {
    broken("compiler", opened.error().message);
  }
  if (void *tbb = ::dlopen("libtbb.so.12", RTLD_NOW | RTLD_LOCAL)) {
    auto *version = reinterpret_cast<const char *(*)()>(::dlsym(tbb, "TBB_runtime_version"));
    fine("oneTBB", version ? version() : "found");
  } else {
    note("oneTBB", std::string("not found: ") + ::dlerror());
  }
}

void Doctor::checkCache() {
  std::string folder = cacheFolder();
  std::error_code failed;
  if (!folder.empty())
    std::filesystem::create_directories(folder, failed);
  if (folder.empty() || failed || ::access(folder.c_str(), W_OK) != 0) {
    note("cache", "not usable: " + (folder.empty() ? std::string("no home folder")
                                                   : folder + " cannot be written"));
    return;
  }
  CacheUse use = cacheUse(folder);
  fine("cache", folder + ": " + std::to_string(use.entries) + " entries, " +
                    formatBytes(use.bytes) + " of " + formatBytes(cacheCapacity()));
}

void Doctor::checkDevices() {
  for (const char *family : {"cuda", "hip", "emulation"}) {
    int32_t count = 0;
    if (weft_error *error = weft_device_count(family, &count)) {
      note("device", std::string("no ") + family + ": " + weft_error_message(error));
      weft_error_free(error);
    }
    for (int32_t i = 0; i < count; ++i) {
      std::string name = std::string(family) + ":" + std::to_string(i);
      char text[512];
      if (weft_error *error = weft_device_describe(name.c_str(), text, sizeof text)) {
        note("device", name + ": " + weft_error_message(error));
        weft_error_free(error);
      } else {
        fine("device", name + ": " + text);
      }
    }
  }
}

void Doctor::checkPeers() {
  for (const char *peer : {"onnxruntime", "openvino"}) {
    Result<std::string> version =
        runProgram({std::getenv("WEFT_PYTHON") ? std::getenv("WEFT_PYTHON") : "python3", "-c",
                    std::string("import ") + peer + "; print(" + peer + ".__version__, end='')"});
    note("peer",
         std::string(peer) + ": " +
             (version ? *version
                      : version.error().message + " (WEFT_PYTHON names the Python to use)"));
  }
}

/// ONNX: y = x * x + x for x of 4 floats, written by hand.
static std::string selfTestModel() {
  auto field = [](int number, const std::string &bytes) {
    std::string text;
    text += static_cast<char>(number << 3 | 2);
    text += static_cast<char>(bytes.size()); // all are below 128 bytes
    return text + bytes;
  };
  auto node = [&](const char *a, const char *b, const char *out, const char *op) {
    return field(1, field(1, a) + field(1, b) + field(2, out) + field(4, op));
  };
  auto value = [&](const char *name) {
    std::string dims = field(1, std::string("\x08\x04", 2));
    std::string tensor = std::string("\x08\x01", 2) + field(2, dims);
    return field(1, name) + field(2, field(1, tensor));
  };
  std::string graph = node("x", "x", "z", "Mul") + node("z", "x", "y", "Add") +
                      field(2, "self-test") + field(11, value("x")) + field(12, value("y"));
  return std::string("\x08\x08", 2) +                                           // ir_version 8
         field(7, graph) + field(8, field(1, "") + std::string("\x10\x11", 2)); // opset 17
}

void Doctor::selfTest() {
  if (!compiler)
    return;
  Result<TempFolder> folder = TempFolder::create(TempFolder::systemFolder());
  if (!folder)
    return broken("self-test", folder.error().message);
  std::string model = folder->path() + "/self-test.onnx";
  if (Status status = writeTextFile(model, selfTestModel()); !status)
    return broken("self-test", status.error().message);
  CompileRequest request;
  request.input = model;
  request.output = folder->path() + "/self-test.so";
  // As modules are shipped; WEFT_CPU would refuse one without its variant.
  std::string wanted = wantedVariant();
  request.arguments.push_back("--cpu=" + (wanted.empty() ? "x86-64-v3,x86-64-v4" : wanted));
  CompileOutcome outcome = compiler->compile(request);
  if (outcome.code != ExitSuccess)
    return broken("self-test", "compile: exit code " + std::to_string(outcome.code) + ": " +
                                   outcome.diagnostics);
  Result<Program> program = Program::load(request.output);
  if (!program)
    return broken("self-test", program.error().message);
  Result<Call> call = Call::create(*program, 0);
  if (!call)
    return broken("self-test", call.error().message);
  Result<NamedTensor> input = parseSpec("4xf32=-1 0 2 0.5");
  Result<NamedTensor> expected = parseSpec("4xf32=0 0 6 0.75");
  if (Status status = call->bind({input->tensor}); !status)
    return broken("self-test", status.error().message);
  double start = now();
  if (Status status = call->run(); !status)
    return broken("self-test", status.error().message);
  double seconds = now() - start;
  Result<std::vector<Tensor>> outputs = call->outputs();
  if (!outputs || outputs->size() != 1)
    return broken("self-test", "the module has not one output");
  Comparison comparison = compareTensors((*outputs)[0], expected->tensor, {0, 0});
  if (!comparison.isEqual)
    return broken("self-test", "wrong numbers: " + comparison.message);
  fine("self-test", "compiled in " + formatTime(outcome.seconds) + ", ran in " +
                        formatTime(seconds) + " on " +
                        describeVariant(program->variant(), /*isNative=*/true) + ", " +
                        program->variantReason());
}

int Doctor::run() {
  checkVariants();
  checkThreads();
  checkHugePages();
  checkLibraries();
  checkCache();
  checkDevices();
  checkPeers();
  selfTest();
  if (failures)
    return fail(std::to_string(failures) + " of the things above are broken");
  return ExitSuccess;
}

int weft::runDoctor(const Command &command, const Arguments &arguments) {
  if (!arguments.positional().empty())
    return fail("weft doctor takes no arguments", ExitUsage);
  return Doctor().run();
}
