//===- runtime.hpp - Load a compiled module and call it, in C++17 -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Owning classes over runtime.h; see there for what each function does.
// Failures are thrown as weft::rt::Error. Header only: nothing of C++ crosses
// the library's boundary.
//
//   auto module = weft::rt::Module::load("model.so");
//   weft::rt::Context context(module);
//   std::vector<float> x(4 * 224);
//   auto outputs = context({weft::rt::view(x.data(), {4, 224})});
//   const float *y = outputs[0].data<float>();
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_RUNTIME_HPP
#define WEFT_RUNTIME_RUNTIME_HPP

#include "weft-runtime/runtime.h"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace weft::rt {

/// A failure: enum weft_code and one sentence.
class Error : public std::runtime_error {
public:
  Error(int32_t code, const std::string &message)
      : std::runtime_error(message), failure(code) {}
  int32_t code() const noexcept { return failure; }

private:
  int32_t failure;
};

/// Throws and frees an error; does nothing for success.
inline void check(weft_error *error) {
  if (!error)
    return;
  std::unique_ptr<weft_error, decltype(&weft_error_free)> owner(
      error, weft_error_free);
  throw Error(weft_error_code(error), weft_error_message(error));
}

/// The element type of a C++ type.
template <typename T> constexpr weft_dtype dtypeOf() {
  constexpr auto bits = static_cast<uint8_t>(8 * sizeof(T));
  if constexpr (std::is_same_v<T, bool>)
    return {WEFT_DTYPE_BOOL, 8, 1};
  else if constexpr (std::is_floating_point_v<T>)
    return {WEFT_DTYPE_FLOAT, bits, 1};
  else if constexpr (std::is_signed_v<T>)
    return {WEFT_DTYPE_INT, bits, 1};
  else
    return {WEFT_DTYPE_UINT, bits, 1};
}

/// A view of memory that somebody else owns, with a copy of its shape.
class Tensor {
public:
  Tensor() = default;
  Tensor(void *data, weft_dtype dtype, std::vector<int64_t> dims)
      : memory(data), type(dtype), shape(std::move(dims)) {}

  template <typename T = void> T *data() const {
    return static_cast<T *>(memory);
  }
  weft_dtype dtype() const { return type; }
  const std::vector<int64_t> &dims() const { return shape; }
  /// Elements.
  int64_t size() const {
    int64_t count = 1;
    for (int64_t extent : shape)
      count *= extent;
    return count;
  }
  /// Valid while this object is unchanged.
  weft_tensor get() const {
    return {memory, type, static_cast<int32_t>(shape.size()), shape.data(),
            nullptr};
  }

private:
  void *memory = nullptr;
  weft_dtype type{};
  std::vector<int64_t> shape;
};

/// A view of inputs is never written through.
template <typename T> Tensor view(T *data, std::vector<int64_t> dims) {
  using Element = std::remove_const_t<T>;
  return Tensor(const_cast<Element *>(data), dtypeOf<Element>(),
                std::move(dims));
}

inline weft_module_options moduleOptions() {
  weft_module_options options{};
  options.struct_size = sizeof(options);
  return options;
}

inline weft_context_options contextOptions(int32_t threads = 0) {
  weft_context_options options{};
  options.struct_size = sizeof(options);
  options.threads = threads;
  return options;
}

/// A loaded module; copies share it.
class Module {
public:
  static Module load(const std::string &path,
                     const weft_module_options *options = nullptr) {
    weft_loaded_module *module = nullptr;
    check(weft_module_load_file(path.c_str(), options, &module));
    return Module(module);
  }
  static Module loadMemory(const void *data, size_t size,
                           const weft_module_options *options = nullptr) {
    weft_loaded_module *module = nullptr;
    check(weft_module_load_memory(data, size, options, &module));
    return Module(module);
  }
  static Module loadStatic(weft_module_query_fn query,
                           const weft_module_options *options = nullptr) {
    weft_loaded_module *module = nullptr;
    check(weft_module_load_static(query, options, &module));
    return Module(module);
  }

