//===- Factors.cpp - Products of broadcast tensors ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/Transforms/Factors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weft;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Whether each result of the map is the loop of its own position, or 0.
static bool isBroadcastMap(AffineMap map) {
  if (map.getNumResults() != map.getNumDims())
    return false;
  for (auto [i, expr] : llvm::enumerate(map.getResults())) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    auto constant = dyn_cast<AffineConstantExpr>(expr);
    if (!(dim && dim.getPosition() == i) && !(constant && constant.getValue() == 0))
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

/// Adds the factors of `value`, of which `map` gives an element of the product.
static void collectFactors(Value value, AffineMap map, SmallVector<ssm::Factor> &factors) {
  linalg::GenericOp product = ssm::matchElementwise<arith::MulFOp>(value, 2);
  auto mapOf = [&](unsigned i) {
    return product.getMatchingIndexingMap(product.getDpsInputOperand(i));
  };
  if (product && map.isIdentity() && isBroadcastMap(mapOf(0)) && isBroadcastMap(mapOf(1))) {
    for (unsigned i = 0; i < 2; ++i)
      collectFactors(product.getInputs()[i], mapOf(i), factors);
    return;
  }
  // An extent of 1 does not vary either.
  llvm::SmallBitVector dims(map.getNumDims());
  for (auto [i, expr] : llvm::enumerate(map.getResults()))
    if (isa<AffineDimExpr>(expr) && typeOf(value).getDimSize(i) != 1)
      dims.set(i);
  factors.push_back({value, dims});
}

SmallVector<ssm::Factor> ssm::factorsOf(Value value) {
  SmallVector<Factor> factors;
  int64_t rank = typeOf(value).getRank();
  collectFactors(value, AffineMap::getMultiDimIdentityMap(rank, value.getContext()), factors);
  return factors;
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
    for (unsigned i = 0; i < factor.dims.size(); ++i) {
      const int64_t *loop = llvm::find(dims, static_cast<int64_t>(i));
      exprs.push_back(factor.dims[i] ? b.getAffineDimExpr(loop - dims.begin())
                                     : b.getAffineConstantExpr(0));
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

bool ssm::isWhole(OpFoldResult size, Value tensor, int64_t dim) {
  if (std::optional<int64_t> constant = getConstantIntValue(size))
    return *constant == typeOf(tensor).getDimSize(dim);
  if (!typeOf(tensor).isDynamicDim(dim))
    return false;
  if (auto extent = cast<Value>(size).getDefiningOp<tensor::DimOp>())
    return extent.getSource() == tensor && extent.getConstantIndex() == dim;
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
