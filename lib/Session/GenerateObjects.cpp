//===- GenerateObjects.cpp - A lowered module as objects ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Session/GenerateObjects.h"

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/ThreadPool.h"

#include <optional>

using namespace mlir;
using namespace weft;
using llvm::formatv;

/// The object of the host functions, for messages and as a file of assembly.
static constexpr StringLiteral kHostName = "host";

namespace {

/// One object to be.
struct Unit {
  std::string name;
  const cpu::Chip *chip;
  llvm::SetVector<Operation *> symbols;
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> code;
  std::optional<llvm::Expected<ObjectBuffer>> object;
  SmallVector<std::string> warnings;
};

/// Splits a module into units and brings each to LLVM IR.
class Splitter {
public:
  explicit Splitter(ModuleOp module) : module(module), table(module) {}
  llvm::Error run(ArrayRef<cpu::Chip> chips, const cpu::Chip &hostChip, std::vector<Unit> &units);
  /// Must not run beside another one: they share the MLIR context.
  llvm::Error translate(Unit &unit);

private:
  void addWithUses(Operation *symbol, Unit &unit);
  llvm::Error checkShared() const;

  ModuleOp module;
  SymbolTable table;
  llvm::MapVector<Operation *, unsigned> users; ///< units that have the symbol
};

} // namespace

/// Adds `symbol` and, transitively, the symbols that it names.
void Splitter::addWithUses(Operation *symbol, Unit &unit) {
  SmallVector<Operation *> work{symbol};
  while (!work.empty()) {
    Operation *next = work.pop_back_val();
    if (!unit.symbols.insert(next))
      continue;
    ++users[next];
    std::optional<SymbolTable::UseRange> uses = SymbolTable::getSymbolUses(next);
    if (!uses)
      continue; // nothing below it can name symbols
    for (SymbolTable::SymbolUse use : *uses)
      if (Operation *used = table.lookup(use.getSymbolRef().getRootReference()))
        work.push_back(used);
  }
}

llvm::Error Splitter::run(ArrayRef<cpu::Chip> chips, const cpu::Chip &hostChip,
                          std::vector<Unit> &units) {
  SmallVector<ArrayAttr> variants;
  auto kernels = module->getAttrOfType<ArrayAttr>(WeftDialect::kernelsAttrName);
  variants.push_back(kernels ? kernels : ArrayAttr::get(module.getContext(), {}));
  if (auto further = module->getAttrOfType<ArrayAttr>(WeftDialect::variantKernelsAttrName))
    llvm::append_range(variants, further.getAsRange<ArrayAttr>());
  if (variants.size() != chips.size())
    return llvm::createStringError(formatv(
        "the module has kernels for {0} processors, expected {1}", variants.size(), chips.size()));
  for (auto [kernels, chip] : llvm::zip(variants, chips))
    for (StringAttr name : kernels.getAsRange<StringAttr>()) {
      Operation *kernel = table.lookup(name);
      if (!kernel)
        return llvm::createStringError(
            formatv("the module has no function for its kernel {0}", name));
      Unit &unit = units.emplace_back();
      unit.name = name.str();
      // The best processor's kernels have no name of their own.
      if (chips.size() > 1 && &chip == &chips.front())
        unit.name += "." + chip.cpu;
      unit.chip = &chip;
      addWithUses(kernel, unit);
    }
  // Emulated device kernels run wherever the module does.
  StringRef moduleName;
  if (auto device = module->getAttrOfType<ArrayAttr>(WeftDialect::deviceKernelsAttrName))
    for (auto kernel : device.getAsRange<DictionaryAttr>()) {
      StringRef name = kernel.getAs<StringAttr>("module").getValue();
      Operation *function =
          table.lookup((name + "." + kernel.getAs<StringAttr>("name").getValue()).str());
      if (!function)
        continue; // its code is an object already
      if (name != moduleName) {
        Unit &unit = units.emplace_back();
        unit.name = name.str();
        unit.chip = &hostChip;
        moduleName = name;
      }
      addWithUses(function, units.back());
    }
  Unit host;
  host.name = kHostName.str();
  host.chip = &hostChip;
  for (Operation &op : module.getOps())
    if (isa<SymbolOpInterface>(op) && !users.contains(&op))
      addWithUses(&op, host);
  units.push_back(std::move(host));
  return checkShared();
}

llvm::Error Splitter::checkShared() const {
  for (auto [symbol, count] : users)
    if (auto global = dyn_cast<LLVM::GlobalOp>(symbol);
        global && count > 1 && !global.getConstant())
      return llvm::createStringError(
          formatv("'{0}' is data that can be written, but {1} kernels or host "
                  "functions use it",
                  global.getSymName(), count));
  return llvm::Error::success();
}

