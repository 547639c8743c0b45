//===- ScanLayout.cpp - Tensors as scans have them ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/Transforms/ScanLayout.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace weft::ssm;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Transposes to the order in which `wanted` names positions of `tensor`.
static Value transposed(OpBuilder &b, Location loc, Value tensor, ArrayRef<int64_t> order) {
  if (llvm::equal(order, llvm::seq<int64_t>(0, order.size())))
    return tensor;
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, tensor), turned;
  for (int64_t i : order)
    turned.push_back(sizes[i]);
  Value empty = tensor::EmptyOp::create(b, loc, turned, typeOf(tensor).getElementType());
  return linalg::TransposeOp::create(b, loc, tensor, empty, order)->getResult(0);
}

SmallVector<ReassociationIndices> weft::ssm::groupsAround(const llvm::SmallBitVector &units) {
  SmallVector<ReassociationIndices> groups;
  ReassociationIndices leading;
  for (unsigned i = 0; i < units.size(); ++i) {
    if (!units.test(i)) {
      groups.push_back(leading);
      groups.back().push_back(i);
      leading.clear();
    } else if (groups.empty()) {
      leading.push_back(i);
    } else {
      groups.back().push_back(i);
    }
  }
  return groups;
}

/// `tensor` with dimensions of extent 1 where `units` says so.
static Value withUnits(OpBuilder &b, Location loc, Value tensor,
                       const llvm::SmallBitVector &units) {
  if (units.none())
    return tensor;
  SmallVector<OpFoldResult> have = tensor::getMixedSizes(b, loc, tensor), sizes;
  SmallVector<int64_t> shape;
  size_t next = 0;
  for (unsigned i = 0; i < units.size(); ++i) {
    sizes.push_back(units.test(i) ? OpFoldResult(b.getIndexAttr(1)) : have[next]);
    shape.push_back(units.test(i) ? 1 : typeOf(tensor).getDimSize(next));
    next += !units.test(i);
  }
  return tensor::ExpandShapeOp::create(
      b, loc, RankedTensorType::get(shape, typeOf(tensor).getElementType()), tensor,
      groupsAround(units), sizes);
}

Value weft::ssm::toScan(OpBuilder &b, Location loc, Value tensor, ArrayRef<int64_t> dims,
                        ArrayRef<int64_t> wanted, bool withTokens) {
  int64_t first = withTokens ? 1 : 0;
  SmallVector<int64_t> order;
  llvm::SmallBitVector units;
  for (auto [i, d] : llvm::enumerate(wanted)) {
    const int64_t *at = llvm::find(dims, d);
    bool unit = d < 0 || at == dims.end();
    units.push_back(unit);
    if (!unit)
      order.push_back(at - dims.begin() + first);
    if (i == 0 && withTokens) {
      units.push_back(false);
      order.push_back(0);
    }
  }
  return withUnits(b, loc, transposed(b, loc, tensor, order), units);
}

Value weft::ssm::fromScan(OpBuilder &b, Location loc, Value tensor, ArrayRef<int64_t> dims,
                          ArrayRef<int64_t> wanted, ArrayRef<int64_t> order, bool withTokens) {
  llvm::SmallBitVector units;
  SmallVector<int64_t> have; // -2: tokens
  for (auto [i, d] : llvm::enumerate(wanted)) {
    bool unit = d < 0 || !llvm::is_contained(dims, d);
    units.push_back(unit);
    if (!unit)
      have.push_back(d);
    if (i == 0 && withTokens) {
      units.push_back(false);
      have.push_back(-2);
    }
  }
  if (units.any())
    tensor = tensor::CollapseShapeOp::create(b, loc, tensor, groupsAround(units));
  SmallVector<int64_t> names, permutation;
  if (withTokens)
    names.push_back(-2);
  llvm::append_range(names, order);
  llvm::SmallBitVector added;
  for (int64_t name : names) {
    added.push_back(name == -1);
    if (name != -1)
      permutation.push_back(llvm::find(have, name) - have.begin());
  }
  return withUnits(b, loc, transposed(b, loc, tensor, permutation), added);
}
