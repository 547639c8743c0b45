//===- Module.cpp - Loading of modules ----------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Module.h"
#include "Cpu.h"
#include "Device.h"
#include "ModuleFile.h"
#include "Variant.h"

#include <dlfcn.h>

using namespace weft::runtime;

weft_loaded_module::~weft_loaded_module() {
  while (ModuleDevice *device = devices) {
    devices = device->next;
    allocator.destroy(device);
  }
  if (library)
    dlclose(library);
}

uint32_t weft_runtime_api_version(void) {
  return WEFT_RUNTIME_API_MAJOR << 16 | WEFT_RUNTIME_API_MINOR;
}

const char *weft_runtime_version(void) { return WEFT_VERSION; }

namespace {
/// What the three ways to load have in common: the options, and a module under
/// construction that is released unless it is handed out.
class Loader {
public:
  ~Loader() { weft_module_release(module); }

  weft_error *begin(const char *what, const weft_module_options *given, weft_loaded_module **out) {
    Allocator standard;
    if (!out)
      return makeError(standard, WEFT_INVALID_ARGUMENT, "%s: no place for the module is given",
                       what);
    if (!readStruct(given, options))
      return makeError(standard, WEFT_INVALID_ARGUMENT, "%s: struct_size of the options is not set",
                       what);
    if (options.flags & ~uint32_t(WEFT_MODULE_DESCRIBE))
      return makeError(standard, WEFT_INVALID_ARGUMENT, "%s: unknown flags 0x%x", what,
                       options.flags);
    weft_allocator table;
    if (weft_error *error = readAllocator(options.allocator, table))
      return error;
    Allocator allocator(options.allocator ? &table : nullptr);
    module = allocator.create<weft_loaded_module>(allocator);
    if (!module)
      return makeError(allocator, WEFT_RESOURCE_EXHAUSTED, "out of memory");
    module->log = {options.log, options.log_user};
    return nullptr;
  }

  /// dlopens the file, asks it for its description and finishes.
  weft_error *finishLibrary(const char *name, int descriptor, const char *modulePath,
                            weft_loaded_module **out) {
    if (weft_error *error = openLibrary(module->allocator, name, descriptor, module->library))
      return error;
    auto query =
        reinterpret_cast<weft_module_query_fn>(dlsym(module->library, WEFT_MODULE_QUERY_NAME));
    if (!query)
      return makeError(module->allocator, WEFT_INVALID_ARGUMENT,
                       "'%s' is not a Weft module: it exports no %s", name, WEFT_MODULE_QUERY_NAME);
    return finish(name, query, modulePath, out);
  }

  weft_error *finish(const char *name, weft_module_query_fn query, const char *modulePath,
                     weft_loaded_module **out) {
    module->description = query(WEFT_MODULE_ABI_MAJOR);
    if (weft_error *error = checkDescription(module->allocator, name, module->description))
      return error;
    if (weft_error *error =
            chooseVariant(module->allocator, name, *module->description, wantedVariant(options.cpu),
                          hasFeatures, module->variant)) {
      if (!(options.flags & WEFT_MODULE_DESCRIBE))
        return error;
      weft_error_free(error);
    }
    if (weft_error *error = bindWeights(name, modulePath))
      return error;
    Text line;
    line.append("module '%s': %s by %s, variant %s", name, module->description->name,
                module->description->compiler_version,
                module->variant ? module->variant->cpu : "none");
    if (module->weightsPath.size())
      line.append(", weights in '%s'", module->weightsPath.text());
    module->log(WEFT_LOG_INFO, line.get());
    *out = std::exchange(module, nullptr);
    return nullptr;
  }

  const Allocator &allocator() const { return module->allocator; }

private:
  /// The path of the weights file: the caller's, or beside the module.
  weft_error *findWeights(const char *name, const char *modulePath) {
    const char *file = module->description->weights_file;
    const char *folder = "";
    int folderLength = 0;
    if (options.weights_path) {
      file = options.weights_path;
    } else if (modulePath) {
      const char *slash = strrchr(modulePath, '/');
      folder = modulePath;
      folderLength = slash ? int(slash - modulePath) + 1 : 0;
    } else {
      return makeError(module->allocator, WEFT_FAILED_PRECONDITION,
                       "module '%s' needs its weights file '%s': give its "
                       "path in weights_path",
                       name, file);
    }
    size_t size = size_t(folderLength) + strlen(file) + 1;
    if (!module->weightsPath.allocate(module->allocator, size, 1))
      return makeError(module->allocator, WEFT_RESOURCE_EXHAUSTED, "module '%s': out of memory",
                       name);
    snprintf(module->weightsPath.text(), size, "%.*s%s", folderLength, folder, file);
    return nullptr;
  }

