//===- EmulateKernels.cpp - Device kernels as functions of the CPU --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "targets/Emulation/Chips.h"
#include "targets/Emulation/EmulateOps.h"
#include "targets/Emulation/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/GPU/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace weft {
#define GEN_PASS_DEF_EMULATEKERNELS
#include "targets/Emulation/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::cpu;
using namespace weft::emulation;

/// Alignment of a workgroup buffer in bytes where it says none.
static constexpr int64_t kSharedAlignment = 64;

namespace {
/// Makes one device kernel a function that runs one of its threads.
class KernelEmulation {
public:
  KernelEmulation(mlir::gpu::GPUFuncOp kernel, RewriterBase &rewriter, int64_t subgroupSize)
      : kernel(kernel), b(rewriter), subgroupSize(subgroupSize) {}
  LogicalResult run(StringRef name);

  int64_t sharedBytes = 0;
  bool cooperates = false;

private:
  LogicalResult createFunction(StringRef name);
  FailureOr<Value> argument(Location loc, Type type, int64_t number);
  void placeSharedMemory();
  void placeDynamicMemory();
  LogicalResult checkAccesses(ThreadLowering &lowering);
  Value rootOf(Value memref);
  void check(ThreadLowering &lowering, Location loc, Value root, Value view, ValueRange indices,
             int64_t lanes);
  void forgetMemorySpaces();

  mlir::gpu::GPUFuncOp kernel;
  RewriterBase &b;
  int64_t subgroupSize;
  LLVM::LLVMFuncOp function;
  DenseSet<Value> shared; ///< the buffers in shared memory
};
} // namespace

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

/// Argument `number`, whose address the second argument of the function has.
FailureOr<Value> KernelEmulation::argument(Location loc, Type type, int64_t number) {
  ABIBuilder abi{b, loc};
  Value address = abi.loadElement(function.getArgument(1), number, abi.ptr());
  auto load = [&](Type loaded) -> Value { return LLVM::LoadOp::create(b, loc, loaded, address); };
  if (type.isIndex())
    return abi.toIndex(load(abi.i64()));
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref)
    return load(type);
  // What is not known of a bare address cannot be needed to find an element: the
  // extent of its first dimension.
  SmallVector<Value> extents;
  for (int64_t i = 0; i < memref.getRank(); ++i) {
    if (!memref.isDynamicDim(i))
      continue;
    if (i > 0 || !memref.getLayout().isIdentity())
      return kernel.emitOpError("has an argument of type ")
             << type << ", whose strides a bare address does not give";
    extents.push_back(abi.constant(abi.i64(), INT64_MAX));
  }
  return abi.memref(memref, load(abi.ptr()), extents);
}

LogicalResult KernelEmulation::createFunction(StringRef name) {
  Location loc = kernel.getLoc();
  Type ptr = LLVM::LLVMPointerType::get(b.getContext());
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), {ptr, ptr});
  function = LLVM::LLVMFuncOp::create(b, loc, name, type);
  function.setVisibility_(LLVM::Visibility::Hidden);
  Block *prologue = function.addEntryBlock(b);
  b.setInsertionPointToStart(prologue);
  SmallVector<Value> arguments;
  for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes())) {
    FailureOr<Value> value = argument(loc, type, static_cast<int64_t>(i));
    if (failed(value))
      return failure();
    arguments.push_back(*value);
  }
  // The buffers of the kernel follow its arguments.
  ABIBuilder abi{b, loc};
  Value memory = abi.loadField(function.getArgument(0), ThreadOffset::Shared, ptr);
  unsigned number = 0;
  for (BlockArgument buffer : kernel.getWorkgroupAttributions()) {
    auto memref = cast<MemRefType>(buffer.getType());
    auto wanted = dyn_cast_or_null<IntegerAttr>(
        kernel.getWorkgroupAttributionAttr(number++, LLVM::LLVMDialect::getAlignAttrName()));
    int64_t alignment = wanted ? wanted.getInt() : kSharedAlignment;
    sharedBytes = llvm::alignTo(sharedBytes, alignment);
    Value address = LLVM::GEPOp::create(b, loc, ptr, b.getI8Type(), memory,
                                        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(sharedBytes)});
    sharedBytes += memref.getNumElements() * llvm::divideCeil(memref.getElementTypeBitWidth(), 8);
    arguments.push_back(abi.memref(memref, address, {}));
    shared.insert(arguments.back());
  }
  for (BlockArgument buffer : kernel.getPrivateAttributions())
    arguments.push_back(memref::AllocaOp::create(
        b, loc, withDeviceMemory(cast<MemRefType>(buffer.getType()), false)));
  sharedBytes = llvm::alignTo(sharedBytes, kSharedAlignment);

  Block *first = &kernel.getBody().front();
  b.inlineRegionBefore(kernel.getBody(), function.getBody(), function.getBody().end());
  for (auto [from, to] : llvm::zip_equal(first->getArguments(), arguments))
    to.setType(from.getType());
  b.mergeBlocks(first, prologue, arguments);
  return success();
}

