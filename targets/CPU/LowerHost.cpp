//===- LowerHost.cpp - Host functions get the module ABI ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/SourceNodes.h"
#include "dialects/Weft/IR/Weft.h"
#include "targets/CPU/ABI.h"
#include "targets/CPU/Passes.h"
#include "weft-runtime/module.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/MapVector.h"

#include <set>

namespace weft {
#define GEN_PASS_DEF_LOWERCPUHOST
#include "targets/CPU/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

namespace {
/// The module's call sites, in order of first use.
class SiteTable {
public:
  explicit SiteTable(MLIRContext *context) : context(context) {}
  int64_t add(Location loc, StringRef message);
  ArrayAttr attribute() const { return ArrayAttr::get(context, sites.getArrayRef()); }

private:
  MLIRContext *context;
  llvm::SetVector<Attribute> sites;
};

/// Lowers the entry function and its size function.
class HostLowering {
public:
  HostLowering(ModuleOp module, func::FuncOp function, SiteTable &sites)
      : module(module), function(function), sites(sites), rewriter(module.getContext()) {}
  LogicalResult run();
  static void lowerWorkspace(func::FuncOp function);

private:
  ABIBuilder at(Location loc) { return ABIBuilder{rewriter, loc}; }
  /// Splits the block before the insertion point's operation and leaves the
  /// function with `status` where `failed` (i1) is true.
  void leaveIf(Location loc, Value failed, Value status);
  Value stackArray(Location loc, int64_t count);
  void measureCalls();
  LogicalResult createEntry();
  FailureOr<Value> bufferArgument(unsigned index, unsigned input,
                                  const llvm::StringMap<Value> &symbols);
  LogicalResult lower(Operation *op);
  LogicalResult lower(DispatchOp op);
  void lower(AssertOp op);
  void lower(PollOp op);
  void lower(OutputBufferOp op);
  LogicalResult lower(AllocOp op);
  void lower(ReleaseOp op);
  LogicalResult lower(WeightBufferOp op);
  void lower(TransferOp op);
  void forgetMemorySpaces();
  DictionaryAttr signature();

  ModuleOp module;
  func::FuncOp function;
  SiteTable &sites;
  IRRewriter rewriter;
  LLVM::LLVMFuncOp entry;
  Value env, buffers, sizes;
  int64_t maxBuffers = 0, maxSizes = 0;
  DenseMap<StringAttr, int64_t> kernels;
  llvm::MapVector<Attribute, int64_t> weights;
  /// What gives memory of the device, whose types do not say so any more, and the
  /// direction of transfers.
  DenseSet<Value> onDevice;
  DenseMap<Operation *, int64_t> directions;
  DenseSet<std::pair<Operation *, unsigned>> deviceReleases;
  std::set<int64_t> deviceWeights;
  SmallVector<Attribute> transfers;
};
} // namespace

int64_t SiteTable::add(Location loc, StringRef message) {
  SourceNodes source = sourceNodesOf(loc);
  Attribute site = Builder(context).getStrArrayAttr({source.nodes, source.operations, message});
  sites.insert(site);
  return llvm::find(sites, site) - sites.begin();
}

void HostLowering::leaveIf(Location loc, Value failed, Value status) {
  Block *block = rewriter.getInsertionBlock();
  Block *rest = rewriter.splitBlock(block, rewriter.getInsertionPoint());
  Block *leave = rewriter.createBlock(rest->getParent(), rest->getParent()->end());
  LLVM::ReturnOp::create(rewriter, loc, status);
  rewriter.setInsertionPointToEnd(block);
  cf::CondBranchOp::create(rewriter, loc, failed, leave, ValueRange(), rest, ValueRange());
  rewriter.setInsertionPointToStart(rest);
}

/// Arrays for the arguments of calls are taken once, at the function's start.
Value HostLowering::stackArray(Location loc, int64_t count) {
  ABIBuilder abi = at(loc);
  return LLVM::AllocaOp::create(rewriter, loc, abi.ptr(), abi.i64(),
                                abi.constant(abi.i64(), std::max<int64_t>(count, 1)));
}

LogicalResult HostLowering::lower(DispatchOp op) {
  auto it = kernels.find(op.getKernelAttr().getAttr());
  if (it == kernels.end())
    return op.emitOpError("refers to an unknown kernel ") << op.getKernelAttr();
  Location loc = op.getLoc();
  rewriter.setInsertionPoint(op);
  ABIBuilder abi = at(loc);
  SmallVector<Value> shaped(op.getInputs());
  llvm::append_range(shaped, op.getOuts());
  int64_t nextSize = 0;
  for (Value size : op.getSizes())
    abi.storeElement(sizes, nextSize++, abi.fromIndex(size));
  for (auto [i, value] : llvm::enumerate(shaped)) {
    abi.storeElement(buffers, static_cast<int64_t>(i), abi.address(value));
    auto type = cast<MemRefType>(value.getType());
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (type.isDynamicDim(d))
        abi.storeElement(sizes, nextSize++,
                         abi.fromIndex(memref::DimOp::create(rewriter, loc, value, d)));
  }
  Value status = abi.callField(env, EnvOffset::Dispatch, abi.i32(),
                               {env, abi.constant(abi.i64(), it->second), buffers, sizes,
                                abi.constant(abi.i64(), sites.add(loc, ""))});
  Value failed = LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::ne, status,
                                      abi.constant(abi.i32(), 0));
  leaveIf(loc, failed, status);
  rewriter.eraseOp(op);
  return success();
}

