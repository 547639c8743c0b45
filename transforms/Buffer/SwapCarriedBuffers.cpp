//===- SwapCarriedBuffers.cpp - Exchanges buffers instead of copying ------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A *name* is a memref value that the body copies from or to as a whole: a slot,
// which is defined outside of the loop, or a spare, which the body allocates. Each
// name starts in its own buffer. After a copy whose source is dead, the target's
// name stands for the source's buffer and the other way round; all names hold what
// they held before at every point, so that only operands change.
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Buffer/Passes.h"

#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace weft {
#define GEN_PASS_DEF_SWAPCARRIEDBUFFERS
#include "transforms/Buffer/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
/// A copy of all of one buffer into another one of the same type.
struct Copy {
  Operation *op = nullptr;
  Value source, target;
};

/// What is known of a name.
struct Name {
  /// All values in which its memory is reached from here on.
  BufferViewFlowAnalysis::ValueSetT aliases;
  bool isSpare = false;
  /// Its own buffer has to hold the value after the loop.
  bool restore = false;
  /// The buffer that it stands for, by the name to which that belongs.
  Value holder;
};

/// Rewrites one loop.
class LoopSwapper {
public:
  LoopSwapper(LoopLikeOpInterface loop, Operation *function)
      : loop(loop), function(function), rewriter(loop.getContext()) {
    auto whileLoop = dyn_cast<scf::WhileOp>(loop.getOperation());
    body = whileLoop ? whileLoop.getAfterBody() : cast<scf::ForOp>(loop.getOperation()).getBody();
  }
  /// Returns how many copies are gone.
  unsigned run();

private:
  void addName(Value value);
  bool addSlot(Value value, Name &name);
  bool escapes(const Name &name);
  Operation *placeOf(Operation *user) { return body->findAncestorOpInBlock(*user); }
  bool hasStaleAlias(Value value, const Copy &copy);
  bool isDeadAfter(Value value, const Copy &copy);
  void follow();
  bool isCarried(Value value);
  bool dropUnrestorable();
  void hoist(Value spare, Value like);
  void rewrite();

  LoopLikeOpInterface loop;
  Operation *function;
  std::optional<BufferViewFlowAnalysis> analysis; // where there is a copy
  IRRewriter rewriter;
  Block *body;
  SmallVector<Copy> copies;
  llvm::MapVector<Value, Name> names;
  DenseSet<Value> refused;
  /// The copies that become exchanges, and the buffers of operands after them.
  SmallVector<Copy> swaps;
  SmallVector<std::pair<OpOperand *, Value>> renamed;
};

struct SwapCarriedBuffers : weft::impl::SwapCarriedBuffersBase<SwapCarriedBuffers> {
  void runOnOperation() override {
    Operation *function = getOperation();
    SmallVector<LoopLikeOpInterface> loops; // inner ones first
    function->walk([&](LoopLikeOpInterface loop) {
      if (isa<scf::ForOp, scf::WhileOp>(loop.getOperation()))
        loops.push_back(loop);
    });
    unsigned swaps = 0;
    for (LoopLikeOpInterface loop : loops)
      swaps += LoopSwapper(loop, function).run();
    numSwaps += swaps;
    auto name = function->getAttrOfType<StringAttr>(SymbolTable::getSymbolAttrName());
    if (swaps != 0)
      remark::passed(function->getLoc(), remark::RemarkOpts::name("swapped-buffers")
                                             .category("buffer")
                                             .function(name ? name.getValue() : StringRef()))
          << remark::metric("Copies", swaps);
  }
};
} // namespace

/// `op` as a copy of a whole buffer, if it is one.
static std::optional<Copy> asCopy(Operation &op) {
  Copy copy{&op, {}, {}};
  if (auto plain = dyn_cast<memref::CopyOp>(op)) {
    copy.source = plain.getSource();
    copy.target = plain.getTarget();
  } else if (auto named = dyn_cast<linalg::CopyOp>(op); named && named.hasPureBufferSemantics()) {
    copy.source = named.getInputs()[0];
    copy.target = named.getOutputs()[0];
  } else {
    return std::nullopt;
  }
  if (copy.source == copy.target || copy.source.getType() != copy.target.getType())
    return std::nullopt;
  return copy;
}

/// Whether the loop hands the memory on by itself, or a parallel loop uses it: that
/// becomes a function of its own, which finds memory only where it is always the same.
bool LoopSwapper::escapes(const Name &name) {
  for (Value alias : name.aliases)
    for (Operation *user : alias.getUsers()) {
      if (user == loop || (user->hasTrait<OpTrait::IsTerminator>() && user->getParentOp() == loop))
        return true;
      auto parallel = user->getParentOfType<scf::ForallOp>();
      if (isa<scf::ForallOp>(user) || (parallel && !parallel->isAncestor(loop)))
        return true;
    }
  return false;
}

