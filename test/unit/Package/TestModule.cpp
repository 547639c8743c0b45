//===- TestModule.cpp - What the tests of packaging share -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestModule.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/SourceMgr.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace weft;

static std::string makeFolder() {
  std::string path = (std::filesystem::temp_directory_path() / "weft-package-XXXXXX").string();
  return mkdtemp(path.data()) ? path : "";
}

test::Folder::Folder() : path(makeFolder()) { EXPECT_NE(path, ""); }

test::Folder::~Folder() {
  std::error_code code;
  std::filesystem::remove_all(path, code);
}

std::string test::Folder::operator/(llvm::StringRef name) const { return path + "/" + name.str(); }

std::vector<std::string> test::Folder::list() const {
  std::vector<std::string> names;
  for (const auto &entry : std::filesystem::directory_iterator(path))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

llvm::Expected<ObjectBuffer> test::tryEmit(llvm::StringRef ir, llvm::StringRef name,
                                           const EmitOptions &options) {
  llvm::LLVMContext context;
  llvm::SMDiagnostic diagnostic;
  auto module = llvm::parseAssemblyString(ir, diagnostic, context);
  if (!module)
    return llvm::createStringError(diagnostic.getMessage());
  module->setModuleIdentifier(name);
  module->setSourceFileName(name);
  return emitObject(*module, options);
}

ObjectBuffer test::emit(llvm::StringRef ir, llvm::StringRef name, const EmitOptions &options) {
  auto object = tryEmit(ir, name, options);
  if (!object) {
    ADD_FAILURE() << llvm::toString(object.takeError());
    return {};
  }
  return std::move(*object);
}

std::string test::read(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  EXPECT_TRUE(stream.good()) << path;
  std::ostringstream content;
  content << stream.rdbuf();
  return std::move(content).str();
}

std::string test::message(llvm::Error error) { return llvm::toString(std::move(error)); }

static std::string variantIR(int variant) {
  return llvm::formatv(R"(
define i32 @first_v{0}(ptr %env, ptr %buffers, ptr %sizes, i64 %site) {{
  ret i32 {0}0
}
define i32 @second_v{0}(ptr %env, ptr %buffers, ptr %sizes, i64 %site) {{
  ret i32 {0}1
}
)",
                       variant)
      .str();
}

test::Model test::makeModel(llvm::StringRef name) {
  Model model;
  // The frem and the memset become calls of the builtins: fmodf(300, 7) = 6.
  model.objects.push_back(emit(R"(
define i64 @workspace(ptr %symbols, i64 %workers) {
  %batch = load i64, ptr %symbols
  %size = mul i64 %batch, %workers
  ret i64 %size
}
define i32 @invoke(ptr %env, ptr %symbols, ptr %inputs) {
  %scratch = alloca [512 x i8]
  %size = load i64, ptr %symbols
  call void @llvm.memset.p0.i64(ptr %scratch, i8 7, i64 %size, i1 false)
  %last = getelementptr i8, ptr %scratch, i64 %size
  %address = getelementptr i8, ptr %last, i64 -1
  %byte = load i8, ptr %address
  %x = sitofp i64 %size to float
  %y = uitofp i8 %byte to float
  %rest = frem float %x, %y
  %result = fptosi float %rest to i32
  ret i32 %result
}
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
)",
                               "host"));
  model.objects.push_back(emit(variantIR(1), "v1"));
  model.objects.push_back(emit(variantIR(2), "v2"));

  ModuleInfo &info = model.info;
  info.name = name.str();
  info.compilerVersion = "weft 1 LLVM 22";
  info.options = "{\"cpu\":\"x86-64-v4\"}";
  for (int i = 0; i < 32; ++i)
    info.sourceHash[i] = i * 3;
  info.kernels = {{"first", WEFT_KERNEL_FALLBACK}, {"second", 0}};
  info.variants = {{"x86-64-v4", "avx512f,avx512bw", {"first_v1", "second_v1"}},
                   {"x86-64-v3", "avx2", {"first_v2", "second_v2"}}};
  info.sites = {{"node", "Gather", "index {0} is not below {1}"}, {"other", "Add", ""}};
  FunctionInfo function;
  function.name = "main";
  function.workspaceSymbol = "workspace";
  function.invokeSymbol = "invoke";
  function.symbols = {{"batch", 1, 64}, {"seq", 0, 4096}};
  function.inputs = {
      {"x", {WEFT_DTYPE_FLOAT, 32, 1}, {DimInfo::symbolic(0), DimInfo::fixed(3)}, -1},
      {"cache", {WEFT_DTYPE_BFLOAT, 16, 1}, {DimInfo::symbolic(1)}, -1}};
  function.outputs = {{"y",
                       {WEFT_DTYPE_INT, 64, 1},
                       {DimInfo::unknown(), DimInfo::symbolic(1), DimInfo::fixed(0)},
                       -1},
                      {"next", {WEFT_DTYPE_BFLOAT, 16, 1}, {DimInfo::symbolic(1)}, 1},
                      {"scalar", {WEFT_DTYPE_BOOL, 8, 1}, {}, -1}};
  info.functions.push_back(function);
  return model;
}
