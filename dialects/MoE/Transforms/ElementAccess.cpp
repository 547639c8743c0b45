//===- ElementAccess.cpp - Elements of tensors, affinely ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/Transforms/ElementAccess.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

AffineExpr ElementResolver::addExtent(AffineExpr extent) {
  // Reshapes that add or drop such a dimension do not keep its name.
  if (extent == constant(1))
    return constant(0);
  extents.push_back(extent);
  return getAffineDimExpr(extents.size() - 1, context);
}

AffineExpr ElementResolver::addDim(OpFoldResult extent) {
  return addExtent(extent ? extentExpr(extent) : AffineExpr());
}

AffineExpr ElementResolver::addDimOf(Value tensor, int64_t dim) {
  return addExtent(extentOf(tensor, dim));
}

AffineExpr ElementResolver::extentExpr(OpFoldResult size) {
  if (std::optional<int64_t> number = getConstantIntValue(size))
    return constant(*number);
  auto value = cast<Value>(size);
  auto *known = llvm::find(symbols, value);
  if (known == symbols.end()) {
    symbols.push_back(value);
    return getAffineSymbolExpr(symbols.size() - 1, context);
  }
  return getAffineSymbolExpr(known - symbols.begin(), context);
}

/// The extent that a tensor was made with; null if it does not tell.
AffineExpr ElementResolver::extentOf(Value tensor, int64_t dim) {
  if (!typeOf(tensor).isDynamicDim(dim))
    return constant(typeOf(tensor).getDimSize(dim));
  while (Operation *def = tensor.getDefiningOp()) {
    if (auto op = dyn_cast<DestinationStyleOpInterface>(def)) {
      tensor = op.getTiedOpOperand(cast<OpResult>(tensor))->get();
      continue;
    }
    if (auto empty = dyn_cast<tensor::EmptyOp>(def))
      return extentExpr(empty.getMixedSizes()[dim]);
    if (auto expand = dyn_cast<tensor::ExpandShapeOp>(def))
      return extentExpr(expand.getMixedOutputShape()[dim]);
    return {};
  }
  // An extent of an argument is the symbol that the argument's attributes name.
  auto argument = dyn_cast<BlockArgument>(tensor);
  auto function = argument ? dyn_cast<FunctionOpInterface>(argument.getOwner()->getParentOp())
                           : FunctionOpInterface();
  if (!function || !argument.getOwner()->isEntryBlock())
    return {};
  auto dims =
      function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), WeftDialect::dimsAttrName);
  if (!dims || dim >= static_cast<int64_t>(dims.size()))
    return {};
  for (BlockArgument other : function.getArguments())
    if (auto name = function.getArgAttrOfType<StringAttr>(other.getArgNumber(),
                                                          WeftDialect::symbolAttrName);
        name && name == dims[dim])
      return extentExpr(Value(other));
  return {};
}

/// The terms of a sum.
static void termsOf(AffineExpr expr, SmallVector<AffineExpr> &terms) {
  if (expr.getKind() == AffineExprKind::Add) {
    auto sum = cast<AffineBinaryOpExpr>(expr);
    termsOf(sum.getLHS(), terms);
    termsOf(sum.getRHS(), terms);
  } else {
    terms.push_back(expr);
  }
}

std::optional<std::pair<AffineExpr, AffineExpr>> ElementResolver::divide(AffineExpr index,
                                                                         AffineExpr size) {
  auto number = dyn_cast<AffineConstantExpr>(size);
  if (number && number.getValue() == 1)
    return std::pair(index, constant(0));
  SmallVector<AffineExpr> terms;
  termsOf(index, terms);
  AffineExpr quotient = constant(0), remainder = constant(0);
  for (AffineExpr term : terms) {
    auto product = dyn_cast<AffineBinaryOpExpr>(term);
    bool isProduct = product && product.getKind() == AffineExprKind::Mul;
    if (isProduct && product.getRHS() == size)
      quotient = quotient + product.getLHS();
    else if (isProduct && product.getLHS() == size)
      quotient = quotient + product.getRHS();
    else
      remainder = remainder + term;
  }
  if (auto rest = dyn_cast<AffineConstantExpr>(remainder)) {
    if (rest.getValue() == 0)
      return std::pair(quotient, remainder);
    if (!number || number.getValue() < 1 || rest.getValue() < 0)
      return std::nullopt;
    return std::pair(quotient + rest.getValue() / number.getValue(),
                     constant(rest.getValue() % number.getValue()));
  }
  auto dim = dyn_cast<AffineDimExpr>(remainder);
  if (!dim || extents[dim.getPosition()] != size)
    return std::nullopt;
  return std::pair(quotient, remainder);
}

