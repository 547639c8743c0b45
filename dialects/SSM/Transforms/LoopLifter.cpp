//===- LoopLifter.cpp - What a loop computes, for all tokens at once ------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/Transforms/LoopLifter.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace weft;
using namespace weft::ssm;

/// Larger tensors than this are computed token by token rather than stored for all of them.
static constexpr int64_t kMaxElements = 1 << 18;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// `type` with a first dimension of the extent `size`.
static RankedTensorType typeWithTokens(Type type, OpFoldResult size) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape{getConstantIntValue(size).value_or(ShapedType::kDynamic)};
  llvm::append_range(shape, tensor.getShape());
  return RankedTensorType::get(shape, tensor.getElementType());
}

/// `map` of one more dimension in front, which is its first result if `varies`.
static AffineMap mapWithTokens(AffineMap map, bool varies) {
  AffineMap shifted = map.shiftDims(1);
  SmallVector<AffineExpr> results(shifted.getResults());
  if (varies)
    results.insert(results.begin(), getAffineDimExpr(0, map.getContext()));
  return AffineMap::get(map.getNumDims() + 1, 0, results, map.getContext());
}

static SmallVector<ReassociationIndices> groupsWithTokens(ArrayRef<ReassociationIndices> groups) {
  SmallVector<ReassociationIndices> result{{0}};
  for (const ReassociationIndices &group : groups) {
    result.emplace_back();
    for (int64_t i : group)
      result.back().push_back(i + 1);
  }
  return result;
}

bool LoopLifter::isPosition(OpFoldResult offset) {
  auto value = dyn_cast<Value>(offset);
  if (!value)
    return false;
  bool backward = false;
  if (value != loop.getInductionVar()) {
    auto difference = value.getDefiningOp<arith::SubIOp>();
    if (!difference || difference.getRhs() != loop.getInductionVar())
      return false;
    // T - 1, as a number or of the loop's bound.
    Value last = difference.getLhs();
    std::optional<int64_t> have = getConstantIntValue(last), count = getConstantIntValue(tokens());
    auto sum = last.getDefiningOp<arith::AddIOp>();
    auto less = last.getDefiningOp<arith::SubIOp>();
    bool isLast =
        (have && count && *have == *count - 1) ||
        (sum && sum.getLhs() == loop.getUpperBound() && isConstantIntValue(sum.getRhs(), -1)) ||
        (less && less.getLhs() == loop.getUpperBound() && isConstantIntValue(less.getRhs(), 1));
    if (!isLast)
      return false;
    backward = true;
  }
  if (reversed && *reversed != backward)
    return false;
  reversed = backward;
  return true;
}

std::optional<OpFoldResult> LoopLifter::invariant(OpFoldResult value) {
  auto dynamic = dyn_cast<Value>(value);
  if (!dynamic)
    return value;
  std::optional<Lifted> lifted = lift(dynamic);
  if (!lifted || lifted->varies)
    return std::nullopt;
  return OpFoldResult(lifted->value);
}

std::optional<SmallVector<OpFoldResult>> LoopLifter::invariants(ArrayRef<OpFoldResult> values) {
  SmallVector<OpFoldResult> result;
  for (OpFoldResult value : values) {
    std::optional<OpFoldResult> outside = invariant(value);
    if (!outside)
      return std::nullopt;
    result.push_back(*outside);
  }
  return result;
}

/// A tensor that does not vary, for all iterations.
Value LoopLifter::repeat(Value value) {
  Location loc = value.getLoc();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, value);
  sizes.insert(sizes.begin(), tokens());
  Value empty = tensor::EmptyOp::create(b, loc, sizes, typeOf(value).getElementType());
  int64_t rank = typeOf(value).getRank();
  AffineMap identity = b.getMultiDimIdentityMap(rank + 1);
  SmallVector<AffineMap> maps{identity.dropResult(0), identity};
  SmallVector<utils::IteratorType> loops(rank + 1, utils::IteratorType::parallel);
  return linalg::GenericOp::create(b, loc, empty.getType(), value, empty, maps, loops,
                                   [](OpBuilder &b, Location loc, ValueRange args) {
                                     linalg::YieldOp::create(b, loc, args[0]);
                                   })
      .getResult(0);
}

