//===- ElementTrace.cpp - Where elements of tensors come from -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/Transforms/ElementTrace.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// `position` + `offset`, which is known for constants and 0 for others.
static std::optional<Position> shifted(Position position, OpFoldResult offset) {
  std::optional<int64_t> number = getConstantIntValue(offset);
  if (!number || (!position.isConstant() && *number != 0))
    return std::nullopt;
  position.value += position.isConstant() ? *number : 0;
  return position;
}

static std::optional<Element> throughSlice(tensor::ExtractSliceOp op, ArrayRef<Position> at) {
  if (!llvm::all_of(op.getMixedStrides(), [](OpFoldResult s) { return isConstantIntValue(s, 1); }))
    return std::nullopt;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  SmallVector<Position> source;
  size_t next = 0;
  for (auto [i, offset] : llvm::enumerate(op.getMixedOffsets())) {
    Position own = dropped.test(i) ? Position::constant(0) : at[next++];
    std::optional<Position> position = shifted(own, offset);
    if (!position)
      return std::nullopt;
    source.push_back(*position);
  }
  return Element{op.getSource(), source};
}

/// Positions in the other shape of a reshape that only adds or drops dimensions of
/// extent 1. `groups` are dimensions of the longer shape, of type `wide`.
static std::optional<Element> throughReshape(Value source, RankedTensorType wide,
                                             ArrayRef<ReassociationIndices> groups,
                                             ArrayRef<Position> at, bool isExpanded) {
  SmallVector<Position> positions(isExpanded ? groups.size() : wide.getRank(),
                                  Position::constant(0));
  for (auto [g, group] : llvm::enumerate(groups)) {
    std::optional<int64_t> kept;
    for (int64_t i : group) {
      if (wide.getDimSize(i) == 1)
        continue;
      if (kept)
        return std::nullopt;
      kept = i;
    }
    if (isExpanded)
      positions[g] = kept ? at[*kept] : Position::constant(0);
    else if (kept)
      positions[*kept] = at[g];
  }
  return Element{source, positions};
}

/// The extents of what is filled by insertions, as the `tensor.empty` has them.
static SmallVector<OpFoldResult> extentsOf(Value value) {
  while (auto insert = value.getDefiningOp<tensor::InsertSliceOp>())
    value = insert.getDest();
  if (auto empty = value.getDefiningOp<tensor::EmptyOp>())
    return empty.getMixedSizes();
  return {};
}

static std::optional<Element> throughInsertion(tensor::InsertSliceOp op, ArrayRef<Position> at) {
  auto all = [](ArrayRef<OpFoldResult> values, int64_t wanted) {
    return llvm::all_of(values, [&](OpFoldResult v) { return isConstantIntValue(v, wanted); });
  };
  if (!all(op.getMixedStrides(), 1) || op.getSourceType().getRank() != op.getDestType().getRank())
    return std::nullopt;
  SmallVector<OpFoldResult> extents = extentsOf(op.getDest());
  SmallVector<Position> source;
  for (size_t i = 0; i < at.size(); ++i) {
    Position position = at[i];
    std::optional<int64_t> offset = getConstantIntValue(op.getMixedOffsets()[i]),
                           size = getConstantIntValue(op.getMixedSizes()[i]);
    if (!offset)
      return std::nullopt;
    if (position.isConstant()) {
      if (!size)
        return std::nullopt;
      if (position.value < *offset || position.value >= *offset + *size)
        return Element{op.getDest(), SmallVector<Position>(at)};
      position.value -= *offset;
    } else if (*offset != 0 || extents.empty() || extents[i] != op.getMixedSizes()[i]) {
      return std::nullopt;
    }
    source.push_back(position);
  }
  return Element{op.getSource(), source};
}

