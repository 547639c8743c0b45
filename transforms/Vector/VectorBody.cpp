//===- VectorBody.cpp - Bodies of structured operations on vectors --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Vector/VectorBody.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace weft;

/// Instructions of a transcendental function, roughly.
static constexpr int64_t kTranscendental = 20;

bool weft::isContiguousAlong(AffineMap map, unsigned loop) {
  if (map.getNumResults() == 0)
    return false;
  for (AffineExpr expr : map.getResults().drop_back())
    if (expr.isFunctionOfDim(loop))
      return false;
  AffineExpr last = map.getResults().back();
  AffineExpr rest = simplifyAffineExpr(last - getAffineDimExpr(loop, map.getContext()),
                                       map.getNumDims(), 0);
  return last.isPureAffine() && !rest.isFunctionOfDim(loop);
}

bool weft::hasContiguousRows(Value tensor) {
  while (Operation *def = tensor.getDefiningOp()) {
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(def)) {
      if (slice.getSourceType().getRank() == 0)
        return true;
      if (getConstantIntValue(slice.getMixedStrides().back()) != 1 ||
          slice.getDroppedDims().test(slice.getSourceType().getRank() - 1))
        return false;
      tensor = slice.getSource();
    } else if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(def)) {
      tensor = def->getOperand(0);
    } else {
      return true;
    }
  }
  return true;
}

Value weft::readVector(OpBuilder &b, Location loc, Value tensor, ValueRange position,
                       int64_t lanes, Value mask) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
  auto map = AffineMap::getMinorIdentityMap(type.getRank(), 1, b.getContext());
  return vector::TransferReadOp::create(
      b, loc, VectorType::get({lanes}, type.getElementType()), tensor, position,
      AffineMapAttr::get(map), zero, mask, b.getBoolArrayAttr({true}));
}

Value weft::writeVector(OpBuilder &b, Location loc, Value vector, Value tensor,
                        ValueRange position, Value mask) {
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  auto map = AffineMap::getMinorIdentityMap(rank, 1, b.getContext());
  return vector::TransferWriteOp::create(b, loc, tensor.getType(), vector, tensor, position,
                                         AffineMapAttr::get(map), mask,
                                         b.getBoolArrayAttr({true}))
      .getResult();
}

SmallVector<Value> VectorBody::position(OpBuilder &b, linalg::GenericOp op, OpOperand *operand,
                                        ArrayRef<Value> loops) {
  AffineMap map = op.getMatchingIndexingMap(operand);
  SmallVector<Value> result;
  for (AffineExpr expr : map.getResults()) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
      result.push_back(loops[dim.getPosition()]);
      continue;
    }
    SmallVector<OpFoldResult> operands(loops.begin(), loops.end());
    OpFoldResult value = affine::makeComposedFoldedAffineApply(
        b, op.getLoc(), AffineMap::get(map.getNumDims(), 0, expr), operands);
    result.push_back(getValueOrCreateConstantIndexOp(b, op.getLoc(), value));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// What can be computed
//===----------------------------------------------------------------------===//

VectorBody::VectorBody(linalg::GenericOp op, unsigned vectorLoop)
    : op(op), vectorLoop(vectorLoop) {
  analyze();
}

/// Numbers that lanes can hold. Index values have 64 bits, but are few.
static bool isLaneType(Type type) {
  if (type.isIndex() || isa<IntegerType>(type))
    return type.isIndex() || type.getIntOrFloatBitWidth() <= 64;
  return isa<FloatType>(type) && (type.isF64() || type.isF32() || type.isF16() || type.isBF16());
}

/// Whether `extract` reads neighbours for neighbours along the vector loop.
bool VectorBody::readsNeighbours(tensor::ExtractOp extract) const {
  if (extract.getIndices().empty() || !hasContiguousRows(extract.getTensor()) ||
      llvm::any_of(extract.getIndices().drop_back(), [&](Value index) { return varies(index); }))
    return false;
  auto index = extract.getIndices().back().getDefiningOp<linalg::IndexOp>();
  return index && index.getDim() == vectorLoop;
}

