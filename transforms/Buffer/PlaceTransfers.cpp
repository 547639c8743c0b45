//===- PlaceTransfers.cpp - Which buffers lie on the device ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/SourceNodes.h"
#include "dialects/Weft/IR/Weft.h"
#include "transforms/Buffer/DescribeSize.h"
#include "transforms/Buffer/DeviceWorkers.h"
#include "transforms/Buffer/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

namespace weft {
#define GEN_PASS_DEF_PLACETRANSFERS
#include "transforms/Buffer/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
/// Names of the same memory, as far as that is known.
class AliasClasses {
public:
  void join(Value a, Value b) {
    if (isa<MemRefType>(a.getType()) && isa<MemRefType>(b.getType()))
      parents[find(a)] = find(b);
  }
  Value find(Value value) {
    Value parent = parents.lookup(value);
    if (!parent || parent == value)
      return value;
    return parents[value] = find(parent);
  }

private:
  DenseMap<Value, Value> parents;
};

/// Places the buffers and transfers of one host function.
class TransferPlacer {
public:
  TransferPlacer(func::FuncOp function, const SymbolTable &symbols)
      : function(function), symbols(symbols), b(function.getContext()) {}
  LogicalResult run();

private:
  bool runsOnDevice(DispatchOp dispatch) const;
  void joinAliases(Operation *op);
  void findDeviceValues();
  void moveToDevice(Value value);
  void moveOutput(OutputBufferOp output);
  Value sizeOf(BlockArgument argument, int64_t dim);
  Value hostAlias(Value value);
  LogicalResult serveHost(Operation *op);
  void replaceCopy(memref::CopyOp copy);
  void replaceLoad(memref::LoadOp load);
  void replaceStore(memref::StoreOp store);
  void stage(Operation *op, StringRef reason);
  Value element(Location loc, Value memref, ValueRange indices);
  Value allocate(Location loc, Value like, bool onDevice);
  void transfer(Location loc, Value from, Value to, StringRef name, StringRef reason);

  func::FuncOp function;
  const SymbolTable &symbols;
  IRRewriter b;
  AliasClasses classes;
  DenseSet<Value> onDevice;      ///< the classes that are there
  DenseMap<Value, Value> copies; ///< of memory that nobody writes, where it is on the host
};
} // namespace

//===----------------------------------------------------------------------===//
// Which memory the device needs
//===----------------------------------------------------------------------===//

/// A kernel that touches no memory launches nothing.
static bool touchesMemory(KernelOp kernel) {
  return llvm::any_of(kernel.getBody().front().without_terminator(), [](Operation &op) {
    return op.getNumRegions() > 0 || !isMemoryEffectFree(&op);
  });
}

bool TransferPlacer::runsOnDevice(DispatchOp dispatch) const {
  auto kernel = symbols.lookup<KernelOp>(dispatch.getKernelAttr().getAttr());
  return kernel && !findHostOnly(kernel) && touchesMemory(kernel);
}

void TransferPlacer::joinAliases(Operation *op) {
  auto joinAll = [&](auto as, auto bs) {
    for (auto [x, y] : llvm::zip(as, bs))
      classes.join(x, y);
  };
  if (auto view = dyn_cast<ViewLikeOpInterface>(op)) {
    classes.join(op->getResult(0), view.getViewSource());
  } else if (auto select = dyn_cast<arith::SelectOp>(op)) {
    classes.join(select.getResult(), select.getTrueValue());
    classes.join(select.getResult(), select.getFalseValue());
  } else if (auto loop = dyn_cast<scf::ForOp>(op)) {
    joinAll(loop.getInitArgs(), loop.getRegionIterArgs());
    joinAll(loop.getYieldedValues(), loop.getRegionIterArgs());
    joinAll(loop.getResults(), loop.getRegionIterArgs());
  } else if (auto loop = dyn_cast<scf::WhileOp>(op)) {
    joinAll(loop.getInits(), loop.getBeforeArguments());
    joinAll(loop.getYieldOp().getOperands(), loop.getBeforeArguments());
    joinAll(loop.getConditionOp().getArgs(), loop.getAfterArguments());
    joinAll(loop.getResults(), loop.getAfterArguments());
  } else if (isa<scf::IfOp, scf::IndexSwitchOp, scf::ExecuteRegionOp>(op)) {
    for (Region &region : op->getRegions())
      for (Block &block : region)
        if (isa<scf::YieldOp>(block.getTerminator()))
          joinAll(op->getResults(), block.getTerminator()->getOperands());
  }
}

