//===- CheckCases.cpp - Finds, excludes and records cases -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Check.h"

#include "Base/MappedFile.h"

#include <algorithm>
#include <filesystem>
#include <fnmatch.h>

using namespace weft;
namespace fs = std::filesystem;

/// The case in `folder`, if it is one.
static std::optional<CheckCase> caseIn(const fs::path &folder, const fs::path &root) {
  CheckCase found;
  std::vector<std::string> models;
  std::error_code failed;
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    std::string name = it->path().filename().string();
    std::error_code ignored;
    if (name.starts_with("test_data_set_") && it->is_directory(ignored))
      found.dataSets.push_back(it->path().string());
    else if (name.ends_with(".onnx") && it->is_regular_file(ignored))
      models.push_back(it->path().string());
  }
  if (found.dataSets.empty() || models.empty())
    return std::nullopt;
  auto standard = std::find(models.begin(), models.end(), (folder / "model.onnx").string());
  if (standard == models.end() && models.size() != 1)
    return std::nullopt;
  found.model = standard != models.end() ? *standard : models[0];
  // test_data_set_2 before test_data_set_10.
  std::sort(found.dataSets.begin(), found.dataSets.end(),
            [](const std::string &a, const std::string &b) {
              return std::pair(a.size(), a) < std::pair(b.size(), b);
            });
  fs::path name = folder.lexically_relative(root);
  found.name = name.empty() || name == "."
                   ? fs::absolute(folder).lexically_normal().filename().string()
                   : name.string();
  if (found.name.empty()) // the folder was given with a trailing '/'
    found.name = fs::absolute(folder).lexically_normal().parent_path().filename();
  return found;
}

Result<std::vector<CheckCase>> weft::findCases(const std::string &root) {
  std::error_code failed;
  fs::file_status status = fs::status(root, failed);
  if (!fs::exists(status))
    return Error{root + ": no such file or folder"};
  if (!fs::is_directory(status)) {
    fs::path folder = fs::path(root).parent_path();
    CheckCase single;
    single.model = root;
    single.name = fs::path(root).filename().string();
    if (std::optional<CheckCase> found = caseIn(folder.empty() ? fs::path(".") : folder, folder))
      if (fs::equivalent(found->model, root, failed))
        single.dataSets = std::move(found->dataSets);
    return std::vector<CheckCase>{std::move(single)};
  }
  std::vector<CheckCase> cases;
  if (std::optional<CheckCase> found = caseIn(root, root))
    cases.push_back(*std::move(found));
  fs::recursive_directory_iterator it(root, fs::directory_options::skip_permission_denied, failed),
      end;
  for (; !failed && it != end; it.increment(failed)) {
    std::error_code ignored;
    if (!it->is_directory(ignored))
      continue;
    if (it->path().filename().string().starts_with("test_data_set_")) {
      it.disable_recursion_pending();
      continue;
    }
    if (std::optional<CheckCase> found = caseIn(it->path(), root))
      cases.push_back(*std::move(found));
  }
  if (failed)
    return Error{root + ": cannot list the folder: " + failed.message()};
  std::sort(cases.begin(), cases.end(),
            [](const CheckCase &a, const CheckCase &b) { return a.name < b.name; });
  return cases;
}

Result<ExclusionList> ExclusionList::read(const std::string &path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.error();
  std::string_view text(reinterpret_cast<const char *>(file->bytes().data()), file->bytes().size());
  ExclusionList list;
  for (int64_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r'))
      line.remove_suffix(1);
    if (line.empty() || line[0] == '#')
      continue;
    size_t end = line.find_first_of(" \t");
    size_t reason = line.find_first_not_of(" \t", end);
    if (end == 0 || reason == std::string_view::npos)
      return Error{path + ", line " + std::to_string(number) +
                   ": expected a name or pattern and a reason, found '" + std::string(line) + "'"};
    list.patterns.emplace_back(line.substr(0, end), line.substr(reason));
  }
  return list;
}

bool weft::matchesPattern(const std::string &pattern, const std::string &name) {
  std::string last = name.substr(name.rfind('/') + 1);
  return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0 ||
         ::fnmatch(pattern.c_str(), last.c_str(), 0) == 0;
}

const std::string *ExclusionList::find(const std::string &name) const {
  for (const auto &[pattern, reason] : patterns)
    if (matchesPattern(pattern, name))
      return &reason;
  return nullptr;
}

const char *weft::verdictName(Verdict verdict) {
  switch (verdict) {
  case Verdict::Passed:
    return "passed";
  case Verdict::Failed:
    return "failed";
  case Verdict::Unsupported:
    return "unsupported";
  case Verdict::Excluded:
    return "excluded";
  }
  return "failed";
}

Json CheckRecord::toJson() const {
  Json json = Json::object();
  json.set("name", name);
  json.set("verdict", verdictName(verdict));
  json.set("reason", reason);
  json.set("tolerance", tolerance);
  json.set("max_absolute_error", maxAbsoluteError);
  json.set("max_relative_error", maxRelativeError);
  json.set("compile_seconds", compileSeconds);
  json.set("run_seconds", runSeconds);
  return json;
}

std::optional<CheckRecord> CheckRecord::fromJson(const Json &json) {
  CheckRecord record;
  auto text = [&](const char *key, std::string &value) {
    const Json *member = json.find(key);
    if (!member || !member->isString())
      return false;
    value = member->asString();
    return true;
  };
  auto number = [&](const char *key, double &value) {
    const Json *member = json.find(key);
    if (!member)
      return false;
    value = member->asNumber(); // null, for what is not finite, is 0
    return true;
  };
  std::string verdict;
  if (!text("name", record.name) || !text("verdict", verdict) || !text("reason", record.reason) ||
      !text("tolerance", record.tolerance) ||
      !number("max_absolute_error", record.maxAbsoluteError) ||
      !number("max_relative_error", record.maxRelativeError) ||
      !number("compile_seconds", record.compileSeconds) ||
      !number("run_seconds", record.runSeconds))
    return std::nullopt;
  for (Verdict candidate :
       {Verdict::Passed, Verdict::Failed, Verdict::Unsupported, Verdict::Excluded})
    if (verdict == verdictName(candidate)) {
      record.verdict = candidate;
      return record;
    }
  return std::nullopt;
}
