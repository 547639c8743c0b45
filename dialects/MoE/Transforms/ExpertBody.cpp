//===- ExpertBody.cpp - The feed-forward layer of one expert --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/Transforms/ExpertBody.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// An elementwise operation on matrices of rows: all loops are parallel, and the
/// result is in their order.
static linalg::GenericOp rowwise(Value value) {
  auto generic = value.getDefiningOp<linalg::GenericOp>();
  if (!generic || generic->getNumResults() != 1 || generic.getNumLoops() != 2 ||
      generic.getNumReductionLoops() != 0 ||
      !generic.getMatchingIndexingMap(generic.getDpsInitOperand(0)).isIdentity() ||
      generic.payloadUsesValueFromOperand(generic.getDpsInitOperand(0)))
    return {};
  SetVector<Value> captured;
  getUsedValuesDefinedAbove(generic->getRegions(), captured);
  return llvm::all_of(captured, [](Value v) { return matchPattern(v, m_Constant()); })
             ? generic
             : linalg::GenericOp();
}

static bool isOverColumns(AffineMap map) {
  return map.getNumResults() == 1 && map.getNumDims() == 2 &&
         map.getResult(0) == getAffineDimExpr(1, map.getContext());
}

/// A vector of columns that is the same for all rows, which `value` repeats.
static Value repeatedRow(Value value) {
  linalg::GenericOp generic = rowwise(value);
  if (!generic || generic.getNumDpsInputs() != 1 ||
      !isOverColumns(generic.getIndexingMapsArray()[0]) ||
      generic.getBody()->getTerminator()->getOperand(0) != generic.getBody()->getArgument(0))
    return {};
  return generic.getDpsInputOperand(0)->get();
}

static bool isZero(Value value) {
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
  return matchPattern(value, m_AnyZeroFloat());
}

static std::optional<ExpertProduct> matchContraction(Value value) {
  auto op = value.getDefiningOp<ContractOp>();
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!op || type.getRank() != 2 || !isa<FloatType>(type.getElementType()) ||
      op.getNumLoops() != 3 || !isa<RankedTensorType>(op.getLhs().getType()) ||
      !isa<RankedTensorType>(op.getRhs().getType()))
    return std::nullopt;
  AffineMap result = op.getResultMap(), lhs = op.getLhsMap(), rhs = op.getRhsMap();
  AffineExpr m = result.getResult(0), n = result.getResult(1), k;
  for (unsigned i = 0; i < 3; ++i)
    if (op.isContracted(i))
      k = getAffineDimExpr(i, op.getContext());
  if (!k || lhs.getNumResults() != 2 || rhs.getNumResults() != 2 || lhs.getResult(0) != m ||
      lhs.getResult(1) != k)
    return std::nullopt;
  ExpertProduct product;
  product.result = value;
  product.rows = op.getLhs();
  product.weight = op.getRhs();
  product.transposed = rhs.getResult(0) == n && rhs.getResult(1) == k;
  if (!product.transposed && (rhs.getResult(0) != k || rhs.getResult(1) != n))
    return std::nullopt;
  if (Value bias = op.getBias()) {
    AffineMap map = op.getMap(op.getBiasMutable()[0]);
    if (map.getNumResults() != 1 || map.getResult(0) != n || !isZero(op.getInit()))
      return std::nullopt;
    product.bias = bias;
  } else if (!isZero(op.getInit())) {
    product.bias = repeatedRow(op.getInit());
    if (!product.bias)
      return std::nullopt;
  }
  // Weights that are read from the rows are no weights.
  return typeOf(product.weight).hasStaticShape() ? std::optional(product) : std::nullopt;
}

std::optional<ExpertProduct> ExpertProduct::match(Value value) {
  if (std::optional<ExpertProduct> product = matchContraction(value))
    return product;
  linalg::GenericOp generic = rowwise(value);
  if (!generic || generic.getNumDpsInputs() != 2 || generic.getBody()->getOperations().size() != 2)
    return std::nullopt;
  auto sum = generic.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!sum || !isa<BlockArgument>(sum.getLhs()) || !isa<BlockArgument>(sum.getRhs()) ||
      sum.getLhs() == sum.getRhs())
    return std::nullopt;
  for (unsigned i : {0u, 1u}) {
    if (!generic.getIndexingMapsArray()[i].isIdentity() ||
        !isOverColumns(generic.getIndexingMapsArray()[1 - i]))
      continue;
    std::optional<ExpertProduct> product = matchContraction(generic.getDpsInputOperand(i)->get());
    if (!product || product->bias)
      return std::nullopt;
    product->bias = generic.getDpsInputOperand(1 - i)->get();
    product->result = value;
    return product;
  }
  return std::nullopt;
}

Value ExpertProduct::weightAsMatrix(OpBuilder &b) const {
  if (!transposed)
    return weight;
  RankedTensorType type = typeOf(weight);
  Value empty = tensor::EmptyOp::create(b, weight.getLoc(),
                                        ArrayRef<int64_t>{type.getDimSize(1), type.getDimSize(0)},
                                        type.getElementType());
  return linalg::TransposeOp::create(b, weight.getLoc(), weight, empty, ArrayRef<int64_t>{1, 0})
      ->getResult(0);
}