void TransferPlacer::findDeviceValues() {
  function.walk([&](Operation *op) { joinAliases(op); });
  function.walk([&](DispatchOp dispatch) {
    if (runsOnDevice(dispatch))
      for (Value operand : dispatch->getOperands())
        if (isa<MemRefType>(operand.getType()))
          onDevice.insert(classes.find(operand));
  });
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

/// The extent of an input: the symbol that it has the name of, if it has one, so that its
/// copy has a place in the workspace.
Value TransferPlacer::sizeOf(BlockArgument argument, int64_t dim) {
  auto dims =
      function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), WeftDialect::dimsAttrName);
  auto name = dims && !function.getArgAttr(argument.getArgNumber(), WeftDialect::packedAttrName) &&
                      dim < static_cast<int64_t>(dims.size())
                  ? dyn_cast<StringAttr>(dims[static_cast<size_t>(dim)])
                  : StringAttr();
  for (BlockArgument other : function.getArguments())
    if (name && function.getArgAttr(other.getArgNumber(), WeftDialect::symbolAttrName) == name)
      return other;
  return memref::DimOp::create(b, argument.getLoc(), argument, dim);
}

/// Memory of the same shape.
Value TransferPlacer::allocate(Location loc, Value like, bool there) {
  auto type = cast<MemRefType>(like.getType());
  auto contiguous = MemRefType::get(type.getShape(), type.getElementType());
  SmallVector<Value> sizes;
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (type.isDynamicDim(d)) {
      auto argument = dyn_cast<BlockArgument>(like);
      bool isInput = argument && argument.getOwner() == &function.getBody().front();
      sizes.push_back(isInput ? sizeOf(argument, d) : b.createOrFold<memref::DimOp>(loc, like, d));
    }
  return memref::AllocOp::create(b, loc, withDeviceMemory(contiguous, there), sizes);
}

/// Inputs and constants are copied; nobody writes them, so that the host keeps its own.
void TransferPlacer::moveToDevice(Value value) {
  Location loc = value.getLoc();
  Value copy;
  auto argument = dyn_cast<BlockArgument>(value);
  if (argument && argument.getOwner() == &function.getBody().front()) {
    b.setInsertionPointToStart(argument.getOwner());
    copy = allocate(loc, value, true);
    auto name =
        function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), WeftDialect::nameAttrName);
    transfer(loc, value, copy, name ? name.getValue() : "", "an input that device kernels read");
  } else if (auto weight = value.getDefiningOp<WeightBufferOp>()) {
    b.setInsertionPointAfter(weight);
    copy = WeightBufferOp::create(b, loc, withDeviceMemory(cast<MemRefType>(value.getType()), true),
                                  weight.getValueAttr());
  } else if (auto global = value.getDefiningOp<memref::GetGlobalOp>()) {
    b.setInsertionPointAfter(global);
    copy = allocate(loc, value, true);
    transfer(loc, value, copy, "", "a constant that device kernels read");
  } else {
    value.setType(withDeviceMemory(cast<MemRefType>(value.getType()), true));
    return;
  }
  copies[copy] = value;
  auto isTransfer = [&](OpOperand &use) { return !isa<TransferOp, memref::DimOp>(use.getOwner()); };
  b.replaceUsesWithIf(value, copy, isTransfer);
}

/// Kernels write to the device; the caller's buffer gets it at the end.
void TransferPlacer::moveOutput(OutputBufferOp output) {
  Location loc = output.getLoc();
  Value buffer = output.getBuffer();
  b.setInsertionPointAfter(output);
  auto type = cast<MemRefType>(buffer.getType());
  Value copy = output.getPacked() ? allocate(loc, buffer, true)
                                  : memref::AllocOp::create(b, loc, withDeviceMemory(type, true),
                                                            output.getSizes())
                                        .getResult();
  b.replaceUsesWithIf(buffer, copy,
                      [](OpOperand &use) { return !isa<memref::DimOp>(use.getOwner()); });
  StringRef name;
  if (auto results = function->getAttrOfType<ArrayAttr>(WeftDialect::resultsAttrName))
    if (auto index = static_cast<size_t>(output.getIndex()); index < results.size())
      if (auto text =
              cast<DictionaryAttr>(results[index]).getAs<StringAttr>(WeftDialect::nameAttrName))
        name = text.getValue();
  b.setInsertionPoint(function.getBody().front().getTerminator());
  transfer(loc, copy, buffer, name, "an output that device kernels compute");
}

