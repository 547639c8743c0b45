//===- MoEExpertFFN.cpp - Feed-forward layers of experts ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

FloatType ExpertFFNOp::getSumType() {
  if (typeOf(getInput()).getElementType().isF64())
    return Float64Type::get(getContext());
  return Float32Type::get(getContext());
}

LogicalResult ExpertFFNOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, b, shapes);
}

/// Weights are floats of `experts` times `rows` times `columns`, or transposed.
static LogicalResult verifyWeight(ExpertFFNOp op, StringRef name, Value weight, int64_t experts,
                                  int64_t rows, int64_t columns) {
  auto type = cast<ShapedType>(weight.getType());
  if (op.getTransposed())
    std::swap(rows, columns);
  if (type.getRank() != 3 || !isa<FloatType>(type.getElementType()) ||
      !compatible(type.getDimSize(0), experts) || !compatible(type.getDimSize(1), rows) ||
      !compatible(type.getDimSize(2), columns))
    return op.emitOpError("expects ")
           << name << " weights of " << show(experts) << " x " << show(rows) << " x "
           << show(columns) << " floats, got " << Type(type);
  if (type.getElementType().isF64() && !op.getSumType().isF64())
    return op.emitOpError("has ") << name << " weights of f64 for sums of f32";
  return success();
}

static LogicalResult verifyBias(ExpertFFNOp op, Value bias, int64_t experts, int64_t columns) {
  RankedTensorType type = typeOf(bias);
  if (type.getRank() != 2 || !isa<FloatType>(type.getElementType()) ||
      (type.getElementType().isF64() && !op.getSumType().isF64()) ||
      !compatible(type.getDimSize(0), experts) || !compatible(type.getDimSize(1), columns))
    return op.emitOpError("expects a bias of ")
           << show(experts) << " x " << show(columns) << " floats, got " << type;
  return success();
}

LogicalResult ExpertFFNOp::verify() {
  if (failed(verifyResults(*this)))
    return failure();
  RankedTensorType input = typeOf(getInput()), ids = typeOf(getIds()),
                   weights = typeOf(getWeights()), result = typeOf(getResult());
  if (input.getRank() != 2 || !isa<FloatType>(input.getElementType()))
    return emitOpError("expects an input of rank 2 of floats, got ") << input;
  if (ids.getRank() != 2 || !ids.getElementType().isInteger(32) ||
      !compatible(ids.getDimSize(0), input.getDimSize(0)))
    return emitOpError("expects numbers of experts of type tensor<")
           << show(input.getDimSize(0)) << "xKxi32>, got " << ids;
  if (!isa<FloatType>(weights.getElementType()) ||
      failed(verifyCompatibleShape(weights.getShape(), ids.getShape())))
    return emitOpError("expects weights of floats of the shape of the numbers, got ") << weights;
  if (result.getRank() != 2 || result.getElementType() != input.getElementType() ||
      !compatible(result.getDimSize(0), input.getDimSize(0)))
    return emitOpError("expects an init of ") << show(input.getDimSize(0)) << " rows of "
                                              << input.getElementType() << ", got " << result;
  bool isFused = getFused() != Fusion::Separate;
  if (getUp().empty() || getUp().size() > 2 || (isFused && getUp().size() != 1))
    return emitOpError("expects one or two weights up, one if they are fused, got ")
           << getUp().size();
  auto down = cast<ShapedType>(getDown().getType());
  if (down.getRank() != 3)
    return emitOpError("expects down weights of rank 3, got ") << Type(down);
  int64_t experts = down.getDimSize(0), hidden = down.getDimSize(getTransposed() ? 2 : 1);
  int64_t wide = isFused && !ShapedType::isDynamic(hidden) ? 2 * hidden : hidden;
  if (failed(verifyWeight(*this, "down", getDown(), experts, hidden, result.getDimSize(1))))
    return failure();
  for (Value up : getUp())
    if (failed(verifyWeight(*this, "up", up, experts, input.getDimSize(1), wide)))
      return failure();
  if (!getUpBiases().empty() && getUpBiases().size() != getUp().size())
    return emitOpError("has ") << getUpBiases().size() << " biases for " << getUp().size()
                               << " weights up";
  for (Value bias : getUpBiases())
    if (failed(verifyBias(*this, bias, experts, wide)))
      return failure();
  if (getDownBias() && failed(verifyBias(*this, getDownBias(), experts, result.getDimSize(1))))
    return failure();
  if (getSlotMajor() && !getCapacity())
    return emitOpError("orders choices for a capacity, but has none");
  Block &block = getActivation().front();
  SmallVector<Type> sums(getSumCount(), getSumType());
  if (block.getArgumentTypes() != TypeRange(sums))
    return emitOpError("expects an activation of ") << sums.size() << " " << getSumType();
  auto yield = dyn_cast<moe::YieldOp>(block.getTerminator());
  Type element = input.getElementType();
  if (!yield || yield.getNumOperands() != 1 || yield.getOperand(0).getType() != element)
    return emitOpError("has an activation that does not yield one ") << element;
  return success();
}

