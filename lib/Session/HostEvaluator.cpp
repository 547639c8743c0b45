//===- HostEvaluator.cpp - Runs IR while compiling ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The function becomes objects as that of a module does, but these are loaded by
// LLVM's JIT linker. What a runtime offers to generated code (`weft_env`) is
// here a small environment without threads.
//
//===----------------------------------------------------------------------===//

#include "Session/HostEvaluator.h"

#include "Package/Linker.h"
#include "Session/GenerateObjects.h"
#include "dialects/Weft/IR/Weft.h"
#include "targets/CPU/Chip.h"
#include "weft-runtime/module.h"
#include "weft/Pipelines.h"
#include "weft/Registry.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/TargetParser/Host.h"

#include <cstdlib>
#include <memory>

using namespace mlir;
using namespace weft;

namespace {
struct FreeMemory {
  void operator()(void *memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<void, FreeMemory>;

/// What generated code sees of its surroundings: `weft_env` and what stands
/// behind its functions.
class Environment {
public:
  Environment(WeightStore &store, ArrayRef<int64_t> elementBytes, int64_t maxBytes)
      : results(elementBytes.size()), store(store), elementBytes(elementBytes),
        bytesLeft(maxBytes) {
    env.struct_size = sizeof(env);
    env.max_workers = 1;
    env.context = this;
    env.cancelled = &neverCancelled;
    env.dispatch = dispatch;
    env.parallel_for = parallelFor;
    env.alloc = alloc;
    env.release = release;
    env.output = output;
    env.fail = fail;
  }

  /// Memory at a multiple of WEFT_BUFFER_ALIGNMENT; null if there is none.
  static Memory allocate(uint64_t bytes) {
    uint64_t size = llvm::alignTo(std::max<uint64_t>(bytes, 1), WEFT_BUFFER_ALIGNMENT);
    return Memory(size < bytes ? nullptr : std::aligned_alloc(WEFT_BUFFER_ALIGNMENT, size));
  }

  weft_env env = {};
  std::vector<weft_kernel_fn> kernels;
  llvm::SmallVector<EvaluatedTensor> results;
  std::string problem; ///< the first failure

private:
  static Environment &of(const weft_env *env) { return *static_cast<Environment *>(env->context); }
  void record(std::string text) {
    if (problem.empty())
      problem = std::move(text);
  }

  static int32_t dispatch(const weft_env *env, int64_t kernel, void *const *buffers,
                          const int64_t *sizes, int64_t site) {
    return of(env).kernels[static_cast<size_t>(kernel)](env, buffers, sizes, site);
  }
  static int32_t parallelFor(const weft_env *env, weft_range_fn body, void *const *buffers,
                             const int64_t *sizes, int64_t site, int64_t count, int64_t) {
    return count > 0 ? body(env, buffers, sizes, site, 0, count, 0) : int32_t(WEFT_OK);
  }
  static void *alloc(const weft_env *env, int64_t bytes) {
    Environment &self = of(env);
    if (bytes > self.bytesLeft) {
      self.record("it takes " + std::to_string(bytes) + " bytes of memory");
      return nullptr;
    }
    Memory memory = bytes < 0 ? nullptr : allocate(static_cast<uint64_t>(bytes));
    if (!memory) {
      self.record("out of memory");
      return nullptr;
    }
    self.allocations.push_back(std::move(memory));
    return self.allocations.back().get();
  }
  static void release(const weft_env *env, void *memory) {
    llvm::erase_if(of(env).allocations,
                   [&](const Memory &allocation) { return allocation.get() == memory; });
  }
  static void *output(const weft_env *env, int64_t index, int64_t rank, const int64_t *dims) {
    Environment &self = of(env);
    EvaluatedTensor &result = self.results[static_cast<size_t>(index)];
    result.shape.assign(dims, dims + rank);
    int64_t bytes = self.elementBytes[static_cast<size_t>(index)];
    for (int64_t extent : result.shape)
      if (extent < 0 || __builtin_mul_overflow(bytes, extent, &bytes)) {
        self.record("a result is larger than an address space");
        return nullptr;
      }
    if (bytes > self.bytesLeft) {
      self.record("a result has " + std::to_string(bytes) + " bytes");
      return nullptr;
    }
    self.bytesLeft -= bytes;
    if (bytes <= kMaxInlineConstantBytes) {
      // Never null, which would be a failure.
      result.small.reserve(static_cast<size_t>(kMaxInlineConstantBytes));
      result.small.resize(static_cast<size_t>(bytes));
      return result.small.data();
    }
    llvm::Expected<WeightStore::Reservation> memory =
        self.store.reserve(static_cast<size_t>(bytes));
    if (!memory) {
      self.record(llvm::toString(memory.takeError()));
      return nullptr;
    }
    result.large = std::move(*memory);
    return result.large.bytes.data();
  }
  static int32_t fail(const weft_env *env, int64_t, int32_t code, int64_t, int64_t) {
    of(env).record("it fails with status " + std::to_string(code));
    return code;
  }

  WeightStore &store;
  ArrayRef<int64_t> elementBytes;
  int64_t bytesLeft; ///< that results may take
  std::vector<Memory> allocations;
  static constexpr int32_t neverCancelled = 0;
};
} // namespace

static llvm::Error evaluationError(const Twine &message) {
  return llvm::createStringError(message);
}

static bool hasFeatures(StringRef names) {
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  SmallVector<StringRef> features;
  names.split(features, ',', -1, /*KeepEmpty=*/false);
  return llvm::all_of(features, [&](StringRef feature) { return host.lookup(feature); });
}

/// What constants are computed on. It is not the module's target: sums are added
/// up in another order there, but weights must not depend on which processors a
/// module is for, nor on which of them this machine is.
static llvm::Expected<TargetAttr> hostTarget(ModuleOp module) {
  auto target = module->getAttrOfType<TargetAttr>(WeftDialect::targetAttrName);
  llvm::Expected<cpu::Chip> chip = cpu::resolveChip("x86-64-v3");
  if (chip && !hasFeatures(chip->required))
    chip = cpu::resolveChip("x86-64-v2");
  if (!chip)
    return chip.takeError();
  return TargetAttr::get(module.getContext(), "cpu", chip->cpu, chip->features, chip->vectorBits,
                         target ? target.getOptLevel() : 2);
}

/// Runs the stages after `model`; the error is the first diagnostic.
static llvm::Error lower(ModuleOp module) {
  const Registry *registry = Registry::get(module.getContext());
  if (!registry)
    return evaluationError("the context has no registry");
  std::string message;
  ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error && message.empty())
      message = diagnostic.str();
    return success();
  });
  for (Stage stage : {Stage::Fuse, Stage::Tile, Stage::Vector, Stage::Buffer, Stage::Target}) {
    PassManager pm(module.getContext());
    buildStagePipeline(stage, pm, *registry, PipelineOptions());
    if (failed(pm.run(module)))
      return evaluationError("stage '" + stageName(stage) + "' fails: " + message);
  }
  return llvm::Error::success();
}

