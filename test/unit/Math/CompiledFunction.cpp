//===- CompiledFunction.cpp - A math operation, expanded and compiled -----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompiledFunction.h"

#include "transforms/Vector/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/Transforms/Passes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/ExecutionEngine/Orc/ThreadSafeModule.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;
using namespace weft::test;

static void replaceAll(std::string &text, StringRef from, StringRef to) {
  for (size_t at = 0; (at = text.find(from.str(), at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to.str());
}

/// A loop over the arrays around the operation.
static std::string moduleText(const CompiledFunction::Description &description) {
  auto type = [&](const std::string &element) {
    return description.lanes ? "vector<" + std::to_string(description.lanes) + "x" + element + ">"
                             : element;
  };
  bool isVector = description.lanes != 0;
  auto load = [&](const std::string &name, const std::string &element) {
    std::string memref = "memref<?x" + element + ">";
    return "  %" + name + " = " + (isVector ? "vector" : "memref") + ".load %m" + name +
           "[%i] : " + memref + (isVector ? ", " + type(element) : std::string()) + "\n";
  };
  const auto &[operation, a, b, y, lanes, cpu] = description;
  std::string text =
      "func.func @run(%ma: memref<?x" + a + ">, %mb: memref<?x" + b + ">, %my: memref<?x" + y +
      ">) attributes {llvm.emit_c_interface} {\n"
      "  %zero = arith.constant 0 : index\n  %step = arith.constant " +
      std::to_string(std::max(lanes, 1)) + " : index\n  %n = memref.dim %my, %zero : memref<?x" +
      y + ">\n  scf.for %i = %zero to %n step %step {\n" + load("a", a) + load("b", b) + "  " +
      operation + "\n";
  text += isVector ? "  vector.store %y, %my[%i] : memref<?x" + y + ">, " + type(y)
                   : "  memref.store %y, %my[%i] : memref<?x" + y + ">";
  text += "\n  }\n  return\n}\n";
  replaceAll(text, "$A", type(a));
  replaceAll(text, "$B", type(b));
  replaceAll(text, "$Y", type(y));
  return text;
}

static void buildPipeline(PassManager &manager) {
  manager.addPass(weft::createExpandMath());
  manager.addPass(createCSEPass());
  manager.addPass(createSCFToControlFlowPass());
  manager.addPass(createConvertVectorToLLVMPass());
  manager.addPass(createConvertMathToLLVMPass());
  manager.addPass(createArithToLLVMConversionPass());
  manager.addPass(createFinalizeMemRefToLLVMConversionPass());
  manager.addPass(createConvertFuncToLLVMPass());
  manager.addPass(createConvertControlFlowToLLVMPass());
  manager.addPass(createReconcileUnrealizedCastsPass());
}

/// The error as text.
static bool failedWith(llvm::Error failure, std::string &error) {
  if (!failure)
    return false;
  error = llvm::toString(std::move(failure));
  return true;
}

/// The default optimisations of a release build, for the machine.
static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

CompiledFunction::~CompiledFunction() = default;

std::unique_ptr<CompiledFunction> CompiledFunction::create(const Description &description,
                                                           std::string &error) {
  DialectRegistry registry;
  registry
      .insert<arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect, LLVM::LLVMDialect,
              math::MathDialect, memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);

  auto module = parseSourceString<ModuleOp>(moduleText(description), &context);
  PassManager manager(&context);
  buildPipeline(manager);
  if (!module || failed(manager.run(*module))) {
    error = "the module does not compile";
    return nullptr;
  }
  auto llvmContext = std::make_unique<llvm::LLVMContext>();
  auto llvmModule = translateModuleToLLVMIR(*module, *llvmContext);
  if (!llvmModule) {
    error = "the module does not translate to LLVM IR";
    return nullptr;
  }

  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::orc::JITTargetMachineBuilder target(llvm::Triple("x86_64-unknown-linux-gnu"));
  target.setCPU(description.cpu);
  auto machine = target.createTargetMachine();
  if (failedWith(machine.takeError(), error))
    return nullptr;
  llvmModule->setTargetTriple((*machine)->getTargetTriple());
  llvmModule->setDataLayout((*machine)->createDataLayout());
  optimize(*llvmModule, **machine);

  auto jit = llvm::orc::LLJITBuilder()
                 .setJITTargetMachineBuilder(std::move(target))
                 .setLinkProcessSymbolsByDefault(false)
                 .setPlatformSetUp(llvm::orc::setUpInactivePlatform)
                 .create();
  if (failedWith(jit.takeError(), error) ||
      failedWith((*jit)->addIRModule(
                     llvm::orc::ThreadSafeModule(std::move(llvmModule), std::move(llvmContext))),
                 error))
    return nullptr;
  auto symbol = (*jit)->lookup("_mlir_ciface_run");
  if (failedWith(symbol.takeError(), error))
    return nullptr;
  std::unique_ptr<CompiledFunction> function(new CompiledFunction);
  function->jit = std::move(*jit);
  function->entry = symbol->toPtr<void (*)(MemRef *, MemRef *, MemRef *)>();
  return function;
}

void CompiledFunction::operator()(const void *a, const void *b, void *y, int64_t n) const {
  MemRef refs[] = {{a, a, 0, n, 1}, {b, b, 0, n, 1}, {y, y, 0, n, 1}};
  entry(&refs[0], &refs[1], &refs[2]);
}
