//===- BatchedBody.cpp - Feed-forward layers of all experts at once -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/Transforms/BatchedBody.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"
#include "dialects/MoE/Transforms/Choices.h"
#include "dialects/MoE/Transforms/ElementTerm.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

/// More elementwise operations than this are no activation.
static constexpr size_t kMaxActivation = 64;

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// A parameter of the element's expert, [E, rest...]: dimensions of 1 may lie between.
Value BatchedBody::matchParameter(const ElementAccess &access, ArrayRef<AffineExpr> rest) {
  ElementAccess base = resolver.resolve(access);
  ArrayRef<AffineExpr> at = base.at;
  Value tensor = base.tensor;
  if (auto gather = tensor.getDefiningOp<GatherOp>()) {
    RankedTensorType indices = typeOf(gather.getIndices());
    int64_t rows = indices.getRank() - 1;
    if (gather.getBatchDims() != 0 || indices.getDimSize(rows) != 1)
      return {};
    ElementAccess number{gather.getIndices(), SmallVector<AffineExpr>(at.take_front(rows))};
    number.at.push_back(resolver.constant(0));
    Value chosen = resolver.find(number, {token, slot});
    if (!chosen || (ids && ids != chosen))
      return {};
    ids = chosen;
    tensor = gather.getData();
    at = at.drop_front(rows);
  } else {
    if (ids || at.empty() || at[0] != slot)
      return {};
    at = at.drop_front();
  }
  SmallVector<AffineExpr> own;
  RankedTensorType type = typeOf(tensor);
  for (auto [i, expr] : llvm::enumerate(at))
    if (type.getDimSize(i + 1) != 1 || llvm::is_contained(rest, expr))
      own.push_back(expr);
    else if (expr != resolver.constant(0))
      return {};
  // One tensor for all experts.
  return ArrayRef<AffineExpr>(own) == rest && type.hasStaticShape() ? tensor : Value();
}

std::optional<BatchedProduct> BatchedBody::matchContraction(const ElementAccess &access) {
  auto op = access.tensor.getDefiningOp<ContractOp>();
  if (!op || !isa<RankedTensorType>(op.getLhs().getType()) ||
      !isa<RankedTensorType>(op.getRhs().getType()) || op.getBias() ||
      !isZeroTensor(op.getInit()) || !op.getResultMap().isProjectedPermutation())
    return std::nullopt;
  SmallVector<int64_t> contracted, ranges = op.getStaticLoopRanges();
  for (unsigned i = 0; i < op.getNumLoops(); ++i)
    if (op.isContracted(i))
      contracted.push_back(i);
  if (contracted.size() != 1 || ShapedType::isDynamic(ranges[contracted[0]]) || access.at.empty())
    return std::nullopt;
  BatchedProduct product;
  product.result = access;
  // A dimension of 1 may come last, as products with vectors have it.
  product.column = access.at.back();
  for (AffineExpr expr : llvm::reverse(access.at))
    if (expr != resolver.constant(0)) {
      product.column = expr;
      break;
    }
  product.inner =
      resolver.addDim(IntegerAttr::get(IndexType::get(op.getContext()), ranges[contracted[0]]));
  for (bool swapped : {false, true}) {
    OpOperand &rows = swapped ? op.getRhsMutable() : op.getLhsMutable(),
              &weights = swapped ? op.getLhsMutable() : op.getRhsMutable();
    ElementAccess weight = resolver.operand(op, weights, access.at, product.inner);
    for (bool transposed : {false, true}) {
      SmallVector<AffineExpr> rest{product.inner, product.column};
      if (transposed)
        std::swap(rest[0], rest[1]);
      Value idsBefore = ids;
      product.weight = matchParameter(weight, rest);
      if (!product.weight || typeOf(product.weight).getRank() != 3) {
        ids = idsBefore;
        continue;
      }
      product.transposed = transposed;
      product.rows = resolver.operand(op, rows, access.at, product.inner);
      return product;
    }
  }
  return std::nullopt;
}

/// An elementwise operation whose captured values are constants.
static linalg::GenericOp elementwise(Value value) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  if (!op || op->getNumResults() != 1 || op.getNumReductionLoops() != 0 ||
      op.payloadUsesValueFromOperand(op.getDpsInitOperand(0)) || op.getNumDpsInputs() == 0 ||
      !op.getBody()->getOps<linalg::IndexOp>().empty())
    return {};
  for (Operation &inner : op.getBody()->without_terminator())
    if (!isPure(&inner) || inner.getNumRegions() != 0 || isa<tensor::ExtractOp>(inner))
      return {};
  SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  return llvm::all_of(captured, [](Value v) { return matchPattern(v, m_Constant()); })
             ? op
             : linalg::GenericOp();
}