llvm::Error Splitter::translate(Unit &unit) {
  // The module's attributes, without what is in it.
  OwningOpRef<ModuleOp> part(cast<ModuleOp>(module->cloneWithoutRegions()));
  Block *body = &part->getBodyRegion().emplaceBlock();
  // In the order of the module, which does not depend on how symbols were
  // found.
  SmallVector<Operation *> symbols(unit.symbols.getArrayRef());
  llvm::sort(symbols, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  for (Operation *symbol : symbols) {
    if (users[symbol] == 1) {
      symbol->moveBefore(body, body->end());
      continue;
    }
    Operation *copy = symbol->clone();
    body->push_back(copy);
    // A copy of a definition belongs to its object alone.
    if (auto function = dyn_cast<LLVM::LLVMFuncOp>(copy); function && !function.isExternal())
      function.setLinkage(LLVM::Linkage::Internal);
    else if (auto global = dyn_cast<LLVM::GlobalOp>(copy))
      global.setLinkage(LLVM::Linkage::Internal);
  }
  unit.context = std::make_unique<llvm::LLVMContext>();
  unit.code = translateModuleToLLVMIR(*part, *unit.context, unit.name);
  if (!unit.code)
    return llvm::createStringError("cannot translate '" + unit.name + "' to LLVM IR");
  return llvm::Error::success();
}

/// Runs in any thread; touches nothing but its unit.
static llvm::Expected<ObjectBuffer> emit(Unit &unit, const GenerateOptions &options) {
  const cpu::Chip &chip = *unit.chip;
  for (llvm::Function &function : *unit.code) {
    if (function.isDeclaration())
      continue;
    // Instructions are chosen by features, scheduling by the processor.
    function.addFnAttr("tune-cpu", chip.cpu);
    function.addFnAttr("prefer-vector-width", std::to_string(chip.vectorBits));
    function.addFnAttr("no-trapping-math", "true");
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }
  // Everything is internal to the module but for the query.
  EmitOptions emitOptions;
  emitOptions.cpu = "x86-64";
  emitOptions.features = chip.features;
  emitOptions.optLevel = options.optLevel;
  auto warn = [&](StringRef text) { unit.warnings.push_back(text.str()); };
  emitOptions.onWarning = warn;
  SmallVector<char, 0> assembly;
  if (!options.assemblyFolder.empty())
    emitOptions.assembly = &assembly;
  llvm::Expected<ObjectBuffer> object = emitObject(*unit.code, emitOptions);
  unit.code.reset();
  unit.context.reset();
  if (object && emitOptions.assembly)
    if (llvm::Error error = writeAssembly(options.assemblyFolder, unit.name + ".s",
                                          StringRef(assembly.data(), assembly.size())))
      return std::move(error);
  return object;
}

llvm::Expected<std::vector<ObjectBuffer>>
weft::generateObjects(ModuleOp module, ArrayRef<cpu::Chip> chips, const GenerateOptions &options) {
  std::vector<Unit> units;
  Splitter splitter(module);
  cpu::Chip hostChip = cpu::commonChip(chips);
  if (llvm::Error error = splitter.run(chips, hostChip, units))
    return std::move(error);

  // One translates, all emit. LLVM IR is several times the size of its object,
  // so no more units are translated than there are threads.
  llvm::Error translated = llvm::Error::success();
  {
    std::optional<llvm::DefaultThreadPool> pool;
    if (options.jobs > 1)
      pool.emplace(llvm::heavyweight_hardware_concurrency(options.jobs));
    std::vector<std::shared_future<void>> running;
    for (Unit &unit : units) {
      if ((translated = splitter.translate(unit)))
        break;
      auto run = [&unit, &options] { unit.object.emplace(emit(unit, options)); };
      if (!pool) {
        run();
        continue;
      }
      if (running.size() >= options.jobs)
        running[running.size() - options.jobs].wait();
      running.push_back(pool->async(run));
    }
  }

  llvm::Error failures = std::move(translated);
  std::vector<ObjectBuffer> objects;
  for (Unit &unit : units) {
    if (options.onWarning)
      for (const std::string &warning : unit.warnings)
        options.onWarning(warning);
    if (!unit.object)
      continue;
    if (*unit.object)
      objects.push_back(std::move(**unit.object));
    else
      failures = llvm::joinErrors(std::move(failures), unit.object->takeError());
  }
  if (failures)
    return std::move(failures);
  return objects;
}