static llvm::Expected<std::vector<ObjectBuffer>> generate(ModuleOp module, TargetAttr target) {
  cpu::Chip chip = cpu::makeChip(target.getCpu(), target.getFeatures(), target.getVectorBits());
  GenerateOptions options;
  options.optLevel = static_cast<unsigned>(target.getOptLevel());
  ScopedDiagnosticHandler handler(module.getContext(), [](Diagnostic &) { return success(); });
  return generateObjects(module, chip, options);
}

/// Loads the objects beside the builtins; nothing of this process is visible to
/// them.
static llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>> load(ArrayRef<ObjectBuffer> objects) {
  auto jit = llvm::orc::LLJITBuilder()
                 .setJITTargetMachineBuilder(
                     llvm::orc::JITTargetMachineBuilder(llvm::Triple("x86_64-unknown-linux-gnu")))
                 .setLinkProcessSymbolsByDefault(false)
                 .setPlatformSetUp(llvm::orc::setUpInactivePlatform)
                 .create();
  if (!jit)
    return jit.takeError();
  auto add = [&](StringRef bytes, StringRef name) {
    return (*jit)->addObjectFile(llvm::MemoryBuffer::getMemBufferCopy(bytes, name));
  };
  if (llvm::Error error = add(builtinsObject(), "builtins"))
    return std::move(error);
  for (const ObjectBuffer &object : objects)
    if (llvm::Error error = add(StringRef(object.bytes.data(), object.bytes.size()), object.name))
      return std::move(error);
  return std::move(*jit);
}

/// The function of that name, which need not be visible outside of its object.
template <typename Function>
static llvm::Error find(llvm::orc::LLJIT &jit, StringRef name, Function &function) {
  llvm::Expected<llvm::orc::ExecutorSymbolDef> symbol = jit.getExecutionSession().lookup(
      llvm::orc::makeJITDylibSearchOrder(&jit.getMainJITDylib(),
                                         llvm::orc::JITDylibLookupFlags::MatchAllSymbols),
      jit.mangleAndIntern(name));
  if (!symbol)
    return symbol.takeError();
  function = symbol->getAddress().toPtr<Function>();
  return llvm::Error::success();
}