namespace {
/// Builds what an expert layer is made of.
class ExpertFFNReference {
public:
  ExpertFFNReference(OpBuilder &b, ExpertFFNOp op) : m(b, op.getLoc()), op(op) {
    tokens = m.dim(op.getIds(), 0);
    width = m.dim(op.getIds(), 1);
    rows = m.mul(tokens, width);
  }
  Value lower();

private:
  OpFoldResult extent(Value weight, int64_t i) {
    auto type = cast<ShapedType>(weight.getType());
    if (type.isDynamicDim(i))
      return m.size(weight, i);
    return m.b.getIndexAttr(type.getDimSize(i));
  }
  /// The number of rows as a size: static where slots are.
  OpFoldResult rowCount() {
    RankedTensorType ids = typeOf(op.getIds());
    if (ids.hasStaticShape())
      return m.b.getIndexAttr(ids.getNumElements());
    return rows;
  }
  PlanOp plan();
  /// The token of each slot.
  Value tokensOf(Value slots);
  /// A row for each slot: the token's, weighted.
  Value weightedInput();
  void cloneActivation(OpBuilder &b, ValueRange sums, llvm::function_ref<void(Value)> yield);
  Value up(Value input, Value offsets, Value indices);
  /// The activation of the two halves of `sums`.
  Value activatePairs(Value sums, OpFoldResult hidden);

  ReferenceBuilder m;
  ExpertFFNOp op;
  Value tokens, width, rows;
};
} // namespace

PlanOp ExpertFFNReference::plan() {
  Type i32 = m.b.getI32Type();
  OpFoldResult groups = extent(op.getDown(), 0);
  if (auto number = getConstantIntValue(groups))
    groups = m.b.getIndexAttr(*number + 1);
  else
    groups = m.add(m.value(groups), m.constant(1));
  SmallVector<Value> inits{m.empty(groups, i32), m.empty(rowCount(), i32),
                           m.empty(tensor::getMixedSizes(m.b, m.loc, op.getIds()), i32)};
  auto types = ValueRange(inits).getTypes();
  return PlanOp::create(m.b, m.loc, types[0], types[1], types[2], Drop::Last, op.getSlotMajor(),
                        /*align=*/1, /*padded=*/false, op.getIds(), /*weights=*/Value(),
                        /*place=*/Value(), op.getCapacity(), inits);
}

Value ExpertFFNReference::tokensOf(Value slots) {
  return m.map(slots, m.empty(rowCount(), m.b.getI32Type()),
               [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                 ReferenceBuilder e(b, loc);
                 // Rounds down: what is in no slot stays -1.
                 Value token = arith::FloorDivSIOp::create(b, loc, e.toIndex(args[0]), width);
                 return e.toI32(token);
               });
}

Value ExpertFFNReference::weightedInput() {
  MLIRContext *context = m.b.getContext();
  AffineExpr t = m.b.getAffineDimExpr(0), j = m.b.getAffineDimExpr(1), h = m.b.getAffineDimExpr(2);
  Type element = typeOf(op.getInput()).getElementType();
  SmallVector<OpFoldResult> sizes{m.size(op.getIds(), 0), m.size(op.getIds(), 1),
                                  m.size(op.getInput(), 1)};
  Value init = m.empty(sizes, element);
  SmallVector<utils::IteratorType> parallel(3, utils::IteratorType::parallel);
  Value scaled = linalg::GenericOp::create(
                     m.b, m.loc, init.getType(), ValueRange{op.getInput(), op.getWeights()}, init,
                     ArrayRef<AffineMap>{AffineMap::get(3, 0, {t, h}, context),
                                         AffineMap::get(3, 0, {t, j}, context),
                                         AffineMap::get(3, 0, {t, j, h}, context)},
                     parallel,
                     [&](OpBuilder &b, Location loc, ValueRange args) {
                       ReferenceBuilder e(b, loc);
                       Value x = e.convert(args[0], op.getSumType()),
                             w = e.convert(args[1], op.getSumType());
                       Value product = arith::MulFOp::create(b, loc, w, x);
                       linalg::YieldOp::create(b, loc, e.convert(product, element));
                     })
                     .getResult(0);
  return tensor::CollapseShapeOp::create(m.b, m.loc, scaled,
                                         SmallVector<ReassociationIndices>{{0, 1}, {2}});
}

