//===- Cache.cpp - Modules that run and bench compiled before -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An entry is a folder named by its key with the module and its weights file.
// It is made under another name and renamed, so that it is whole or not there.
//
//===----------------------------------------------------------------------===//

#include "Cache.h"

#include "Base/MappedFile.h"
#include "Compiler.h"
#include "OutputPaths.h"
#include "Sha256.h"
#include "TempFolder.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace weft;
namespace fs = std::filesystem;

static constexpr uint64_t defaultCapacity = 4'000'000'000;
static constexpr size_t keyLength = 64;

std::string weft::cacheFolder() {
  const char *cache = std::getenv("XDG_CACHE_HOME");
  if (cache && cache[0] == '/') // as the XDG specification demands
    return std::string(cache) + "/weft";
  const char *home = std::getenv("HOME");
  if (home && home[0] == '/')
    return std::string(home) + "/.cache/weft";
  return "";
}

uint64_t weft::cacheCapacity() {
  const char *text = std::getenv("WEFT_CACHE_SIZE");
  uint64_t bytes = 0;
  if (text && std::from_chars(text, text + std::strlen(text), bytes).ec == std::errc())
    return bytes;
  return defaultCapacity;
}

namespace {

struct CacheEntry {
  fs::path path;
  uint64_t bytes = 0;
  fs::file_time_type used;
};

} // namespace

