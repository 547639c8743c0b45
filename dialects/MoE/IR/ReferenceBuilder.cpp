//===- ReferenceBuilder.cpp - What references are built of ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/ReferenceBuilder.h"
#include "dialects/MoE/IR/MoE.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

LogicalResult moe::reifyInits(DestinationStyleOpInterface op, OpBuilder &b,
                              ReifiedRankedShapedTypeDims &shapes) {
  for (OpOperand &init : op.getDpsInitsMutable())
    shapes.push_back(tensor::getMixedSizes(b, op.getLoc(), init.get()));
  return success();
}

LogicalResult moe::verifyResults(DestinationStyleOpInterface op) {
  auto inits = op.getDpsInits();
  if (inits.size() != op->getNumResults())
    return op->emitOpError("has ")
           << inits.size() << " inits, expected " << op->getNumResults() << ", one for each result";
  for (auto [init, result] : llvm::zip(inits, op->getResults()))
    if (init.getType() != result.getType())
      return op->emitOpError("has a result of type ")
             << result.getType() << " and an init of type " << init.getType();
  return success();
}

SmallVector<Value> ReferenceBuilder::loop(Value from, Value to, ValueRange carried,
                                          Body body) const {
  auto forOp = scf::ForOp::create(b, loc, from, to, constant(1), carried);
  OpBuilder::InsertionGuard guard(b);
  if (carried.empty()) { // the loop has its terminator
    b.setInsertionPointToStart(forOp.getBody());
    body(forOp.getInductionVar(), {});
    return {};
  }
  b.setInsertionPointToStart(forOp.getBody());
  scf::YieldOp::create(b, loc, body(forOp.getInductionVar(), forOp.getRegionIterArgs()));
  return SmallVector<Value>(forOp.getResults());
}

SmallVector<Value>
ReferenceBuilder::branch(Value condition, llvm::function_ref<SmallVector<Value>()> then,
                         llvm::function_ref<SmallVector<Value>()> otherwise) const {
  OpBuilder::InsertionGuard guard(b);
  auto in = [&](llvm::function_ref<SmallVector<Value>()> side) {
    return [&b = b, side](OpBuilder &nested, Location loc) {
      OpBuilder::InsertionGuard inner(b);
      b.restoreInsertionPoint(nested.saveInsertionPoint());
      SmallVector<Value> values = side();
      scf::YieldOp::create(b, loc, values);
      nested.restoreInsertionPoint(b.saveInsertionPoint());
    };
  };
  return SmallVector<Value>(
      scf::IfOp::create(b, loc, condition, in(then), in(otherwise)).getResults());
}

Value ReferenceBuilder::extract(Value tensor, const Slice &slice) const {
  SmallVector<OpFoldResult> ones(slice.offsets.size(), b.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(b, loc, slice.type, tensor, slice.offsets, slice.sizes,
                                        ones);
}

ReferenceBuilder::Slice ReferenceBuilder::rowOf(Value matrix, OpFoldResult i) const {
  RankedTensorType type = typeOf(matrix);
  return {{i, b.getIndexAttr(0)},
          {b.getIndexAttr(1), size(matrix, 1)},
          RankedTensorType::get({type.getDimSize(1)}, type.getElementType())};
}

SmallVector<Value> ReferenceBuilder::parallel(
    ArrayRef<OpFoldResult> extents, ValueRange outs,
    llvm::function_ref<SmallVector<Slice>(ValueRange)> tile,
    llvm::function_ref<SmallVector<Value>(ValueRange, ValueRange)> body) const {
  auto forall = scf::ForallOp::create(b, loc, extents, outs, /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(forall.getBody());
  SmallVector<Slice> slices = tile(forall.getInductionVars());
  SmallVector<Value> parts;
  for (auto [out, slice] : llvm::zip_equal(forall.getRegionIterArgs(), slices))
    parts.push_back(extract(out, slice));
  SmallVector<Value> results = body(forall.getInductionVars(), parts);
  b.setInsertionPointToEnd(forall.getTerminator().getBody());
  for (auto [result, out, slice] : llvm::zip_equal(results, forall.getRegionIterArgs(), slices)) {
    SmallVector<OpFoldResult> ones(slice.offsets.size(), b.getIndexAttr(1));
    tensor::ParallelInsertSliceOp::create(b, loc, result, out, slice.offsets, slice.sizes, ones);
  }
  return SmallVector<Value>(forall.getResults());
}

Value ReferenceBuilder::number(Type type, double value) const {
  TypedAttr attribute = isa<FloatType>(type)
                            ? TypedAttr(b.getFloatAttr(type, value))
                            : TypedAttr(b.getIntegerAttr(type, static_cast<int64_t>(value)));
  return arith::ConstantOp::create(b, loc, attribute);
}

Value ReferenceBuilder::convert(Value value, Type type) const {
  Type from = value.getType();
  if (from == type)
    return value;
  unsigned have = from.getIntOrFloatBitWidth(), want = type.getIntOrFloatBitWidth();
  if (isa<FloatType>(type)) {
    if (have < want)
      return arith::ExtFOp::create(b, loc, type, value);
    if (have > want)
      return arith::TruncFOp::create(b, loc, type, value);
    // f16 and bf16
    Value wide = arith::ExtFOp::create(b, loc, b.getF32Type(), value);
    return arith::TruncFOp::create(b, loc, type, wide);
  }
  if (have < want)
    return arith::ExtSIOp::create(b, loc, type, value);
  return arith::TruncIOp::create(b, loc, type, value);
}

Value ReferenceBuilder::map(
    ValueRange inputs, Value init,
    llvm::function_ref<Value(OpBuilder &, Location, ValueRange)> body) const {
  int64_t rank = typeOf(init).getRank();
  SmallVector<AffineMap> maps(inputs.size() + 1, b.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> parallel(rank, utils::IteratorType::parallel);
  return linalg::GenericOp::create(b, loc, init.getType(), inputs, init, maps, parallel,
                                   [&](OpBuilder &b, Location loc, ValueRange args) {
                                     linalg::YieldOp::create(b, loc, body(b, loc, args));
                                   })
      .getResult(0);
}