void ExpertFFNReference::cloneActivation(OpBuilder &b, ValueRange sums,
                                         llvm::function_ref<void(Value)> yield) {
  Block &block = op.getActivation().front();
  IRMapping mapping;
  mapping.map(block.getArguments(), sums);
  for (Operation &inner : block.without_terminator())
    b.clone(inner, mapping);
  yield(mapping.lookupOrDefault(block.getTerminator()->getOperand(0)));
}

Value ExpertFFNReference::activatePairs(Value sums, OpFoldResult hidden) {
  Type element = typeOf(op.getInput()).getElementType();
  Value init = m.empty({rowCount(), hidden}, element), half = m.value(hidden);
  SmallVector<utils::IteratorType> parallel(2, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             m.b, m.loc, init.getType(), ValueRange(), init, m.b.getMultiDimIdentityMap(2),
             parallel,
             [&](OpBuilder &b, Location loc, ValueRange) {
               ReferenceBuilder e(b, loc);
               Value row = linalg::IndexOp::create(b, loc, 0),
                     column = linalg::IndexOp::create(b, loc, 1);
               bool isBlocks = op.getFused() == Fusion::Blocks;
               Value first = isBlocks ? column : e.mul(column, e.constant(2));
               Value second = e.add(first, isBlocks ? half : e.constant(1));
               SmallVector<Value> both{e.read(sums, {row, first}), e.read(sums, {row, second})};
               cloneActivation(b, both,
                               [&](Value value) { linalg::YieldOp::create(b, loc, value); });
             })
      .getResult(0);
}

Value ExpertFFNReference::up(Value input, Value offsets, Value indices) {
  int64_t along = op.getTransposed() ? 2 : 1;
  OpFoldResult hidden = extent(op.getDown(), along);
  bool isFused = op.getFused() != Fusion::Separate;
  OpFoldResult columns = isFused ? extent(op.getUp()[0], 3 - along) : hidden;
  Type element = isFused ? Type(op.getSumType()) : typeOf(op.getInput()).getElementType();
  Value init = m.empty({rowCount(), columns}, element);
  auto matmul = GroupedMatmulOp::create(m.b, m.loc, init.getType(), op.getTransposed(), input,
                                        op.getUp(), op.getUpBiases(), offsets, indices, init,
                                        /*epilogueCount=*/isFused ? 0 : 1);
  if (isFused)
    return activatePairs(matmul.getResult(), hidden);
  OpBuilder::InsertionGuard guard(m.b);
  SmallVector<Type> types(op.getUp().size(), op.getSumType());
  types.append(2, m.b.getIndexType());
  Block *block = m.b.createBlock(&matmul.getEpilogue().front(), {}, types,
                                 SmallVector<Location>(types.size(), m.loc));
  cloneActivation(m.b, block->getArguments().drop_back(2),
                  [&](Value value) { moe::YieldOp::create(m.b, m.loc, ValueRange{value}); });
  return matmul.getResult();
}

Value ExpertFFNReference::lower() {
  PlanOp plan = this->plan();
  Value input = op.getInput(), indices = plan.getSlots(), weights = op.getWeights();
  if (op.getWeightBefore()) {
    input = weightedInput();
    weights = {};
  } else {
    indices = tokensOf(indices);
  }
  Value hidden = up(input, plan.getOffsets(), indices);
  Type element = op.getSumType();
  Value init = m.empty({rowCount(), m.size(op.getInit(), 1)}, element);
  SmallVector<Value> biases;
  if (op.getDownBias())
    biases.push_back(op.getDownBias());
  auto values =
      GroupedMatmulOp::create(m.b, m.loc, init.getType(), op.getTransposed(), hidden, op.getDown(),
                              biases, plan.getOffsets(), /*indices=*/Value(), init,
                              /*epilogueCount=*/0);
  return CombineOp::create(m.b, m.loc, op.getType(), values.getResult(), plan.getPositions(),
                           weights, op.getInit());
}

FailureOr<SmallVector<Value>> ExpertFFNOp::lowerToReference(OpBuilder &b) {
  return SmallVector<Value>{ExpertFFNReference(b, *this).lower()};
}

/// Of a capacity, tokens take what those before have left.
TilingLoops ExpertFFNOp::getTilingLoops() {
  return TilingLoops(*this, getCapacity() ? "" : "T")
      .cut(getInputMutable(), "TH")
      .cut(getIdsMutable(), "TK")
      .cut(getWeightsMutable(), "TK")
      .cut(getInitsMutable(), "TN");
}