static std::vector<CacheEntry> listEntries(const std::string &folder) {
  std::vector<CacheEntry> entries;
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    if (it->path().filename().string().size() != keyLength)
      continue;
    CacheEntry entry;
    entry.path = it->path();
    std::error_code ignored;
    entry.used = fs::last_write_time(entry.path, ignored);
    for (fs::directory_iterator file(entry.path, ignored); !ignored && file != end;
         file.increment(ignored)) {
      std::error_code failed;
      uintmax_t size = file->file_size(failed);
      entry.bytes += failed ? 0 : size;
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

CacheUse weft::cacheUse(const std::string &folder) {
  CacheUse use;
  for (const CacheEntry &entry : listEntries(folder)) {
    use.bytes += entry.bytes;
    ++use.entries;
  }
  return use;
}

/// Removes what was used longest ago until the rest fits; `keep` stays.
static void evict(const std::string &folder, const fs::path &keep) {
  std::vector<CacheEntry> entries = listEntries(folder);
  std::sort(entries.begin(), entries.end(),
            [](const CacheEntry &a, const CacheEntry &b) { return a.used > b.used; });
  uint64_t total = 0;
  for (const CacheEntry &entry : entries) {
    total += entry.bytes;
    std::error_code ignored;
    if (total > cacheCapacity() && entry.path != keep)
      fs::remove_all(entry.path, ignored);
  }
}

/// Adds the plugins that the compiler will load.
static void hashPlugins(Sha256 &hash, const std::vector<std::string> &arguments) {
  static constexpr std::string_view option = "--load-plugin=";
  for (const std::string &argument : arguments)
    if (argument.starts_with(option))
      hash.update(fileIdentity(argument.substr(option.size())));
  const char *paths = std::getenv("WEFT_PLUGIN_PATH");
  for (std::string_view rest = paths ? paths : ""; !rest.empty();) {
    std::string entry(rest.substr(0, rest.find(':')));
    rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
    hash.update(fileIdentity(entry));
    std::error_code ignored;
    std::vector<std::string> files;
    for (fs::directory_iterator it(entry, ignored), end; !ignored && it != end;
         it.increment(ignored))
      files.push_back(fileIdentity(it->path().string()));
    std::sort(files.begin(), files.end());
    for (const std::string &file : files)
      hash.update(file);
  }
}

/// Adds what `--cpu=native` depends on: the folder may be shared by machines.
static void hashMachine(Sha256 &hash) {
  std::ifstream file("/proc/cpuinfo");
  bool hasModel = false, hasFlags = false;
  for (std::string line; !(hasModel && hasFlags) && std::getline(file, line);) {
    bool isModel = line.starts_with("model name");
    bool isFlags = line.starts_with("flags");
    if (isModel || isFlags)
      hash.update(line + "\n");
    hasModel |= isModel;
    hasFlags |= isFlags;
  }
}

static Result<std::string> cacheKey(const std::string &path,
                                    const std::vector<std::string> &arguments,
                                    const std::string &identity) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.error();
  Sha256 hash;
  hash.update("weft cache 1\n" + identity + "\n");
  hashMachine(hash);
  for (const std::string &argument : arguments)
    hash.update(std::to_string(argument.size()) + ":" + argument);
  hash.update("\n" + std::to_string(file->bytes().size()) + "\n");
  hash.update(file->bytes());
  // A name that is none only makes the key more particular.
  for (const std::string &external : externalFiles(path))
    hash.update(fileIdentity(external));
  hashPlugins(hash, arguments);
  return hash.finish();
}

Result<bool> weft::isModuleFile(const std::string &path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.error();
  return file->bytes().size() >= 4 && std::memcmp(file->bytes().data(),
                                                  "\x7f"
                                                  "ELF",
                                                  4) == 0;
}

std::vector<Option> weft::cacheOptions() {
  std::vector<Option> options(compilerOptions().begin(), compilerOptions().end());
  options.push_back({"no-cache", "", "Cache", "Compiles anew and keeps nothing"});
  options.push_back({"quiet", "", "Output", "No progress; warnings stay"});
  return options;
}

/// IR has its extents: there --dim is for the inputs that are made up.
static std::vector<std::string> compilerArguments(const std::string &path,
                                                  const Arguments &arguments) {
  std::vector<std::string> words = arguments.forCompiler();
  if (path.ends_with(".mlir"))
    std::erase_if(words, [](const std::string &word) { return word.starts_with("--dim="); });
  return words;
}

static int compileInto(const Compiler &compiler, const std::string &model,
                       const std::string &module, const Arguments &arguments, double &seconds) {
  CompileRequest request;
  request.input = model;
  request.output = module;
  request.arguments = compilerArguments(model, arguments);
  request.quiet = arguments.has("quiet");
  CompileOutcome outcome = compiler.compile(request);
  seconds = outcome.seconds;
  if (!outcome.diagnostics.empty()) {
    std::fputs(outcome.diagnostics.c_str(), stderr);
    if (!outcome.diagnostics.ends_with("\n"))
      std::fputc('\n', stderr);
  }
  if (outcome.code != ExitSuccess && outcome.diagnostics.empty())
    return fail(model + ": the compiler failed without a message", outcome.code);
  return outcome.code;
}

static int loadInto(const std::string &path, std::optional<Loaded> &loaded, double compileSeconds,
                    bool compiled, bool toDescribe) {
  double start = now();
  Result<Program> program = toDescribe ? Program::describe(path) : Program::load(path);
  if (!program)
    return fail(program.error());
  loaded = Loaded{*std::move(program), path, compiled, compileSeconds, now() - start};
  return ExitSuccess;
}

/// What is compiled already takes only --dim, and that for its own dimensions:
/// inputs are made up of such extents.
static int checkDims(const Program &program, const std::string &path, const Arguments &arguments) {
  const weft_function &function = program.entry();
  std::string known;
  for (uint32_t i = 0; i < function.symbol_count; ++i)
    known += std::string(i ? ", '" : "'") + function.symbols[i].name + "'";
  for (const std::string &text : arguments.all("dim")) {
    std::string name = text.substr(0, text.find('='));
    if (std::none_of(function.symbols, function.symbols + function.symbol_count,
                     [&](const weft_symbol &symbol) { return name == symbol.name; }))
      return fail("--dim gives '" + name + "', but '" + path + "' " +
                      (known.empty() ? "has no symbolic dimension"
                                     : "has the symbolic dimensions " + known),
                  ExitUsage);
  }
  return ExitSuccess;
}

int weft::loadProgram(const std::string &path, const Arguments &arguments,
                      std::optional<Loaded> &loaded, bool toDescribe) {
  Result<bool> isModule = isModuleFile(path);
  if (!isModule)
    return fail(isModule.error());
  if (*isModule) {
    for (const std::string &option : arguments.forCompiler())
      if (!option.starts_with("--dim="))
        return fail("'" + path + "' is compiled already: option '" + option +
                        "' has no effect on it",
                    ExitUsage);
    if (int code = loadInto(path, loaded, 0, false, toDescribe))
      return code;
    return checkDims(loaded->program, path, arguments);
  }
  Result<Compiler> compiler = Compiler::open();
  if (!compiler)
    return fail(compiler.error());
  // IR names the files of its weights, which are not in the key.
  bool isCached = !arguments.has("no-cache") && !path.ends_with(".mlir");
  std::string folder = isCached ? cacheFolder() : "";
  std::error_code failed;
  if (!folder.empty())
    fs::create_directories(folder, failed);
  bool useCache = !folder.empty() && !failed;
  if (!useCache && isCached)
    std::fprintf(stderr,
                 "weft: warning: no cache: cannot make its folder "
                 "'%s'\n",
                 folder.c_str());
  std::string entry;
  if (useCache) {
    Result<std::string> key = cacheKey(path, arguments.forCompiler(), compiler->identity());
    if (!key)
      return fail(key.error());
    entry = folder + "/" + *key;
    std::string module = entry + "/module.so";
    if (fs::exists(module, failed)) {
      double start = now();
      Result<Program> program = toDescribe ? Program::describe(module) : Program::load(module);
      if (program) {
        ::utimensat(AT_FDCWD, entry.c_str(), nullptr, 0); // used now
        loaded = Loaded{*std::move(program), module, false, 0, now() - start};
        return ExitSuccess;
      }
      // It may be whole and lack the variant, as a new one would.
      if (!wantedVariant().empty())
        return fail(program.error());
      fs::remove_all(entry, failed); // damaged: compile again
    }
  }
  Result<TempFolder> temporary = TempFolder::create(useCache ? folder : TempFolder::systemFolder());
  if (!temporary)
    return fail(temporary.error());
  std::string module = temporary->path() + "/module.so";
  double seconds = 0;
  if (int code = compileInto(*compiler, path, module, arguments, seconds))
    return code;
  if (!useCache) {
    // The mapping outlives the file.
    if (int code = loadInto(module, loaded, seconds, true, toDescribe))
      return code;
    return path.ends_with(".mlir") ? checkDims(loaded->program, path, arguments) : ExitSuccess;
  }
  fs::rename(temporary->path(), entry, failed);
  if (failed && !fs::exists(entry + "/module.so"))
    return fail(entry + ": cannot add to the cache: " + failed.message());
  if (!failed)
    temporary->release();
  evict(folder, entry);
  return loadInto(entry + "/module.so", loaded, seconds, true, toDescribe);
}
