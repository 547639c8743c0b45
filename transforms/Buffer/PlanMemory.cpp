//===- PlanMemory.cpp - Places the host's buffers in one workspace --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Buffer/Passes.h"
#include "transforms/Buffer/PlaceBuffers.h"
#include "transforms/Buffer/SizeSlice.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"

#include <map>

namespace weft {
#define GEN_PASS_DEF_PLANMEMORY
#include "transforms/Buffer/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// What symbols count as when sizes are compared. The plan is reported for the first.
static constexpr int64_t kAssumedExtents[] = {64, 1, 512};

/// How many workers there are when sizes are compared.
static constexpr int64_t kAssumedWorkers = 4;

namespace {
/// A buffer of class (a).
struct Buffer {
  memref::AllocOp alloc;
  Lifetime life;
  /// Its size and offset in the arena: numbers, or values at the function's start.
  OpFoldResult size, offset;
};

/// Plans the arena of one function, on the host or on the device.
class Planner {
public:
  Planner(func::FuncOp function, bool onDevice)
      : function(function), onDevice(onDevice), entry(function.getBody().front()),
        rewriter(function.getContext()) {}
  void run();

private:
  void collect();
  bool isSymbol(Value value) const;
  int64_t assumedBytes(memref::AllocOp alloc, int64_t extent);
  void report(const Placement &placement, ArrayRef<SmallVector<int64_t>> assumed);
  OpFoldResult add(OpFoldResult x, OpFoldResult y);
  OpFoldResult max(OpFoldResult x, OpFoldResult y);
  Value asValue(OpFoldResult x) {
    return getValueOrCreateConstantIndexOp(rewriter, function.getLoc(), x);
  }
  void computeSizes();
  OpFoldResult computeOffsets(const Placement &placement);
  void createWorkspaceFunction(Value total);