/// `gpu.dynamic_shared_memory` begins where declared memory ends.
void KernelEmulation::placeDynamicMemory() {
  SmallVector<mlir::gpu::DynamicSharedMemoryOp> ops;
  function.walk([&](mlir::gpu::DynamicSharedMemoryOp op) { ops.push_back(op); });
  for (mlir::gpu::DynamicSharedMemoryOp op : ops) {
    b.setInsertionPoint(op);
    Location loc = op.getLoc();
    ABIBuilder abi{b, loc};
    Value thread = function.getArgument(0);
    Value memory = abi.loadField(thread, ThreadOffset::Shared, abi.ptr());
    Value address = LLVM::GEPOp::create(b, loc, abi.ptr(), b.getI8Type(), memory,
                                        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(sharedBytes)});
    Value bytes = abi.loadField(thread, ThreadOffset::SharedBytes, abi.i64());
    Value rest = LLVM::SubOp::create(b, loc, bytes, abi.constant(abi.i64(), sharedBytes));
    Value buffer = abi.memref(op.getType(), address, rest);
    shared.insert(buffer);
    b.replaceOp(op, buffer);
    cooperates = true;
  }
}

/// Only memory of a thread and of its block has a space of its own; to the CPU all
/// memory is alike.
void KernelEmulation::forgetMemorySpaces() {
  auto forget = [](Value value) {
    auto memref = dyn_cast<MemRefType>(value.getType());
    if (memref && memref.getMemorySpace())
      value.setType(withDeviceMemory(memref, false));
  };
  function.walk([&](Block *block) { llvm::for_each(block->getArguments(), forget); });
  SmallVector<Operation *> casts;
  function.walk([&](Operation *op) {
    llvm::for_each(op->getResults(), forget);
    if (isa<memref::MemorySpaceCastOp>(op))
      casts.push_back(op);
  });
  for (Operation *op : casts)
    b.replaceOp(op, op->getOperand(0));
}

//===----------------------------------------------------------------------===//
// Bounds of shared memory
//===----------------------------------------------------------------------===//

/// The buffer in shared memory that `memref` is a view of, or null.
Value KernelEmulation::rootOf(Value memref) {
  while (!shared.contains(memref)) {
    auto view = memref.getDefiningOp<ViewLikeOpInterface>();
    if (!view)
      return nullptr;
    memref = view.getViewSource();
  }
  return memref;
}