void HostLowering::lower(AssertOp op) {
  Location loc = op.getLoc();
  rewriter.setInsertionPoint(op);
  ABIBuilder abi = at(loc);
  SmallVector<Value> values;
  for (Value value : op.getValues())
    values.push_back(abi.fromIndex(value));
  values.resize(2, values.size() < 2 ? abi.constant(abi.i64(), 0) : Value());
  Block *block = rewriter.getInsertionBlock();
  Block *rest = rewriter.splitBlock(block, op->getIterator());
  Block *fail = rewriter.createBlock(rest->getParent(), rest->getParent()->end());
  Value status = abi.callField(env, EnvOffset::Fail, abi.i32(),
                               {env, abi.constant(abi.i64(), sites.add(loc, op.getMessage())),
                                abi.constant(abi.i32(), op.getCode()), values[0], values[1]});
  LLVM::ReturnOp::create(rewriter, loc, status);
  rewriter.setInsertionPointToEnd(block);
  cf::CondBranchOp::create(rewriter, loc, op.getCondition(), rest, ValueRange(), fail,
                           ValueRange());
  rewriter.eraseOp(op);
}

void HostLowering::lower(PollOp op) {
  Location loc = op.getLoc();
  rewriter.setInsertionPoint(op);
  ABIBuilder abi = at(loc);
  Value flag = LLVM::LoadOp::create(rewriter, loc, abi.i32(),
                                    abi.loadField(env, EnvOffset::Cancelled, abi.ptr()),
                                    /*alignment=*/0, /*isVolatile=*/true);
  Value cancelled = LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::ne, flag,
                                         abi.constant(abi.i32(), 0));
  Block *block = rewriter.getInsertionBlock();
  Block *rest = rewriter.splitBlock(block, op->getIterator());
  Block *stop = rewriter.createBlock(rest->getParent(), rest->getParent()->end());
  Value zero = abi.constant(abi.i64(), 0);
  Value status =
      abi.callField(env, EnvOffset::Fail, abi.i32(),
                    {env, abi.constant(abi.i64(), sites.add(loc, "the call was cancelled")),
                     abi.constant(abi.i32(), /*CANCELLED*/ 1), zero, zero});
  LLVM::ReturnOp::create(rewriter, loc, status);
  rewriter.setInsertionPointToEnd(block);
  cf::CondBranchOp::create(rewriter, loc, cancelled, stop, ValueRange(), rest, ValueRange());
  rewriter.eraseOp(op);
}

/// The dynamic extents (i64) of the component of a packed tensor whose own
/// dynamic extents are `sizes` (index).
static SmallVector<Value> componentExtents(const ABIBuilder &abi, PackedType type,
                                           ValueRange sizes) {
  SmallVector<OpFoldResult> dims = getMixedValues(type.getShape(), sizes, abi.b);
  SmallVector<Value> extents;
  for (OpFoldResult extent : type.getComponentSizes(abi.b, abi.loc, dims).front())
    if (auto value = dyn_cast<Value>(extent))
      extents.push_back(abi.fromIndex(value));
  return extents;
}

