//===- Options.cpp - The command line, from tables ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

using namespace weft;

static constexpr Option sharedCompilerOptions[] = {
    {"target", "NAME", "Compilation",
     "What to compile for: cpu (default), nvptx, amdgpu, or emulation: the kernels of a device "
     "as code for the CPU, for checking",
     true},
    {"cpu", "CPU", "Compilation",
     "native (default: this machine), x86-64-v3 (any with AVX2), x86-64-v4 "
     "(any with AVX-512), a name of LLVM's, or several of these with commas "
     "between them: the module has code for each, and the best that the "
     "machine "
     "can run is taken when it is loaded; x86-64-v3,x86-64-v4 is portable and "
     "fast",
     true},
    {"chip", "CHIP", "Compilation",
     "Devices to make code for, with commas between them: sm_80, sm_90a, "
     "sm_100a, sm_120 of nvptx; gfx90a, gfx942, gfx950, gfx1100, gfx1201 of "
     "amdgpu (default: all of the target's); one of lanes32, lanes64, "
     "lanes32-mma, lanes64-mfma, lanes64-mfma2, lanes32-wmma11, lanes32-wmma12 "
     "of emulation",
     true},
    {"dim", "NAME=N|LOW..HIGH", "Compilation", "Fixes or bounds a symbolic dimension", true},
    {"shape", "NAME:SHAPE", "Compilation", "Shape of an input, e.g. image:1x3x224x224", true},
    {"O", "0..3", "Compilation", "Optimisation (default: 3)", true},
    {"load-plugin", "FILE", "Compilation", "Loads a compiler plugin", true},
    {"plugin-option", "NAME.KEY=VALUE", "Compilation", "An option of a plugin", true},
    {"all-dynamic", "", "Compilation", "Treats every dimension of the inputs as dynamic", true},
    {"constant-inputs", "DIR", "Compilation", "Takes the inputs from DIR/input_*.pb and folds them",
     true},
    {"compile-flag", "FLAG", "Compilation", "Any further flag of the compiler, as it is"},
};

std::span<const Option> weft::compilerOptions() { return sharedCompilerOptions; }

/// Levenshtein's distance.
static size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t previous = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = previous;
    }
  }
  return row[b.size()];
}