bool ExpertProduct::isLike(const ExpertProduct &other) const {
  auto sameType = [](Value x, Value y) {
    return (!x && !y) || (x && y && x.getType() == y.getType());
  };
  auto shapeOf = [](const ExpertProduct &product) {
    SmallVector<int64_t> shape(typeOf(product.weight).getShape());
    if (product.transposed)
      std::swap(shape[0], shape[1]);
    return shape;
  };
  return shapeOf(*this) == shapeOf(other) && sameType(bias, other.bias) &&
         typeOf(weight).getElementType() == typeOf(other.weight).getElementType() &&
         result.getType() == other.result.getType();
}

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

/// Collects the sums that the elementwise operations at `value` read.
LogicalResult ExpertBody::collectSums(Value value) {
  if (std::optional<ExpertProduct> product = ExpertProduct::match(value)) {
    for (const ExpertProduct &sum : sums)
      if (sum.result == value)
        return success();
    if (input && product->rows != input)
      return failure();
    input = product->rows;
    sums.push_back(*product);
    return success();
  }
  linalg::GenericOp generic = rowwise(value);
  if (!generic)
    return failure();
  for (OpOperand *operand : generic.getDpsInputOperands()) {
    if (matchPattern(operand->get(), m_Constant())) {
      DenseElementsAttr numbers;
      if (!matchPattern(operand->get(), m_Constant(&numbers)) || !numbers.isSplat())
        return failure();
      continue;
    }
    if (!generic.getMatchingIndexingMap(operand).isIdentity() ||
        failed(collectSums(operand->get())))
      return failure();
  }
  return success();
}

LogicalResult ExpertBody::match(Value result) {
  std::optional<ExpertProduct> product = ExpertProduct::match(result);
  if (!product || failed(collectSums(product->rows)))
    return failure();
  down = *product;
  Type element = typeOf(result).getElementType();
  // Every sum is of the type that everything else has.
  return success(!sums.empty() && sums.size() <= 2 && element.getIntOrFloatBitWidth() >= 16 &&
                 llvm::all_of(sums, [&](const ExpertProduct &sum) {
                   return typeOf(sum.result).getElementType() == element &&
                          typeOf(sum.rows).getElementType() == element &&
                          sum.bias.operator bool() == sums[0].bias.operator bool();
                 }));
}

bool ExpertBody::isLike(Value value, const ExpertBody &other, Value otherValue) const {
  for (auto [i, sum] : llvm::enumerate(sums))
    if (sum.result == value)
      return i < other.sums.size() && other.sums[i].result == otherValue;
  Attribute number, otherNumber;
  if (matchPattern(value, m_Constant(&number)))
    return matchPattern(otherValue, m_Constant(&otherNumber)) && number == otherNumber;
  linalg::GenericOp op = rowwise(value), otherOp = rowwise(otherValue);
  if (!op || !otherOp || op.getIndexingMaps() != otherOp.getIndexingMaps() ||
      op.getNumDpsInputs() != otherOp.getNumDpsInputs() ||
      !OperationEquivalence::isRegionEquivalentTo(&op.getRegion(), &otherOp.getRegion(),
                                                  OperationEquivalence::IgnoreLocations))
    return false;
  for (auto [x, y] : llvm::zip(op.getDpsInputs(), otherOp.getDpsInputs()))
    if (!isLike(x, other, y))
      return false;
  return true;
}

bool ExpertBody::isLike(const ExpertBody &other) const {
  if (sums.size() != other.sums.size() || !down.isLike(other.down))
    return false;
  for (auto [x, y] : llvm::zip(sums, other.sums))
    if (!x.isLike(y))
      return false;
  return isLike(down.rows, other, other.down.rows);
}

Value ExpertBody::buildScalar(OpBuilder &b, Value value, IRMapping &built) const {
  if (built.contains(value))
    return built.lookup(value);
  DenseElementsAttr numbers;
  Value scalar;
  if (matchPattern(value, m_Constant(&numbers))) {
    scalar = arith::ConstantOp::create(b, value.getLoc(), numbers.getSplatValue<TypedAttr>());
  } else {
    linalg::GenericOp op = rowwise(value);
    IRMapping mapping;
    for (auto [argument, operand] : llvm::zip(op.getBody()->getArguments(), op.getDpsInputs()))
      mapping.map(argument, buildScalar(b, operand, built));
    for (Operation &inner : op.getBody()->without_terminator())
      b.clone(inner, mapping);
    scalar = mapping.lookupOrDefault(op.getBody()->getTerminator()->getOperand(0));
  }
  built.map(value, scalar);
  return scalar;
}

void ExpertBody::buildActivation(OpBuilder &b, ExpertFFNOp op) const {
  OpBuilder::InsertionGuard guard(b);
  SmallVector<Type> types(sums.size(), op.getSumType());
  Block *block = b.createBlock(&op.getActivation(), {}, types,
                               SmallVector<Location>(types.size(), op.getLoc()));
  IRMapping built;
  for (auto [sum, argument] : llvm::zip(sums, block->getArguments()))
    built.map(
        sum.result,
        ReferenceBuilder(b, op.getLoc()).convert(argument, typeOf(op.getInput()).getElementType()));
  Value hidden = buildScalar(b, down.rows, built);
  moe::YieldOp::create(b, op.getLoc(), ValueRange{hidden});
}