  const weft_module &description() const {
    return *weft_module_description(handle.get());
  }
  const weft_variant &variant() const {
    return *weft_module_variant(handle.get());
  }
  uint32_t findFunction(const std::string &name) const {
    uint32_t index = 0;
    check(weft_module_find_function(handle.get(), name.c_str(), &index));
    return index;
  }
  weft_loaded_module *get() const { return handle.get(); }

private:
  explicit Module(weft_loaded_module *module)
      : handle(module, weft_module_release) {}
  std::shared_ptr<weft_loaded_module> handle;
};

/// One caller of one function.
class Context {
public:
  explicit Context(const Module &module, uint32_t function = 0,
                   const weft_context_options *options = nullptr)
      : handle(nullptr, weft_context_release) {
    weft_context *context = nullptr;
    check(weft_context_create(module.get(), function, options, &context));
    handle.reset(context);
  }
  Context(const Module &module, const std::string &function,
          const weft_context_options *options = nullptr)
      : Context(module, module.findFunction(function), options) {}

  const weft_function &function() const {
    return *weft_context_function(handle.get());
  }
  int32_t threads() const { return weft_context_threads(handle.get()); }

  void bindInput(uint32_t index, const Tensor &tensor) {
    weft_tensor view = tensor.get();
    check(weft_context_bind_input(handle.get(), index, &view));
  }
  void bindOutput(uint32_t index, const Tensor &tensor) {
    weft_tensor view = tensor.get();
    check(weft_context_bind_output(handle.get(), index, &view));
  }
  void run() { check(weft_context_run(handle.get())); }
  /// Output `index` of the last call; its memory may be the context's.
  Tensor output(uint32_t index) const {
    weft_tensor view{};
    check(weft_context_output(handle.get(), index, &view));
    return Tensor(view.data, view.dtype,
                  std::vector<int64_t>(view.dims, view.dims + view.rank));
  }
  /// Calls with these inputs. Outputs go where `outputs` says, or into memory
  /// of the context, valid until the next call.
  std::vector<Tensor> operator()(const std::vector<Tensor> &inputs,
                                 const std::vector<Tensor> &outputs = {}) {
    std::vector<weft_tensor> in, out;
    for (const Tensor &tensor : inputs)
      in.push_back(tensor.get());
    for (const Tensor &tensor : outputs)
      out.push_back(tensor.get());
    check(weft_invoke(handle.get(), in.data(), static_cast<uint32_t>(in.size()),
                      out.empty() ? nullptr : out.data(),
                      static_cast<uint32_t>(out.size())));
    std::vector<Tensor> results;
    for (uint32_t i = 0; i < function().output_count; ++i)
      results.push_back(output(i));
    return results;
  }

  uint64_t workspaceSize(const std::vector<Tensor> &inputs) {
    std::vector<weft_tensor> in;
    for (const Tensor &tensor : inputs)
      in.push_back(tensor.get());
    uint64_t bytes = 0;
    check(weft_context_workspace_size(
        handle.get(), in.data(), static_cast<uint32_t>(in.size()), &bytes));
    return bytes;
  }
  void setWorkspace(void *memory, uint64_t bytes) {
    check(weft_context_set_workspace(handle.get(), memory, bytes));
  }
  void warmUp() { check(weft_context_warm_up(handle.get())); }
  void cancel() noexcept { weft_context_cancel(handle.get()); }
  void resetCancel() noexcept { weft_context_reset_cancel(handle.get()); }
  weft_stats stats() const {
    weft_stats stats{};
    stats.struct_size = sizeof(stats);
    check(weft_context_stats(handle.get(), &stats));
    return stats;
  }
  weft_context *get() const { return handle.get(); }

private:
  std::unique_ptr<weft_context, decltype(&weft_context_release)> handle;
};

} // namespace weft::rt

#endif // WEFT_RUNTIME_RUNTIME_HPP