/// Checks the indices of an access to `lanes` elements of the last dimension of
/// `view`, then where the element is in its buffer.
void KernelEmulation::check(ThreadLowering &lowering, Location loc, Value root, Value view,
                            ValueRange indices, int64_t lanes) {
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, loc, value);
  };
  auto require = [&](Value index, Value size) {
    std::optional<int64_t> known = getConstantIntValue(index), limit = getConstantIntValue(size);
    if (known && limit && *known >= 0 && *known < *limit)
      return;
    Value bad = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::uge, index, size);
    lowering.failIf(loc, bad, index, size);
  };
  auto type = cast<MemRefType>(view.getType());
  for (auto [d, index] : llvm::enumerate(indices)) {
    Value last = index;
    if (lanes > 1 && d + 1 == indices.size())
      last = arith::AddIOp::create(b, loc, index, constant(lanes - 1));
    Value size = type.isDynamicDim(d) ? Value(memref::DimOp::create(b, loc, view, d))
                                      : constant(type.getDimSize(d));
    require(last, size);
  }
  if (view == root || type.getElementType() != cast<MemRefType>(root.getType()).getElementType())
    return;
  auto rootType = cast<MemRefType>(root.getType());
  if (!rootType.hasStaticShape())
    return;
  auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, view);
  Value position = metadata.getOffset();
  for (auto [index, stride] : llvm::zip(indices, metadata.getStrides()))
    position =
        arith::AddIOp::create(b, loc, position, arith::MulIOp::create(b, loc, index, stride));
  require(position, constant(rootType.getNumElements()));
}

LogicalResult KernelEmulation::checkAccesses(ThreadLowering &lowering) {
  SmallVector<Operation *> accesses;
  function.walk([&](Operation *op) {
    if (isa<memref::LoadOp, memref::StoreOp, memref::AtomicRMWOp, vector::LoadOp, vector::StoreOp>(
            op))
      accesses.push_back(op);
  });
  auto lanesOf = [](Type type) {
    auto vector = dyn_cast<VectorType>(type);
    return vector ? vector.getNumElements() : 1;
  };
  for (Operation *op : accesses) {
    b.setInsertionPoint(op);
    auto checkAccess = [&](Value view, ValueRange indices, Type type) {
      if (Value root = rootOf(view))
        check(lowering, op->getLoc(), root, view, indices, lanesOf(type));
    };
    if (auto load = dyn_cast<memref::LoadOp>(op))
      checkAccess(load.getMemRef(), load.getIndices(), load.getType());
    else if (auto store = dyn_cast<memref::StoreOp>(op))
      checkAccess(store.getMemRef(), store.getIndices(), store.getValue().getType());
    else if (auto atomic = dyn_cast<memref::AtomicRMWOp>(op))
      checkAccess(atomic.getMemref(), atomic.getIndices(), atomic.getType());
    else if (auto load = dyn_cast<vector::LoadOp>(op))
      checkAccess(load.getBase(), load.getIndices(), load.getType());
    else if (auto store = dyn_cast<vector::StoreOp>(op))
      checkAccess(store.getBase(), store.getIndices(), store.getValueToStore().getType());
  }
  return success();
}

LogicalResult KernelEmulation::run(StringRef name) {
  if (failed(createFunction(name)))
    return failure();
  placeDynamicMemory();
  cooperates |= sharedBytes > 0;
  int64_t threads = 0;
  if (std::optional<ArrayRef<int32_t>> size = kernel.getKnownBlockSize())
    threads = int64_t((*size)[0]) * (*size)[1] * (*size)[2];
  ThreadLowering lowering(b, function, function.getArgument(0), subgroupSize, threads);
  if (failed(checkAccesses(lowering)) || failed(lowering.run()))
    return failure();
  cooperates |= lowering.cooperates();
  forgetMemorySpaces();
  // Stack memory is taken once, not in every iteration.
  SmallVector<memref::AllocaOp> locals;
  function.walk([&](memref::AllocaOp op) { locals.push_back(op); });
  for (memref::AllocaOp op : locals)
    if (op.getDynamicSizes().empty())
      b.moveOpBefore(op, &function.getBody().front(), function.getBody().front().begin());
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct EmulateKernels : weft::impl::EmulateKernelsBase<EmulateKernels> {
  using EmulateKernelsBase::EmulateKernelsBase;
  void runOnOperation() override;
  LogicalResult emulate(mlir::gpu::GPUModuleOp gpuModule, NamedAttrList &kernelAttributes,
                        StringRef kernel, int64_t subgroupSize);
  void moveGlobals(mlir::gpu::GPUModuleOp gpuModule);
  FailureOr<int64_t> chooseSubgroup();
};
} // namespace

