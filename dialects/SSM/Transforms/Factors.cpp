//===- Factors.cpp - Products of broadcast tensors ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/Transforms/Factors.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weft;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Whether the results of the map are loops, none of them twice, or 0.
static bool isBroadcastMap(AffineMap map) {
  llvm::SmallBitVector seen(map.getNumDims());
  for (AffineExpr expr : map.getResults()) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
      if (seen[dim.getPosition()])
        return false;
      seen.set(dim.getPosition());
      continue;
    }
    auto constant = dyn_cast<AffineConstantExpr>(expr);
    if (!constant || constant.getValue() != 0)
      return false;
  }
  return true;
}

bool ssm::isElementwiseOf(linalg::GenericOp op, StringRef name, unsigned numInputs) {
  if (op.getNumDpsInputs() != numInputs || op->getNumResults() != 1 ||
      op.getNumLoops() != op.getNumParallelLoops() ||
      !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity())
    return false;
  Block *body = op.getBody();
  Operation &inner = body->front();
  if (!llvm::hasNItems(*body, 2) || inner.getName().getStringRef() != name ||
      body->getTerminator()->getOperands() != inner.getResults() ||
      inner.getNumOperands() != numInputs)
    return false;
  for (unsigned i = 0; i < numInputs; ++i)
    if (inner.getOperand(i) != body->getArgument(i))
      return false;
  return true;
}

bool ssm::isSumOfRows(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 1 || op->getNumResults() != 1 || op.getNumReductionLoops() != 1 ||
      !isZeroTensor(op.getDpsInits()[0]) || !op.getIndexingMapsArray()[0].isIdentity() ||
      !op.getIndexingMapsArray()[1].isProjectedPermutation() ||
      op.getBody()->getOperations().size() != 2)
    return false;
  auto add = op.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  return add && isa<BlockArgument>(add.getLhs()) && isa<BlockArgument>(add.getRhs()) &&
         add.getLhs() != add.getRhs();
}

/// What an element of `reshape` that added dimensions of extent 1 was.
static std::optional<AffineMap> beforeExpansion(tensor::ExpandShapeOp reshape, AffineMap map) {
  SmallVector<AffineExpr> exprs;
  for (const ReassociationIndices &group : reshape.getReassociationIndices()) {
    AffineExpr kept = getAffineConstantExpr(0, map.getContext());
    int64_t wide = 0;
    for (int64_t i : group)
      if (reshape.getResultType().getDimSize(i) != 1) {
        kept = map.getResult(i);
        ++wide;
      }
    if (wide > 1)
      return std::nullopt;
    exprs.push_back(kept);
  }
  return AffineMap::get(map.getNumDims(), 0, exprs, map.getContext());
}

/// The same where dimensions of extent 1 were dropped.
static std::optional<AffineMap> beforeCollapse(tensor::CollapseShapeOp reshape, AffineMap map) {
  RankedTensorType source = reshape.getSrcType();
  SmallVector<AffineExpr> exprs(source.getRank(), getAffineConstantExpr(0, map.getContext()));
  for (auto [i, group] : llvm::enumerate(reshape.getReassociationIndices())) {
    int64_t wide = 0;
    for (int64_t dim : group)
      if (source.getDimSize(dim) != 1) {
        exprs[dim] = map.getResult(i);
        ++wide;
      }
    if (wide > 1)
      return std::nullopt;
  }
  return AffineMap::get(map.getNumDims(), 0, exprs, map.getContext());
}

std::optional<ssm::Element> ssm::matchMoved(const Element &element) {
  Operation *def = element.tensor.getDefiningOp();
  AffineMap map = element.map;
  if (auto expand = dyn_cast_or_null<tensor::ExpandShapeOp>(def)) {
    std::optional<AffineMap> before = beforeExpansion(expand, map);
    return before ? std::optional(Element{expand.getSrc(), *before}) : std::nullopt;
  }
  if (auto collapse = dyn_cast_or_null<tensor::CollapseShapeOp>(def)) {
    std::optional<AffineMap> before = beforeCollapse(collapse, map);
    return before ? std::optional(Element{collapse.getSrc(), *before}) : std::nullopt;
  }
  if (auto cast = dyn_cast_or_null<tensor::CastOp>(def);
      cast && isa<RankedTensorType>(cast.getSource().getType()))
    return Element{cast.getSource(), map};
  if (auto copy = dyn_cast_or_null<linalg::CopyOp>(def);
      copy && typeOf(copy.getInputs()[0]) == typeOf(element.tensor))
    return Element{copy.getInputs()[0], map};
  if (auto transpose = dyn_cast_or_null<linalg::TransposeOp>(def)) {
    SmallVector<AffineExpr> exprs(map.getNumResults());
    for (auto [i, from] : llvm::enumerate(transpose.getPermutation()))
      exprs[from] = map.getResult(i);
    return Element{transpose.getInput(),
                   AffineMap::get(map.getNumDims(), 0, exprs, map.getContext())};
  }
  auto generic = dyn_cast_or_null<linalg::GenericOp>(def);
  if (!generic || generic.getNumDpsInputs() != 1 || generic->getNumResults() != 1 ||
      generic.getNumLoops() != generic.getNumParallelLoops() ||
      !generic.getIndexingMapsArray().back().isIdentity() ||
      generic.getBody()->getTerminator()->getOperand(0) != generic.getBody()->getArgument(0) ||
      !isa<RankedTensorType>(generic.getInputs()[0].getType()) ||
      !isBroadcastMap(generic.getIndexingMapsArray()[0]))
    return std::nullopt;
  return Element{generic.getInputs()[0], generic.getIndexingMapsArray()[0].compose(map)};
}