void VectorBody::analyzeInputs() {
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    bool isInit = op.isDpsInit(&operand);
    if (isInit) {
      varying.insert(argument);
      if (!isLaneType(argument.getType()))
        reason = "a result has no type of lanes";
      widest = std::max<int64_t>(widest, argument.getType().getIntOrFloatBitWidth());
      if (!map.isFunctionOfDim(vectorLoop))
        continue;
    }
    if (!isInit && (argument.use_empty() || !map.isFunctionOfDim(vectorLoop)))
      continue;
    if (!isContiguousAlong(map, vectorLoop) || !hasContiguousRows(operand.get())) {
      reason = "an operand's neighbours are no neighbours in memory";
      return;
    }
    varying.insert(argument);
    if (!isLaneType(argument.getType())) {
      reason = "an operand has no type of lanes";
      return;
    }
    int64_t bits = argument.getType().getIntOrFloatBitWidth();
    widest = std::max(widest, bits);
    narrowest = std::min(narrowest, bits);
    ++instructions;
  }
}

bool VectorBody::analyzeOperation(Operation &inner) {
  bool differs = llvm::any_of(inner.getOperands(), [&](Value v) { return varies(v); });
  if (auto index = dyn_cast<linalg::IndexOp>(inner))
    differs = index.getDim() == vectorLoop;
  if (inner.getNumRegions() != 0 || !isMemoryEffectFree(&inner)) {
    reason = "the body has an operation with a region or effects";
    return false;
  }
  if (!differs)
    return true;
  for (Value result : inner.getResults())
    varying.insert(result);
  if (isa<linalg::IndexOp>(inner))
    return true;
  if (auto extract = dyn_cast<tensor::ExtractOp>(inner)) {
    if (!readsNeighbours(extract) || !isLaneType(extract.getType())) {
      reason = "the body reads elements at computed positions";
      return false;
    }
    narrowest = std::min<int64_t>(narrowest, extract.getType().getIntOrFloatBitWidth());
  } else if (!OpTrait::hasElementwiseMappableTraits(&inner)) {
    reason = "the body has an operation that has no form on vectors";
    return false;
  }
  // Lanes outside of the mask may divide by zero.
  if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp, arith::CeilDivSIOp,
          arith::CeilDivUIOp, arith::FloorDivSIOp>(inner)) {
    reason = "the body divides integers, one by one";
    return false;
  }
  for (Value result : inner.getResults()) {
    Type type = result.getType();
    if (!isLaneType(type)) {
      reason = "the body has a type that is none of lanes";
      return false;
    }
    // Indices are few, and conditions are masks.
    bool isIndex = type.isIndex() || isa<arith::IndexCastOp, arith::IndexCastUIOp>(inner);
    if (!isIndex && type.getIntOrFloatBitWidth() > 1)
      widest = std::max<int64_t>(widest, type.getIntOrFloatBitWidth());
  }
  bool isSimple = !isa<math::MathDialect>(inner.getDialect()) ||
                  isa<math::AbsFOp, math::AbsIOp, math::FmaOp, math::SqrtOp, math::CopySignOp,
                      math::FloorOp, math::CeilOp, math::TruncOp, math::RoundEvenOp>(inner);
  instructions += isSimple ? 1 : kTranscendental;
  return true;
}

void VectorBody::analyze() {
  if (!op.hasPureTensorSemantics()) {
    reason = "it works on memory";
    return;
  }
  analyzeInputs();
  if (!reason.empty())
    return;
  for (Operation &inner : op.getBody()->without_terminator())
    if (!analyzeOperation(inner))
      return;
}

//===----------------------------------------------------------------------===//
// Computing it
//===----------------------------------------------------------------------===//