void HostLowering::lower(OutputBufferOp op) {
  Location loc = op.getLoc();
  rewriter.setInsertionPoint(op);
  ABIBuilder abi = at(loc);
  auto type = cast<MemRefType>(op.getBuffer().getType());
  SmallVector<Value> dynamic;
  for (Value size : op.getSizes())
    dynamic.push_back(abi.fromIndex(size));
  size_t next = 0;
  // Callers know packed tensors by their logical shape.
  ShapedType shape = type;
  if (op.getPacked())
    shape = cast<PackedType>(*op.getPacked());
  for (auto [d, extent] : llvm::enumerate(shape.getShape()))
    abi.storeElement(sizes, static_cast<int64_t>(d),
                     ShapedType::isDynamic(extent) ? dynamic[next++]
                                                   : abi.constant(abi.i64(), extent));
  Value address = abi.callField(env, EnvOffset::Output, abi.ptr(),
                                {env, abi.constant(abi.i64(), op.getIndex()),
                                 abi.constant(abi.i64(), shape.getRank()), sizes});
  Value null = LLVM::ZeroOp::create(rewriter, loc, abi.ptr());
  Value failed = LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::eq, address, null);
  leaveIf(loc, failed, abi.constant(abi.i32(), 8)); // recorded as what it was
  if (op.getPacked())
    dynamic = componentExtents(abi, cast<PackedType>(*op.getPacked()), op.getSizes());
  rewriter.replaceOp(op, abi.memref(type, address, dynamic));
}

LogicalResult HostLowering::lower(AllocOp op) {
  Location loc = op.getLoc();
  rewriter.setInsertionPoint(op);
  ABIBuilder abi = at(loc);
  auto type = cast<MemRefType>(op.getBuffer().getType());
  int64_t fixed = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  for (int64_t extent : type.getShape())
    if (!ShapedType::isDynamic(extent) && __builtin_mul_overflow(fixed, extent, &fixed))
      return op.emitOpError("has more bytes than an address space");
  SmallVector<Value> dynamic;
  // The product saturates: the environment refuses what is too large.
  Value bytes = abi.constant(abi.i64(), fixed);
  Value limit = abi.constant(abi.i64(), INT64_MAX);
  auto checked =
      LLVM::LLVMStructType::getLiteral(rewriter.getContext(), {abi.i64(), rewriter.getI1Type()});
  for (Value size : op.getSizes()) {
    Value extent = abi.fromIndex(size);
    dynamic.push_back(extent);
    Value product = LLVM::SMulWithOverflowOp::create(rewriter, loc, checked, bytes, extent);
    Value value = LLVM::ExtractValueOp::create(rewriter, loc, product, 0);
    Value overflow = LLVM::ExtractValueOp::create(rewriter, loc, product, 1);
    bytes = LLVM::SelectOp::create(rewriter, loc, overflow, limit, value);
  }
  auto allocate = onDevice.contains(op.getBuffer()) ? EnvOffset::DeviceAlloc : EnvOffset::Alloc;
  Value address = abi.callField(env, allocate, abi.ptr(), {env, bytes});
  Value null = LLVM::ZeroOp::create(rewriter, loc, abi.ptr());
  Value failed = LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::eq, address, null);
  leaveIf(loc, failed, abi.constant(abi.i32(), 8));
  rewriter.replaceOp(op, abi.memref(type, address, dynamic));
  return success();
}

void HostLowering::lower(ReleaseOp op) {
  Location loc = op.getLoc();
  rewriter.setInsertionPoint(op);
  ABIBuilder abi = at(loc);
  SmallVector<Value> others;
  for (Value value : op.getKept())
    others.push_back(abi.address(value));
  Value null = LLVM::ZeroOp::create(rewriter, loc, abi.ptr());
  for (auto [i, value] : llvm::enumerate(op.getBuffers())) {
    // Releasing null does nothing.
    Value address = abi.address(value), released = address;
    for (Value other : others) {
      Value same = LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::eq, address, other);
      released = LLVM::SelectOp::create(rewriter, loc, same, null, released);
    }
    auto release = deviceReleases.contains({op, static_cast<unsigned>(i)})
                       ? EnvOffset::DeviceRelease
                       : EnvOffset::Release;
    abi.callProcedure(env, release, {env, released});
    others.push_back(address);
  }
  rewriter.eraseOp(op);
}

