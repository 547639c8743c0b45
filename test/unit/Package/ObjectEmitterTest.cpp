//===- ObjectEmitterTest.cpp - From LLVM IR to an ELF object --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Package/ObjectEmitter.h"

#include "TestModule.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/SourceMgr.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

using namespace weft;
using ELFFile = llvm::object::ELF64LEObjectFile;

static ELFFile parse(const ObjectBuffer &object) {
  return llvm::cantFail(ELFFile::create(llvm::MemoryBufferRef(
      llvm::StringRef(object.bytes.data(), object.bytes.size()), object.name)));
}

/// Names of the symbols that `object` leaves to others.
static std::set<std::string> undefinedSymbols(const ObjectBuffer &object) {
  std::set<std::string> names;
  ELFFile file = parse(object);
  for (llvm::object::ELFSymbolRef symbol : file.symbols())
    if (llvm::cantFail(symbol.getFlags()) & llvm::object::BasicSymbolRef::SF_Undefined)
      names.insert(llvm::cantFail(symbol.getName()).str());
  return names;
}

static const char *const kAdd = R"(
define void @add(ptr noalias %a, ptr noalias %b, i64 %n) {
entry:
  %some = icmp sgt i64 %n, 0
  br i1 %some, label %loop, label %done
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %pa = getelementptr float, ptr %a, i64 %i
  %pb = getelementptr float, ptr %b, i64 %i
  %x = load float, ptr %pa
  %y = load float, ptr %pb
  %z = fadd float %x, %y
  store float %z, ptr %pa
  %next = add nsw i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  ret void
}
)";

static std::string assembly(llvm::StringRef ir, EmitOptions options) {
  llvm::SmallString<0> text;
  options.assembly = &text;
  test::emit(ir, "test", options);
  return text.str().str();
}

TEST(ObjectEmitter, VectorisesForTheCPU) {
  EmitOptions options;
  EXPECT_NE(assembly(kAdd, options).find("xmm"), std::string::npos);
  EXPECT_EQ(assembly(kAdd, options).find("ymm"), std::string::npos);
  options.cpu = "x86-64-v3";
  EXPECT_NE(assembly(kAdd, options).find("vaddps"), std::string::npos);
  EXPECT_NE(assembly(kAdd, options).find("ymm"), std::string::npos);
  options.features = "-avx2,-avx";
  EXPECT_EQ(assembly(kAdd, options).find("ymm"), std::string::npos);
  options = EmitOptions();
  options.optLevel = 1;
  EXPECT_EQ(assembly(kAdd, options).find("addps"), std::string::npos);
}

TEST(ObjectEmitter, SLPVectoriser) {
  EXPECT_NE(assembly(R"(
define void @four(ptr noalias %a, ptr noalias %b) {
  %p1 = getelementptr float, ptr %a, i64 1
  %p2 = getelementptr float, ptr %a, i64 2
  %p3 = getelementptr float, ptr %a, i64 3
  %q1 = getelementptr float, ptr %b, i64 1
  %q2 = getelementptr float, ptr %b, i64 2
  %q3 = getelementptr float, ptr %b, i64 3
  %a0 = load float, ptr %a
  %a1 = load float, ptr %p1
  %a2 = load float, ptr %p2
  %a3 = load float, ptr %p3
  %b0 = fmul float %a0, 3.0
  %b1 = fmul float %a1, 3.0
  %b2 = fmul float %a2, 3.0
  %b3 = fmul float %a3, 3.0
  store float %b0, ptr %b
  store float %b1, ptr %q1
  store float %b2, ptr %q2
  store float %b3, ptr %q3
  ret void
}
)",
                     {})
                .find("mulps"),
            std::string::npos);
}

TEST(ObjectEmitter, HidesAllButTheExports) {
  EmitOptions options;
  options.exports = {"visible"};
  ObjectBuffer object = test::emit(R"(
@table = constant [4 x i32] [i32 1, i32 2, i32 3, i32 4]
declare void @other()
define void @visible() {
  call void @other()
  ret void
}
define void @unseen() {
  call void @visible()
  ret void
}
)",
                                   "test", options);
  ELFFile file = parse(object);
  std::map<std::string, unsigned> visibility;
  for (llvm::object::ELFSymbolRef symbol : file.symbols()) {
    auto raw = llvm::cantFail(file.getSymbol(symbol.getRawDataRefImpl()));
    if (raw->getBinding() == llvm::ELF::STB_GLOBAL)
      visibility[llvm::cantFail(symbol.getName()).str()] = raw->getVisibility();
  }
  EXPECT_EQ(visibility, (std::map<std::string, unsigned>{{"visible", llvm::ELF::STV_DEFAULT},
                                                         {"unseen", llvm::ELF::STV_HIDDEN},
                                                         {"table", llvm::ELF::STV_HIDDEN},
                                                         {"other", llvm::ELF::STV_HIDDEN}}));
  std::set<std::string> sections;
  for (llvm::object::SectionRef section : file.sections())
    sections.insert(llvm::cantFail(section.getName()).str());
  EXPECT_TRUE(sections.count(".text.visible"));
  EXPECT_TRUE(sections.count(".text.unseen"));
}

