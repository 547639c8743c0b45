//===- Program.h - A loaded module, called with tensors -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TOOLS_WEFT_PROGRAM_H
#define WEFT_TOOLS_WEFT_PROGRAM_H

#include "Tensor/Spec.h"
#include "Tool.h"
#include "weft-runtime/runtime.h"

#include <memory>

namespace weft {

/// The variant that modules are asked for: WEFT_CPU, or "" for the best.
std::string wantedVariant();

/// A module in memory.
class Program {
public:
  static Result<Program> load(const std::string &path);
  /// Loads what cannot run here too, to be looked at: see `refusal`.
  static Result<Program> describe(const std::string &path);

  const weft_module &description() const { return *weft_module_description(module.get()); }
  const weft_variant &variant() const { return *weft_module_variant(module.get()); }
  /// Why the module cannot run here, so that it has no variant; empty if it can.
  const std::string &refusal() const { return whyNot; }
  /// Why it is this variant: "the best of x86-64-v4, x86-64-v3".
  std::string variantReason() const;
  /// The function that the commands call.
  const weft_function &entry() const { return description().functions[0]; }
  weft_loaded_module *handle() const { return module.get(); }
  /// Path of the weights file, or "".
  std::string weightsPath() const;

private:
  struct Release {
    void operator()(weft_loaded_module *module) const { weft_module_release(module); }
  };
  std::unique_ptr<weft_loaded_module, Release> module;
  std::string whyNot;
};

/// A context of a program and the tensors bound to it. While it lives, Ctrl-C
/// cancels its calls.
class Call {
public:
  static Result<Call> create(const Program &program, int64_t threads,
                             const std::optional<std::string> &device = std::nullopt);

  /// Binds the inputs for all following runs; the tensors are kept.
  Status bind(std::vector<Tensor> inputs);
  Status run();
  /// Copies of the outputs of the last run.
  Result<std::vector<Tensor>> outputs() const;
  weft_stats stats() const;
  int64_t threads() const { return weft_context_threads(context.get()); }
  weft_context *handle() const { return context.get(); }

private:
  struct Release {
    void operator()(weft_context *context) const;
  };
  std::unique_ptr<weft_context, Release> context;
  std::vector<Tensor> inputs;
};

/// The site that says of kernel number `kernel` which nodes it computes and why
/// it is a fallback; null if it is none.
const weft_site *fallbackSite(const weft_module &module, uint32_t kernel);

/// The level of the x86-64 psABI that `features` (LLVM's names, with commas)
/// reach, and what Weft uses beyond it: "x86-64-v4+vnni+bf16". Processors' names
/// say less: a hypervisor can hide some of what such a processor has.
std::string describeFeatures(std::string_view features);

/// "znver4: x86-64-v4+vnni+bf16", levels alone. Of what was compiled for the
/// machine at hand: "native: x86-64-v4+vnni+bf16, tuned for znver4".
std::string describeVariant(const weft_variant &variant, bool isNative = false);

/// Shapes at which `function` needs little workspace, and how much that is.
struct WorkspaceExample {
  int64_t bytes = 0;
  std::string symbols; ///< "batch=1, samples=512"; empty if there are none
};

/// Looks for small shapes at which every buffer has a size: at the smallest ones,
/// windows can be longer than what they slide over. Nothing if none are found.
std::optional<WorkspaceExample> exampleWorkspace(const weft_function &function, int64_t workers);

/// "x: batchx3x224x224xf32", with symbols by name and "?" for what only a call
/// can tell.
std::string describeArgument(const weft_function &function, const weft_argument &argument);

/// Turns the specs of --input (or --expect) into one tensor for each argument:
/// by name, else by position. Entries without a spec stay empty. `code` is what
/// to end with on failure: ExitError for an input that is of another type than
/// the function takes, else ExitUsage.
Result<std::vector<std::optional<Tensor>>> assignSpecs(const std::vector<std::string> &specs,
                                                       const weft_argument *arguments,
                                                       uint32_t count, const char *option,
                                                       int *code = nullptr);

/// The text of an argument list for messages: "x, y and z".
std::string argumentNames(const weft_argument *arguments, uint32_t count);

/// Makes inputs of the declared shapes where `given` has none: floats normal,
/// integers and booleans 0 or 1; free dimensions from `dims` ("batch=4"), from
/// the inputs that are given, else their minimum but at least 1. `made` lists
/// what was made.
Result<std::vector<Tensor>> completeInputs(const weft_function &function,
                                           const std::vector<std::optional<Tensor>> &given,
                                           const std::vector<std::string> &dims, std::string &made);

} // namespace weft

#endif // WEFT_TOOLS_WEFT_PROGRAM_H
