//===- PlanMemory.cpp - Places the host's buffers in one workspace --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Buffer/Passes.h"
#include "transforms/Buffer/SizeSlice.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/LoopLikeInterface.h"

namespace weft {
#define GEN_PASS_DEF_PLANMEMORY
#include "transforms/Buffer/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
/// A buffer and the operations of the entry block between which it is alive.
struct Buffer {
  memref::AllocOp alloc;
  int64_t start = 0, end = 0;
  int64_t bytes = -1; ///< static size, or -1
  int64_t offset = 0; ///< static offset
  Value size;         ///< symbolic size, in the entry block
  size_t slot = 0;
};

struct Slot {
  int64_t end;
  Value size;
};

struct PlanMemory : weft::impl::PlanMemoryBase<PlanMemory> {
  void runOnOperation() override {
    for (func::FuncOp function : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if (!function.isDeclaration() && !function->hasAttr("weft.workspace_of"))
        plan(function);
  }
  void plan(func::FuncOp function);
};
} // namespace

/// The static size of a buffer, rounded up to whole cache lines, or -1.
static int64_t staticBytes(MemRefType type) {
  std::optional<int64_t> bytes = staticFactor(type);
  if (!type.hasStaticShape() || !bytes)
    return -1;
  return static_cast<int64_t>(llvm::alignTo(static_cast<uint64_t>(*bytes), kAlignment));
}

/// Places static buffers; returns the bytes needed.
static int64_t placeStatic(SmallVectorImpl<Buffer *> &buffers) {
  llvm::stable_sort(buffers, [](Buffer *a, Buffer *b) { return a->bytes > b->bytes; });
  SmallVector<Buffer *> placed; // by offset
  int64_t total = 0;
  for (Buffer *buffer : buffers) {
    int64_t offset = 0;
    for (Buffer *other : placed) {
      if (other->end < buffer->start || buffer->end < other->start)
        continue;
      if (other->offset - offset >= buffer->bytes)
        break;
      offset = std::max(offset, other->offset + other->bytes);
    }
    buffer->offset = offset;
    total = std::max(total, offset + buffer->bytes);
    placed.insert(llvm::upper_bound(placed, buffer,
                                    [](Buffer *a, Buffer *b) { return a->offset < b->offset; }),
                  buffer);
  }
  return total;
}

/// The most bytes that are alive at once.
static int64_t lowerBound(ArrayRef<Buffer *> buffers) {
  std::map<int64_t, int64_t> change;
  for (Buffer *buffer : buffers) {
    change[buffer->start] += buffer->bytes;
    change[buffer->end + 1] -= buffer->bytes;
  }
  int64_t alive = 0, most = 0;
  for (auto [at, bytes] : change)
    most = std::max(most, alive += bytes);
  return most;
}

void PlanMemory::plan(func::FuncOp function) {
  Block &entry = function.getBody().front();
  IRRewriter rewriter(&getContext());
  function.walk([&](memref::DeallocOp op) { rewriter.eraseOp(op); });

  BufferViewFlowAnalysis aliases(function);
  DenseMap<Operation *, int64_t> order;
  for (auto [i, op] : llvm::enumerate(entry))
    order[&op] = static_cast<int64_t>(i);
  auto isSymbol = [&](Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return (argument && argument.getOwner() == &entry && argument.getType().isIndex()) ||
           value.getDefiningOp<MaxWorkersOp>();
  };

  std::vector<Buffer> buffers;
  SmallVector<memref::AllocOp> unbounded;
  function.walk([&](memref::AllocOp alloc) {
    Buffer buffer{alloc};
    Operation *top = entry.findAncestorOpInBlock(*alloc);
    buffer.start = buffer.end = order[top];
    bool escapesLoop = false;
    for (Value alias : aliases.resolve(alloc.getResult())) {
      if (Operation *def = alias.getDefiningOp())
        if (Operation *at = entry.findAncestorOpInBlock(*def))
          buffer.end = std::max(buffer.end, order[at]);
      for (Operation *user : alias.getUsers()) {
        buffer.end = std::max(buffer.end, order[entry.findAncestorOpInBlock(*user)]);
        // Carried to the next iteration while this one's successor allocates.
        if (user->hasTrait<OpTrait::IsTerminator>() && isa<LoopLikeOpInterface>(user->getParentOp()) &&
            user->getParentOp()->isProperAncestor(alloc))
          escapesLoop = true;
      }
    }
    bool sized = llvm::all_of(alloc.getDynamicSizes(),
                              [&](Value size) { return isFunctionOf(size, isSymbol); });
    buffer.bytes = staticBytes(alloc.getType());
    if (escapesLoop || !sized || !staticFactor(alloc.getType()) ||
        (alloc.getType().hasStaticShape() && buffer.bytes < 0))
      unbounded.push_back(alloc);
    else
      buffers.push_back(buffer);
  });

  for (memref::AllocOp alloc : unbounded) {
    rewriter.setInsertionPoint(alloc);
    rewriter.replaceOpWithNewOp<AllocOp>(alloc, alloc.getType(), alloc.getDynamicSizes());
  }

  SmallVector<Buffer *> fixed, symbolic;
  for (Buffer &buffer : buffers)
    (buffer.bytes >= 0 ? fixed : symbolic).push_back(&buffer);
  int64_t bound = lowerBound(fixed);
  int64_t staticTotal = placeStatic(fixed);
  function->setAttr("weft.arena_bytes", rewriter.getI64IntegerAttr(staticTotal));
  function->setAttr("weft.arena_lower_bound", rewriter.getI64IntegerAttr(bound));
  remark::analysis(function.getLoc(),
                   remark::RemarkOpts::name("arena").category("buffer").function(function.getSymName()))
      << remark::metric("Bytes", staticTotal) << remark::metric("LowerBound", bound)
      << remark::metric("Symbolic", symbolic.size()) << remark::metric("Unbounded", unbounded.size());

  // Sizes and slots of symbolic buffers, as values at the function's start.
  Location loc = function.getLoc();
  rewriter.setInsertionPointToStart(&entry);
  Value arena;
  if (!buffers.empty())
    arena = ArenaOp::create(rewriter, loc,
                            MemRefType::get({ShapedType::kDynamic}, rewriter.getI8Type()));
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(rewriter, loc, value);
  };
  IRMapping mapping;
  for (BlockArgument argument : entry.getArguments())
    mapping.map(argument, argument);
  SmallVector<Slot> slots;
  for (Buffer *buffer : symbolic) {
    MemRefType type = buffer->alloc.getType();
    Value size = constant(*staticFactor(type));
    for (Value extent : buffer->alloc.getDynamicSizes())
      size = multiplySizes(rewriter, loc, size, cloneFunctionOf(rewriter, extent, mapping));
    size = arith::AddIOp::create(rewriter, loc, size, constant(kAlignment - 1));
    size = arith::AndIOp::create(rewriter, loc, size, constant(-kAlignment));
    buffer->size = size;
    Slot *best = nullptr;
    for (Slot &slot : slots)
      if (slot.end < buffer->start) {
        best = &slot;
        break;
      }
    if (!best) {
      slots.push_back({buffer->end, size});
      buffer->slot = slots.size() - 1;
    } else {
      best->end = buffer->end;
      best->size = arith::MaxSIOp::create(rewriter, loc, best->size, size);
      buffer->slot = static_cast<size_t>(best - slots.data());
    }
  }
  SmallVector<Value> slotOffsets;
  Value end = constant(staticTotal);
  for (Slot &slot : slots) {
    slotOffsets.push_back(end);
    end = addSizes(rewriter, loc, end, slot.size);
  }

