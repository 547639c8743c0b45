//===- ObjectEmitter.cpp - From LLVM IR to an ELF object ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Package/ObjectEmitter.h"

#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Target/TargetOptions.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <mutex>

using namespace weft;
using llvm::formatv;
using llvm::StringRef;

static llvm::Error failure(const llvm::Twine &message) { return llvm::createStringError(message); }

namespace {

/// Collects what LLVM reports about one module while it lives, in place of the
/// context's own handler, which would print to stderr and exit.
class DiagnosticCollector {
public:
  DiagnosticCollector(llvm::LLVMContext &context, llvm::function_ref<void(StringRef)> onWarning)
      : context(context), saved(context.getDiagnosticHandler()) {
    context.setDiagnosticHandler(std::make_unique<Handler>(errors, onWarning));
  }
  ~DiagnosticCollector() { context.setDiagnosticHandler(std::move(saved)); }

  llvm::Error take(StringRef module) {
    if (errors.empty())
      return llvm::Error::success();
    return failure("cannot generate code for '" + module + "': " + errors);
  }

private:
  struct Handler : llvm::DiagnosticHandler {
    Handler(std::string &errors, llvm::function_ref<void(StringRef)> onWarning)
        : errors(errors), onWarning(onWarning) {}

    bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
      std::string text;
      llvm::raw_string_ostream stream(text);
      llvm::DiagnosticPrinterRawOStream printer(stream);
      info.print(printer);
      if (info.getSeverity() == llvm::DS_Error)
        errors += (errors.empty() ? "" : "; ") + text;
      else if (info.getSeverity() == llvm::DS_Warning && onWarning)
        onWarning(text);
      return true;
    }

    std::string &errors;
    llvm::function_ref<void(StringRef)> onWarning;
  };

  llvm::LLVMContext &context;
  std::unique_ptr<llvm::DiagnosticHandler> saved;
  std::string errors;
};

} // namespace

/// LLVM's table of targets is the process's; registering is idempotent but not
/// thread-safe.
static void initializeTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    llvm::InitializeNativeTargetAsmParser();
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    LLVMInitializeAMDGPUTargetInfo();
    LLVMInitializeAMDGPUTarget();
    LLVMInitializeAMDGPUTargetMC();
    LLVMInitializeAMDGPUAsmParser();
    LLVMInitializeAMDGPUAsmPrinter();
  });
}

/// LLVM only warns about names that it does not know, and then compiles for
/// something else.
static llvm::Error checkProcessor(const llvm::Target &target, const llvm::Triple &triple,
                                  const EmitOptions &options) {
  std::unique_ptr<llvm::MCSubtargetInfo> info(target.createMCSubtargetInfo(triple, "", ""));
  if (!info || !info->isCPUStringValid(options.cpu))
    return failure(formatv("unknown CPU '{0}' for {1}", options.cpu, options.triple));
  llvm::SmallVector<StringRef> features;
  StringRef(options.features).split(features, ',', -1, /*KeepEmpty=*/false);
  for (StringRef feature : features) {
    StringRef name = feature;
    bool hasSign = name.consume_front("+") || name.consume_front("-");
    bool known =
        llvm::any_of(info->getAllProcessorFeatures(),
                     [&](const llvm::SubtargetFeatureKV &entry) { return name == entry.Key; });
    if (!hasSign || !known)
      return failure(formatv("unknown CPU feature '{0}' for {1}; expected '+' "
                             "or '-' and one of LLVM's names",
                             feature, options.triple));
  }
  return llvm::Error::success();
}

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createTargetMachine(const EmitOptions &options) {
  initializeTargets();
  if (options.optLevel > 3)
    return failure(formatv("optimisation level {0} is not one of 0 to 3", options.optLevel));
  llvm::Triple triple(options.triple);
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target || !triple.isOSBinFormatELF())
    return failure(formatv("cannot generate ELF code for '{0}'{1}{2}", options.triple,
                           error.empty() ? "" : ": ", error));
  if (auto failed = checkProcessor(*target, triple, options))
    return std::move(failed);

  llvm::TargetOptions targetOptions;
  targetOptions.FunctionSections = true;
  targetOptions.DataSections = true;
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, options.cpu, options.features, targetOptions,
      options.pic ? llvm::Reloc::PIC_ : llvm::Reloc::Static, llvm::CodeModel::Small,
      static_cast<llvm::CodeGenOptLevel>(options.optLevel)));
  if (!machine)
    return failure(formatv("LLVM has no code generator for '{0}'", options.triple));
  return machine;
}

