//===- KernelGroups.cpp - What becomes one kernel -------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Fuse/KernelGroups.h"

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Fuse/FlattenSpatial.h"
#include "transforms/Fuse/RowGroups.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace weft;

bool weft::isKernelOperation(Operation *op) {
  if (op->getNumResults() == 0 ||
      !llvm::all_of(op->getResultTypes(), llvm::IsaPred<RankedTensorType>))
    return false;
  return isa<linalg::LinalgOp, linalg::SoftmaxOp, ReferenceOpInterface, tensor::PadOp,
             tensor::ConcatOp, tensor::ExtractSliceOp, tensor::InsertSliceOp>(op);
}

OpOperand *weft::destinationOf(OpResult result) {
  if (auto op = dyn_cast<DestinationStyleOpInterface>(result.getOwner()))
    return op.getDpsInitOperand(result.getResultNumber());
  if (auto op = dyn_cast<tensor::InsertSliceOp>(result.getOwner()))
    return &op.getDestMutable();
  return nullptr;
}

/// Whether `op` computes each element of its result from the same element of
/// `value` (and of whatever else it reads).
static bool isElementwiseOver(Operation *op, Value value) {
  auto generic = dyn_cast<linalg::LinalgOp>(op);
  if (!generic || generic.getNumLoops() != generic.getNumParallelLoops() ||
      op->getNumResults() != 1)
    return false;
  if (!generic.getMatchingIndexingMap(generic.getDpsInitOperand(0)).isIdentity())
    return false;
  for (OpOperand &operand : op->getOpOperands())
    if (operand.get() == value &&
        (generic.isDpsInit(&operand) || !generic.getMatchingIndexingMap(&operand).isIdentity()))
      return false;
  return true;
}

/// The operation that accumulates into the result of the elementwise `op`, if
/// that is all its result is for.
static Operation *soleAccumulator(Operation *op) {
  auto generic = dyn_cast<linalg::LinalgOp>(op);
  if (!generic || op->getNumResults() != 1 || !op->hasOneUse() ||
      generic.getNumLoops() != generic.getNumParallelLoops() || isa<linalg::FillOp>(op))
    return nullptr;
  OpOperand &use = *op->use_begin();
  auto consumer = dyn_cast<DestinationStyleOpInterface>(use.getOwner());
  if (!consumer || !consumer.isDpsInit(&use) || consumer->getBlock() != op->getBlock() ||
      !isa<linalg::LinalgOp, ContractOp, ConvOp>(consumer.getOperation()) ||
      consumer->getNumResults() != 1)
    return nullptr;
  return consumer;
}

/// Whether each element that `op` computes is wider than what it is computed
/// from: elements that share bytes, or a tensor as large with narrower ones.
static bool widens(linalg::LinalgOp op) {
  auto result = cast<RankedTensorType>(op->getResult(0).getType());
  if (!result.getElementType().isIntOrFloat())
    return false;
  unsigned width = result.getElementTypeBitWidth();
  bool narrower = false;
  for (OpOperand *input : op.getDpsInputOperands()) {
    auto type = dyn_cast<RankedTensorType>(input->get().getType());
    if (!type || !op.getMatchingIndexingMap(input).isPermutation())
      continue; // broadcast
    if (type.getElementTypeBitWidth() >= width)
      return false;
    narrower = true;
  }
  op->walk([&](tensor::ExtractOp read) {
    RankedTensorType type = read.getTensor().getType();
    narrower |= type.getRank() == 1 && type.getElementTypeBitWidth() < width;
  });
  return narrower;
}

/// Whether `op` is a contraction of whole operands: none is broadcast.
static bool isContraction(Operation *op) {
  if (auto contraction = dyn_cast<ContractOp>(op))
    return llvm::all_of(contraction.getIndexingMaps().getAsValueRange<AffineMapAttr>(),
                        [](AffineMap map) { return map.isProjectedPermutation(); });
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  return linalgOp && linalg::isaContractionOpInterface(linalgOp);
}

/// The contraction that reads the elementwise `op`, if that is all its result is
/// for and each element is cheaper to decode again than to store: dequantized
/// weights never exist as a whole.
static Operation *decodedFor(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic || op->getNumResults() != 1 || !op->hasOneUse() ||
      generic.getNumLoops() != generic.getNumParallelLoops() || !widens(generic))
    return nullptr;
  OpOperand &use = *op->use_begin();
  auto consumer = dyn_cast<DestinationStyleOpInterface>(use.getOwner());
  if (!consumer || !consumer.isDpsInput(&use) || consumer->getBlock() != op->getBlock() ||
      !isContraction(consumer) || consumer->getNumResults() != 1)
    return nullptr;
  return consumer;
}

/// Whether `op` is computed into a tensor that the group reads, say one carried
/// by a loop: one kernel could not do that in place.
static bool overwritesOperandOf(Operation *op, const KernelGroup &group) {
  OpOperand *destination = destinationOf(op->getResult(0));
  if (!destination || destination->get().getDefiningOp<tensor::EmptyOp>())
    return false;
  auto reads = [&](Operation *member) {
    SetVector<Value> captured;
    getUsedValuesDefinedAbove(member->getRegions(), captured);
    return llvm::is_contained(member->getOperands(), destination->get()) ||
           captured.contains(destination->get());
  };
  return llvm::any_of(group, reads);
}

KernelGroup weft::formKernelGroup(Operation *root, const DenseSet<Operation *> &taken) {
  if (KernelGroup rows = formRowGroup(root, taken); !rows.empty())
    return rows;
  KernelGroup group{root};
  // A start value that only the consumer reads (a bias along the rows, say) is
  // computed where it is used, and so are operands that are decoded.
  auto consumerOf = [](Operation *op) -> Operation * {
    if (Operation *consumer = decodedFor(op))
      return consumer;
    return soleAccumulator(op);
  };
  if (Operation *consumer = consumerOf(root); consumer && !taken.contains(consumer)) {
    group.clear();
    for (Value operand : consumer->getOperands())
      if (Operation *def = operand.getDefiningOp();
          def && !taken.contains(def) && consumerOf(def) == consumer)
        group.push_back(def);
    llvm::sort(group, [](Operation *x, Operation *y) { return x->isBeforeInBlock(y); });
    if (overwritesOperandOf(consumer, group))
      group.assign(1, root);
    else
      group.push_back(consumer);
    root = group.back();
  }
  if (!isa<linalg::LinalgOp, ContractOp, ConvOp, GatherOp>(root))
    return group;
  while (true) {
    Operation *last = group.back();
    if (last->getNumResults() != 1 || !last->hasOneUse())
      return group;
    Operation *user = *last->user_begin();
    if (user->getBlock() != root->getBlock() || taken.contains(user) ||
        !isElementwiseOver(user, last->getResult(0)) || overwritesOperandOf(user, group))
      return group;
    if (auto conv = dyn_cast<ConvOp>(root);
        conv && conv.isContraction() && !canFlattenSpatial(user))
      return group;
    group.push_back(user);
  }
}