//===----------------------------------------------------------------------===//
// Transfers
//===----------------------------------------------------------------------===//

/// How many of the last dimensions are one piece of memory on both sides.
static int64_t contiguousDims(MemRefType a, MemRefType c) {
  auto of = [](MemRefType type) {
    return type.getLayout().isIdentity() ? type.getRank() : type.getNumContiguousTrailingDims();
  };
  return std::min(of(a), of(c));
}

/// Copies at the insertion point, piece by piece where the memory is not contiguous.
void TransferPlacer::transfer(Location loc, Value from, Value to, StringRef name,
                              StringRef reason) {
  auto fromType = cast<MemRefType>(from.getType()), toType = cast<MemRefType>(to.getType());
  std::string bytes = describeBytes(function, isa<BlockArgument>(from) ? from : to);
  std::string value = name.empty() ? sourceNodesOf(loc).nodes : name.str();
  if (value.empty())
    value = "a value of the host function";
  int64_t loops = toType.getRank() - contiguousDims(fromType, toType);
  SmallVector<OpFoldResult> offsets(toType.getRank(), b.getIndexAttr(0)),
      strides(toType.getRank(), b.getIndexAttr(1)), sizes;
  for (int64_t d = 0; d < toType.getRank(); ++d)
    sizes.push_back(toType.isDynamicDim(d) ? OpFoldResult(b.createOrFold<memref::DimOp>(loc, to, d))
                                           : OpFoldResult(b.getIndexAttr(toType.getDimSize(d))));
  OpBuilder::InsertionGuard guard(b);
  Value zero, one;
  for (int64_t d = 0; d < loops; ++d) {
    if (getConstantIntValue(sizes[d]) == 1)
      continue;
    zero = zero ? zero : Value(arith::ConstantIndexOp::create(b, loc, 0));
    one = one ? one : Value(arith::ConstantIndexOp::create(b, loc, 1));
    auto loop =
        scf::ForOp::create(b, loc, zero, getValueOrCreateConstantIndexOp(b, loc, sizes[d]), one);
    b.setInsertionPointToStart(loop.getBody());
    offsets[d] = loop.getInductionVar();
    sizes[d] = b.getIndexAttr(1);
  }
  if (loops > 0) {
    from = memref::SubViewOp::create(b, loc, from, offsets, sizes, strides);
    to = memref::SubViewOp::create(b, loc, to, offsets, sizes, strides);
  }
  TransferOp::create(b, loc, from, to, value, bytes, reason);
}

/// The element of a buffer as a buffer of rank 0.
Value TransferPlacer::element(Location loc, Value memref, ValueRange indices) {
  auto type = cast<MemRefType>(memref.getType());
  if (type.getRank() == 0)
    return memref;
  SmallVector<OpFoldResult> offsets(indices.begin(), indices.end()),
      ones(indices.size(), b.getIndexAttr(1));
  auto view = memref::SubViewOp::inferRankReducedResultType({}, type, offsets, ones, ones);
  return memref::SubViewOp::create(b, loc, cast<MemRefType>(view), memref, offsets, ones, ones);
}

//===----------------------------------------------------------------------===//
// What the host does with buffers of the device
//===----------------------------------------------------------------------===//

/// A name that `value`, on the device, has on the host: of an input or a constant.
Value TransferPlacer::hostAlias(Value value) {
  if (Value original = copies.lookup(value))
    return original;
  auto view = value.getDefiningOp<ViewLikeOpInterface>();
  Value source = view ? hostAlias(view.getViewSource()) : Value();
  if (!source)
    return nullptr;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfter(view);
  IRMapping mapping;
  mapping.map(view.getViewSource(), source);
  Operation *copy = b.clone(*view, mapping);
  copy->getResult(0).setType(withDeviceMemory(cast<MemRefType>(value.getType()), false));
  return copy->getResult(0);
}

void TransferPlacer::replaceCopy(memref::CopyOp copy) {
  b.setInsertionPoint(copy);
  transfer(copy.getLoc(), copy.getSource(), copy.getTarget(), "",
           "a copy between buffers of the host function");
  b.eraseOp(copy);
}

void TransferPlacer::replaceLoad(memref::LoadOp load) {
  Location loc = load.getLoc();
  b.setInsertionPoint(load);
  auto type = MemRefType::get({}, load.getType());
  Value scalar = memref::AllocOp::create(b, loc, type);
  transfer(loc, element(loc, load.getMemRef(), load.getIndices()), scalar, "",
           "the host needs its value");
  b.replaceOpWithNewOp<memref::LoadOp>(load, scalar);
}

