//===- ReleaseMemory.cpp - Gives back memory that is dead -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Buffer/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

namespace weft {
#define GEN_PASS_DEF_RELEASEMEMORY
#include "transforms/Buffer/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// The operation in `block` that is or holds `op`, or null.
static Operation *ancestorIn(Block *block, Operation *op) {
  return op ? block->findAncestorOpInBlock(*op) : nullptr;
}

/// Whether a value is what its operands, or the ends of its regions, are: memory at
/// the same address.
static bool keepsAddress(Value value) {
  Operation *def = value.getDefiningOp();
  return !def ||
         isa<RegionBranchOpInterface, memref::CastOp, memref::SubViewOp, memref::ReinterpretCastOp,
             memref::ExpandShapeOp, memref::CollapseShapeOp, arith::SelectOp>(def);
}

namespace {
/// Finds out what can be released in one function.
class Releaser {
public:
  explicit Releaser(func::FuncOp function)
      : function(function), aliases(function), rewriter(function.getContext()) {}
  void run();

private:
  void releaseAfterLastUse(AllocOp alloc);
  void releaseAtEndOf(LoopLikeOpInterface loop, Block *body);
  bool isOwned(Value value, Operation *scope, SetVector<Value> &foreign);

  func::FuncOp function;
  BufferViewFlowAnalysis aliases;
  IRRewriter rewriter;
  DenseSet<Value> released;
};

struct ReleaseMemory : weft::impl::ReleaseMemoryBase<ReleaseMemory> {
  void runOnOperation() override {
    for (func::FuncOp function : getOperation().getOps<func::FuncOp>())
      if (!function.isDeclaration())
        Releaser(function).run();
  }
};
} // namespace

/// Releases what stays in its block, with what changes places with it there,
/// unless it can leave the block, or be memory of others.
void Releaser::releaseAfterLastUse(AllocOp alloc) {
  Block *block = alloc->getBlock();
  SetVector<Value> together;
  together.insert(alloc.getBuffer());
  BufferViewFlowAnalysis::ValueSetT all;
  for (size_t i = 0; i < together.size(); ++i)
    for (Value alias : aliases.resolve(together[i])) {
      all.insert(alias);
      for (Value origin : aliases.resolveReverse(alias))
        if (auto other = origin.getDefiningOp<AllocOp>())
          together.insert(other.getBuffer());
    }
  Operation *last = alloc;
  for (Value buffer : together) {
    if (buffer.getParentBlock() != block || released.contains(buffer))
      return;
    if (last->isBeforeInBlock(buffer.getDefiningOp()))
      last = buffer.getDefiningOp();
  }
  for (Value alias : all) {
    for (Value origin : aliases.resolveReverse(alias))
      if (!all.contains(origin))
        return;
    for (Operation *user : alias.getUsers()) {
      Operation *ancestor = ancestorIn(block, user);
      if (!ancestor || ancestor == block->getTerminator())
        return;
      if (last->isBeforeInBlock(ancestor))
        last = ancestor;
    }
  }
  rewriter.setInsertionPointAfter(last);
  ReleaseOp::create(rewriter, alloc.getLoc(), together.getArrayRef(), ValueRange());
  released.insert_range(together);
}

/// Whether `value` is memory that was allocated in `scope`, a loop or an operation in
/// it, or one of the values from outside of it that are added to `foreign`.
bool Releaser::isOwned(Value value, Operation *scope, SetVector<Value> &foreign) {
  bool isAllocated = false;
  SetVector<Value> entering;
  entering.insert_range(scope->getOperands());
  getUsedValuesDefinedAbove(scope->getRegions(), entering);
  for (Value origin : aliases.resolveReverse(value)) {
    Operation *holder = origin.getParentBlock()->getParentOp();
    if (!scope->isAncestor(holder) && origin.getDefiningOp() != scope) {
      if (entering.contains(origin))
        foreign.insert(origin);
      continue;
    }
    if (isa_and_nonnull<AllocOp>(origin.getDefiningOp()) && !released.contains(origin))
      isAllocated = true;
    else if (!keepsAddress(origin))
      return false;
  }
  return isAllocated;
}

/// Releases, at the end of an iteration or of the part of it before the loop's
/// condition, what was allocated in `body` or came in, and is not handed on.
void Releaser::releaseAtEndOf(LoopLikeOpInterface loop, Block *body) {
  SetVector<Value> candidates, kept, foreign;
  auto consider = [&](Value value, Operation *scope) {
    SetVector<Value> outside;
    if (!isa<MemRefType>(value.getType()) || !isOwned(value, scope, outside))
      return;
    candidates.insert(value);
    foreign.insert_range(outside);
  };
  for (BlockArgument argument : body->getArguments())
    consider(argument, loop);
  for (Operation &op : body->without_terminator()) {
    if (auto alloc = dyn_cast<AllocOp>(op); alloc && !released.contains(alloc.getBuffer()))
      candidates.insert(alloc.getBuffer());
    if (isa<RegionBranchOpInterface>(op))
      for (Value result : op.getResults())
        consider(result, &op);
  }
  if (candidates.empty())
    return;
  for (Value value : body->getTerminator()->getOperands())
    if (isa<MemRefType>(value.getType()))
      kept.insert(value);
  for (Value value : foreign)
    if (isa<MemRefType>(value.getType()) && !candidates.contains(value))
      kept.insert(value);
  // What is handed on as it is needs no test.
  candidates.remove_if([&](Value value) { return kept.contains(value); });
  if (candidates.empty())
    return;
  rewriter.setInsertionPoint(body->getTerminator());
  ReleaseOp::create(rewriter, loop.getLoc(), candidates.getArrayRef(), kept.getArrayRef());
}

void Releaser::run() {
  SmallVector<AllocOp> allocs;
  function.walk([&](AllocOp op) { allocs.push_back(op); });
  for (AllocOp alloc : allocs)
    if (!released.contains(alloc.getBuffer()))
      releaseAfterLastUse(alloc);
  function.walk([&](scf::ForOp loop) { releaseAtEndOf(loop, loop.getBody()); });
  function.walk([&](scf::WhileOp loop) {
    releaseAtEndOf(loop, loop.getBeforeBody());
    releaseAtEndOf(loop, loop.getAfterBody());
  });
}