  for (Buffer &buffer : buffers) {
    memref::AllocOp alloc = buffer.alloc;
    rewriter.setInsertionPoint(alloc);
    Value offset = buffer.bytes >= 0
                       ? Value(arith::ConstantIndexOp::create(rewriter, loc, buffer.offset))
                       : slotOffsets[buffer.slot];
    rewriter.replaceOpWithNewOp<memref::ViewOp>(alloc, alloc.getType(), arena, offset,
                                                alloc.getDynamicSizes());
  }

  // The size of the arena as a function of the symbols and of the workers.
  SmallVector<Type> types;
  for (BlockArgument argument : entry.getArguments())
    if (argument.getType().isIndex())
      types.push_back(argument.getType());
  types.push_back(rewriter.getIndexType());
  rewriter.setInsertionPointAfter(function);
  auto workspace = func::FuncOp::create(
      rewriter, loc, (function.getSymName() + ".workspace").str(),
      rewriter.getFunctionType(types, rewriter.getIndexType()));
  workspace.setPrivate();
  workspace->setAttr("weft.workspace_of", FlatSymbolRefAttr::get(function));
  Block *block = workspace.addEntryBlock();
  rewriter.setInsertionPointToStart(block);
  IRMapping arguments;
  unsigned next = 0;
  for (BlockArgument argument : entry.getArguments())
    if (argument.getType().isIndex())
      arguments.map(argument, block->getArgument(next++));
  function.walk([&](MaxWorkersOp op) { arguments.map(op.getResult(), block->getArguments().back()); });
  Value total = cloneFunctionOf(rewriter, end, arguments);
  func::ReturnOp::create(rewriter, loc, total);
}