  weft_error *bindWeights(const char *name, const char *modulePath) {
    const weft_module &description = *module->description;
    if (!description.weight_count)
      return nullptr;
    const unsigned char *base = description.weights;
    if (!base) {
      if (options.weights_data) {
        if (weft_error *error = module->weights.borrow(module->allocator, options.weights_data,
                                                       options.weights_size, description))
          return error;
      } else {
        if (weft_error *error = findWeights(name, modulePath))
          return error;
        if (weft_error *error =
                module->weights.open(module->allocator, module->weightsPath.text(), description))
          return error;
      }
      base = module->weights.data();
    }
    if (!module->weightTable.allocate(module->allocator, description.weight_count * sizeof(void *),
                                      alignof(void *)))
      return makeError(module->allocator, WEFT_RESOURCE_EXHAUSTED, "module '%s': out of memory",
                       name);
    for (uint32_t i = 0; i < description.weight_count; ++i)
      module->weightTable.as<const void *>()[i] = base + description.weight_table[i].offset;
    return nullptr;
  }

  weft_module_options options;
  weft_loaded_module *module = nullptr;
};
} // namespace

weft_error *weft_module_load_file(const char *path, const weft_module_options *options,
                                  weft_loaded_module **module) {
  Loader loader;
  if (weft_error *error = loader.begin("weft_module_load_file", options, module))
    return error;
  if (!path)
    return makeError(loader.allocator(), WEFT_INVALID_ARGUMENT,
                     "weft_module_load_file: no path is given");
  File file;
  ModuleBytes bytes{path, -1, nullptr, 0};
  if (weft_error *error = openFile(loader.allocator(), "module", path, file, bytes.size))
    return error;
  bytes.descriptor = file.get();
  if (weft_error *error = checkModule(loader.allocator(), bytes))
    return error;
  return loader.finishLibrary(path, file.get(), path, module);
}

weft_error *weft_module_load_memory(const void *data, size_t size,
                                    const weft_module_options *options,
                                    weft_loaded_module **module) {
  Loader loader;
  if (weft_error *error = loader.begin("weft_module_load_memory", options, module))
    return error;
  const char *name = "in memory";
  if (!data)
    return makeError(loader.allocator(), WEFT_INVALID_ARGUMENT,
                     "weft_module_load_memory: no bytes are given");
  ModuleBytes bytes{name, -1, static_cast<const uint8_t *>(data), size};
  if (weft_error *error = checkModule(loader.allocator(), bytes))
    return error;
  File file;
  if (weft_error *error = copyToMemoryFile(loader.allocator(), data, size, file))
    return error;
  return loader.finishLibrary(name, file.get(), nullptr, module);
}

weft_error *weft_module_load_static(weft_module_query_fn query, const weft_module_options *options,
                                    weft_loaded_module **module) {
  Loader loader;
  if (weft_error *error = loader.begin("weft_module_load_static", options, module))
    return error;
  if (!query)
    return makeError(loader.allocator(), WEFT_INVALID_ARGUMENT,
                     "weft_module_load_static: no query function is given");
  return loader.finish("linked in", query, nullptr, module);
}

weft_error *weft_module_check_memory(const void *data, size_t size, const char *name) {
  ModuleBytes bytes{name ? name : "in memory", -1, static_cast<const uint8_t *>(data),
                    data ? size : 0};
  return checkModule(Allocator(), bytes);
}

void weft_module_retain(weft_loaded_module *module) {
  if (module)
    module->references.fetch_add(1, std::memory_order_relaxed);
}

void weft_module_release(weft_loaded_module *module) {
  if (!module || module->references.fetch_sub(1, std::memory_order_acq_rel) != 1)
    return;
  Allocator allocator = module->allocator;
  allocator.destroy(module);
}

const weft_module *weft_module_description(const weft_loaded_module *module) {
  return module ? module->description : nullptr;
}

const weft_variant *weft_module_variant(const weft_loaded_module *module) {
  return module ? module->variant : nullptr;
}

const char *weft_module_weights_path(const weft_loaded_module *module) {
  return module ? module->weightsPath.text() : nullptr;
}

weft_error *weft_module_find_function(const weft_loaded_module *module, const char *name,
                                      uint32_t *function) {
  if (!module || !name || !function)
    return makeError(Allocator(), WEFT_INVALID_ARGUMENT,
                     "weft_module_find_function: an argument is null");
  Text known;
  for (uint32_t i = 0; i < module->description->function_count; ++i) {
    const char *here = module->description->functions[i].name;
    if (strcmp(here, name) == 0) {
      *function = i;
      return nullptr;
    }
    known.append(i ? ", '%s'" : "'%s'", here);
  }
  return makeError(module->allocator, WEFT_NOT_FOUND, "module '%s' has no function '%s'; it has %s",
                   module->description->name, name, known.get());
}
