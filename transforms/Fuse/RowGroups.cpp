//===- RowGroups.cpp - Normalizations as one group ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Fuse/RowGroups.h"
#include "transforms/Fuse/RowOperations.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace weft;

/// Operations of a group at most, and how far apart they may be.
static constexpr size_t kMaxGroup = 24;
static constexpr unsigned kMaxDistance = 256;

/// Elements of a row that a kernel keeps at most: 512 KiB of f32, half of a
/// usual second-level cache. Longer rows are left to kernels that also divide
/// them among threads.
static constexpr int64_t kMaxRowLength = 1 << 17;

/// Fewer rows than this are not worth leaving other threads without work, if
/// the rows are longer than kSerialRowLength.
static constexpr int64_t kMinRows = 4;
static constexpr int64_t kSerialRowLength = 1 << 14;

/// Whether the result is computed into nothing, or into what was filled.
static bool hasFreshDestination(Operation *op) {
  auto destination = dyn_cast<DestinationStyleOpInterface>(op);
  if (!destination)
    return false;
  return llvm::all_of(destination.getDpsInits(), [](Value init) {
    if (auto fill = init.getDefiningOp<linalg::FillOp>())
      init = fill.getDpsInitOperand(0)->get();
    return static_cast<bool>(init.getDefiningOp<tensor::EmptyOp>());
  });
}

/// Whether rows are as long, and as many, as one kernel should compute at once.
static bool hasSuitableRows(Operation *op, unsigned rowRank) {
  auto type = cast<RankedTensorType>(op->getOperand(0).getType());
  int64_t rows = 1, length = 1;
  bool rowsKnown = true;
  for (auto [i, extent] : llvm::enumerate(type.getShape())) {
    if (i < rowRank)
      rowsKnown &= !ShapedType::isDynamic(extent);
    if (ShapedType::isDynamic(extent))
      continue;
    int64_t &product = i < rowRank ? rows : length;
    product = std::min<int64_t>(product * extent, int64_t(1) << 30);
  }
  if (length > kMaxRowLength)
    return false;
  return !rowsKnown || rows >= kMinRows || length <= kSerialRowLength;
}

/// Whether `op` only prepares the start value of an accumulation.
static bool isStartValue(Operation *op) {
  if (!op->hasOneUse())
    return false;
  auto user = dyn_cast<DestinationStyleOpInterface>(*op->user_begin());
  return user && user.isDpsInit(&*op->use_begin());
}

/// The row rank of the first reduction of rows that reads what `op` computes.
static std::optional<unsigned> rowRankFor(Operation *op) {
  if (std::optional<unsigned> rank = getReducedRowRank(op))
    return rank;
  auto elementwise = dyn_cast<linalg::LinalgOp>(op);
  if (!elementwise || op->getNumResults() != 1 ||
      elementwise.getNumLoops() != elementwise.getNumParallelLoops())
    return std::nullopt;
  for (Operation *user : op->getUsers())
    if (user->getBlock() == op->getBlock())
      if (std::optional<unsigned> rank = getReducedRowRank(user); rank && isRowOperation(op, *rank))
        return rank;
  return std::nullopt;
}

SmallVector<Operation *> weft::formRowGroup(Operation *seed, const DenseSet<Operation *> &taken) {
  std::optional<unsigned> rowRank = rowRankFor(seed);
  if (!rowRank || !isRowOperation(seed, *rowRank) || !hasFreshDestination(seed))
    return {};
  SmallVector<Operation *> group{seed};
  DenseSet<Operation *> members{seed};
  auto isMember = [&](Value value) {
    return value.getDefiningOp() && members.contains(value.getDefiningOp());
  };
  auto joins = [&](Operation *op) {
    SmallPtrSet<OpOperand *, 4> rowOperands;
    if (taken.contains(op) || !isRowOperation(op, *rowRank, &rowOperands) ||
        !hasFreshDestination(op) || isStartValue(op))
      return false;
    if (std::optional<unsigned> rank = getReducedRowRank(op); rank && *rank != *rowRank)
      return false;
    bool reads = false;
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isMember(operand.get()))
        continue;
      if (!rowOperands.contains(&operand))
        return false;
      reads = true;
    }
    SetVector<Value> captured;
    getUsedValuesDefinedAbove(op->getRegions(), captured);
    return reads && llvm::none_of(captured, isMember);
  };
  unsigned distance = 0;
  for (Operation *op = seed->getNextNode();
       op && group.size() < kMaxGroup && distance < kMaxDistance;
       op = op->getNextNode(), ++distance)
    if (joins(op)) {
      group.push_back(op);
      members.insert(op);
    }

  // What others read must be there when they run, that is, after the last.
  auto isComplete = [&] {
    Operation *last = group.back();
    return llvm::all_of(group, [&](Operation *op) {
      return llvm::all_of(op->getUsers(), [&](Operation *user) {
        Operation *ancestor = last->getBlock()->findAncestorOpInBlock(*user);
        return members.contains(ancestor) || (ancestor && last->isBeforeInBlock(ancestor));
      });
    });
  };
  while (group.size() > 1 && !isComplete())
    members.erase(group.pop_back_val());
  bool reduces = false;
  for (Operation *op : group)
    if (getReducedRowRank(op)) {
      reduces = true;
      if (!hasSuitableRows(op, *rowRank))
        return {};
    }
  if (group.size() < 2 || !reduces)
    return {};
  return group;
}