static bool isDevice(const llvm::Triple &triple) { return triple.isNVPTX() || triple.isAMDGPU(); }

/// Only what the builtins define exists in a module. Without this the optimiser
/// takes the module for a hosted C program: a function that happens to be
/// called `printf` or `exp` is given that function's meaning, and loops and
/// arithmetic are turned into calls of libm and libc.
static llvm::TargetLibraryInfoImpl availableLibrary(const llvm::Triple &triple) {
  llvm::TargetLibraryInfoImpl library(triple);
  library.disableAllFunctions();
  if (isDevice(triple))
    return library;
  for (llvm::LibFunc function : {llvm::LibFunc_memcpy, llvm::LibFunc_memmove, llvm::LibFunc_memset,
                                 llvm::LibFunc_memcmp, llvm::LibFunc_bcmp})
    library.setAvailable(function);
  return library;
}

/// Hides all that is not exported, so that calls between objects are direct and
/// unused code can be dropped. Declarations too: what they name is in another
/// object of the same module.
static llvm::Error setVisibility(llvm::Module &module, const EmitOptions &options) {
  for (const std::string &name : options.exports) {
    llvm::Function *function = module.getFunction(name);
    if (!function || function->isDeclaration())
      return failure(
          formatv("'{0}' does not define the exported function '{1}'", module.getName(), name));
  }
  for (llvm::GlobalValue &value : module.global_values()) {
    if (value.hasLocalLinkage() || value.getName().starts_with("llvm."))
      continue;
    bool exported = llvm::is_contained(options.exports, value.getName());
    value.setVisibility(exported ? llvm::GlobalValue::DefaultVisibility
                                 : llvm::GlobalValue::HiddenVisibility);
    value.setDSOLocal(true);
  }
  return llvm::Error::success();
}

static llvm::Error verify(llvm::Module &module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (!llvm::verifyModule(module, &stream))
    return llvm::Error::success();
  return failure("'" + module.getName() + "' is not valid LLVM IR: " + StringRef(text).rtrim());
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine,
                     const llvm::TargetLibraryInfoImpl &library, unsigned level) {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = level > 1;
  tuning.SLPVectorization = level > 1;
  tuning.LoopInterleaving = level > 1;
  tuning.LoopUnrolling = level > 0;
  tuning.MergeFunctions = false; // kernels keep their names in profiles

  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine, tuning);
  // The first registration of an analysis wins.
  functions.registerPass([&] { return llvm::TargetLibraryAnalysis(library); });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);

  const llvm::OptimizationLevel levels[] = {
      llvm::OptimizationLevel::O0, llvm::OptimizationLevel::O1, llvm::OptimizationLevel::O2,
      llvm::OptimizationLevel::O3};
  llvm::ModulePassManager passes = level == 0
                                       ? builder.buildO0DefaultPipeline(levels[0])
                                       : builder.buildPerModuleDefaultPipeline(levels[level]);
  passes.run(module, modules);
}

static llvm::Error generate(llvm::Module &module, llvm::TargetMachine &machine,
                            const llvm::TargetLibraryInfoImpl &library, llvm::CodeGenFileType type,
                            llvm::SmallVectorImpl<char> &output) {
  llvm::raw_svector_ostream stream(output);
  llvm::legacy::PassManager passes;
  passes.add(new llvm::TargetLibraryInfoWrapperPass(library));
  if (machine.addPassesToEmitFile(passes, stream, /*DwoOut=*/nullptr, type,
                                  /*DisableVerify=*/true))
    return failure("LLVM's code generator for '" + machine.getTargetTriple().str() +
                   "' cannot emit an object");
  passes.run(module);
  return llvm::Error::success();
}

