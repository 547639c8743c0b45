//===- Options.h - The command line, from tables --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A command declares its options in a table; parsing, --help and the suggestion
// for a misspelt option follow from it. Values come as --name=VALUE or
// --name VALUE, one-letter options as -o VALUE or -oVALUE.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TOOLS_WEFT_OPTIONS_H
#define WEFT_TOOLS_WEFT_OPTIONS_H

#include "Base/Result.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

struct Option {
  std::string_view name;
  /// What stands for the value in --help; empty for a switch. "[=WORD]" where
  /// it may be left out.
  std::string_view value;
  /// Heading in --help.
  std::string_view group;
  std::string_view help;
  /// Handed to the compiler as it was written.
  bool forCompiler = false;
};

/// The options of `weft compile`, which commands that take a model share.
std::span<const Option> compilerOptions();

struct Command {
  std::string_view name;
  /// "MODULE|MODEL [options]"
  std::string_view arguments;
  std::string_view summary;
  /// More for --help; examples.
  std::string_view description;
  std::vector<Option> options;
};

class Arguments {
public:
  /// Fails with a sentence for exit code 2.
  static Result<Arguments> parse(const Command &command, std::span<const char *const> words);

  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// The last value given.
  std::optional<std::string> get(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  /// The value as a number in [least, most], or `otherwise` if not given.
  Result<int64_t> integer(std::string_view name, int64_t otherwise, int64_t least,
                          int64_t most) const;
  Result<double> number(std::string_view name, double otherwise) const;

  const std::vector<std::string> &positional() const { return words; }
  /// What goes to the compiler, as it was written.
  const std::vector<std::string> &forCompiler() const { return compiler; }

private:
  struct Given {
    std::string_view name;
    std::string value;
  };
  const Given *find(std::string_view name) const;

  std::vector<Given> given;
  std::vector<std::string> words, compiler;
};

/// The text of `weft COMMAND --help`.
std::string helpText(const Command &command);

/// The candidate nearest to `word` if it is near enough to be meant.
std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> candidates);

} // namespace weft

#endif // WEFT_TOOLS_WEFT_OPTIONS_H
