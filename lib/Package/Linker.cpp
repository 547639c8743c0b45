//===- Linker.cpp - Objects to a shared object or one object --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// lld is linked into this library. It reads and writes files by path only, so
// inputs are given to it as /proc/self/fd/N, and its output goes into a pipe
// which a thread drains into the output file: no file of ours ever has a name
// while it is incomplete, so none can be left behind.
//
//===----------------------------------------------------------------------===//

#include "Package/Linker.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ObjCopy/ConfigManager.h"
#include "llvm/ObjCopy/ObjCopy.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>

LLD_HAS_DRIVER(elf)

using namespace weft;
using llvm::formatv;
using llvm::StringRef;
using llvm::object::ELF64LE;

// The builtins' object, byte by byte. The path is the build's.
asm(".pushsection .rodata.weft_builtins,\"a\",@progbits\n"
    ".balign 64\n"
    ".hidden weft_builtins_begin\n"
    ".globl weft_builtins_begin\n"
    "weft_builtins_begin:\n"
    ".incbin \"" WEFT_BUILTINS_OBJECT "\"\n"
    ".hidden weft_builtins_end\n"
    ".globl weft_builtins_end\n"
    "weft_builtins_end:\n"
    ".popsection\n");
extern "C" {
[[gnu::visibility("hidden")]] extern const char weft_builtins_begin[];
[[gnu::visibility("hidden")]] extern const char weft_builtins_end[];
}

StringRef weft::builtinsObject() {
  return StringRef(weft_builtins_begin, weft_builtins_end - weft_builtins_begin);
}

//===----------------------------------------------------------------------===//
// Running lld
//===----------------------------------------------------------------------===//

namespace {

/// A pipe whose content a thread appends to a file. It is drained to its end
/// even when the file cannot take it, for the writer must never block.
class Drain {
public:
  static llvm::Expected<std::unique_ptr<Drain>> create(OutputFile &output) {
    std::unique_ptr<Drain> drain(new Drain(output));
    drain->stop = ::eventfd(0, EFD_CLOEXEC);
    if (drain->stop < 0 || ::pipe2(drain->pipe, O_CLOEXEC) != 0)
      return llvm::createStringError(llvm::Twine("cannot link: no pipe: ") + std::strerror(errno));
    ::fcntl(drain->pipe[0], F_SETFL, O_NONBLOCK);
    drain->thread = std::thread([raw = drain.get()] { raw->run(); });
    return drain;
  }

  ~Drain() {
    if (thread.joinable())
      llvm::consumeError(finish());
    for (int descriptor : {pipe[0], pipe[1], stop})
      if (descriptor >= 0)
        ::close(descriptor);
  }

  /// The path to write to.
  std::string path() const { return "/proc/self/fd/" + std::to_string(pipe[1]); }

  /// Waits until all that was written has arrived in the file.
  llvm::Error finish() {
    // The event ends the thread also where a crashed linker has left its own
    // descriptor of the pipe open.
    uint64_t one = 1;
    [[maybe_unused]] ssize_t written = ::write(stop, &one, sizeof(one));
    thread.join();
    return std::move(failure);
  }

private:
  explicit Drain(OutputFile &output) : output(output) {}

  void run() {
    llvm::SmallVector<uint8_t, 0> buffer(size_t(1) << 16);
    for (bool stopping = false;;) {
      ssize_t count = ::read(pipe[0], buffer.data(), buffer.size());
      if (count > 0) {
        if (!failure)
          failure = output.write(llvm::ArrayRef(buffer.data(), count));
        continue;
      }
      if (count == 0 || (errno != EAGAIN && errno != EINTR) || stopping)
        return;
      pollfd events[] = {{pipe[0], POLLIN, 0}, {stop, POLLIN, 0}};
      ::poll(events, 2, /*timeout=*/-1);
      // What is in the pipe by now is all there will be: read it, then end.
      stopping = events[1].revents != 0;
    }
  }

  OutputFile &output;
  int pipe[2] = {-1, -1};
  int stop = -1;
  std::thread thread;
  llvm::Error failure = llvm::Error::success();
};

} // namespace

/// A memory file that holds `content`.
static llvm::Expected<OutputFile> memoryFile(StringRef name, StringRef content) {
  auto file = OutputFile::create(name, OutputFile::Kind::Memory);
  if (file)
    if (auto error = file->write(content))
      return std::move(error);
  return file;
}