LogicalResult HostLowering::lower(WeightBufferOp op) {
  rewriter.setInsertionPoint(op);
  ABIBuilder abi = at(op.getLoc());
  int64_t index = static_cast<int64_t>(
      weights.insert({op.getValueAttr(), static_cast<int64_t>(weights.size())}).first->second);
  bool isRead = onDevice.contains(op.getBuffer());
  if (isRead)
    deviceWeights.insert(index);
  Value table =
      abi.loadField(env, isRead ? EnvOffset::DeviceWeights : EnvOffset::Weights, abi.ptr());
  Value address = abi.loadElement(table, index, abi.ptr());
  rewriter.replaceOp(op, abi.memref(cast<MemRefType>(op.getBuffer().getType()), address, {}));
  return success();
}

void HostLowering::lower(TransferOp op) {
  Location loc = op.getLoc();
  rewriter.setInsertionPoint(op);
  ABIBuilder abi = at(loc);
  auto text = [&](StringRef key, StringRef value) {
    return rewriter.getNamedAttr(key, rewriter.getStringAttr(value));
  };
  int64_t index = static_cast<int64_t>(transfers.size());
  transfers.push_back(rewriter.getDictionaryAttr(
      {text("bytes", op.getBytes()),
       rewriter.getNamedAttr("direction", rewriter.getI64IntegerAttr(directions.lookup(op))),
       text("reason", op.getReason()), text("value", op.getValue())}));
  // Views may begin anywhere in their memory.
  auto addressOf = [&](Value memref) -> Value {
    auto type = cast<MemRefType>(memref.getType());
    if (type.getLayout().isIdentity())
      return abi.address(memref);
    auto metadata = memref::ExtractStridedMetadataOp::create(rewriter, loc, memref);
    return LLVM::GEPOp::create(rewriter, loc, abi.ptr(), type.getElementType(), abi.address(memref),
                               ArrayRef<LLVM::GEPArg>{abi.fromIndex(metadata.getOffset())});
  };
  auto type = cast<MemRefType>(op.getTarget().getType());
  Value bytes = abi.constant(
      abi.i64(), std::max<int64_t>(1, llvm::divideCeil(type.getElementTypeBitWidth(), 8)));
  for (int64_t d = 0; d < type.getRank(); ++d) {
    Value extent = type.isDynamicDim(d)
                       ? abi.fromIndex(memref::DimOp::create(rewriter, loc, op.getTarget(), d))
                       : abi.constant(abi.i64(), type.getDimSize(d));
    bytes = LLVM::MulOp::create(rewriter, loc, bytes, extent);
  }
  Value status = abi.callField(env, EnvOffset::Transfer, abi.i32(),
                               {env, abi.constant(abi.i64(), index), addressOf(op.getTarget()),
                                addressOf(op.getSource()), bytes,
                                abi.constant(abi.i64(), sites.add(loc, ""))});
  Value failed = LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::ne, status,
                                      abi.constant(abi.i32(), 0));
  leaveIf(loc, failed, status);
  rewriter.eraseOp(op);
}

/// To what follows all memory is alike.
void HostLowering::forgetMemorySpaces() {
  auto forget = [&](Value value) {
    if (!isDeviceMemory(value.getType()))
      return;
    onDevice.insert(value);
    value.setType(withDeviceMemory(cast<MemRefType>(value.getType()), false));
  };
  entry.walk([&](TransferOp op) {
    bool from = isDeviceMemory(op.getSource().getType()),
         to = isDeviceMemory(op.getTarget().getType());
    directions[op] = from && to ? WEFT_ON_DEVICE : from ? WEFT_TO_HOST : WEFT_TO_DEVICE;
  });
  entry.walk([&](ReleaseOp op) {
    for (auto [i, buffer] : llvm::enumerate(op.getBuffers()))
      if (isDeviceMemory(buffer.getType()))
        deviceReleases.insert({op, static_cast<unsigned>(i)});
  });
  entry.walk([&](Block *block) { llvm::for_each(block->getArguments(), forget); });
  entry.walk([&](Operation *op) { llvm::for_each(op->getResults(), forget); });
}