  func::FuncOp function;
  const bool onDevice;
  Block &entry;
  IRRewriter rewriter;
  std::vector<Buffer> buffers;
  size_t symbolic = 0;
  SmallVector<memref::AllocOp> unbounded;
};
} // namespace

/// Whether any of a function's buffers is on the device.
static bool usesDevice(func::FuncOp function) {
  return function
      .walk([](DispatchOp dispatch) {
        return llvm::any_of(dispatch->getOperandTypes(), isDeviceMemory) ? WalkResult::interrupt()
                                                                         : WalkResult::advance();
      })
      .wasInterrupted();
}

/// The static size of a buffer, rounded up to whole cache lines, or nothing.
static std::optional<int64_t> staticBytes(MemRefType type) {
  std::optional<int64_t> bytes = staticFactor(type);
  if (!type.hasStaticShape() || !bytes)
    return std::nullopt;
  return static_cast<int64_t>(llvm::alignTo(static_cast<uint64_t>(*bytes), kAlignment));
}

bool Planner::isSymbol(Value value) const {
  auto argument = dyn_cast<BlockArgument>(value);
  return (argument && argument.getOwner() == &entry && argument.getType().isIndex()) ||
         value.getDefiningOp<MaxWorkersOp>();
}

/// Finds the buffers of class (a), and those of class (c).
void Planner::collect() {
  LifetimeAnalysis lifetimes(function);
  function.walk([&](memref::AllocOp alloc) {
    if (isDeviceMemory(alloc.getType()) != onDevice)
      return;
    Lifetime life = lifetimes.of(alloc.getResult());
    bool sized = llvm::all_of(alloc.getDynamicSizes(), [&](Value size) {
      return isFunctionOf(size, [&](Value root) { return isSymbol(root); });
    });
    if (life.isCarried || !sized || !staticFactor(alloc.getType()))
      unbounded.push_back(alloc);
    else
      buffers.push_back({alloc, life, {}, {}});
  });
}

/// The size of a buffer where symbols are `extent`, or as near to it as their
/// ranges allow.
int64_t Planner::assumedBytes(memref::AllocOp alloc, int64_t extent) {
  auto assume = [&](Value value) -> std::optional<int64_t> {
    if (value.getDefiningOp<MaxWorkersOp>())
      return kAssumedWorkers;
    auto argument = dyn_cast<BlockArgument>(value);
    if (!argument || argument.getOwner() != &entry)
      return std::nullopt;
    auto range = function.getArgAttrOfType<DenseI64ArrayAttr>(argument.getArgNumber(),
                                                              WeftDialect::symbolRangeAttrName);
    if (!range || range.size() != 2)
      return extent;
    return std::min(std::max(extent, range[0]), range[1]);
  };
  int64_t bytes = *staticFactor(alloc.getType());
  for (Value size : alloc.getDynamicSizes())
    bytes = multiplyBytes(bytes, std::max<int64_t>(evaluateWith(size, assume, extent), 0));
  return static_cast<int64_t>(llvm::alignTo(static_cast<uint64_t>(bytes), kAlignment));
}

void Planner::report(const Placement &placement, ArrayRef<SmallVector<int64_t>> assumed) {
  SmallVector<Lifetime> lives;
  for (const Buffer &buffer : buffers)
    lives.push_back(buffer.life);
  SmallVector<int64_t> offsets;
  int64_t bytes = placement.place(assumed.front(), offsets);
  int64_t bound = mostBytesAlive(lives, assumed.front());
  function->setAttr(onDevice ? WeftDialect::deviceArenaBytesAttrName
                             : WeftDialect::arenaBytesAttrName,
                    rewriter.getI64IntegerAttr(bytes));
  if (!onDevice)
    function->setAttr(WeftDialect::arenaLowerBoundAttrName, rewriter.getI64IntegerAttr(bound));
  if (symbolic != 0)
    function->setAttr(WeftDialect::arenaAssumedExtentAttrName,
                      rewriter.getI64IntegerAttr(kAssumedExtents[0]));
  remark::analysis(function.getLoc(), remark::RemarkOpts::name(onDevice ? "device-arena" : "arena")
                                          .category("buffer")
                                          .function(function.getSymName()))
      << remark::metric("Bytes", bytes) << remark::metric("LowerBound", bound)
      << remark::metric("Symbolic", symbolic) << remark::metric("Unbounded", unbounded.size());
}

OpFoldResult Planner::add(OpFoldResult x, OpFoldResult y) {
  auto a = getConstantIntValue(x), b = getConstantIntValue(y);
  if (a && b)
    return rewriter.getIndexAttr(*a + *b);
  if (a == 0)
    return y;
  return addSizes(rewriter, function.getLoc(), asValue(x), asValue(y));
}

OpFoldResult Planner::max(OpFoldResult x, OpFoldResult y) {
  auto a = getConstantIntValue(x), b = getConstantIntValue(y);
  if (a && b)
    return rewriter.getIndexAttr(std::max(*a, *b));
  if (x == y || b == 0)
    return x;
  if (a == 0)
    return y;
  return arith::MaxUIOp::create(rewriter, function.getLoc(), asValue(x), asValue(y)).getResult();
}

/// Computes the sizes at the insertion point; equal ones are one value.
void Planner::computeSizes() {
  Location loc = function.getLoc();
  IRMapping mapping;
  for (BlockArgument argument : entry.getArguments())
    mapping.map(argument, argument);
  std::map<SmallVector<const void *>, Value> known;
  for (Buffer &buffer : buffers) {
    MemRefType type = buffer.alloc.getType();
    if (std::optional<int64_t> bytes = staticBytes(type)) {
      buffer.size = rewriter.getIndexAttr(*bytes);
      continue;
    }
    int64_t factor = *staticFactor(type);
    SmallVector<Value> extents;
    SmallVector<const void *> key{rewriter.getIndexAttr(factor).getAsOpaquePointer()};
    for (Value extent : buffer.alloc.getDynamicSizes()) {
      extents.push_back(cloneFunctionOf(rewriter, extent, mapping));
      key.push_back(extents.back().getAsOpaquePointer());
    }
    Value &size = known[key];
    if (!size) {
      size = arith::ConstantIndexOp::create(rewriter, loc, factor);
      for (Value extent : extents)
        size = multiplySizes(rewriter, loc, size, extent);
      Value rest = arith::ConstantIndexOp::create(rewriter, loc, kAlignment - 1);
      Value mask = arith::ConstantIndexOp::create(rewriter, loc, -kAlignment);
      size = arith::AddIOp::create(rewriter, loc, size, rest);
      size = arith::AndIOp::create(rewriter, loc, size, mask);
    }
    buffer.size = size;
  }
}

/// Computes the offsets at the insertion point and returns the arena's size.
OpFoldResult Planner::computeOffsets(const Placement &placement) {
  SmallVector<OpFoldResult> ends(buffers.size());
  SmallVector<bool> isTop(buffers.size(), true);
  for (unsigned i : placement.order) {
    OpFoldResult offset = rewriter.getIndexAttr(0);
    for (unsigned lower : placement.below[i]) {
      offset = max(offset, ends[lower]);
      isTop[lower] = false;
    }
    buffers[i].offset = offset;
    ends[i] = add(offset, buffers[i].size);
  }
  OpFoldResult total = rewriter.getIndexAttr(0);
  for (unsigned i : placement.order)
    if (isTop[i])
      total = max(total, ends[i]);
  return total;
}

/// The size of the arena as a function of the symbols and of the workers: what the
/// function computes before the insertion point, once more.
void Planner::createWorkspaceFunction(Value total) {
  Location loc = function.getLoc();
  SmallVector<BlockArgument> symbols;
  llvm::copy_if(entry.getArguments(), std::back_inserter(symbols),
                [](BlockArgument argument) { return argument.getType().isIndex(); });
  SmallVector<Type> types(symbols.size() + 1, rewriter.getIndexType());
  auto computed = llvm::make_range(entry.begin(), rewriter.getInsertionPoint());
  rewriter.setInsertionPointAfter(function);
  StringRef suffix = onDevice ? ".device_workspace" : ".workspace";
  auto workspace = func::FuncOp::create(rewriter, loc, (function.getSymName() + suffix).str(),
                                        rewriter.getFunctionType(types, rewriter.getIndexType()));
  workspace.setPrivate();
  workspace->setAttr(WeftDialect::workspaceOfAttrName, FlatSymbolRefAttr::get(function));
  Block *block = workspace.addEntryBlock();
  rewriter.setInsertionPointToStart(block);
  IRMapping mapping;
  for (auto [symbol, argument] : llvm::zip(symbols, block->getArguments()))
    mapping.map(symbol, argument);
  for (Operation &op : computed) {
    if (isa<MaxWorkersOp>(op))
      mapping.map(op.getResult(0), block->getArguments().back());
    else if (!isa<ArenaOp>(op))
      rewriter.clone(op, mapping);
  }
  func::ReturnOp::create(rewriter, loc, mapping.lookup(total));
}

void Planner::run() {
  function.walk([&](memref::DeallocOp op) { rewriter.eraseOp(op); });
  collect();
  for (memref::AllocOp alloc : unbounded) {
    rewriter.setInsertionPoint(alloc);
    rewriter.replaceOpWithNewOp<AllocOp>(alloc, alloc.getType(), alloc.getDynamicSizes());
  }

  SmallVector<Lifetime> lives;
  for (Buffer &buffer : buffers) {
    lives.push_back(buffer.life);
    symbolic += buffer.alloc.getType().hasStaticShape() ? 0 : 1;
  }
  SmallVector<SmallVector<int64_t>> assumed;
  for (int64_t extent : ArrayRef(kAssumedExtents).take_front(symbolic ? 3 : 1)) {
    SmallVector<int64_t> &bytes = assumed.emplace_back();
    for (Buffer &buffer : buffers)
      bytes.push_back(assumedBytes(buffer.alloc, extent));
  }
  Placement placement = placeBuffers(lives, assumed);
  report(placement, assumed);

  Location loc = function.getLoc();
  rewriter.setInsertionPointToStart(&entry);
  Value arena;
  if (!buffers.empty())
    arena = ArenaOp::create(
        rewriter, loc,
        withDeviceMemory(MemRefType::get({ShapedType::kDynamic}, rewriter.getI8Type()), onDevice));
  computeSizes();
  createWorkspaceFunction(asValue(computeOffsets(placement)));
  for (Buffer &buffer : buffers) {
    memref::AllocOp alloc = buffer.alloc;
    rewriter.setInsertionPoint(alloc);
    rewriter.replaceOpWithNewOp<memref::ViewOp>(alloc, alloc.getType(), arena,
                                                asValue(buffer.offset), alloc.getDynamicSizes());
  }
}

namespace {
struct PlanMemory : weft::impl::PlanMemoryBase<PlanMemory> {
  void runOnOperation() override {
    for (func::FuncOp function : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if (!function.isDeclaration() && !function->hasAttr(WeftDialect::workspaceOfAttrName)) {
        Planner(function, false).run();
        if (usesDevice(function))
          Planner(function, true).run();
      }
  }
};
} // namespace