namespace {

/// The files that lld reads.
struct Inputs {
  /// The objects are one archive: a model can have more of them than a process
  /// may have open files.
  OutputFile objects, builtins;
  const OutputFile *weights = nullptr;

  static llvm::Expected<Inputs> create(llvm::ArrayRef<ObjectBuffer> objects,
                                       const OutputFile *weights, const OutputFile &output);
};

} // namespace

llvm::Expected<Inputs> Inputs::create(llvm::ArrayRef<ObjectBuffer> objects,
                                      const OutputFile *weights, const OutputFile &output) {
  std::vector<llvm::NewArchiveMember> members;
  for (const ObjectBuffer &object : objects) {
    StringRef bytes(object.bytes.data(), object.bytes.size());
    // lld would take other files for linker scripts, which can name any file,
    // or for bitcode, which it would compile.
    if (!bytes.starts_with(llvm::ELF::ElfMagic))
      return llvm::createStringError("cannot link '" + output.path().str() + "': '" + object.name +
                                     "' is not an ELF object");
    members.emplace_back(llvm::MemoryBufferRef(bytes, object.name));
  }
  auto archive = llvm::writeArchiveToBuffer(members, llvm::SymtabWritingMode::NoSymtab,
                                            llvm::object::Archive::K_GNU,
                                            /*Deterministic=*/true, /*Thin=*/false);
  if (!archive)
    return archive.takeError();
  auto objectsFile = memoryFile("objects", (*archive)->getBuffer());
  if (!objectsFile)
    return objectsFile.takeError();
  auto builtinsFile = memoryFile("builtins", builtinsObject());
  if (!builtinsFile)
    return builtinsFile.takeError();
  return Inputs{std::move(*objectsFile), std::move(*builtinsFile), weights};
}

/// lld's messages as one line: "a; b". Each is followed there by lines that
/// begin with ">>>", and calls the inputs by the paths that we made up; an
/// object `x` of the archive is "<path>(x)".
static std::string summarize(StringRef log, const Inputs &inputs) {
  std::string text;
  llvm::SmallVector<StringRef> lines;
  log.split(lines, '\n', -1, /*KeepEmpty=*/false);
  for (StringRef line : lines) {
    if (line.consume_front(">>>"))
      text += ", " + line.trim().str();
    else {
      line.consume_front("ld.lld: ");
      line.consume_front("error: ");
      text += (text.empty() ? "" : "; ") + line.str();
    }
  }
  auto replace = [&](const OutputFile &file, StringRef name) {
    std::string path = file.procPath();
    for (size_t at = text.find(path); at != std::string::npos; at = text.find(path, at + 1)) {
      size_t end = at + path.size();
      if (end < text.size() && llvm::isDigit(text[end]))
        continue; // another descriptor's
      text.replace(at, path.size(), name);
    }
  };
  replace(inputs.objects, "objects");
  replace(inputs.builtins, "builtins");
  if (inputs.weights)
    replace(*inputs.weights, "weights");
  return text;
}

/// Runs lld with `arguments`; appends what it makes to `output`. `explain` makes one
/// line of its messages.
static llvm::Error runLinker(llvm::ArrayRef<std::string> arguments,
                             llvm::function_ref<std::string(StringRef)> explain,
                             OutputFile &output) {
  // lld keeps its state in globals: one link at a time, and none after a crash
  // inside of it.
  static std::mutex mutex;
  static bool isUsable = true;
  std::lock_guard<std::mutex> lock(mutex);
  if (!isUsable)
    return llvm::createStringError(
        "cannot link '" + output.path().str() +
        "': the linker has failed fatally in this process before; use a new "
        "process");

  auto drain = Drain::create(output);
  if (!drain)
    return drain.takeError();
  if (::access((*drain)->path().c_str(), W_OK) != 0)
    return llvm::createStringError("cannot link '" + output.path().str() +
                                   "': /proc is not mounted");
  llvm::SmallVector<std::string> all = {"ld.lld", "-o", (*drain)->path()};
  all.append(arguments.begin(), arguments.end());
  llvm::SmallVector<const char *> argv;
  for (const std::string &argument : all)
    argv.push_back(argument.c_str());

  std::string log;
  llvm::raw_string_ostream stream(log);
  // With recovery on, what lld calls fatal comes back instead of exiting.
  llvm::CrashRecoveryContext::Enable();
  lld::Result result = lld::lldMain(argv, stream, stream, {{lld::Gnu, &lld::elf::link}});
  llvm::CrashRecoveryContext::Disable();
  isUsable = result.canRunAgain;

  llvm::Error written = (*drain)->finish();
  if (result.retCode == 0)
    return written;
  llvm::consumeError(std::move(written));
  std::string reason = explain(log);
  if (reason.empty())
    reason = formatv("the linker ended with code {0}", result.retCode).str();
  return llvm::createStringError("cannot link '" + output.path().str() + "': " + reason);
}