/// What the packaging needs to know of the entry, while its arguments are there.
DictionaryAttr HostLowering::signature() {
  Builder b(module.getContext());
  SmallVector<Attribute> symbols, inputs;
  auto orEmpty = [&](Attribute value) { return value ? value : b.getStringAttr(""); };
  for (unsigned i = 0, e = function.getNumArguments(); i < e; ++i) {
    DictionaryAttr attributes = function.getArgAttrDict(i);
    auto get = [&](StringRef name) { return attributes ? attributes.get(name) : Attribute(); };
    if (function.getArgumentTypes()[i].isIndex()) {
      Attribute range = get(WeftDialect::symbolRangeAttrName);
      symbols.push_back(b.getDictionaryAttr(
          {b.getNamedAttr("name", orEmpty(get(WeftDialect::symbolAttrName))),
           b.getNamedAttr("range", range ? range : b.getDenseI64ArrayAttr({0, INT64_MAX}))}));
      continue;
    }
    auto type = cast<MemRefType>(function.getArgumentTypes()[i]);
    ArrayRef<int64_t> shape = type.getShape();
    if (auto packed = dyn_cast_or_null<TypeAttr>(get(WeftDialect::packedAttrName)))
      shape = cast<PackedType>(packed.getValue()).getShape();
    Attribute dims = get(WeftDialect::dimsAttrName);
    inputs.push_back(b.getDictionaryAttr(
        {b.getNamedAttr("name", orEmpty(get(WeftDialect::nameAttrName))),
         b.getNamedAttr("dtype", orEmpty(get(WeftDialect::dtypeAttrName))),
         b.getNamedAttr("dims", dims ? dims : b.getArrayAttr({})),
         b.getNamedAttr("type",
                        TypeAttr::get(RankedTensorType::get(shape, type.getElementType())))}));
  }
  Attribute outputs = function->getAttr(WeftDialect::resultsAttrName);
  return b.getDictionaryAttr({b.getNamedAttr("name", function.getSymNameAttr()),
                              b.getNamedAttr("symbols", b.getArrayAttr(symbols)),
                              b.getNamedAttr("inputs", b.getArrayAttr(inputs)),
                              b.getNamedAttr("outputs", outputs ? outputs : b.getArrayAttr({}))});
}

/// How long the arrays for the arguments of calls have to be.
void HostLowering::measureCalls() {
  function.walk([&](DispatchOp op) {
    int64_t count = static_cast<int64_t>(op.getSizes().size()), shaped = 0;
    for (Value value : op->getOperands().drop_front(op.getSizes().size())) {
      ++shaped;
      count += cast<MemRefType>(value.getType()).getNumDynamicDims();
    }
    maxSizes = std::max(maxSizes, count);
    maxBuffers = std::max(maxBuffers, shaped);
  });
  function.walk([&](OutputBufferOp op) {
    maxSizes =
        std::max(maxSizes, op.getPacked() ? cast<PackedType>(*op.getPacked()).getRank()
                                          : cast<MemRefType>(op.getBuffer().getType()).getRank());
  });
}

/// The function's argument `index`, which is the buffer `input` of a call; its
/// dynamic extents are symbols.
FailureOr<Value> HostLowering::bufferArgument(unsigned index, unsigned input,
                                              const llvm::StringMap<Value> &symbols) {
  ABIBuilder abi = at(function.getLoc());
  auto memref = cast<MemRefType>(function.getArgumentTypes()[index]);
  auto dims = function.getArgAttrOfType<ArrayAttr>(index, WeftDialect::dimsAttrName);
  auto packed = function.getArgAttrOfType<TypeAttr>(index, WeftDialect::packedAttrName);
  ShapedType shape = packed ? ShapedType(cast<PackedType>(packed.getValue())) : memref;
  SmallVector<Value> extents;
  for (int64_t d = 0; d < shape.getRank(); ++d) {
    if (!shape.isDynamicDim(d))
      continue;
    auto name = dims && d < static_cast<int64_t>(dims.size()) ? dyn_cast<StringAttr>(dims[d])
                                                              : StringAttr();
    auto symbol = name ? symbols.find(name) : symbols.end();
    if (symbol == symbols.end())
      return function.emitOpError("argument ")
             << index << " has a dynamic dimension " << d << " without a symbol";
    extents.push_back(symbol->second);
  }
  if (packed) {
    SmallVector<Value> sizes =
        llvm::map_to_vector(extents, [&](Value extent) { return abi.toIndex(extent); });
    extents = componentExtents(abi, cast<PackedType>(shape), sizes);
  }
  Value address = abi.loadElement(entry.getArgument(2), input, abi.ptr());
  return abi.memref(memref, address, extents);
}