std::optional<std::string_view> weft::nearest(std::string_view word,
                                              std::span<const std::string_view> candidates) {
  std::optional<std::string_view> best;
  word = word.substr(0, 100); // the distance is quadratic
  size_t bestDistance = (word.size() <= 3 ? 1 : std::max<size_t>(2, word.size() / 3)) + 1;
  for (std::string_view candidate : candidates) {
    bool isStart = word.size() >= 3 && candidate.starts_with(word);
    size_t distance = isStart ? 1 : editDistance(word, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

static const Option *findOption(const Command &command, std::string_view name) {
  for (const Option &option : command.options)
    if (option.name == name)
      return &option;
  return nullptr;
}

static std::string dashes(std::string_view name) {
  return (name.size() == 1 ? "-" : "--") + std::string(name);
}

static Error unknownOption(const Command &command, std::string_view name) {
  std::vector<std::string_view> names = {"help"};
  for (const Option &option : command.options)
    names.push_back(option.name);
  std::optional<std::string_view> meant = nearest(name, names);
  return Error{"unknown option '" + dashes(name) + "'" +
               (meant ? "; did you mean '" + dashes(*meant) + "'?"
                      : "; see 'weft " + std::string(command.name) + " --help'")};
}

Result<Arguments> Arguments::parse(const Command &command, std::span<const char *const> words) {
  Arguments arguments;
  bool onlyWords = false;
  for (size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    if (onlyWords || word.size() < 2 || word[0] != '-') {
      arguments.words.emplace_back(word);
      continue;
    }
    if (word == "--") {
      onlyWords = true;
      continue;
    }
    bool isLong = word.starts_with("--");
    std::string_view name = isLong ? word.substr(2) : word.substr(1, 1);
    std::optional<std::string> value;
    if (isLong) {
      if (size_t equals = name.find('='); equals != std::string_view::npos) {
        value = name.substr(equals + 1);
        name = name.substr(0, equals);
      }
    } else if (word.size() > 2) {
      value = word.substr(word[2] == '=' ? 3 : 2);
    }
    const Option *option = findOption(command, name);
    if (!option)
      return unknownOption(command, isLong ? name : word.substr(1));
    bool takesValue = !option->value.empty();
    bool isOptional = option->value.starts_with("[=");
    if (!takesValue && value)
      return Error{"option '" + dashes(name) + "' takes no value, found '" + *value + "'"};
    if (takesValue && !value && !isOptional) {
      if (i + 1 == words.size())
        return Error{"option '" + dashes(name) + "' needs a value: " + std::string(option->value)};
      value = words[++i];
    }
    if (option->forCompiler)
      arguments.compiler.push_back(dashes(name) + (!value             ? ""
                                                   : name.size() == 1 ? *value
                                                                      : "=" + *value));
    else if (name == "compile-flag" && value)
      arguments.compiler.push_back(*value);
    arguments.given.push_back({option->name, value.value_or("")});
  }
  return arguments;
}

const Arguments::Given *Arguments::find(std::string_view name) const {
  for (auto it = given.rbegin(); it != given.rend(); ++it)
    if (it->name == name)
      return &*it;
  return nullptr;
}

std::optional<std::string> Arguments::get(std::string_view name) const {
  const Given *option = find(name);
  return option ? std::optional(option->value) : std::nullopt;
}

std::vector<std::string> Arguments::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const Given &option : given)
    if (option.name == name)
      values.push_back(option.value);
  return values;
}

Result<int64_t> Arguments::integer(std::string_view name, int64_t otherwise, int64_t least,
                                   int64_t most) const {
  std::optional<std::string> text = get(name);
  if (!text)
    return otherwise;
  int64_t value = 0;
  const char *last = text->data() + text->size();
  std::from_chars_result parsed = std::from_chars(text->data(), last, value);
  if (parsed.ec != std::errc() || parsed.ptr != last || value < least || value > most)
    return Error{"option '" + dashes(name) + "': expected an integer from " +
                 std::to_string(least) + " to " + std::to_string(most) + ", found '" + *text + "'"};
  return value;
}

Result<double> Arguments::number(std::string_view name, double otherwise) const {
  std::optional<std::string> text = get(name);
  if (!text)
    return otherwise;
  double value = 0;
  const char *last = text->data() + text->size();
  std::from_chars_result parsed = std::from_chars(text->data(), last, value);
  if (parsed.ec != std::errc() || parsed.ptr != last || !(value >= 0))
    return Error{"option '" + dashes(name) + "': expected a number from 0, found '" + *text + "'"};
  return value;
}

/// Breaks `text` at spaces into lines of at most `width` characters, each but
/// the first after `indent` spaces.
static std::string wrap(std::string_view text, size_t indent, size_t width) {
  std::string out;
  while (text.size() > width) {
    size_t space = text.rfind(' ', width);
    if (space == std::string_view::npos)
      break;
    out.append(text.substr(0, space)).append("\n").append(indent, ' ');
    text.remove_prefix(space + 1);
  }
  return out.append(text);
}

std::string weft::helpText(const Command &command) {
  std::string text = "weft " + std::string(command.name) + ": " + std::string(command.summary) +
                     "\n\nUsage: weft " + std::string(command.name) + " " +
                     std::string(command.arguments) + "\n";
  if (!command.description.empty())
    text.append("\n").append(command.description).append("\n");
  std::vector<std::string_view> groups;
  for (const Option &option : command.options)
    if (std::find(groups.begin(), groups.end(), option.group) == groups.end())
      groups.push_back(option.group);
  constexpr size_t column = 34, width = 80 - column;
  for (std::string_view group : groups) {
    text.append("\n").append(group).append(":\n");
    for (const Option &option : command.options) {
      if (option.group != group)
        continue;
      std::string left = "  " + dashes(option.name);
      if (!option.value.empty()) {
        bool isOptional = option.value.starts_with("[=");
        left += isOptional || option.name == "O" ? "" : option.name.size() == 1 ? " " : "=";
        left += option.value;
      }
      if (left.size() + 2 > column)
        left += "\n" + std::string(column, ' ');
      else
        left.resize(column, ' ');
      text += left + wrap(option.help, column, width) + "\n";
    }
  }
  return text;
}