/// Adds the factors of an element.
static void collectFactors(ssm::Element element, SmallVector<ssm::Factor> &factors) {
  // Before it was repeated, or dimensions of extent 1 were added.
  while (std::optional<ssm::Element> before = ssm::matchMoved(element))
    element = *before;
  auto [value, map] = element;
  linalg::GenericOp product = ssm::matchElementwise<arith::MulFOp>(value, 2);
  if (product && llvm::all_of(product.getIndexingMapsArray(), isBroadcastMap)) {
    for (unsigned i : {0u, 1u})
      collectFactors({product.getInputs()[i], product.getIndexingMapsArray()[i].compose(map)},
                     factors);
    return;
  }
  auto contract = value.getDefiningOp<ContractOp>();
  if (contract && ssm::isOuterProduct(contract)) {
    AffineMap loops = ssm::loopsOfResult(contract, map, getAffineConstantExpr(0, map.getContext()));
    collectFactors({contract.getLhs(), contract.getLhsMap().compose(loops)}, factors);
    collectFactors({contract.getRhs(), contract.getRhsMap().compose(loops)}, factors);
    return;
  }
  // An extent of 1 does not vary either.
  llvm::SmallBitVector dims(map.getNumDims());
  for (auto [i, expr] : llvm::enumerate(map.getResults()))
    if (auto dim = dyn_cast<AffineDimExpr>(expr); dim && typeOf(value).getDimSize(i) != 1)
      dims.set(dim.getPosition());
  factors.push_back({value, map, dims});
}

bool ssm::isPlainProduct(ContractOp op) {
  return !op.getBias() && !op.getCompute() && isZeroTensor(op.getInit()) &&
         op.getResultMap().isProjectedPermutation() && op.getLhsMap().isProjectedPermutation() &&
         op.getRhsMap().isProjectedPermutation() && isa<RankedTensorType>(op.getLhs().getType()) &&
         isa<RankedTensorType>(op.getRhs().getType()) &&
         getElementTypeOrSelf(op.getLhs()) == getElementTypeOrSelf(op.getResult()) &&
         getElementTypeOrSelf(op.getRhs()) == getElementTypeOrSelf(op.getResult());
}

bool ssm::isOuterProduct(ContractOp op) {
  if (!isPlainProduct(op))
    return false;
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
    if (op.isContracted(loop) && ranges[loop] != 1)
      return false;
  return true;
}

AffineMap ssm::loopsOfResult(ContractOp op, AffineMap element, AffineExpr contracted) {
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  SmallVector<AffineExpr> loops(op.getNumLoops());
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
    loops[loop] = ranges[loop] == 1 ? getAffineConstantExpr(0, op.getContext()) : contracted;
  for (auto [i, expr] : llvm::enumerate(op.getResultMap().getResults()))
    loops[cast<AffineDimExpr>(expr).getPosition()] = element.getResult(i);
  return AffineMap::get(element.getNumDims(), 0, loops, op.getContext());
}

SmallVector<ssm::Factor> ssm::factorsOf(Value value, AffineMap map) {
  SmallVector<Factor> factors;
  collectFactors({value, map}, factors);
  return factors;
}

SmallVector<ssm::Factor> ssm::factorsOf(Value value) {
  int64_t rank = typeOf(value).getRank();
  return factorsOf(value, AffineMap::getMultiDimIdentityMap(rank, value.getContext()));
}