/// Looks at all that reaches the memory of a slot. False if the loop does so by other
/// values than the slot and what it makes of it.
bool LoopSwapper::addSlot(Value value, Name &name) {
  Block *block = loop->getBlock();
  SetVector<Value> origins, all;
  for (Value origin : analysis->resolveReverse(value))
    origins.insert(origin);
  for (Value origin : origins) {
    auto aliases = analysis->resolve(origin);
    all.insert(aliases.begin(), aliases.end());
    // Whoever made it is to find the value there.
    Operation *def = origin.getDefiningOp();
    name.restore |= !def || def->getBlock() != block;
  }
  name.aliases.insert(all.begin(), all.end());
  for (Value alias : all) {
    Operation *holder =
        alias.getDefiningOp() ? alias.getDefiningOp() : alias.getParentBlock()->getParentOp();
    Operation *made = block->findAncestorOpInBlock(*holder);
    // What is made of the slot after the loop is made of the loop's result.
    if (made && (made == loop || loop->isBeforeInBlock(made)))
      continue;
    for (Operation *user : alias.getUsers()) {
      bool isInside = loop->isAncestor(user);
      if (isInside && alias != value)
        return false;
      if (isInside || alias == value)
        continue;
      Operation *place = block->findAncestorOpInBlock(*user);
      name.restore |= !place || loop->isBeforeInBlock(place);
    }
  }
  return true;
}

void LoopSwapper::addName(Value value) {
  if (names.contains(value) || refused.contains(value))
    return;
  Name name;
  name.holder = value;
  auto alloc = value.getDefiningOp<memref::AllocOp>();
  bool isUsable = false;
  if (alloc && alloc->getBlock() == body) {
    name.isSpare = true;
    name.aliases = analysis->resolve(value);
    isUsable = true;
  } else if (!loop->isAncestor(value.getParentBlock()->getParentOp())) {
    isUsable = addSlot(value, name);
  }
  if (!isUsable || escapes(name))
    refused.insert(value);
  else
    names.insert({value, std::move(name)});
}

/// Whether a view that was made before the copy is used after it: it would stay in
/// the buffer that the name had.
bool LoopSwapper::hasStaleAlias(Value value, const Copy &copy) {
  for (Value alias : names[value].aliases) {
    if (alias == value || !loop->isAncestor(alias.getParentBlock()->getParentOp()))
      continue;
    Operation *holder =
        alias.getDefiningOp() ? alias.getDefiningOp() : alias.getParentBlock()->getParentOp();
    Operation *made = placeOf(holder);
    if (made && copy.op->isBeforeInBlock(made))
      continue;
    for (Operation *user : alias.getUsers())
      if (Operation *used = placeOf(user); !used || copy.op->isBeforeInBlock(used))
        return true;
  }
  return false;
}

/// Whether nothing reads what the name holds after the copy.
bool LoopSwapper::isDeadAfter(Value value, const Copy &copy) {
  Operation *next = nullptr;
  for (Value alias : names[value].aliases)
    for (Operation *user : alias.getUsers()) {
      Operation *used = placeOf(user);
      if (used && copy.op->isBeforeInBlock(used) && (!next || used->isBeforeInBlock(next)))
        next = used;
    }
  if (!next)
    return names[value].isSpare;
  return llvm::any_of(copies, [&](const Copy &other) {
    return other.op == next && other.target == value &&
           !names[value].aliases.contains(other.source);
  });
}

/// Follows the body and finds the buffer of each name at each use.
void LoopSwapper::follow() {
  swaps.clear();
  renamed.clear();
  for (auto &[value, name] : names)
    name.holder = value;
  for (Operation &op : *body) {
    auto copy = llvm::find_if(copies, [&](const Copy &other) { return other.op == &op; });
    if (copy != copies.end() && names.contains(copy->source) && names.contains(copy->target) &&
        isDeadAfter(copy->source, *copy) && !hasStaleAlias(copy->source, *copy) &&
        !hasStaleAlias(copy->target, *copy)) {
      std::swap(names[copy->source].holder, names[copy->target].holder);
      swaps.push_back(*copy);
      continue;
    }
    op.walk([&](Operation *nested) {
      // Extents are the same in any of them, and known before the loop.
      if (isa<memref::DimOp>(nested))
        return;
      for (OpOperand &operand : nested->getOpOperands())
        if (auto it = names.find(operand.get()); it != names.end())
          renamed.push_back({&operand, it->second.holder});
    });
  }
}

/// Whether the next iteration finds the name, or another one that it needs, in another
/// buffer: it was exchanged with a slot, if through other spares.
bool LoopSwapper::isCarried(Value value) {
  bool hasSlot = !names[value].isSpare;
  for (Value at = names[value].holder; at != value; at = names[at].holder)
    hasSlot |= !names[at].isSpare;
  return hasSlot && names[value].holder != value;
}