void VectorBody::enterRow(OpBuilder &b, ArrayRef<Value> loops) {
  Location loc = op.getLoc();
  scalars.clear();
  row.assign(loops.begin(), loops.end());
  for (OpOperand *operand : op.getDpsInputOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(operand);
    if (argument.use_empty() || varies(argument))
      continue;
    Value value = operand->get();
    if (isa<RankedTensorType>(value.getType()))
      value = tensor::ExtractOp::create(b, loc, value, position(b, op, operand, loops));
    scalars.map(argument, value);
  }
  for (Operation &inner : op.getBody()->without_terminator()) {
    if (llvm::any_of(inner.getResults(), [&](Value v) { return varies(v); }))
      continue;
    if (auto index = dyn_cast<linalg::IndexOp>(inner))
      scalars.map(index.getResult(), loops[index.getDim()]);
    else
      b.clone(inner, scalars);
  }
}

SmallVector<Value> VectorBody::compute(OpBuilder &b, Value start, int64_t lanes, Value mask,
                                       ValueRange outs, ValueRange carried) const {
  linalg::GenericOp generic = op;
  Location loc = generic.getLoc();
  SmallVector<Value> loops(row);
  loops[vectorLoop] = start;
  IRMapping vectors;
  auto lookup = [&](Value value) -> Value {
    if (Value known = vectors.lookupOrNull(value))
      return known;
    Value scalar = scalars.lookupOrDefault(value);
    auto type = VectorType::get({lanes}, scalar.getType());
    Value result = vector::BroadcastOp::create(b, loc, type, scalar);
    vectors.map(value, result);
    return result;
  };
  for (auto [argument, out] : llvm::zip(generic.getRegionOutputArgs(), outs))
    if (out)
      vectors.map(argument, out);
  for (OpOperand *operand : generic.getDpsInputOperands()) {
    BlockArgument argument = generic.getMatchingBlockArgument(operand);
    if (argument.use_empty() || !varies(argument))
      continue;
    Value tensor = operand->get();
    for (auto [i, value] : llvm::enumerate(carried)) {
      OpOperand *init = generic.getDpsInitOperand(static_cast<int64_t>(i));
      if (init->get() == tensor && generic.getMatchingIndexingMap(init) ==
                                       generic.getMatchingIndexingMap(operand)) {
        tensor = value;
        break;
      }
    }
    vectors.map(argument, readVector(b, loc, tensor, position(b, generic, operand, loops),
                                     lanes, mask));
  }
  for (Operation &inner : generic.getBody()->without_terminator()) {
    if (llvm::none_of(inner.getResults(), [&](Value v) { return varies(v); }))
      continue;
    if (isa<linalg::IndexOp>(inner)) {
      auto type = VectorType::get({lanes}, b.getIndexType());
      Value first = vector::BroadcastOp::create(b, loc, type, start);
      Value steps = vector::StepOp::create(b, loc, type);
      vectors.map(inner.getResult(0), Value(arith::AddIOp::create(b, loc, first, steps)));
      continue;
    }
    if (auto extract = dyn_cast<tensor::ExtractOp>(inner)) {
      SmallVector<Value> at;
      for (Value index : extract.getIndices().drop_back())
        at.push_back(scalars.lookupOrDefault(index));
      at.push_back(start);
      vectors.map(extract.getResult(),
                  readVector(b, loc, extract.getTensor(), at, lanes, mask));
      continue;
    }
    SmallVector<Value> operands;
    for (Value operand : inner.getOperands())
      operands.push_back(lookup(operand));
    SmallVector<Type> types;
    for (Type type : inner.getResultTypes())
      types.push_back(VectorType::get({lanes}, type));
    OperationState state(loc, inner.getName().getStringRef(), operands, types, inner.getAttrs());
    Operation *created = b.create(state);
    for (auto [from, to] : llvm::zip(inner.getResults(), created->getResults()))
      vectors.map(from, to);
  }
  SmallVector<Value> results;
  for (Value value : generic.getBody()->getTerminator()->getOperands())
    results.push_back(lookup(value));
  return results;
}