std::optional<BatchedProduct> BatchedBody::matchProduct(const ElementAccess &access) {
  if (std::optional<BatchedProduct> product = matchContraction(access))
    return product;
  linalg::GenericOp op = elementwise(access.tensor);
  if (!op || op.getNumDpsInputs() != 2)
    return std::nullopt;
  auto sum = withoutFloatCasts(op.getBody()->getTerminator()->getOperand(0))
                 .getDefiningOp<arith::AddFOp>();
  Value x = sum ? withoutFloatCasts(sum.getLhs()) : Value(),
        y = sum ? withoutFloatCasts(sum.getRhs()) : Value();
  if (!sum || !isa<BlockArgument>(x) || !isa<BlockArgument>(y) || x == y)
    return std::nullopt;
  for (unsigned i : {0u, 1u}) {
    std::optional<ElementAccess> term = resolver.input(op, i, access.at),
                                 other = resolver.input(op, 1 - i, access.at);
    if (!term || !other)
      return std::nullopt;
    std::optional<ElementAccess> wide = withoutCasts(resolver, {*term});
    std::optional<BatchedProduct> product =
        wide ? matchContraction(*wide) : std::optional<BatchedProduct>();
    if (!product)
      continue;
    product->bias = matchParameter(*other, product->column);
    if (!product->bias)
      return std::nullopt;
    product->result = access;
    return product;
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// The layer
//===----------------------------------------------------------------------===//

static std::optional<TypedAttr> constantOf(Value value) {
  DenseElementsAttr numbers;
  if (matchPattern(value, m_Constant(&numbers)) && numbers.isSplat())
    return numbers.getSplatValue<TypedAttr>();
  return std::nullopt;
}

LogicalResult BatchedBody::collectSums(const ElementAccess &access) {
  ElementAccess value = resolver.resolve(access);
  if (llvm::is_contained(seen, value) || constantOf(value.tensor))
    return success();
  if (seen.size() >= kMaxActivation)
    return failure();
  seen.push_back(value);
  if (std::optional<BatchedProduct> product = matchProduct(value)) {
    sums.push_back(*product);
    return success();
  }
  linalg::GenericOp op = elementwise(value.tensor);
  if (!op)
    return failure();
  for (unsigned i = 0; i < op.getNumDpsInputs(); ++i) {
    std::optional<ElementAccess> input = resolver.input(op, i, value.at);
    if (!input || failed(collectSums(*input)))
      return failure();
  }
  return success();
}

/// Whether two sums are the halves of one product, or its even and odd columns, or sums of
/// their own.
LogicalResult BatchedBody::matchFusion() {
  int64_t hidden = typeOf(down.weight).getDimSize(down.transposed ? 2 : 1);
  auto columns = [](const BatchedProduct &product) {
    return typeOf(product.weight).getDimSize(product.transposed ? 1 : 2);
  };
  bool separate = llvm::all_of(sums, [&](const BatchedProduct &sum) {
    return sum.column == down.inner && columns(sum) == hidden;
  });
  if (separate)
    return success(sums.size() == 1 || sums.size() == 2);
  if (sums.size() != 2 || sums[0].weight != sums[1].weight || sums[0].bias != sums[1].bias ||
      sums[0].transposed != sums[1].transposed || columns(sums[0]) != 2 * hidden)
    return failure();
  auto areAt = [&](AffineExpr first, AffineExpr second) {
    if (sums[0].column == second && sums[1].column == first)
      std::swap(sums[0], sums[1]);
    return sums[0].column == first && sums[1].column == second;
  };
  if (areAt(down.inner, down.inner + hidden))
    fusion = Fusion::Blocks;
  else if (areAt(down.inner * 2, down.inner * 2 + 1))
    fusion = Fusion::Interleaved;
  return success(fusion != Fusion::Separate);
}

LogicalResult BatchedBody::match(const ElementAccess &result) {
  // What is weighted may be narrower than the sums of the contraction.
  std::optional<BatchedProduct> product = matchProduct(resolver.resolve(result));
  if (std::optional<ElementAccess> wide = withoutCasts(resolver, {result}); !product && wide)
    product = matchProduct(*wide);
  if (!product)
    return failure();
  down = *product;
  Type element = typeOf(down.rows.tensor).getElementType();
  if (!isa<FloatType>(element) || element.getIntOrFloatBitWidth() < 16 ||
      failed(collectSums(down.rows)) || sums.empty() || failed(matchFusion()))
    return failure();
  for (const BatchedProduct &sum : sums) {
    // All read the same rows; each has a contracted dimension of its own.
    ElementAccess rows = sum.rows;
    for (AffineExpr &expr : rows.at)
      expr = expr.replace(sum.inner, sums[0].inner);
    if (!(resolver.resolve(rows) == resolver.resolve(sums[0].rows)) ||
        typeOf(sum.rows.tensor).getElementType() != element ||
        (sum.bias != nullptr) != (sums[0].bias != nullptr) || sum.transposed != sums[0].transposed)
      return failure();
  }
  input = sums[0].rows;
  inner = sums[0].inner;
  return success();
}

Value BatchedBody::buildScalar(OpBuilder &b, const ElementAccess &access,
                               SmallVector<std::pair<ElementAccess, Value>> &built) const {
  ElementAccess value = resolver.resolve(access);
  for (auto &[known, scalar] : built)
    if (known == value)
      return scalar;
  Value scalar;
  if (std::optional<TypedAttr> number = constantOf(value.tensor)) {
    scalar = arith::ConstantOp::create(b, value.tensor.getLoc(), *number);
  } else {
    linalg::GenericOp op = elementwise(value.tensor);
    IRMapping mapping;
    for (unsigned i = 0; i < op.getNumDpsInputs(); ++i)
      mapping.map(op.getBody()->getArgument(i),
                  buildScalar(b, *resolver.input(op, i, value.at), built));
    for (Operation &inner : op.getBody()->without_terminator())
      b.clone(inner, mapping);
    scalar = mapping.lookupOrDefault(op.getBody()->getTerminator()->getOperand(0));
  }
  built.push_back({value, scalar});
  return scalar;
}

/// A bias as [E, columns].
static Value asMatrix(OpBuilder &b, Value bias) {
  RankedTensorType type = typeOf(bias);
  if (type.getRank() == 2)
    return bias;
  SmallVector<ReassociationIndices> groups{{0}, {}};
  for (int64_t i = 1; i < type.getRank(); ++i)
    groups[1].push_back(i);
  return tensor::CollapseShapeOp::create(b, bias.getLoc(), bias, groups);
}

/// A weight with its last two dimensions exchanged.
static Value turned(OpBuilder &b, Value weight) {
  RankedTensorType type = typeOf(weight);
  Value empty = tensor::EmptyOp::create(
      b, weight.getLoc(),
      ArrayRef<int64_t>{type.getDimSize(0), type.getDimSize(2), type.getDimSize(1)},
      type.getElementType());
  return linalg::TransposeOp::create(b, weight.getLoc(), weight, empty, ArrayRef<int64_t>{0, 2, 1})
      ->getResult(0);
}

/// A tensor with other floats.
static Value converted(OpBuilder &b, Location loc, Value tensor, Type element) {
  if (typeOf(tensor).getElementType() == element)
    return tensor;
  ReferenceBuilder m(b, loc);
  Value empty = m.empty(tensor::getMixedSizes(b, loc, tensor), element);
  return m.map(tensor, empty, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
    return ReferenceBuilder(b, loc).convert(args[0], element);
  });
}

ExpertFFNOp BatchedBody::build(OpBuilder &b, Location loc, Value tokens, Value numbers,
                               Value weights, Value init) const {
  SmallVector<Value> up, upBiases;
  bool transposed = sums[0].transposed;
  for (const BatchedProduct &sum : sums) {
    up.push_back(sum.weight);
    if (sum.bias)
      upBiases.push_back(asMatrix(b, sum.bias));
    if (fusion != Fusion::Separate)
      break;
  }
  tokens = converted(b, loc, tokens, typeOf(init).getElementType());
  // Both weights lie the same way; constants are turned while compiling.
  Value second = down.transposed == transposed ? down.weight : turned(b, down.weight);
  Value downBias = down.bias ? asMatrix(b, down.bias) : Value();
  auto layer =
      ExpertFFNOp::create(b, loc, init.getType(), /*weightBefore=*/false, transposed, fusion,
                          tokens, numbers, weights, up, upBiases, second, downBias, init);
  OpBuilder::InsertionGuard guard(b);
  SmallVector<Type> types(sums.size(), layer.getSumType());
  Block *block =
      b.createBlock(&layer.getActivation(), {}, types, SmallVector<Location>(types.size(), loc));
  SmallVector<std::pair<ElementAccess, Value>> built;
  for (auto [sum, argument] : llvm::zip(sums, block->getArguments()))
    built.push_back({sum.result, ReferenceBuilder(b, loc).convert(
                                     argument, typeOf(sum.result.tensor).getElementType())});
  Value hidden = buildScalar(b, down.rows, built);
  hidden = ReferenceBuilder(b, loc).convert(hidden, typeOf(init).getElementType());
  moe::YieldOp::create(b, loc, ValueRange{hidden});
  return layer;
}

Value moe::layerInit(OpBuilder &b, Value sum, Value init, Type element) {
  Type wide = typeOf(init).getElementType();
  if (wide == element)
    return init;
  for (Operation *user : sum.getUsers()) {
    auto op = dyn_cast<linalg::GenericOp>(user);
    auto truncate = op && op.getNumDpsInputs() == 1 && op->getNumResults() == 1
                        ? yielded(op).getDefiningOp<arith::TruncFOp>()
                        : arith::TruncFOp();
    if (!truncate || truncate.getIn() != op.getBody()->getArgument(0) ||
        truncate.getType() != element)
      return init;
  }
  ReferenceBuilder m(b, init.getLoc());
  return m.fill(m.empty(tensor::getMixedSizes(b, m.loc, init), element), m.number(element, 0));
}

void moe::replaceSum(RewriterBase &rewriter, Operation *sum, ExpertFFNOp layer) {
  Value result = converted(rewriter, sum->getLoc(), layer.getResult(),
                           typeOf(sum->getResult(0)).getElementType());
  rewriter.replaceOp(sum, result);
}