/// That a device's code calls nothing that is not in it.
static llvm::Error checkComplete(const llvm::Module &module) {
  for (const llvm::Function &function : module)
    if (function.isDeclaration() && !function.isIntrinsic() && !function.use_empty())
      return failure("code for a device needs '" + function.getName() +
                     "', which it does not define");
  return llvm::Error::success();
}

namespace {
/// One module on its way to code.
class Emitter {
public:
  static llvm::Expected<Emitter> create(llvm::Module &module, const EmitOptions &options) {
    auto machine = createTargetMachine(options);
    if (!machine)
      return machine.takeError();
    module.setTargetTriple((*machine)->getTargetTriple());
    module.setDataLayout((*machine)->createDataLayout());
    return Emitter(module, options, std::move(*machine));
  }

  llvm::Error optimize() {
    module.setPICLevel(options.pic ? llvm::PICLevel::SmallPIC : llvm::PICLevel::NotPIC);
    if (auto error = setVisibility(module, options))
      return error;
    if (auto error = verify(module))
      return error;
    ::optimize(module, *machine, library, options.optLevel);
    return isDevice(machine->getTargetTriple()) ? checkComplete(module) : llvm::Error::success();
  }

  llvm::Error generate(llvm::Module &code, llvm::CodeGenFileType type,
                       llvm::SmallVectorImpl<char> &output) {
    return ::generate(code, *machine, library, type, output);
  }

private:
  Emitter(llvm::Module &module, const EmitOptions &options,
          std::unique_ptr<llvm::TargetMachine> machine)
      : module(module), options(options), machine(std::move(machine)),
        library(availableLibrary(this->machine->getTargetTriple())) {}

  llvm::Module &module;
  const EmitOptions &options;
  std::unique_ptr<llvm::TargetMachine> machine;
  llvm::TargetLibraryInfoImpl library;
};
} // namespace

llvm::Expected<std::string> weft::emitDeviceAssembly(llvm::Module &module,
                                                     const EmitOptions &options) {
  auto emitter = Emitter::create(module, options);
  if (!emitter)
    return emitter.takeError();
  DiagnosticCollector diagnostics(module.getContext(), options.onWarning);
  llvm::Error error = emitter->optimize();
  llvm::SmallString<0> text;
  if (!error)
    error = emitter->generate(module, llvm::CodeGenFileType::AssemblyFile, text);
  error = llvm::joinErrors(std::move(error), diagnostics.take(module.getName()));
  if (error)
    return std::move(error);
  return text.str().str();
}

llvm::Expected<ObjectBuffer> weft::emitObject(llvm::Module &module, const EmitOptions &options) {
  auto emitter = Emitter::create(module, options);
  if (!emitter)
    return emitter.takeError();
  DiagnosticCollector diagnostics(module.getContext(), options.onWarning);
  if (auto error = emitter->optimize())
    return std::move(error);
  if (auto error = diagnostics.take(module.getName()))
    return std::move(error);

  if (options.assembly) {
    // The code generator rewrites the IR that it is given.
    std::unique_ptr<llvm::Module> copy = llvm::CloneModule(module);
    if (auto error =
            emitter->generate(*copy, llvm::CodeGenFileType::AssemblyFile, *options.assembly))
      return std::move(error);
  }
  ObjectBuffer object{module.getName().str(), {}};
  if (auto error = emitter->generate(module, llvm::CodeGenFileType::ObjectFile, object.bytes))
    return std::move(error);
  if (auto error = diagnostics.take(module.getName()))
    return std::move(error);
  return object;
}

llvm::Error weft::writeAssembly(llvm::StringRef folder, std::string file, llvm::StringRef text) {
  if (std::error_code error = llvm::sys::fs::create_directories(folder))
    return llvm::createStringError(folder + ": " + error.message());
  std::replace(file.begin(), file.end(), '/', '_');
  llvm::SmallString<128> path(folder);
  llvm::sys::path::append(path, file);
  std::error_code error;
  llvm::raw_fd_ostream os(path, error);
  if (!error) {
    os << text;
    os.close();
    error = os.error();
    os.clear_error();
  }
  if (error)
    return llvm::createStringError(path + ": " + error.message());
  return llvm::Error::success();
}