/// The same with the inputs of a module.
static llvm::Error runLinker(llvm::ArrayRef<std::string> arguments, const Inputs &inputs,
                             OutputFile &output) {
  llvm::SmallVector<std::string> all(arguments);
  all.append({"--whole-archive", inputs.objects.procPath(), "--no-whole-archive"});
  if (inputs.weights)
    all.push_back(inputs.weights->procPath());
  all.push_back(inputs.builtins.procPath());
  return runLinker(
      all, [&](StringRef log) { return summarize(log, inputs); }, output);
}

//===----------------------------------------------------------------------===//
// Checking the result
//===----------------------------------------------------------------------===//

/// The content of `file`, mapped.
static llvm::Expected<std::unique_ptr<llvm::sys::fs::mapped_file_region>>
mapFile(const OutputFile &file) {
  std::error_code code;
  auto region = std::make_unique<llvm::sys::fs::mapped_file_region>(
      llvm::sys::fs::convertFDToNativeFile(file.descriptor()),
      llvm::sys::fs::mapped_file_region::readonly, file.size(), 0, code);
  if (code)
    return llvm::createStringError(code,
                                   "cannot map '" + file.path().str() + "': " + code.message());
  return region;
}

/// That among the symbols of type `table` (SHT_DYNSYM or SHT_SYMTAB) exactly
/// `exportedSymbol` is global and defined, and none is undefined.
static llvm::Error checkSymbols(const OutputFile &file, uint32_t table, StringRef exportedSymbol) {
  auto region = mapFile(file);
  if (!region)
    return region.takeError();
  auto elf =
      llvm::object::ELFFile<ELF64LE>::create(StringRef((*region)->const_data(), file.size()));
  if (!elf)
    return elf.takeError();
  auto sections = elf->sections();
  if (!sections)
    return sections.takeError();
  llvm::SmallVector<StringRef> exported, undefined;
  for (const auto &section : *sections) {
    if (section.sh_type != table)
      continue;
    auto symbols = elf->symbols(&section);
    auto names = elf->getStringTableForSymtab(section);
    if (!symbols || !names)
      return llvm::joinErrors(symbols.takeError(), names.takeError());
    for (const auto &symbol : symbols->drop_front()) {
      auto name = symbol.getName(*names);
      if (!name)
        return name.takeError();
      if (symbol.st_shndx == llvm::ELF::SHN_UNDEF)
        undefined.push_back(*name);
      else if (symbol.getBinding() != llvm::ELF::STB_LOCAL)
        exported.push_back(*name);
    }
  }
  if (!undefined.empty())
    return llvm::createStringError("cannot link '" + file.path().str() + "': it needs " +
                                   llvm::join(undefined, ", ") + ", which no object of it defines");
  if (exported.size() != 1 || exported.front() != exportedSymbol)
    return llvm::createStringError(
        "cannot link '" + file.path().str() + "': expected it to export '" + exportedSymbol.str() +
        "' alone, found " + (exported.empty() ? "nothing" : llvm::join(exported, ", ")));
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// The two kinds of output
//===----------------------------------------------------------------------===//

/// What both kinds have in common. The output depends on nothing but the
/// inputs: no time, no path, no build id, no order of threads.
static llvm::SmallVector<std::string> commonArguments() {
  return {"-m",
          "elf_x86_64",
          "-nostdlib",
          "--threads=1",
          "--build-id=none",
          "--gc-sections",
          "--error-limit=8",
          "--fatal-warnings",
          "--color-diagnostics=never"};
}

llvm::Error weft::linkSharedObject(llvm::ArrayRef<ObjectBuffer> objects, const OutputFile *weights,
                                   StringRef exportedSymbol, OutputFile &output) {
  auto inputs = Inputs::create(objects, weights, output);
  if (!inputs)
    return inputs.takeError();
  auto script =
      memoryFile("exports", formatv("{{ global: {0}; local: *; };", exportedSymbol).str());
  if (!script)
    return script.takeError();
  llvm::SmallVector<std::string> arguments = commonArguments();
  for (std::string argument : {"-shared", "-z", "defs", "-z", "now", "-z", "relro", "-z", "text",
                               "-z", "noexecstack", "--hash-style=gnu", "--version-script"})
    arguments.push_back(std::move(argument));
  arguments.push_back(script->procPath());
  if (auto error = runLinker(arguments, *inputs, output))
    return error;
  return checkSymbols(output, llvm::ELF::SHT_DYNSYM, exportedSymbol);
}

namespace {

/// An LLVM stream into an output file.
class OutputStream : public llvm::raw_ostream {
public:
  explicit OutputStream(OutputFile &output) : output(output) {}
  ~OutputStream() override { llvm::consumeError(finish()); }

  llvm::Error finish() {
    flush();
    return std::move(failure);
  }

private:
  void write_impl(const char *data, size_t size) override {
    if (!failure)
      failure = output.write(StringRef(data, size));
  }
  uint64_t current_pos() const override { return output.size(); }

  OutputFile &output;
  llvm::Error failure = llvm::Error::success();
};

} // namespace

/// Copies the object `input` to `output` with all symbols but one made local.
static llvm::Error localizeSymbols(const OutputFile &input, StringRef exportedSymbol,
                                   OutputFile &output) {
  auto region = mapFile(input);
  if (!region)
    return region.takeError();
  auto object = llvm::object::ObjectFile::createELFObjectFile(
      llvm::MemoryBufferRef(StringRef((*region)->const_data(), input.size()), input.path()));
  if (!object)
    return object.takeError();

  llvm::objcopy::ConfigManager config;
  config.Common.InputFilename = input.path();
  config.Common.OutputFilename = output.path();
  auto matcher = llvm::objcopy::NameOrPattern::create(
      exportedSymbol, llvm::objcopy::MatchStyle::Literal, [](llvm::Error error) { return error; });
  if (auto error = config.Common.SymbolsToKeepGlobal.addMatcher(std::move(matcher)))
    return error;

  OutputStream stream(output);
  llvm::Error copied = llvm::objcopy::executeObjcopyOnBinary(config, **object, stream);
  return llvm::joinErrors(std::move(copied), stream.finish());
}

llvm::Error weft::linkRelocatable(llvm::ArrayRef<ObjectBuffer> objects, const OutputFile *weights,
                                  StringRef exportedSymbol, OutputFile &output) {
  auto inputs = Inputs::create(objects, weights, output);
  if (!inputs)
    return inputs.takeError();
  // lld has no way to make symbols local in a relocatable link.
  auto linked = OutputFile::create(output.path(), OutputFile::Kind::Memory);
  if (!linked)
    return linked.takeError();
  llvm::SmallVector<std::string> arguments = commonArguments();
  for (std::string argument : {"-r", "-u"})
    arguments.push_back(std::move(argument));
  arguments.push_back(exportedSymbol.str());
  if (auto error = runLinker(arguments, *inputs, *linked))
    return error;
  if (auto error = localizeSymbols(*linked, exportedSymbol, output))
    return error;
  return checkSymbols(output, llvm::ELF::SHT_SYMTAB, exportedSymbol);
}

//===----------------------------------------------------------------------===//
// Code for devices
//===----------------------------------------------------------------------===//

llvm::Expected<std::string> weft::linkCodeObject(const ObjectBuffer &object) {
  auto input = memoryFile(object.name, StringRef(object.bytes.data(), object.bytes.size()));
  if (!input)
    return input.takeError();
  auto output = OutputFile::create(object.name, OutputFile::Kind::Memory);
  if (!output)
    return output.takeError();
  std::string arguments[] = {"-shared",         "--no-undefined",  "--threads=1",
                             "--build-id=none", "--error-limit=8", "--color-diagnostics=never",
                             input->procPath()};
  auto explain = [](StringRef log) { return llvm::join(llvm::split(log.rtrim(), '\n'), "; "); };
  if (auto error = runLinker(arguments, explain, *output))
    return std::move(error);
  auto region = mapFile(*output);
  if (!region)
    return region.takeError();
  return std::string((*region)->const_data(), output->size());
}
