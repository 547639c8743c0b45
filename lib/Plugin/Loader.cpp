//===- Loader.cpp - Loading plugins from libraries ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Base/MappedFile.h"
#include "Plugin/ElfNote.h"
#include "weft/Plugin.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SHA256.h"

#include <dlfcn.h>

using namespace weft;

static llvm::Error refuse(llvm::StringRef path, const llvm::Twine &why) {
  return llvm::createStringError("plugin '" + path + "': " + why);
}

/// Maps the file at `path`, if it is one.
static llvm::Expected<MappedFile> openLibrary(llvm::StringRef path) {
  llvm::sys::fs::file_status status;
  if (std::error_code code = llvm::sys::fs::status(path, status)) {
    if (code == std::errc::no_such_file_or_directory)
      return refuse(path, "no such file");
    return refuse(path, "cannot be read: " + code.message());
  }
  if (status.type() != llvm::sys::fs::file_type::regular_file)
    return refuse(path, "not a plugin: it is no regular file");
  Result<MappedFile> file = MappedFile::open(path.str());
  if (!file)
    return llvm::createStringError("plugin " + file.error().message);
  return std::move(*file);
}

static llvm::Expected<WeftPluginDescriptor> readDescriptor(llvm::StringRef path,
                                                           const MappedFile &file) {
  Result<WeftPluginDescriptor> descriptor = findPluginDescriptor(file.bytes());
  if (!descriptor)
    return refuse(path, descriptor.error().message);
  return *descriptor;
}

llvm::Expected<WeftPluginDescriptor> weft::readPluginDescriptor(llvm::StringRef path) {
  llvm::Expected<MappedFile> file = openLibrary(path);
  if (!file)
    return file.takeError();
  return readDescriptor(path, *file);
}

/// Compares what the plugin was built for with this Weft.
static llvm::Error checkCompatible(llvm::StringRef path, const WeftPluginDescriptor &descriptor) {
  std::string api =
      (llvm::Twine(descriptor.apiMajor) + "." + llvm::Twine(descriptor.apiMinor)).str();
  std::string hostApi =
      (llvm::Twine(WEFT_PLUGIN_API_MAJOR) + "." + llvm::Twine(WEFT_PLUGIN_API_MINOR)).str();
  if (descriptor.apiMajor != WEFT_PLUGIN_API_MAJOR)
    return refuse(path, "built for plugin API " + api +
                            ", this Weft has the incompatible plugin API " + hostApi +
                            "; port it to that");
  if (descriptor.apiMinor > WEFT_PLUGIN_API_MINOR)
    return refuse(path, "built for plugin API " + api + ", this Weft only has plugin API " +
                            hostApi + "; use a newer Weft");
  if (llvm::StringRef(descriptor.llvmVersion) != LLVM_VERSION_STRING)
    return refuse(path, "built with LLVM " + llvm::StringRef(descriptor.llvmVersion) +
                            ", this Weft with LLVM " LLVM_VERSION_STRING "; rebuild the plugin");
  if (llvm::StringRef(descriptor.fingerprint) != WEFT_FINGERPRINT)
    return refuse(path, "built for another build of Weft: expected the "
                        "fingerprint " WEFT_FINGERPRINT ", found " +
                            llvm::StringRef(descriptor.fingerprint) + "; rebuild the plugin");
  return llvm::Error::success();
}

llvm::Error weft::loadPlugin(llvm::StringRef path, Registry &registry) {
  llvm::Expected<MappedFile> file = openLibrary(path);
  if (!file)
    return file.takeError();
  llvm::Expected<WeftPluginDescriptor> descriptor = readDescriptor(path, *file);
  if (!descriptor)
    return descriptor.takeError();
  if (llvm::Error error = checkCompatible(path, *descriptor))
    return error;
  llvm::ArrayRef<uint8_t> bytes(file->bytes().data(), file->bytes().size());
  PluginInfo info{descriptor->name, descriptor->version, path.str(),
                  llvm::toHex(llvm::SHA256::hash(bytes), /*LowerCase=*/true)};
  // Before the library runs its static constructors; Registry::add says it.
  if (registry.find(info.name))
    return registry.add(info, [](Registrar &) { return mlir::failure(); });

  // A path without a slash would be searched for among the system's libraries.
  llvm::SmallString<256> absolute(path);
  if (std::error_code code = llvm::sys::fs::make_absolute(absolute))
    return refuse(path, "cannot be found: " + code.message());
  // Never closed: contexts and pass tables keep pointers into the library.
  void *library = dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return refuse(path, llvm::Twine("cannot be loaded: ") + dlerror());
  auto *entry = reinterpret_cast<bool (*)(Registrar &)>(dlsym(library, "weftRegisterPlugin"));
  if (!entry)
    return refuse(path, "has a plugin descriptor but no function "
                        "'weftRegisterPlugin'; use WEFT_PLUGIN");
  return registry.add(info, [&](Registrar &registrar) { return mlir::success(entry(registrar)); });
}

/// The `*.so` files of a folder that carry a plugin descriptor, by name.
static llvm::Error findPlugins(llvm::StringRef folder, std::vector<std::string> &paths) {
  std::error_code code;
  std::vector<std::string> libraries;
  for (llvm::sys::fs::directory_iterator file(folder, code), end; !code && file != end;
       file.increment(code))
    if (llvm::sys::path::extension(file->path()) == ".so" &&
        !llvm::sys::fs::is_directory(file->path()))
      libraries.push_back(file->path());
  if (code)
    return llvm::createStringError("plugin folder '" + folder +
                                   "' cannot be read: " + code.message());
  llvm::sort(libraries);
  for (std::string &path : libraries) {
    llvm::Expected<WeftPluginDescriptor> descriptor = readPluginDescriptor(path);
    if (descriptor)
      paths.push_back(std::move(path));
    else
      llvm::consumeError(descriptor.takeError());
  }
  return llvm::Error::success();
}

llvm::Error weft::loadPluginPath(llvm::StringRef list, Registry &registry) {
  llvm::SmallVector<llvm::StringRef> entries;
  list.split(entries, ':', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (llvm::StringRef entry : entries) {
    std::vector<std::string> paths;
    if (llvm::sys::fs::is_directory(entry)) {
      if (llvm::Error error = findPlugins(entry, paths))
        return error;
    } else {
      paths.push_back(entry.str());
    }
    for (const std::string &path : paths)
      if (llvm::Error error = loadPlugin(path, registry))
        return error;
  }
  return llvm::Error::success();
}

llvm::Error weft::loadToolPlugins(llvm::ArrayRef<const char *> argv, Registry &registry) {
  if (std::optional<std::string> list = llvm::sys::Process::GetEnv("WEFT_PLUGIN_PATH"))
    if (llvm::Error error = loadPluginPath(*list, registry))
      return llvm::createStringError("in WEFT_PLUGIN_PATH: " + llvm::toString(std::move(error)));
  for (size_t i = 1; i < argv.size(); ++i) {
    llvm::StringRef argument = argv[i];
    if (argument == "--")
      break;
    if (!argument.consume_front("--load-plugin") && !argument.consume_front("-load-plugin"))
      continue;
    if (argument.empty()) {
      if (++i == argv.size())
        return llvm::createStringError("--load-plugin: expected the path of a plugin");
      argument = argv[i];
    } else if (!argument.consume_front("=")) {
      continue; // Another flag.
    }
    if (llvm::Error error = loadPlugin(argument, registry))
      return error;
  }
  return llvm::Error::success();
}