Value LoopLifter::liftAll(Value value) {
  std::optional<Lifted> lifted = lift(value);
  if (!lifted)
    return {};
  return lifted->varies ? lifted->value : repeat(lifted->value);
}

/// An init of a result that varies.
Value LoopLifter::liftInit(Value init) {
  Location loc = init.getLoc();
  if (auto empty = init.getDefiningOp<tensor::EmptyOp>()) {
    auto sizes = invariants(empty.getMixedSizes());
    if (!sizes)
      return {};
    sizes->insert(sizes->begin(), tokens());
    return tensor::EmptyOp::create(b, loc, *sizes, typeOf(init).getElementType());
  }
  if (auto fill = init.getDefiningOp<linalg::FillOp>()) {
    std::optional<OpFoldResult> scalar = invariant(fill.getInputs()[0]);
    Value into = scalar ? liftInit(fill.getOutputs()[0]) : Value();
    return into ? linalg::FillOp::create(b, loc, cast<Value>(*scalar), into).getResult(0) : Value();
  }
  return liftAll(init);
}

std::optional<Lifted> LoopLifter::liftSlice(tensor::ExtractSliceOp op) {
  std::optional<Lifted> source = lift(op.getSource());
  auto sizes = invariants(op.getMixedSizes());
  if (!source || !sizes || !op.hasUnitStride())
    return std::nullopt;
  Location loc = op.getLoc();
  SmallVector<OpFoldResult> offsets = op.getMixedOffsets();
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  if (source->varies) {
    auto outside = invariants(offsets);
    if (!outside)
      return std::nullopt;
    outside->insert(outside->begin(), zero);
    sizes->insert(sizes->begin(), tokens());
    SmallVector<OpFoldResult> strides(sizes->size(), one);
    return Lifted{tensor::ExtractSliceOp::create(b, loc, typeWithTokens(op.getType(), tokens()),
                                                 source->value, *outside, *sizes, strides),
                  true};
  }
  // One position of a dimension, which becomes the first one; all positions are read.
  std::optional<int64_t> dim;
  for (auto [i, offset] : llvm::enumerate(offsets)) {
    if (isPosition(offset) && !dim && isConstantIntValue((*sizes)[i], 1)) {
      dim = i;
      offset = zero;
      (*sizes)[i] = tokens();
    } else if (std::optional<OpFoldResult> outside = invariant(offset)) {
      offset = *outside;
    } else {
      return std::nullopt;
    }
  }
  if (!dim)
    return std::nullopt;
  SmallVector<OpFoldResult> strides(offsets.size(), one);
  Value all = tensor::ExtractSliceOp::create(b, loc, source->value, offsets, *sizes, strides);
  SmallVector<int64_t> order{*dim};
  for (int64_t i = 0; i < typeOf(all).getRank(); ++i)
    if (i != *dim)
      order.push_back(i);
  if (*dim != 0) {
    SmallVector<OpFoldResult> turned;
    for (int64_t i : order)
      turned.push_back((*sizes)[i]);
    Value empty = tensor::EmptyOp::create(b, loc, turned, typeOf(all).getElementType());
    all = linalg::TransposeOp::create(b, loc, all, empty, order)->getResult(0);
  }
  // The result of a slice has the dimension with an extent of 1, or not, and may lack
  // others of 1.
  llvm::SmallBitVector dropped = op.getDroppedDims();
  int64_t rank = typeOf(all).getRank();
  SmallVector<ReassociationIndices> groups;
  SmallVector<int64_t> shape;
  SmallVector<int64_t> lost;
  for (int64_t i = 1; i < rank; ++i)
    if (dropped.test(order[i]))
      lost.push_back(i);
  if (!lost.empty()) {
    for (int64_t i = 0; i < rank; ++i) {
      if (!groups.empty() && (i != 0 && dropped.test(order[i])))
        groups.back().push_back(i);
      else
        groups.push_back({i});
    }
    all = tensor::CollapseShapeOp::create(b, loc, all, groups);
  }
  if (!dropped.test(*dim)) {
    // Where the dimension was among those that are left.
    int64_t at = 1;
    for (int64_t i = 0; i < *dim; ++i)
      at += !dropped.test(i);
    RankedTensorType type = typeOf(all);
    shape.assign(type.getShape().begin(), type.getShape().end());
    shape.insert(shape.begin() + at, 1);
    SmallVector<OpFoldResult> extents = tensor::getMixedSizes(b, loc, all);
    extents.insert(extents.begin() + at, one);
    groups.assign(type.getRank(), {});
    for (int64_t i = 0; i <= type.getRank(); ++i)
      groups[i < at ? i : i - 1].push_back(i);
    all = tensor::ExpandShapeOp::create(b, loc, RankedTensorType::get(shape, type.getElementType()),
                                        all, groups, extents);
  }
  return Lifted{all, true};
}