/// Makes the function with the module ABI, which reads the arguments and goes on
/// with the body.
LogicalResult HostLowering::createEntry() {
  Location loc = function.getLoc();
  rewriter.setInsertionPoint(function);
  ABIBuilder abi = at(loc);
  auto type = LLVM::LLVMFunctionType::get(abi.i32(), {abi.ptr(), abi.ptr(), abi.ptr()});
  entry = LLVM::LLVMFuncOp::create(rewriter, loc, (function.getSymName() + ".invoke").str(), type);
  entry.setVisibility_(LLVM::Visibility::Hidden);
  Block *prologue = entry.addEntryBlock(rewriter);
  rewriter.setInsertionPointToStart(prologue);
  env = entry.getArgument(0);
  buffers = stackArray(loc, maxBuffers);
  sizes = stackArray(loc, maxSizes);
  SmallVector<Value> arguments;
  unsigned input = 0;
  llvm::StringMap<Value> symbols;
  for (auto [i, argument] : llvm::enumerate(function.getArgumentTypes())) {
    if (argument.isIndex()) {
      Value value = abi.loadElement(entry.getArgument(1), i, abi.i64());
      if (auto name = function.getArgAttrOfType<StringAttr>(i, WeftDialect::symbolAttrName))
        symbols[name] = value;
      arguments.push_back(abi.toIndex(value));
      continue;
    }
    FailureOr<Value> buffer = bufferArgument(i, input++, symbols);
    if (failed(buffer))
      return failure();
    arguments.push_back(*buffer);
  }
  Block *first = &function.getBody().front();
  rewriter.inlineRegionBefore(function.getBody(), entry.getBody(), entry.getBody().end());
  // The prologue and the first block become one, unless a loop leads back.
  rewriter.mergeBlocks(first, prologue, arguments);
  return success();
}

LogicalResult HostLowering::lower(Operation *op) {
  rewriter.setInsertionPoint(op);
  ABIBuilder abi = at(op->getLoc());
  if (auto dispatch = dyn_cast<DispatchOp>(op))
    return lower(dispatch);
  if (auto transfer = dyn_cast<TransferOp>(op))
    return lower(transfer), success();
  if (auto alloc = dyn_cast<AllocOp>(op))
    return lower(alloc);
  if (auto weight = dyn_cast<WeightBufferOp>(op))
    return lower(weight);
  if (auto assertion = dyn_cast<AssertOp>(op))
    lower(assertion);
  else if (auto poll = dyn_cast<PollOp>(op))
    lower(poll);
  else if (auto output = dyn_cast<OutputBufferOp>(op))
    lower(output);
  else if (auto release = dyn_cast<ReleaseOp>(op))
    lower(release);
  else if (auto arena = dyn_cast<ArenaOp>(op))
    rewriter.replaceOp(
        op, abi.memref(cast<MemRefType>(arena.getBuffer().getType()),
                       abi.loadField(env,
                                     onDevice.contains(arena.getBuffer()) ? EnvOffset::DeviceArena
                                                                          : EnvOffset::Arena,
                                     abi.ptr()),
                       abi.constant(abi.i64(), INT64_MAX)));
  else if (isa<MaxWorkersOp>(op))
    rewriter.replaceOp(op, abi.toIndex(LLVM::ZExtOp::create(
                               rewriter, op->getLoc(), abi.i64(),
                               abi.loadField(env, EnvOffset::MaxWorkers, abi.i32()))));
  else
    rewriter.replaceOpWithNewOp<LLVM::ReturnOp>(op, abi.constant(abi.i32(), 0));
  return success();
}