/// The addresses of the weights that the module reads. Models need not align
/// them; what is not aligned to its elements is copied.
static llvm::Error bindWeights(ModuleOp module, WeightStore &store,
                               std::vector<const void *> &table, std::vector<Memory> &copies) {
  auto weights = module->getAttrOfType<ArrayAttr>(WeftDialect::weightsAttrName);
  for (Attribute attribute : weights ? weights : ArrayAttr()) {
    auto weight = cast<WeightAttr>(attribute);
    std::optional<ArrayRef<uint8_t>> bytes = store.lookup(weight.getKey());
    if (!bytes)
      return evaluationError("weight '" + weight.getKey() + "' is not in the weight store");
    const void *address = bytes->data();
    auto type = cast<RankedTensorType>(weight.getType());
    size_t alignment = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
    if (!bytes->empty() && reinterpret_cast<uintptr_t>(address) % alignment != 0) {
      Memory copy = Environment::allocate(bytes->size());
      if (!copy)
        return evaluationError("out of memory");
      std::memcpy(copy.get(), bytes->data(), bytes->size());
      address = copy.get();
      copies.push_back(std::move(copy));
    }
    table.push_back(address);
  }
  return llvm::Error::success();
}

llvm::Expected<llvm::SmallVector<EvaluatedTensor>>
weft::evaluateOnHost(OwningOpRef<ModuleOp> module, int64_t maxBytes) {
  llvm::Expected<TargetAttr> target = hostTarget(*module);
  if (!target)
    return target.takeError();
  (*module)->setAttr(WeftDialect::targetAttrName, *target);
  if (llvm::Error error = lower(*module))
    return std::move(error);

  auto signature = (*module)->getAttrOfType<DictionaryAttr>(WeftDialect::signatureAttrName);
  auto kernels = (*module)->getAttrOfType<ArrayAttr>(WeftDialect::kernelsAttrName);
  if (!signature || !kernels)
    return evaluationError("has not been lowered by the stage 'target'");
  std::string entry = signature.getAs<StringAttr>("name").getValue().str();
  SmallVector<int64_t> elementBytes;
  for (Attribute output : signature.getAs<ArrayAttr>("outputs")) {
    Type type = cast<DictionaryAttr>(output).getAs<TypeAttr>("type").getValue();
    elementBytes.push_back(
        static_cast<int64_t>(llvm::divideCeil(cast<ShapedType>(type).getElementTypeBitWidth(), 8)));
  }
  llvm::Expected<std::vector<ObjectBuffer>> objects = generate(*module, *target);
  if (!objects)
    return objects.takeError();
  auto jit = load(*objects);
  if (!jit)
    return jit.takeError();

  WeightStore &store = (*module)->getContext()->getOrLoadDialect<WeftDialect>()->getWeightStore();
  Environment environment(store, elementBytes, maxBytes);
  decltype(weft_function::workspace_size) workspaceSize = nullptr;
  decltype(weft_function::invoke) invoke = nullptr;
  if (llvm::Error error = find(**jit, entry + ".invoke", invoke))
    return std::move(error);
  if (llvm::Error error = find(**jit, entry + ".workspace", workspaceSize))
    return std::move(error);
  for (Attribute kernel : kernels) {
    environment.kernels.emplace_back();
    if (llvm::Error error =
            find(**jit, cast<StringAttr>(kernel).getValue(), environment.kernels.back()))
      return std::move(error);
  }
  std::vector<const void *> weights;
  std::vector<Memory> copies;
  if (llvm::Error error = bindWeights(*module, store, weights, copies))
    return std::move(error);
  int64_t size = workspaceSize(nullptr, 1);
  Memory arena = size < 0 ? nullptr : Environment::allocate(static_cast<uint64_t>(size));
  if (!arena)
    return evaluationError("out of memory for the workspace");
  environment.env.arena = static_cast<unsigned char *>(arena.get());
  environment.env.weights = weights.data();
  int32_t status = invoke(&environment.env, nullptr, nullptr);
  if (status != WEFT_OK || !environment.problem.empty())
    return evaluationError(environment.problem.empty()
                               ? "it fails with status " + std::to_string(status)
                               : environment.problem);
  return std::move(environment.results);
}