std::optional<Lifted> LoopLifter::liftExpand(tensor::ExpandShapeOp op) {
  std::optional<Lifted> source = lift(op.getSrc());
  auto sizes = invariants(op.getMixedOutputShape());
  if (!source || !source->varies || !sizes)
    return std::nullopt;
  sizes->insert(sizes->begin(), tokens());
  return Lifted{tensor::ExpandShapeOp::create(
                    b, op.getLoc(), typeWithTokens(op.getType(), tokens()), source->value,
                    groupsWithTokens(op.getReassociationIndices()), *sizes),
                true};
}

std::optional<Lifted> LoopLifter::liftGeneric(linalg::GenericOp op) {
  if (op->getNumResults() != 1)
    return std::nullopt;
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    std::optional<Lifted> input = lift(operand->get());
    if (!input)
      return std::nullopt;
    inputs.push_back(input->value);
    maps.push_back(mapWithTokens(op.getMatchingIndexingMap(operand), input->varies));
  }
  Value init = liftInit(op.getDpsInits()[0]);
  if (!init)
    return std::nullopt;
  maps.push_back(mapWithTokens(op.getIndexingMapsArray().back(), true));
  IRMapping mapping;
  SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  for (Value value : captured) {
    std::optional<Lifted> outside = lift(value);
    if (!outside || outside->varies)
      return std::nullopt;
    mapping.map(value, outside->value);
  }
  SmallVector<utils::IteratorType> loops{utils::IteratorType::parallel};
  llvm::append_range(loops, op.getIteratorTypesArray());
  auto lifted = linalg::GenericOp::create(b, op.getLoc(), TypeRange(init.getType()), inputs, init,
                                          maps, loops);
  op.getRegion().cloneInto(&lifted.getRegion(), mapping);
  lifted.getBody()->walk([](linalg::IndexOp index) { index.setDim(index.getDim() + 1); });
  return Lifted{lifted.getResult(0), true};
}

std::optional<Lifted> LoopLifter::liftContract(ContractOp op) {
  if (op->getNumRegions() != 0 &&
      llvm::any_of(op->getRegions(), [](Region &r) { return !r.empty(); }))
    return std::nullopt;
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;
  for (OpOperand &operand : op->getOpOperands()) {
    bool isInit = &operand == &op.getInitMutable();
    Lifted lifted{isInit ? liftInit(operand.get()) : Value(), true};
    if (!isInit) {
      std::optional<Lifted> value = lift(operand.get());
      if (!value)
        return std::nullopt;
      lifted = *value;
    }
    if (!lifted.value)
      return std::nullopt;
    operands.push_back(lifted.value);
    maps.push_back(mapWithTokens(op.getMap(operand), lifted.varies));
  }
  Operation *lifted = b.clone(*op);
  lifted->setOperands(operands);
  lifted->setAttr(op.getIndexingMapsAttrName(), b.getAffineMapArrayAttr(maps));
  lifted->getResult(0).setType(typeWithTokens(op.getResult().getType(), tokens()));
  return Lifted{lifted->getResult(0), true};
}

