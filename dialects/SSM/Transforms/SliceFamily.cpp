//===- SliceFamily.cpp - Slices at consecutive positions ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/Transforms/SliceFamily.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace weft::ssm;

/// How many operations after the first slices are looked at to find out whether steps depend on
/// each other.
static constexpr size_t kMaxReach = 256;

/// Whether two slices differ in nothing but their position along `dim`.
static bool isSibling(tensor::ExtractSliceOp a, tensor::ExtractSliceOp b, int64_t dim) {
  if (a.getType() != b.getType() || a.getMixedSizes() != b.getMixedSizes() ||
      a.getMixedStrides() != b.getMixedStrides())
    return false;
  SmallVector<OpFoldResult> x = a.getMixedOffsets(), y = b.getMixedOffsets();
  x.erase(x.begin() + dim);
  y.erase(y.begin() + dim);
  return x == y;
}

int64_t SliceFamily::positionOf(tensor::ExtractSliceOp op, int64_t dim) {
  return *getConstantIntValue(op.getMixedOffsets()[dim]);
}

std::vector<SliceFamily> SliceFamily::collect(Block &block) {
  llvm::MapVector<Value, SmallVector<tensor::ExtractSliceOp>> bySource;
  for (auto op : block.getOps<tensor::ExtractSliceOp>())
    if (op.hasUnitStride())
      bySource[op.getSource()].push_back(op);
  std::vector<SliceFamily> families;
  for (auto &[source, slices] : bySource) {
    llvm::DenseSet<Operation *> taken;
    for (tensor::ExtractSliceOp op : slices)
      for (int64_t dim = 0; dim < op.getSourceType().getRank() && !taken.contains(op); ++dim) {
        if (!isConstantIntValue(op.getMixedSizes()[dim], 1) ||
            op.getSourceType().isDynamicDim(dim) || !getConstantIntValue(op.getMixedOffsets()[dim]))
          continue;
        SliceFamily family{source, dim, 0, {}};
        for (tensor::ExtractSliceOp other : slices)
          if (!taken.contains(other) && getConstantIntValue(other.getMixedOffsets()[dim]) &&
              isSibling(op, other, dim))
            family.slices.push_back(other);
        llvm::sort(family.slices, [&](tensor::ExtractSliceOp a, tensor::ExtractSliceOp b) {
          return positionOf(a, dim) < positionOf(b, dim);
        });
        family.first = positionOf(family.slices[0], dim);
        bool consecutive = family.size() >= 2;
        for (auto [i, slice] : llvm::enumerate(family.slices))
          consecutive &= positionOf(slice, dim) == family.first + static_cast<int64_t>(i);
        if (!consecutive)
          continue;
        taken.insert(family.slices.begin(), family.slices.end());
        families.push_back(family);
      }
  }
  return families;
}

/// What the first operations after `from` are.
static SetVector<Operation *> reach(Operation *from) {
  SetVector<Operation *> reached;
  reached.insert(from);
  for (size_t i = 0; i < reached.size() && reached.size() < kMaxReach; ++i)
    if (!isa<tensor::InsertSliceOp>(reached[i]))
      for (Operation *user : reached[i]->getUsers())
        if (user->getBlock() == from->getBlock())
          reached.insert(user);
  return reached;
}

bool SliceFamily::mayBeSteps() const {
  auto meet = [&](int64_t a, int64_t b) {
    SetVector<Operation *> x = reach(tensor::ExtractSliceOp(slices[a])),
                           y = reach(tensor::ExtractSliceOp(slices[b]));
    return llvm::any_of(
        x, [&](Operation *op) { return y.contains(op) && !isa<tensor::InsertSliceOp>(op); });
  };
  return meet(0, 1) || meet(size() - 1, size() - 2);
}