static std::optional<Element> throughGather(GatherOp op, ArrayRef<Position> at) {
  RankedTensorType indices = typeOf(op.getIndices());
  int64_t rows = indices.getRank() - 1, tuple = indices.getDimSize(rows);
  if (op.getBatchDims() != 0)
    return std::nullopt;
  SmallVector<Position> source;
  for (int64_t k = 0; k < tuple; ++k) {
    SmallVector<Position> row(at.take_front(rows));
    row.push_back(Position::constant(k));
    Element index = traceElement({op.getIndices(), row});
    auto nonzero = index.tensor.getDefiningOp<NonZeroOp>();
    if (nonzero && index.tensor == nonzero.getIndices() && index.at[0].isConstant() &&
        index.at[1].kind == Position::Variable)
      source.push_back(Position::found(nonzero, index.at[0].value, index.at[1].value));
    else if (std::optional<int64_t> number = constantElement(index); number && *number >= 0)
      source.push_back(Position::constant(*number));
    else
      return std::nullopt;
  }
  llvm::append_range(source, at.drop_front(rows));
  return Element{op.getData(), source};
}

std::optional<Element> moe::inputElement(linalg::GenericOp op, unsigned input,
                                         const Element &element) {
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (op.getNumReductionLoops() != 0 || op->getNumResults() != 1 || !result.isPermutation())
    return std::nullopt;
  SmallVector<Position> loops(op.getNumLoops(), Position::constant(0)), at;
  for (auto [position, expr] : llvm::zip(element.at, result.getResults()))
    loops[cast<AffineDimExpr>(expr).getPosition()] = position;
  for (AffineExpr expr : op.getMatchingIndexingMap(op.getDpsInputOperand(input)).getResults()) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      at.push_back(loops[dim.getPosition()]);
    else if (auto number = dyn_cast<AffineConstantExpr>(expr))
      at.push_back(Position::constant(number.getValue()));
    else
      return std::nullopt;
  }
  return Element{op.getDpsInputOperand(input)->get(), at};
}

static std::optional<Element> previous(const Element &element) {
  Operation *op = element.tensor.getDefiningOp();
  ArrayRef<Position> at = element.at;
  if (auto cast = dyn_cast_or_null<tensor::CastOp>(op))
    return Element{cast.getSource(), element.at};
  if (auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(op))
    return throughSlice(slice, at);
  if (auto expand = dyn_cast_or_null<tensor::ExpandShapeOp>(op))
    return throughReshape(expand.getSrc(), expand.getResultType(), expand.getReassociationIndices(),
                          at, /*isExpanded=*/true);
  if (auto collapse = dyn_cast_or_null<tensor::CollapseShapeOp>(op))
    return throughReshape(collapse.getSrc(), collapse.getSrcType(),
                          collapse.getReassociationIndices(), at, /*isExpanded=*/false);
  if (auto transpose = dyn_cast_or_null<linalg::TransposeOp>(op)) {
    SmallVector<Position> source(at.size(), Position::constant(0));
    for (auto [i, from] : llvm::enumerate(transpose.getPermutation()))
      source[from] = at[i];
    return Element{transpose.getInput(), source};
  }
  if (auto insert = dyn_cast_or_null<tensor::InsertSliceOp>(op))
    return throughInsertion(insert, at);
  if (auto gather = dyn_cast_or_null<GatherOp>(op))
    return throughGather(gather, at);
  if (auto generic = dyn_cast_or_null<linalg::GenericOp>(op)) {
    // A copy or a broadcast.
    auto argument = dyn_cast<BlockArgument>(generic.getBody()->getTerminator()->getOperand(0));
    if (argument && argument.getArgNumber() < generic.getNumDpsInputs())
      return inputElement(generic, argument.getArgNumber(), element);
  }
  return std::nullopt;
}

Element moe::traceElement(Element element) {
  while (std::optional<Element> source = previous(element))
    element = *source;
  return element;
}

std::optional<int64_t> moe::constantElement(const Element &element) {
  DenseIntElementsAttr numbers;
  if (!matchPattern(element.tensor, m_Constant(&numbers)) ||
      !llvm::all_of(element.at, [](Position p) { return p.isConstant(); }))
    return std::nullopt;
  if (numbers.isSplat())
    return numbers.getSplatValue<APInt>().getSExtValue();
  SmallVector<uint64_t> at;
  for (auto [position, extent] : llvm::zip(element.at, numbers.getType().getShape())) {
    if (position.value < 0 || position.value >= extent)
      return std::nullopt;
    at.push_back(position.value);
  }
  return numbers.getValues<APInt>()[at].getSExtValue();
}