/// Refuses a slot whose buffer has to be restored after the loop while another slot
/// may have its value there; true if there was one.
bool LoopSwapper::dropUnrestorable() {
  for (auto &[value, name] : names) {
    if (!name.restore || name.holder == value)
      continue;
    for (Value at = name.holder; at != value; at = names[at].holder)
      if (!names[at].isSpare) {
        refused.insert(value);
        names.erase(value);
        return true;
      }
  }
  return false;
}

/// Allocates a spare before the loop, as large as the slot `like`.
void LoopSwapper::hoist(Value spare, Value like) {
  auto alloc = cast<memref::AllocOp>(spare.getDefiningOp());
  rewriter.setInsertionPoint(loop);
  bool isKnown = llvm::all_of(alloc.getDynamicSizes(), [&](Value size) {
    return !loop->isAncestor(size.getParentBlock()->getParentOp());
  });
  if (!isKnown) {
    SmallVector<Value> sizes;
    if (auto slot = like.getDefiningOp<memref::AllocOp>())
      sizes.assign(slot.getDynamicSizes().begin(), slot.getDynamicSizes().end());
    else
      for (auto [i, extent] : llvm::enumerate(alloc.getType().getShape()))
        if (ShapedType::isDynamic(extent))
          sizes.push_back(memref::DimOp::create(rewriter, alloc.getLoc(), like, i));
    rewriter.modifyOpInPlace(alloc, [&] { alloc.getDynamicSizesMutable().assign(sizes); });
  }
  rewriter.moveOpBefore(alloc, loop);
}

void LoopSwapper::rewrite() {
  SmallVector<Value> carried;
  for (auto &[value, name] : names)
    if (isCarried(value))
      carried.push_back(value);
  for (Value value : carried)
    if (names[value].isSpare) {
      Value slot = names[value].holder;
      while (names[slot].isSpare)
        slot = names[slot].holder;
      hoist(value, slot);
    }

  // The same loop with more operands, arguments and results.
  rewriter.setInsertionPoint(loop);
  OperationState state(loop.getLoc(), loop->getName());
  state.addOperands(llvm::to_vector(loop->getOperands()));
  state.addOperands(carried);
  state.addTypes(llvm::to_vector(loop->getResultTypes()));
  state.addTypes(ValueRange(carried).getTypes());
  state.attributes = loop->getAttrDictionary();
  for (Region &region : loop->getRegions())
    state.addRegion()->takeBody(region);
  Operation *fresh = rewriter.create(state);
  unsigned count = loop->getNumResults();
  for (unsigned i = 0; i < count; ++i)
    rewriter.replaceAllUsesWith(loop->getResult(i), fresh->getResult(i));

  DenseMap<Value, Value> buffers;
  for (Region &region : fresh->getRegions()) {
    Block *block = &region.front();
    SmallVector<Value> arguments;
    for (Value value : carried)
      arguments.push_back(block->addArgument(value.getType(), value.getLoc()));
    if (block != body) {
      for (auto [value, argument] : llvm::zip(carried, arguments))
        value.replaceUsesWithIf(argument, [&](OpOperand &use) {
          return region.isAncestor(use.getOwner()->getParentRegion());
        });
      block->getTerminator()->insertOperands(block->getTerminator()->getNumOperands(), arguments);
      continue;
    }
    for (auto [value, argument] : llvm::zip(carried, arguments))
      buffers[value] = argument;
  }
  auto bufferOf = [&](Value holder) {
    auto it = buffers.find(holder);
    return it == buffers.end() ? holder : it->second;
  };
  for (auto [operand, holder] : renamed)
    operand->set(bufferOf(holder));
  SmallVector<Value> yielded;
  for (Value value : carried)
    yielded.push_back(bufferOf(names[value].holder));
  Operation *yield = body->getTerminator();
  yield->insertOperands(yield->getNumOperands(), yielded);
  for (const Copy &copy : swaps)
    rewriter.eraseOp(copy.op);

  rewriter.setInsertionPointAfter(fresh);
  Block *block = fresh->getBlock();
  for (auto [i, value] : llvm::enumerate(carried)) {
    Value result = fresh->getResult(count + static_cast<unsigned>(i));
    if (names[value].isSpare)
      continue;
    if (names[value].restore) {
      memref::CopyOp::create(rewriter, fresh->getLoc(), result, value);
      continue;
    }
    value.replaceUsesWithIf(result, [&](OpOperand &use) {
      Operation *place = block->findAncestorOpInBlock(*use.getOwner());
      return place && fresh->isBeforeInBlock(place);
    });
  }
  rewriter.eraseOp(loop);
}

unsigned LoopSwapper::run() {
  for (Operation &op : body->without_terminator())
    if (std::optional<Copy> copy = asCopy(op))
      copies.push_back(*copy);
  if (copies.empty())
    return 0;
  analysis.emplace(function);
  for (const Copy &copy : copies) {
    addName(copy.source);
    addName(copy.target);
  }
  do
    follow();
  while (dropUnrestorable());
  if (swaps.empty())
    return 0;
  rewrite();
  return static_cast<unsigned>(swaps.size());
}