std::optional<ElementAccess> ElementResolver::beforeExpand(tensor::ExpandShapeOp op,
                                                           ArrayRef<AffineExpr> at) {
  ElementAccess result{op.getSrc(), {}};
  SmallVector<OpFoldResult> sizes = op.getMixedOutputShape();
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    AffineExpr index = constant(0);
    for (auto [i, dim] : llvm::enumerate(group)) {
      if (getConstantIntValue(sizes[dim]) == 1)
        continue;
      index = i == 0 ? at[dim] : index * extentExpr(sizes[dim]) + at[dim];
    }
    result.at.push_back(index);
  }
  return result;
}

std::optional<ElementAccess> ElementResolver::beforeCollapse(tensor::CollapseShapeOp op,
                                                             ArrayRef<AffineExpr> at) {
  ElementAccess result{op.getSrc(), {}};
  result.at.assign(op.getSrcType().getRank(), constant(0));
  for (auto [i, group] : llvm::enumerate(op.getReassociationIndices())) {
    SmallVector<int64_t> wide;
    for (int64_t dim : group)
      if (op.getSrcType().getDimSize(dim) != 1)
        wide.push_back(dim);
    AffineExpr index = at[i];
    while (wide.size() > 1) {
      int64_t dim = wide.pop_back_val();
      AffineExpr size = extentOf(op.getSrc(), dim);
      auto parts = size ? divide(index, size) : std::nullopt;
      if (!parts)
        return std::nullopt;
      result.at[dim] = parts->second;
      index = parts->first;
    }
    if (!wide.empty())
      result.at[wide[0]] = index;
  }
  return result;
}

std::optional<ElementAccess> ElementResolver::beforeSlice(tensor::ExtractSliceOp op,
                                                          ArrayRef<AffineExpr> at) {
  ElementAccess result{op.getSource(), {}};
  llvm::SmallBitVector dropped = op.getDroppedDims();
  size_t next = 0;
  for (auto [i, offset, stride] : llvm::enumerate(op.getMixedOffsets(), op.getMixedStrides())) {
    std::optional<int64_t> start = getConstantIntValue(offset), step = getConstantIntValue(stride);
    if (!start || !step)
      return std::nullopt;
    AffineExpr own = dropped.test(i) ? constant(0) : at[next++];
    result.at.push_back(own * *step + *start);
  }
  return result;
}

SmallVector<AffineExpr> ElementResolver::loops(linalg::GenericOp op, ArrayRef<AffineExpr> at) {
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (op.getNumReductionLoops() != 0 || op->getNumResults() != 1 || !map.isPermutation())
    return {};
  SmallVector<AffineExpr> loops(op.getNumLoops());
  for (auto [position, expr] : llvm::zip_equal(at, map.getResults()))
    loops[cast<AffineDimExpr>(expr).getPosition()] = position;
  return loops;
}

std::optional<ElementAccess> ElementResolver::input(linalg::GenericOp op, unsigned input,
                                                    ArrayRef<AffineExpr> at) {
  SmallVector<AffineExpr> positions = loops(op, at);
  if (positions.size() != op.getNumLoops())
    return std::nullopt;
  OpOperand *operand = op.getDpsInputOperand(input);
  if (!isa<RankedTensorType>(operand->get().getType()))
    return std::nullopt;
  ElementAccess result{operand->get(), {}};
  for (AffineExpr expr : op.getMatchingIndexingMap(operand).getResults())
    result.at.push_back(expr.replaceDims(positions));
  return result;
}

ElementAccess ElementResolver::operand(ContractOp op, OpOperand &operand, ArrayRef<AffineExpr> at,
                                       AffineExpr inner) {
  SmallVector<AffineExpr> positions(op.getNumLoops(), inner);
  for (auto [position, expr] : llvm::zip_equal(at, op.getResultMap().getResults()))
    positions[cast<AffineDimExpr>(expr).getPosition()] = position;
  ElementAccess result{operand.get(), {}};
  for (AffineExpr expr : op.getMap(operand).getResults())
    result.at.push_back(expr.replaceDims(positions));
  return result;
}

std::optional<AffineExpr> ElementResolver::index(Value value, ArrayRef<AffineExpr> loops) {
  if (std::optional<int64_t> number = getConstantIntValue(value))
    return constant(*number);
  Operation *op = value.getDefiningOp();
  if (auto index = dyn_cast_or_null<linalg::IndexOp>(op))
    return loops[index.getDim()];
  if (isa_and_nonnull<arith::IndexCastOp>(op))
    return index(op->getOperand(0), loops);
  if (isa_and_nonnull<arith::RemUIOp, arith::RemSIOp, arith::DivUIOp, arith::DivSIOp>(op)) {
    std::optional<AffineExpr> dividend = index(op->getOperand(0), loops);
    auto parts = dividend ? divide(*dividend, extentExpr(op->getOperand(1))) : std::nullopt;
    if (!parts)
      return std::nullopt;
    return isa<arith::RemUIOp, arith::RemSIOp>(op) ? parts->second : parts->first;
  }
  return std::nullopt;
}