Value ssm::multiply(OpBuilder &b, Location loc, ArrayRef<Factor> factors, Value whole,
                    ArrayRef<int64_t> dims) {
  SmallVector<OpFoldResult> sizes;
  for (int64_t dim : dims)
    sizes.push_back(tensor::getMixedSize(b, loc, whole, dim));
  Value init = tensor::EmptyOp::create(b, loc, sizes, typeOf(whole).getElementType());
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  unsigned rank = dims.size();
  for (const Factor &factor : factors) {
    SmallVector<AffineExpr> exprs;
    for (AffineExpr expr : factor.map.getResults()) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim || !factor.dims[dim.getPosition()]) {
        exprs.push_back(b.getAffineConstantExpr(0));
        continue;
      }
      const int64_t *loop = llvm::find(dims, static_cast<int64_t>(dim.getPosition()));
      exprs.push_back(b.getAffineDimExpr(loop - dims.begin()));
    }
    inputs.push_back(factor.tensor);
    maps.push_back(AffineMap::get(rank, 0, exprs, b.getContext()));
  }
  maps.push_back(b.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  return linalg::GenericOp::create(b, loc, init.getType(), inputs, init, maps, loops,
                                   [](OpBuilder &b, Location loc, ValueRange args) {
                                     Value product = args[0];
                                     for (Value factor : args.drop_front().drop_back())
                                       product = arith::MulFOp::create(b, loc, product, factor);
                                     linalg::YieldOp::create(b, loc, product);
                                   })
      .getResult(0);
}

/// Whether `size` is the symbol that the entry function's `argument` has as its extent.
static bool isSymbolOf(OpFoldResult size, BlockArgument argument, int64_t dim) {
  auto symbol = dyn_cast_if_present<BlockArgument>(dyn_cast<Value>(size));
  auto function = dyn_cast<FunctionOpInterface>(argument.getOwner()->getParentOp());
  if (!symbol || !function || symbol.getOwner() != argument.getOwner() ||
      !argument.getOwner()->isEntryBlock())
    return false;
  auto name =
      function.getArgAttrOfType<StringAttr>(symbol.getArgNumber(), WeftDialect::symbolAttrName);
  auto dims =
      function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), WeftDialect::dimsAttrName);
  return name && dims && dim < static_cast<int64_t>(dims.size()) && dims[dim] == name;
}

bool ssm::isWhole(OpFoldResult size, Value tensor, int64_t dim) {
  if (std::optional<int64_t> constant = getConstantIntValue(size))
    return *constant == typeOf(tensor).getDimSize(dim);
  if (!typeOf(tensor).isDynamicDim(dim))
    return false;
  if (auto extent = cast<Value>(size).getDefiningOp<tensor::DimOp>();
      extent && extent.getSource() == tensor && extent.getConstantIndex() == dim)
    return true;
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return isSymbolOf(size, argument, dim);
  // The size that the tensor was made with.
  while (Operation *def = tensor.getDefiningOp()) {
    if (auto op = dyn_cast<DestinationStyleOpInterface>(def)) {
      tensor = op.getTiedOpOperand(cast<OpResult>(tensor))->get();
      continue;
    }
    if (auto empty = dyn_cast<tensor::EmptyOp>(def))
      return empty.getMixedSizes()[dim] == size;
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(def); slice && slice.getDroppedDims().none())
      return slice.getMixedSizes()[dim] == size;
    return false;
  }
  return false;
}

std::optional<ssm::Slice> ssm::matchSlice(Value value) {
  auto collapse = value.getDefiningOp<tensor::CollapseShapeOp>();
  auto slice = (collapse ? collapse.getSrc() : value).getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice || !slice.hasUnitStride())
    return std::nullopt;
  Slice result{slice.getSource()};
  int64_t rank = slice.getSourceType().getRank();
  if (typeOf(value).getRank() != rank - 1)
    return std::nullopt;
  std::optional<int64_t> dropped;
  for (int64_t i = 0; i < rank; ++i) {
    OpFoldResult offset = slice.getMixedOffsets()[i], size = slice.getMixedSizes()[i];
    std::optional<int64_t> at = getConstantIntValue(offset);
    bool whole = at == 0 && isWhole(size, slice.getSource(), i);
    if (whole && slice.getSourceType().getDimSize(i) != 1)
      continue;
    if (!at || getConstantIntValue(size) != 1 || dropped)
      return std::nullopt;
    dropped = i;
    result.index = *at;
  }
  if (!dropped)
    return std::nullopt;
  result.dim = *dropped;
  // What is left has the other dimensions in order.
  SmallVector<int64_t> shape(slice.getSourceType().getShape());
  shape.erase(shape.begin() + result.dim);
  if (!llvm::equal(shape, typeOf(value).getShape()))
    return std::nullopt;
  return result;
}

bool ssm::isZeroTensor(Value value) {
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
  DenseFPElementsAttr constant;
  return matchPattern(value, m_Constant(&constant)) && constant.isSplat() &&
         constant.getSplatValue<APFloat>().isZero();
}