/// Constants of a device module become the module's own.
void EmulateKernels::moveGlobals(mlir::gpu::GPUModuleOp gpuModule) {
  for (auto global : llvm::make_early_inc_range(gpuModule.getOps<memref::GlobalOp>())) {
    std::string name = (gpuModule.getName() + "." + global.getSymName()).str();
    if (failed(SymbolTable::replaceAllSymbolUses(global.getSymNameAttr(),
                                                 StringAttr::get(&getContext(), name), gpuModule)))
      continue;
    global.setSymName(name);
    global.setType(withDeviceMemory(global.getType(), false));
    global->moveBefore(gpuModule);
  }
}

LogicalResult EmulateKernels::emulate(mlir::gpu::GPUModuleOp gpuModule, NamedAttrList &attributes,
                                      StringRef kernel, int64_t subgroupSize) {
  auto function = gpuModule.lookupSymbol<mlir::gpu::GPUFuncOp>(kernel);
  if (!function)
    return gpuModule.emitOpError("has no kernel '") << kernel << "'";
  IRRewriter rewriter(&getContext());
  rewriter.setInsertionPoint(gpuModule);
  KernelEmulation emulation(function, rewriter, subgroupSize);
  if (failed(emulation.run((gpuModule.getName() + "." + kernel).str())))
    return failure();
  Builder b(&getContext());
  attributes.set("shared", b.getI64IntegerAttr(emulation.sharedBytes));
  if (emulation.cooperates)
    attributes.set("cooperates", b.getUnitAttr());
  return success();
}

/// The size of a subgroup, by the pass's option or the chip.
FailureOr<int64_t> EmulateKernels::chooseSubgroup() {
  ModuleOp module = getOperation();
  int64_t size = subgroupSize;
  if (!subgroupSize) {
    FailureOr<weft::gpu::Chip> chip = chooseChip(module);
    if (failed(chip))
      return failure();
    size = chip->waveSize;
  }
  if (size == 32 || size == 64)
    return size;
  return module.emitError("subgroups of ") << size << " lanes cannot be emulated, only of 32 or 64";
}

void EmulateKernels::runOnOperation() {
  ModuleOp module = getOperation();
  auto kernels = module->getAttrOfType<ArrayAttr>(WeftDialect::deviceKernelsAttrName);
  if (!kernels)
    return;
  FailureOr<int64_t> lanes = chooseSubgroup();
  if (failed(lanes))
    return signalPassFailure();
  module->setAttr(WeftDialect::subgroupSizeAttrName,
                  Builder(&getContext()).getI64IntegerAttr(*lanes));
  // A reduction over a block is one over its subgroups and one over what they give.
  for (auto gpuModule : module.getOps<mlir::gpu::GPUModuleOp>()) {
    RewritePatternSet patterns(&getContext());
    populateGpuAllReducePatterns(patterns);
    if (failed(applyPatternsGreedily(gpuModule, std::move(patterns))))
      return signalPassFailure();
    moveGlobals(gpuModule);
  }
  SymbolTable symbols(module);
  SmallVector<Attribute> described;
  for (auto kernel : kernels.getAsRange<DictionaryAttr>()) {
    auto gpuModule = symbols.lookup<mlir::gpu::GPUModuleOp>(kernel.getAs<StringAttr>("module"));
    if (!gpuModule) {
      module.emitError("has no device module '")
          << kernel.getAs<StringAttr>("module").getValue() << "'";
      return signalPassFailure();
    }
    NamedAttrList attributes(kernel);
    if (failed(emulate(gpuModule, attributes, kernel.getAs<StringAttr>("name"), *lanes)))
      return signalPassFailure();
    described.push_back(attributes.getDictionary(&getContext()));
  }
  module->setAttr(WeftDialect::deviceKernelsAttrName, ArrayAttr::get(&getContext(), described));
  for (auto gpuModule : llvm::make_early_inc_range(module.getOps<mlir::gpu::GPUModuleOp>()))
    gpuModule.erase();
}