LogicalResult HostLowering::run() {
  if (auto order = module->getAttrOfType<ArrayAttr>(WeftDialect::kernelsAttrName))
    for (auto [i, name] : llvm::enumerate(order))
      kernels[cast<StringAttr>(name)] = static_cast<int64_t>(i);
  measureCalls();
  DictionaryAttr description = signature();
  if (failed(createEntry()))
    return failure();

  forgetMemorySpaces();
  auto launched = module->getAttrOfType<ArrayAttr>(WeftDialect::deviceKernelsAttrName);
  if (!onDevice.empty() && (!launched || launched.empty()))
    return entry.emitOpError("has buffers on a device, but no kernel runs there");
  SmallVector<Operation *> operations;
  entry.walk([&](Operation *op) {
    if (isa<DispatchOp, AssertOp, PollOp, OutputBufferOp, AllocOp, ReleaseOp, WeightBufferOp,
            TransferOp, ArenaOp, MaxWorkersOp, func::ReturnOp>(op))
      operations.push_back(op);
  });
  for (Operation *op : operations)
    if (failed(lower(op)))
      return failure();
  module->setAttr(WeftDialect::signatureAttrName, description);
  SmallVector<Attribute> table;
  for (auto &[weight, index] : weights)
    table.push_back(weight);
  module->setAttr(WeftDialect::weightsAttrName, rewriter.getArrayAttr(table));
  if (module->hasAttr(WeftDialect::deviceKernelsAttrName)) {
    module->setAttr(WeftDialect::transfersAttrName, rewriter.getArrayAttr(transfers));
    module->setAttr(WeftDialect::deviceWeightsAttrName,
                    rewriter.getDenseI64ArrayAttr(llvm::to_vector(deviceWeights)));
  }
  rewriter.eraseOp(function);
  return success();
}

/// `index f(symbols..., workers)` becomes `i64 f(symbols, workers)`.
void HostLowering::lowerWorkspace(func::FuncOp function) {
  IRRewriter rewriter(function.getContext());
  Location loc = function.getLoc();
  rewriter.setInsertionPoint(function);
  ABIBuilder abi{rewriter, loc};
  auto type = LLVM::LLVMFunctionType::get(abi.i64(), {abi.ptr(), abi.i64()});
  auto lowered = LLVM::LLVMFuncOp::create(rewriter, loc, function.getSymName(), type);
  lowered.setVisibility_(LLVM::Visibility::Hidden);
  Block *block = lowered.addEntryBlock(rewriter);
  rewriter.setInsertionPointToStart(block);
  SmallVector<Value> arguments;
  unsigned symbols = function.getNumArguments() - 1;
  for (unsigned i = 0; i < symbols; ++i)
    arguments.push_back(abi.toIndex(abi.loadElement(lowered.getArgument(0), i, abi.i64())));
  arguments.push_back(abi.toIndex(lowered.getArgument(1)));
  auto ret = cast<func::ReturnOp>(function.getBody().front().getTerminator());
  rewriter.inlineBlockBefore(&function.getBody().front(), block, block->end(), arguments);
  rewriter.setInsertionPoint(ret);
  rewriter.replaceOpWithNewOp<LLVM::ReturnOp>(ret, abi.fromIndex(ret.getOperand(0)));
  rewriter.eraseOp(function);
}

/// Gives each kernel that is a fallback a site with the nodes it computes and
/// the reason, in `weft.fallbacks`.
static void recordFallbacks(ModuleOp module, SiteTable &sites) {
  auto reasons = module->getAttrOfType<DictionaryAttr>(WeftDialect::fallbackReasonsAttrName);
  module->removeAttr(WeftDialect::fallbackReasonsAttrName);
  if (!reasons || reasons.empty())
    return;
  DenseMap<StringAttr, SmallVector<Location>> nodes;
  module.walk([&](DispatchOp op) {
    if (reasons.contains(op.getKernelAttr().getAttr()))
      nodes[op.getKernelAttr().getAttr()].push_back(op.getLoc());
  });
  Builder b(module.getContext());
  SmallVector<NamedAttribute> fallbacks;
  for (NamedAttribute entry : reasons) {
    Location loc = b.getFusedLoc(nodes[entry.getName()]);
    int64_t site = sites.add(loc, cast<StringAttr>(entry.getValue()).getValue());
    fallbacks.emplace_back(entry.getName(), b.getI64IntegerAttr(site));
  }
  module->setAttr(WeftDialect::fallbacksAttrName, b.getDictionaryAttr(fallbacks));
}

namespace {
struct LowerCPUHost : weft::impl::LowerCPUHostBase<LowerCPUHost> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SiteTable sites(&getContext());
    recordFallbacks(module, sites);
    for (auto function : llvm::to_vector(module.getOps<func::FuncOp>())) {
      if (function->hasAttr(WeftDialect::workspaceOfAttrName)) {
        HostLowering::lowerWorkspace(function);
        continue;
      }
      if (failed(HostLowering(module, function, sites).run()))
        return signalPassFailure();
    }
    module->setAttr(WeftDialect::sitesAttrName, sites.attribute());
  }
};
} // namespace
