//===- RegroupReshapes.cpp - Reshapes along equal dimensions --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Model/RegroupReshapes.h"

using namespace mlir;
using namespace weft;

namespace {
/// Dimensions of the source and of the result with the same product.
struct Group {
  ReassociationIndices from, to;
};
} // namespace

/// Closes a group as soon as both products are the same; where neither divides
/// the other, the rest is one group.
static SmallVector<Group> formGroups(ArrayRef<IndexExpr> from, ArrayRef<IndexExpr> to,
                                     ShapeExpressions &shapes) {
  SmallVector<Group> groups;
  size_t i = 0, j = 0;
  while (i < from.size() && j < to.size()) {
    Group group;
    IndexExpr a = from[i], c = to[j];
    group.from.push_back(static_cast<int64_t>(i++));
    group.to.push_back(static_cast<int64_t>(j++));
    while (a && c && a != c) {
      if (i < from.size() && shapes.divides(a, c)) {
        a = shapes.product(a, from[i]);
        group.from.push_back(static_cast<int64_t>(i++));
      } else if (j < to.size() && shapes.divides(c, a)) {
        c = shapes.product(c, to[j]);
        group.to.push_back(static_cast<int64_t>(j++));
      } else {
        a = nullptr;
      }
    }
    if (!a || !c) {
      for (; i < from.size(); ++i)
        group.from.push_back(static_cast<int64_t>(i));
      for (; j < to.size(); ++j)
        group.to.push_back(static_cast<int64_t>(j));
      // Different extents, of a tensor that has no elements.
      if (group.from.size() == 1 && group.to.size() == 1)
        return {};
    }
    groups.push_back(std::move(group));
  }
  // Extents of 1 at the end.
  for (; i < from.size(); ++i)
    groups.back().from.push_back(static_cast<int64_t>(i));
  for (; j < to.size(); ++j)
    groups.back().to.push_back(static_cast<int64_t>(j));
  return groups;
}

static int64_t staticProduct(RankedTensorType type, ArrayRef<int64_t> dimensions) {
  int64_t result = 1;
  for (int64_t i : dimensions)
    if (type.isDynamicDim(static_cast<unsigned>(i)) ||
        __builtin_mul_overflow(result, type.getDimSize(static_cast<unsigned>(i)), &result))
      return ShapedType::kDynamic;
  return result;
}

bool weft::regroupReshape(tensor::ExpandShapeOp op, ShapeExpressions &shapes) {
  Value middle = op.getSrc();
  if (auto castOp = middle.getDefiningOp<tensor::CastOp>())
    middle = castOp.getSource();
  auto collapse = middle.getDefiningOp<tensor::CollapseShapeOp>();
  if (!collapse)
    return false;
  RankedTensorType sourceType = collapse.getSrcType(), type = op.getResultType();
  if (sourceType.getRank() == 0 || type.getRank() == 0)
    return false;
  SmallVector<IndexExpr> from, to;
  for (int64_t i = 0; i < sourceType.getRank(); ++i)
    from.push_back(shapes.extent(collapse.getSrc(), i));
  for (int64_t i = 0; i < type.getRank(); ++i)
    to.push_back(shapes.extent(op.getResult(), i));
  SmallVector<Group> groups = formGroups(from, to, shapes);
  if (groups.size() <= op.getReassociationIndices().size())
    return false;

  // Extents that either side knows are known in between.
  SmallVector<ReassociationIndices> collapses, expansions;
  SmallVector<int64_t> collapsed, wanted;
  for (Group &group : groups) {
    collapsed.push_back(staticProduct(sourceType, group.from));
    wanted.push_back(staticProduct(type, group.to));
    if (failed(verifyCompatibleShape({collapsed.back()}, {wanted.back()})))
      return false;
    collapses.push_back(group.from);
    expansions.push_back(group.to);
  }
  OpBuilder b(op);
  Location loc = op.getLoc();
  Value value = collapse.getSrc();
  Type element = type.getElementType();
  if (static_cast<int64_t>(groups.size()) < sourceType.getRank())
    value = tensor::CollapseShapeOp::create(b, loc, RankedTensorType::get(collapsed, element),
                                            value, collapses);
  auto wantedType = RankedTensorType::get(wanted, element);
  if (value.getType() != wantedType)
    value = tensor::CastOp::create(b, loc, wantedType, value);
  if (static_cast<int64_t>(groups.size()) < type.getRank())
    value =
        tensor::ExpandShapeOp::create(b, loc, type, value, expansions, op.getMixedOutputShape());
  op.replaceAllUsesWith(value);
  return true;
}
