//===- RowOperations.cpp - Operations that work row by row ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Fuse/RowOperations.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace weft;

/// Whether the first `count` results of `map` are its first dimensions, and the
/// others do not use those.
static bool startsWithRows(AffineMap map, unsigned count) {
  if (map.getNumResults() < count)
    return false;
  for (auto [i, expr] : llvm::enumerate(map.getResults())) {
    if (i < count) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim || dim.getPosition() != i)
        return false;
      continue;
    }
    for (unsigned row = 0; row < count; ++row)
      if (expr.isFunctionOfDim(row))
        return false;
  }
  return true;
}

std::optional<unsigned> weft::getReducedRowRank(Operation *op) {
  if (auto softmax = dyn_cast<linalg::SoftmaxOp>(op)) {
    auto type = dyn_cast<RankedTensorType>(softmax.getInput().getType());
    if (!type || softmax.getNumResults() != 1 || type.getRank() < 2 ||
        static_cast<int64_t>(softmax.getDimension()) + 1 != type.getRank())
      return std::nullopt;
    return static_cast<unsigned>(type.getRank() - 1);
  }
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic || generic.getNumReductionLoops() == 0 || generic.getNumDpsInputs() != 1)
    return std::nullopt;
  unsigned rank = generic.getNumParallelLoops();
  if (rank == 0 || !generic.getMatchingIndexingMap(generic.getDpsInputOperand(0)).isIdentity() ||
      !isRowOperation(op, rank))
    return std::nullopt;
  return rank;
}

bool weft::isRowOperation(Operation *op, unsigned rowRank,
                          SmallPtrSetImpl<OpOperand *> *rowOperands) {
  if (rowRank == 0 || op->getNumResults() != 1)
    return false;
  if (auto softmax = dyn_cast<linalg::SoftmaxOp>(op)) {
    if (getReducedRowRank(op).value_or(0) < rowRank)
      return false;
    if (rowOperands)
      rowOperands->insert(&softmax.getInputMutable());
    return true;
  }
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || !linalgOp.hasPureTensorSemantics() || isa<linalg::FillOp>(op) ||
      linalgOp.getNumDpsInits() != 1 || linalgOp.getNumLoops() < rowRank)
    return false;
  SmallVector<utils::IteratorType> iterators = linalgOp.getIteratorTypesArray();
  for (unsigned i = 0; i < rowRank; ++i)
    if (iterators[i] != utils::IteratorType::parallel)
      return false;
  AffineMap initMap = linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0));
  if (!initMap.isProjectedPermutation() || !startsWithRows(initMap, rowRank))
    return false;
  // Contractions have tiles of their own.
  if (linalgOp.getNumReductionLoops() > 0 &&
      (linalgOp.getNumDpsInputs() != 1 || !isa<linalg::GenericOp>(op)))
    return false;
  for (OpOperand *operand : linalgOp.getDpsInputOperands()) {
    AffineMap map = linalgOp.getMatchingIndexingMap(operand);
    if (startsWithRows(map, rowRank)) {
      if (rowOperands)
        rowOperands->insert(operand);
      continue;
    }
    // Others are cut along single dimensions or not at all.
    for (AffineExpr expr : map.getResults())
      for (unsigned row = 0; row < rowRank; ++row)
        if (expr.isFunctionOfDim(row) && !isa<AffineDimExpr>(expr))
          return false;
  }
  return true;
}

std::optional<RowKernel> RowKernel::match(KernelOp kernel) {
  RowKernel result;
  Block &body = kernel.getBody().front();
  for (Operation &op : body)
    if (std::optional<unsigned> rank = getReducedRowRank(&op)) {
      if (isa<linalg::SoftmaxOp>(op))
        return std::nullopt; // its steps are what is tiled
      result.rowRank = result.rowRank ? std::min(result.rowRank, *rank) : *rank;
    }
  if (result.rowRank == 0)
    return std::nullopt;
  DenseSet<Operation *> members;
  for (Operation &op : body.without_terminator()) {
    if (isa<linalg::FillOp, tensor::EmptyOp>(op) ||
        llvm::none_of(op.getResultTypes(), llvm::IsaPred<RankedTensorType>))
      continue;
    SmallPtrSet<OpOperand *, 4> rowOperands;
    if (!isRowOperation(&op, result.rowRank, &rowOperands))
      return std::nullopt;
    auto linalgOp = cast<linalg::LinalgOp>(op);
    OpOperand *init = linalgOp.getDpsInitOperand(0);
    if (linalgOp.payloadUsesValueFromOperand(init) && isa<BlockArgument>(init->get()))
      return std::nullopt; // continues what others began
    for (OpOperand &operand : op.getOpOperands()) {
      Operation *def = operand.get().getDefiningOp();
      if (!def || rowOperands.contains(&operand))
        continue;
      bool isStart = linalgOp.isDpsInit(&operand) && isa<linalg::FillOp, tensor::EmptyOp>(def);
      if (!isStart && isa<RankedTensorType>(operand.get().getType()))
        return std::nullopt;
    }
    SetVector<Value> captured;
    getUsedValuesDefinedAbove(op.getRegions(), captured);
    for (Value value : captured)
      if (isa<RankedTensorType>(value.getType()) && value.getDefiningOp())
        return std::nullopt;
    members.insert(&op);
    result.ops.push_back(linalgOp);
  }
  // Fills are read as starts only.
  for (linalg::LinalgOp op : result.ops)
    for (OpOperand *operand : op.getDpsInputOperands())
      if (operand->get().getDefiningOp<linalg::FillOp>() ||
          operand->get().getDefiningOp<tensor::EmptyOp>())
        return std::nullopt;
  for (Value value : kernel.getYield().getValues())
    if (!value.getDefiningOp() || !members.contains(value.getDefiningOp()))
      return std::nullopt;
  return result;
}

SmallVector<int64_t> RowKernel::getRowExtents() {
  SmallVector<int64_t> extents = ops.front().getStaticLoopRanges();
  extents.resize(rowRank);
  return extents;
}

int64_t RowKernel::getRowLength(int64_t assumed) {
  int64_t longest = 1;
  for (linalg::LinalgOp op : ops) {
    int64_t length = 1;
    for (int64_t extent : llvm::drop_begin(op.getStaticLoopRanges(), rowRank))
      length = std::min<int64_t>(
          length * (ShapedType::isDynamic(extent) ? assumed : std::max<int64_t>(extent, 1)),
          int64_t(1) << 30);
    longest = std::max(longest, length);
  }
  return longest;
}