std::optional<ElementAccess> ElementResolver::beforeGeneric(linalg::GenericOp op,
                                                            ArrayRef<AffineExpr> at) {
  Value yielded = op.getBody()->getTerminator()->getOperand(0);
  if (auto argument = dyn_cast<BlockArgument>(yielded))
    return argument.getOwner() == op.getBody() && argument.getArgNumber() < op.getNumDpsInputs()
               ? input(op, argument.getArgNumber(), at)
               : std::nullopt;
  // An element that the body reads, as tiles do.
  auto read = yielded.getDefiningOp<tensor::ExtractOp>();
  SmallVector<AffineExpr> positions = loops(op, at);
  if (!read || positions.size() != op.getNumLoops() ||
      op.getBody()->getOperations().size() > 2 * op.getNumLoops() + 4)
    return std::nullopt;
  ElementAccess result{read.getTensor(), {}};
  for (Value i : read.getIndices()) {
    std::optional<AffineExpr> expr = index(i, positions);
    if (!expr)
      return std::nullopt;
    result.at.push_back(*expr);
  }
  return result;
}

std::optional<AffineExpr> ElementResolver::number(const ElementAccess &access) {
  ElementAccess base = resolve(access);
  DenseIntElementsAttr numbers;
  if (matchPattern(base.tensor, m_Constant(&numbers))) {
    if (numbers.isSplat())
      return constant(numbers.getSplatValue<APInt>().getSExtValue());
    if (base.at.size() != 1)
      return std::nullopt;
    for (auto [i, element] : llvm::enumerate(numbers.getValues<APInt>()))
      if (element != i)
        return std::nullopt;
    return base.at[0];
  }
  auto op = base.tensor.getDefiningOp<linalg::GenericOp>();
  SmallVector<AffineExpr> positions = op ? loops(op, base.at) : SmallVector<AffineExpr>();
  if (positions.empty())
    return std::nullopt;
  return index(op.getBody()->getTerminator()->getOperand(0), positions);
}

std::optional<ElementAccess> ElementResolver::beforeGather(GatherOp op, ArrayRef<AffineExpr> at) {
  RankedTensorType indices = typeOf(op.getIndices());
  int64_t rows = indices.getRank() - 1, tuple = indices.getDimSize(rows);
  if (op.getBatchDims() != 0)
    return std::nullopt;
  ElementAccess result{op.getData(), {}};
  for (int64_t k = 0; k < tuple; ++k) {
    ElementAccess component{op.getIndices(), Exprs(at.take_front(rows))};
    component.at.push_back(constant(k));
    std::optional<AffineExpr> position = number(component);
    // What is out of range is not read where it says.
    AffineExpr extent = extentOf(op.getData(), k);
    if (!position || !extent)
      return std::nullopt;
    auto dim = dyn_cast<AffineDimExpr>(*position);
    if (dim ? extents[dim.getPosition()] != extent
            : *position != constant(0) || extent != constant(1))
      return std::nullopt;
    result.at.push_back(*position);
  }
  llvm::append_range(result.at, at.drop_front(rows));
  return result;
}

std::optional<ElementAccess> ElementResolver::previous(const ElementAccess &access) {
  Operation *op = access.tensor.getDefiningOp();
  if (auto cast = dyn_cast_or_null<tensor::CastOp>(op))
    return isa<RankedTensorType>(cast.getSource().getType())
               ? std::optional(ElementAccess{cast.getSource(), access.at})
               : std::nullopt;
  if (auto expand = dyn_cast_or_null<tensor::ExpandShapeOp>(op))
    return beforeExpand(expand, access.at);
  if (auto collapse = dyn_cast_or_null<tensor::CollapseShapeOp>(op))
    return beforeCollapse(collapse, access.at);
  if (auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(op))
    return beforeSlice(slice, access.at);
  if (auto generic = dyn_cast_or_null<linalg::GenericOp>(op))
    return beforeGeneric(generic, access.at);
  if (auto gather = dyn_cast_or_null<GatherOp>(op))
    return beforeGather(gather, access.at);
  if (auto transpose = dyn_cast_or_null<linalg::TransposeOp>(op)) {
    ElementAccess result{transpose.getInput(), SmallVector<AffineExpr>(access.at)};
    for (auto [i, dim] : llvm::enumerate(transpose.getPermutation()))
      result.at[dim] = access.at[i];
    return result;
  }
  return std::nullopt;
}

SmallVector<ElementAccess> ElementResolver::chain(ElementAccess access) {
  SmallVector<ElementAccess> result{access};
  while (std::optional<ElementAccess> before = previous(result.back()))
    result.push_back(*before);
  return result;
}

Value ElementResolver::find(const ElementAccess &access, ArrayRef<AffineExpr> position) {
  // The last one, which is nearest to where it was computed.
  Value found;
  for (const ElementAccess &step : chain(access))
    if (step.isAt(position))
      found = step.tensor;
  return found;
}