void TransferPlacer::replaceStore(memref::StoreOp store) {
  Location loc = store.getLoc();
  b.setInsertionPoint(store);
  auto type = MemRefType::get({}, store.getValue().getType());
  Value scalar = memref::AllocOp::create(b, loc, type);
  memref::StoreOp::create(b, loc, store.getValue(), scalar);
  transfer(loc, scalar, element(loc, store.getMemRef(), store.getIndices()), "",
           "the host computes it");
  b.eraseOp(store);
}

/// Lets `op` work on memory of the host, to which what it may read is copied before and
/// from which what it may write is copied after.
void TransferPlacer::stage(Operation *op, StringRef reason) {
  Location loc = op->getLoc();
  auto effects = dyn_cast<MemoryEffectOpInterface>(op);
  DenseMap<Value, Value> staged;
  for (OpOperand &operand : op->getOpOperands()) {
    Value there = operand.get();
    if (!isDeviceMemory(there.getType()))
      continue;
    SmallVector<MemoryEffects::EffectInstance> found;
    if (effects)
      effects.getEffectsOnValue(there, found);
    bool isWritten = found.empty() || llvm::any_of(found, [](auto &effect) {
                       return isa<MemoryEffects::Write>(effect.getEffect());
                     });
    Value &here = staged[there];
    if (!here) {
      here = isWritten ? Value() : hostAlias(there);
      if (!here) {
        b.setInsertionPoint(op);
        here = allocate(loc, there, false);
        transfer(loc, there, here, "", reason);
        if (isWritten) {
          b.setInsertionPointAfter(op);
          transfer(loc, here, there, "", reason);
        }
      }
    }
    b.modifyOpInPlace(op, [&] { operand.set(here); });
  }
}

LogicalResult TransferPlacer::serveHost(Operation *op) {
  if (isa<ViewLikeOpInterface, memref::DimOp, memref::ExtractStridedMetadataOp, TransferOp,
          memref::AllocOp, memref::DeallocOp, arith::SelectOp>(op) ||
      op->getNumRegions() > 0 || op->hasTrait<OpTrait::IsTerminator>() ||
      llvm::none_of(op->getOperandTypes(), isDeviceMemory))
    return success();
  if (auto dispatch = dyn_cast<DispatchOp>(op)) {
    if (runsOnDevice(dispatch))
      return success();
    stage(op, ("kernel '" + dispatch.getKernelAttr().getValue() + "' runs on the host").str());
  } else if (auto copy = dyn_cast<memref::CopyOp>(op)) {
    replaceCopy(copy);
  } else if (auto load = dyn_cast<memref::LoadOp>(op)) {
    if (Value here = hostAlias(load.getMemRef()))
      b.modifyOpInPlace(load, [&] { load.getMemrefMutable().set(here); });
    else
      replaceLoad(load);
  } else if (auto store = dyn_cast<memref::StoreOp>(op)) {
    replaceStore(store);
  } else {
    stage(op, "the host computes with it");
  }
  return success();
}

LogicalResult TransferPlacer::run() {
  findDeviceValues();
  SmallVector<Value> values;
  auto collect = [&](Value value) {
    if (isa<MemRefType>(value.getType()) && onDevice.contains(classes.find(value)))
      values.push_back(value);
  };
  function.walk<WalkOrder::PreOrder>([&](Operation *op) {
    for (Region &region : op->getRegions())
      for (Block &block : region)
        llvm::for_each(block.getArguments(), collect);
    llvm::for_each(op->getResults(), collect);
  });
  SmallVector<Operation *> ops;
  function.walk([&](Operation *op) { ops.push_back(op); });
  for (Value value : values) {
    if (auto output = value.getDefiningOp<OutputBufferOp>())
      moveOutput(output);
    else
      moveToDevice(value);
  }
  for (Operation *op : ops)
    if (failed(serveHost(op)))
      return failure();
  return success();
}

namespace {
struct PlaceTransfers : weft::impl::PlaceTransfersBase<PlaceTransfers> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (func::FuncOp function : getOperation().getOps<func::FuncOp>()) {
      if (function.isDeclaration() || function->hasAttr(WeftDialect::workspaceOfAttrName))
        continue;
      if (failed(TransferPlacer(function, symbols).run()))
        return signalPassFailure();
      function.walk([&](TransferOp) { ++numTransfers; });
    }
  }
};
} // namespace