// A module is not a hosted C program: functions that share a name with one of
// libc or libm have no special meaning, and nothing is turned into a call of
// one.
TEST(ObjectEmitter, KnowsNoLibrary) {
  ObjectBuffer object = test::emit(R"(
@format = private constant [7 x i8] c"hello\0A\00"
declare i32 @printf(ptr, ...)
declare double @pow(double, double)
declare ptr @malloc(i64)
define i32 @print() {
  %n = call i32 (ptr, ...) @printf(ptr @format)
  ret i32 %n
}
define double @square(double %x) {
  %r = call double @pow(double %x, double 2.0)
  ret double %r
}
define void @unused() {
  %p = call ptr @malloc(i64 8)
  ret void
}
define i64 @length(ptr %s) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %p = getelementptr i8, ptr %s, i64 %i
  %c = load i8, ptr %p
  %next = add i64 %i, 1
  %end = icmp eq i8 %c, 0
  br i1 %end, label %done, label %loop
done:
  ret i64 %i
}
define void @sin_and_cos(double %x, ptr %p) {
  %s = call double @sin(double %x)
  %c = call double @cos(double %x)
  %q = getelementptr double, ptr %p, i64 1
  store double %s, ptr %p
  store double %c, ptr %q
  ret void
}
declare double @sin(double)
declare double @cos(double)
)",
                                   "test");
  // Not puts, not a multiplication, not strlen, not sincos; and the call of
  // malloc stays, because this malloc may be anything.
  EXPECT_EQ(undefinedSymbols(object),
            (std::set<std::string>{"printf", "pow", "malloc", "sin", "cos"}));
}

TEST(ObjectEmitter, EqualInputGivesEqualBytes) {
  EmitOptions options;
  options.cpu = "x86-64-v4";
  EXPECT_EQ(test::emit(kAdd, "test", options).bytes, test::emit(kAdd, "test", options).bytes);
}

TEST(ObjectEmitter, AssemblyDoesNotChangeTheObject) {
  EmitOptions options;
  ObjectBuffer plain = test::emit(kAdd, "test", options);
  llvm::SmallString<0> text;
  options.assembly = &text;
  EXPECT_EQ(test::emit(kAdd, "test", options).bytes, plain.bytes);
}

TEST(ObjectEmitter, Refusals) {
  auto refusal = [](llvm::StringRef ir, EmitOptions options) {
    return test::message(test::tryEmit(ir, "test", options).takeError());
  };
  EmitOptions options;
  options.cpu = "pentium-9";
  EXPECT_EQ(refusal(kAdd, options), "unknown CPU 'pentium-9' for x86_64-unknown-linux-gnu");
  options = {};
  options.features = "+avx512f,+warp";
  EXPECT_NE(refusal(kAdd, options).find("unknown CPU feature '+warp'"), std::string::npos);
  options.features = "avx2";
  EXPECT_NE(refusal(kAdd, options).find("unknown CPU feature 'avx2'"), std::string::npos);
  options = {};
  options.triple = "vax-dec-ultrix";
  EXPECT_NE(refusal(kAdd, options).find("cannot generate ELF code for 'vax-"), std::string::npos);
  options = {};
  options.optLevel = 4;
  EXPECT_EQ(refusal(kAdd, options), "optimisation level 4 is not one of 0 to 3");
  options = {};
  options.exports = {"missing"};
  EXPECT_EQ(refusal(kAdd, options), "'test' does not define the exported function 'missing'");
}

TEST(ObjectEmitter, BadAssemblyIsAnError) {
  std::string text = test::message(test::tryEmit(R"(
define void @f() {
  call void asm sideeffect "not an instruction", ""()
  ret void
}
)",
                                                 "test")
                                       .takeError());
  EXPECT_NE(text.find("cannot generate code for 'test'"), std::string::npos) << text;
}

TEST(ObjectEmitter, WarnsOfLargeFrames) {
  std::vector<std::string> warnings;
  EmitOptions options;
  auto collect = [&](llvm::StringRef text) { warnings.push_back(text.str()); };
  options.onWarning = collect;
  test::emit(R"(
declare void @use(ptr)
define void @f() "warn-stack-size"="1024" {
  %p = alloca [4096 x i8]
  call void @use(ptr %p)
  ret void
}
)",
             "test", options);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("stack frame size"), std::string::npos) << warnings[0];
}

//===----------------------------------------------------------------------===//
// Code for devices
//===----------------------------------------------------------------------===//

static const char *const kKernel = R"(
declare float @sqrtf(float)
define ptx_kernel void @copy(ptr %a) {
  %x = load float, ptr %a
  %y = fadd float %x, 1.0
  store float %y, ptr %a
  ret void
}
define ptx_kernel void @root(ptr %a) {
  %x = load float, ptr %a
  %y = call float @sqrtf(float %x)
  store float %y, ptr %a
  ret void
}
)";

static llvm::Expected<std::string> emitDevice(llvm::StringRef ir, const EmitOptions &options) {
  llvm::LLVMContext context;
  llvm::SMDiagnostic problem;
  std::unique_ptr<llvm::Module> module = llvm::parseAssemblyString(ir, problem, context);
  EXPECT_TRUE(module) << problem.getMessage().str();
  return emitDeviceAssembly(*module, options);
}

static EmitOptions deviceOptions() {
  EmitOptions options;
  options.triple = "nvptx64-nvidia-cuda";
  options.cpu = "sm_90a";
  options.features = "+ptx80";
  options.exports = {"copy"};
  return options;
}

TEST(DeviceAssembly, IsPTX) {
  std::string copy = llvm::StringRef(kKernel).split("define ptx_kernel void @root").first.str();
  llvm::Expected<std::string> text = emitDevice(copy, deviceOptions());
  ASSERT_TRUE(static_cast<bool>(text)) << llvm::toString(text.takeError());
  EXPECT_NE(text->find(".target sm_90a"), std::string::npos);
  EXPECT_NE(text->find(".visible .entry copy("), std::string::npos);
}

TEST(DeviceAssembly, CallsNothing) {
  llvm::Expected<std::string> text = emitDevice(kKernel, deviceOptions());
  ASSERT_FALSE(static_cast<bool>(text));
  EXPECT_EQ(llvm::toString(text.takeError()),
            "code for a device needs 'sqrtf', which it does not define");
}
