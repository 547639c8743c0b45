//===- WindowReader.cpp - Vectors of a convolution's input ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Vector/WindowReader.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace weft;

WindowReader::WindowReader(Im2colOp op, int64_t lanes, OpBuilder &builder)
    : op(op), lanes(lanes), b(builder), loc(op.getLoc()) {
  width = b.createOrFold<arith::MaxSIOp>(loc, op.getExtents().back(), constant(1));
  columns = b.createOrFold<tensor::DimOp>(loc, op.getInit(), 3);
  Value end = apply(d(0) + d(1), {op.getOffset(), columns});
  firstRow = b.createOrFold<arith::DivUIOp>(loc, op.getOffset(), width);
  endRow = b.createOrFold<arith::CeilDivUIOp>(loc, end, width);
}

Value WindowReader::apply(AffineExpr expr, ArrayRef<Value> operands) {
  SmallVector<OpFoldResult> values;
  for (Value value : operands)
    values.push_back(getAsOpFoldResult(value));
  return getValueOrCreateConstantIndexOp(
      b, loc, affine::makeComposedFoldedAffineApply(b, loc, expr, values));
}

Value WindowReader::channelsPerGroup() {
  // Rows of a matrix by kernel positions.
  int64_t positions = 1;
  for (int64_t extent : op.getKernel())
    positions *= extent;
  Value rows = b.createOrFold<tensor::DimOp>(loc, op.getInit(), 2);
  return positions == 0 ? constant(0)
                        : b.createOrFold<arith::DivUIOp>(loc, rows, constant(positions));
}

WindowReader::Row WindowReader::row(Value number) {
  Value start = b.createOrFold<arith::MulIOp>(loc, number, width);
  Value first = most(start, op.getOffset());
  Value last =
      least(apply(d(0) + d(1), {start, width}), apply(d(0) + d(1), {op.getOffset(), columns}));
  Row result{apply(d(0) - d(1), {first, op.getOffset()}),
             apply(d(0) - d(1), {first, start}),
             apply(d(0) - d(1), {last, start}),
             {}};
  Value rest = number;
  result.outer.resize(outerRank());
  for (int64_t i = outerRank() - 1; i > 0; --i) {
    Value size = b.createOrFold<arith::MaxSIOp>(loc, op.getExtents()[i], constant(1));
    result.outer[i] = b.createOrFold<arith::RemUIOp>(loc, rest, size);
    rest = b.createOrFold<arith::DivUIOp>(loc, rest, size);
  }
  if (outerRank() > 0)
    result.outer[0] = rest;
  return result;
}

Value WindowReader::extent(int64_t i) {
  return b.createOrFold<tensor::DimOp>(loc, op.getInput(), 2 + i);
}

std::pair<Value, Value> WindowReader::kernelRange(int64_t i, Value output) {
  int64_t stride = op.getStrides()[i], dilation = op.getDilations()[i], pad = op.getPads()[i];
  Value low = apply((pad - d(0) * stride).ceilDiv(dilation), {output});
  Value high = apply((d(1) + pad - d(0) * stride).ceilDiv(dilation), {output, extent(i)});
  return {most(low, constant(0)), least(high, constant(op.getKernel()[i]))};
}

Value WindowReader::outerPosition(int64_t i, Value output, Value kernel) {
  return apply(d(0) * op.getStrides()[i] + d(1) * op.getDilations()[i] - op.getPads()[i],
               {output, kernel});
}

Value WindowReader::mask(Value count) {
  return vector::CreateMaskOp::create(b, loc, VectorType::get({lanes}, b.getI1Type()), count);
}

Value WindowReader::mask(Value begin, Value end) {
  Value outside = mask(begin);
  auto type = cast<VectorType>(outside.getType());
  Value all = arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, true));
  return arith::AndIOp::create(b, loc, mask(end), arith::XOrIOp::create(b, loc, outside, all));
}

/// `lanes` neighbours from `position` on, which may lie before the row.
Value WindowReader::load(ArrayRef<Value> outer, Value position, Value limit) {
  auto type = cast<RankedTensorType>(op.getInput().getType());
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
  SmallVector<Value> at(outer);
  at.push_back(position);
  Value inside = mask(apply(-d(0), {position}), apply(d(0) - d(1), {limit, position}));
  auto map = AffineMap::getMinorIdentityMap(type.getRank(), 1, b.getContext());
  return vector::TransferReadOp::create(b, loc, VectorType::get({lanes}, type.getElementType()),
                                        op.getInput(), at, AffineMapAttr::get(map), zero, inside,
                                        b.getBoolArrayAttr({true}));
}

Value WindowReader::read(ArrayRef<Value> outer, Value position, Value kernel, Value limit) {
  int64_t last = outerRank(), stride = op.getStrides()[last];
  Value first = outerPosition(last, position, kernel);
  if (stride == 1)
    return load(outer, first, limit);
  if (stride == 2) {
    SmallVector<int64_t> even;
    for (int64_t i = 0; i < lanes; ++i)
      even.push_back(2 * i);
    Value low = load(outer, first, limit);
    Value high = load(outer, apply(d(0) + lanes, {first}), limit);
    return vector::ShuffleOp::create(b, loc, low, high, even);
  }
  // Lanes whose element lies in [0, limit).
  Value inside = mask(apply((-d(0)).ceilDiv(stride), {first}),
                      apply((d(0) - d(1)).ceilDiv(stride), {limit, first}));
  auto type = cast<RankedTensorType>(op.getInput().getType());
  auto vectorType = VectorType::get({lanes}, type.getElementType());
  auto indexType = VectorType::get({lanes}, b.getIndexType());
  Value steps = vector::StepOp::create(b, loc, indexType);
  Value scale = vector::BroadcastOp::create(b, loc, indexType, constant(stride));
  Value start = vector::BroadcastOp::create(b, loc, indexType, first);
  Value positions =
      arith::AddIOp::create(b, loc, start, arith::MulIOp::create(b, loc, steps, scale));
  SmallVector<Value> at(outer);
  at.push_back(constant(0));
  Value zeros = arith::ConstantOp::create(b, loc, b.getZeroAttr(vectorType));
  return vector::GatherOp::create(b, loc, vectorType, op.getInput(), at, positions, inside, zeros);
}