/// Whether a tensor has more elements than kMaxElements, as far as its type tells.
static bool isLarge(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return false;
  int64_t elements = 1;
  for (int64_t extent : tensor.getShape()) {
    elements *= ShapedType::isDynamic(extent) ? 1 : std::min(extent, kMaxElements + 1);
    if (elements > kMaxElements)
      return true;
  }
  return false;
}

std::optional<SmallVector<Factor>> LoopLifter::liftFactors(Value value, AffineMap map) {
  std::optional<Lifted> lifted = lift(value);
  if (!lifted || !isa<RankedTensorType>(lifted->value.getType()))
    return std::nullopt;
  SmallVector<AffineExpr> exprs(map.shiftDims(1).getResults());
  if (lifted->varies)
    exprs.insert(exprs.begin(), b.getAffineDimExpr(0));
  return factorsOf(lifted->value, AffineMap::get(map.getNumDims() + 1, 0, exprs, b.getContext()));
}

std::optional<Lifted> LoopLifter::compute(Operation *op, Value value) {
  // What does not vary is computed once.
  bool varies = op->getNumRegions() != 0;
  IRMapping mapping;
  for (Value operand : op->getOperands()) {
    std::optional<Lifted> lifted = lift(operand);
    varies |= !lifted || lifted->varies;
    if (lifted && !lifted->varies)
      mapping.map(operand, lifted->value);
  }
  if (op->getNumRegions() != 0) {
    SetVector<Value> captured;
    getUsedValuesDefinedAbove(op->getRegions(), captured);
    varies = llvm::any_of(op->getOperands(), [&](Value v) { return !mapping.contains(v); });
    for (Value outer : captured) {
      std::optional<Lifted> lifted = lift(outer);
      varies |= !lifted || lifted->varies;
      if (lifted && !lifted->varies)
        mapping.map(outer, lifted->value);
    }
  }
  if (!varies) {
    if (!isPure(op))
      return std::nullopt;
    Operation *clone = b.clone(*op, mapping);
    return Lifted{clone->getResult(cast<OpResult>(value).getResultNumber()), false};
  }
  if (isLarge(value.getType()))
    return std::nullopt;
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return liftSlice(slice);
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return liftExpand(expand);
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return liftGeneric(generic);
  if (auto contract = dyn_cast<ContractOp>(op))
    return liftContract(contract);
  if (auto copy = dyn_cast<linalg::CopyOp>(op))
    return lift(copy.getInputs()[0]);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    std::optional<Lifted> source = lift(collapse.getSrc());
    if (!source || !source->varies)
      return std::nullopt;
    return Lifted{
        tensor::CollapseShapeOp::create(b, op->getLoc(), source->value,
                                        groupsWithTokens(collapse.getReassociationIndices())),
        true};
  }
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
    std::optional<Lifted> source = lift(transpose.getInput());
    Value init = source && source->varies ? liftInit(transpose.getInit()) : Value();
    if (!init)
      return std::nullopt;
    SmallVector<int64_t> order{0};
    for (int64_t i : transpose.getPermutation())
      order.push_back(i + 1);
    return Lifted{
        linalg::TransposeOp::create(b, op->getLoc(), source->value, init, order)->getResult(0),
        true};
  }
  if (auto cast = dyn_cast<tensor::CastOp>(op)) {
    std::optional<Lifted> source = lift(cast.getSource());
    if (!source || !source->varies || !isa<RankedTensorType>(cast.getType()))
      return std::nullopt;
    return Lifted{tensor::CastOp::create(b, op->getLoc(), typeWithTokens(cast.getType(), tokens()),
                                         source->value),
                  true};
  }
  return std::nullopt;
}

std::optional<Lifted> LoopLifter::lift(Value value) {
  if (auto found = known.find(value); found != known.end())
    return found->second.value ? std::optional(found->second) : std::nullopt;
  Block *body = loop.getBody();
  if (!body->getParent()->isAncestor(value.getParentRegion()))
    return Lifted{value, false};
  Operation *op = value.getDefiningOp();
  if (!op || op->getBlock() != body)
    return std::nullopt;
  std::optional<Lifted> lifted = compute(op, value);
  // What failed may be lifted when more is known.
  if (lifted)
    known[value] = *lifted;
  return lifted;
}
