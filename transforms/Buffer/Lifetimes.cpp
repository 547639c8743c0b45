//===- Lifetimes.cpp - When the host's buffers are alive ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Buffer/Lifetimes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace weft;

bool Lifetime::excludes(const Lifetime &other) const {
  // Up to the first difference the branches are in each other.
  for (auto [mine, theirs] : llvm::zip(branches, other.branches))
    if (mine != theirs)
      return mine->getParentOp() == theirs->getParentOp();
  return false;
}

LifetimeAnalysis::LifetimeAnalysis(func::FuncOp function) : aliases(function) {
  int64_t next = 0;
  std::function<void(Operation *)> number = [&](Operation *op) {
    int64_t first = next++;
    for (Region &region : op->getRegions())
      for (Operation &nested : region.getOps())
        number(&nested);
    order[op] = {first, next - 1};
  };
  number(function);
}

/// When `user` uses what `alloc` allocates.
std::pair<int64_t, int64_t> LifetimeAnalysis::spanOfUse(Operation *alloc, Operation *user) const {
  int64_t at = order.lookup(user).first;
  std::pair<int64_t, int64_t> span{at, at};
  for (Operation *around = user; !around->isAncestor(alloc); around = around->getParentOp())
    if (isa<LoopLikeOpInterface>(around))
      span = order.lookup(around);
  return span;
}

/// The branches around `op` in which nothing of `alloc` stays for another iteration
/// of a loop, outermost first.
static SmallVector<Region *> branchesOf(Operation *alloc, Operation *op) {
  SmallVector<Region *> branches;
  for (Region *region = op->getParentRegion(); region; region = region->getParentRegion()) {
    Operation *holder = region->getParentOp();
    if (isa<LoopLikeOpInterface>(holder) && !holder->isAncestor(alloc))
      branches.clear();
    else if (isa<scf::IfOp, scf::IndexSwitchOp>(holder))
      branches.push_back(region);
  }
  std::reverse(branches.begin(), branches.end());
  return branches;
}

Lifetime LifetimeAnalysis::of(Value buffer) const {
  Operation *alloc = buffer.getDefiningOp();
  Lifetime life;
  bool isUsed = false;
  for (Value alias : aliases.resolve(buffer))
    for (Operation *user : alias.getUsers()) {
      // A view is used where its users are.
      if (isa<ViewLikeOpInterface>(user))
        continue;
      auto [start, end] = spanOfUse(alloc, user);
      SmallVector<Region *> branches = branchesOf(alloc, user);
      if (!isUsed) {
        life.start = start;
        life.end = end;
        life.branches = branches;
        isUsed = true;
      }
      life.start = std::min(life.start, start);
      life.end = std::max(life.end, end);
      auto common = std::mismatch(life.branches.begin(), life.branches.end(), branches.begin(),
                                  branches.end());
      life.branches.erase(common.first, life.branches.end());
      life.isCarried |= user->hasTrait<OpTrait::IsTerminator>() &&
                        isa<LoopLikeOpInterface>(user->getParentOp()) &&
                        user->getParentOp()->isProperAncestor(alloc);
    }
  if (!isUsed)
    life.start = life.end = order.lookup(alloc).first;
  // What leaves the branch that allocates it is nothing in the other ones.
  SmallVector<Region *> branches = branchesOf(alloc, alloc);
  if (branches.size() > life.branches.size())
    life.branches = branches;
  return life;
}

/// The most bytes of `alive`, the first `depth` branches of which are the same, when
/// one branch of each operation is taken.
static int64_t mostOfBranches(ArrayRef<Lifetime> lifetimes, ArrayRef<int64_t> bytes,
                              ArrayRef<unsigned> alive, size_t depth) {
  int64_t total = 0;
  llvm::MapVector<Operation *, llvm::MapVector<Region *, SmallVector<unsigned>>> choices;
  for (unsigned i : alive) {
    ArrayRef<Region *> branches = lifetimes[i].branches;
    if (branches.size() == depth)
      total += bytes[i];
    else
      choices[branches[depth]->getParentOp()][branches[depth]].push_back(i);
  }
  for (auto &[op, branches] : choices) {
    int64_t most = 0;
    for (auto &[region, members] : branches)
      most = std::max(most, mostOfBranches(lifetimes, bytes, members, depth + 1));
    total += most;
  }
  return total;
}

int64_t weft::mostBytesAlive(ArrayRef<Lifetime> lifetimes, ArrayRef<int64_t> bytes) {
  auto byStart = llvm::to_vector(llvm::seq<unsigned>(0, lifetimes.size()));
  llvm::stable_sort(
      byStart, [&](unsigned a, unsigned b) { return lifetimes[a].start < lifetimes[b].start; });
  // The most is alive where the life of a buffer begins.
  int64_t most = 0;
  SmallVector<unsigned> alive;
  for (unsigned i : byStart) {
    llvm::erase_if(alive, [&](unsigned j) { return lifetimes[j].end < lifetimes[i].start; });
    alive.push_back(i);
    SmallVector<unsigned> together;
    llvm::copy_if(alive, std::back_inserter(together),
                  [&](unsigned j) { return !lifetimes[i].excludes(lifetimes[j]); });
    most = std::max(most, mostOfBranches(lifetimes, bytes, together, 0));
  }
  return most;
}
