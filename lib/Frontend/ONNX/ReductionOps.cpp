//===- ReductionOps.cpp - Reductions that operators share -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/ReductionOps.h"

#include "Frontend/ONNX/ElementOps.h"

using namespace mlir;
using namespace weft::onnx;

TensorValue weft::onnx::reduceSum(NodeContext &node, const TensorValue &x, ArrayRef<int64_t> axes,
                                  bool keepDims) {
  ElementType type = x.elementType, accumulator = accumulatorType(type);
  Value zero = makeIntScalar(node.b, node.b.getLoc(), storageType(node.context(), accumulator), 0);
  return reduce(
      node, x, axes, keepDims, accumulator, zero, [&](OpBuilder &b, Location loc, ValueRange args) {
        return addScalars(b, loc, args[1], castScalar(b, loc, args[0], type, accumulator));
      });
}

TensorValue weft::onnx::reduceMax(NodeContext &node, const TensorValue &x, ArrayRef<int64_t> axes,
                                  bool keepDims) {
  ElementType type = x.elementType;
  return reduce(node, x, axes, keepDims, type, lowestScalar(node.b, node.b.getLoc(), type),
                [&](OpBuilder &b, Location loc, ValueRange args) {
                  return maxScalars(b, loc, args[1], args[0], isUnsigned(type));
                });
}

/// Whether `x` is to be preferred to `y`, and whether they are equal.
static std::pair<Value, Value> compareForExtreme(OpBuilder &b, Location loc, Value x, Value y,
                                                 bool findMax, bool isUnsigned) {
  if (!isa<FloatType>(x.getType())) {
    using P = arith::CmpIPredicate;
    P predicate = isUnsigned ? (findMax ? P::ugt : P::ult) : (findMax ? P::sgt : P::slt);
    return {arith::CmpIOp::create(b, loc, predicate, x, y),
            arith::CmpIOp::create(b, loc, P::eq, x, y)};
  }
  using P = arith::CmpFPredicate;
  Value better = arith::CmpFOp::create(b, loc, findMax ? P::OGT : P::OLT, x, y);
  Value equal = arith::CmpFOp::create(b, loc, P::OEQ, x, y);
  Value xIsNaN = arith::CmpFOp::create(b, loc, P::UNO, x, x);
  Value yIsNumber = arith::CmpFOp::create(b, loc, P::ORD, y, y);
  Value yIsNaN = arith::CmpFOp::create(b, loc, P::UNO, y, y);
  return {arith::OrIOp::create(b, loc, better, arith::AndIOp::create(b, loc, xIsNaN, yIsNumber)),
          arith::OrIOp::create(b, loc, equal, arith::AndIOp::create(b, loc, xIsNaN, yIsNaN))};
}

TensorValue weft::onnx::argExtreme(NodeContext &node, const TensorValue &x, int64_t axis,
                                   bool keepDims, bool findMax, bool selectLast) {
  ElementType type = x.elementType, wide = accumulatorType(type);
  Location loc = node.b.getLoc();
  Dims dims, keptDims = x.dims;
  SmallVector<AffineExpr> output;
  SmallVector<utils::IteratorType> iterators(x.rank(), utils::IteratorType::parallel);
  iterators[axis] = utils::IteratorType::reduction;
  keptDims[axis] = node.dims.constant(1);
  for (int64_t i = 0; i < x.rank(); ++i)
    if (i != axis) {
      dims.push_back(x.dims[i]);
      output.push_back(node.b.getAffineDimExpr(i));
    }
  // Every element is preferred to the neutral one: at equal values the initial
  // position loses.
  Value extreme = findMax ? lowestScalar(node.b, loc, wide) : highestScalar(node.b, loc, wide);
  Value nowhere = arith::ConstantIntOp::create(node.b, loc, selectLast ? -1 : INT64_MAX, 64);
  TensorValue bestStart = makeFilled(node, wide, dims, extreme);
  TensorValue positionStart = makeFilled(node, ElementType::Int64, dims, nowhere);
  AffineMap outputMap = AffineMap::get(x.rank(), 0, output, node.context());
  auto generic = linalg::GenericOp::create(
      node.b, loc, TypeRange{bestStart.value.getType(), positionStart.value.getType()},
      node.value(x), ValueRange{bestStart.value, positionStart.value},
      ArrayRef<AffineMap>{node.b.getMultiDimIdentityMap(x.rank()), outputMap, outputMap}, iterators,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        Value element = castScalar(b, loc, args[0], type, wide), best = args[1], at = args[2];
        Value here = arith::IndexCastOp::create(b, loc, b.getI64Type(),
                                                linalg::IndexOp::create(b, loc, axis));
        auto [better, equal] = compareForExtreme(b, loc, element, best, findMax, isUnsigned(type));
        Value sooner = arith::CmpIOp::create(
            b, loc, selectLast ? arith::CmpIPredicate::sgt : arith::CmpIPredicate::slt, here, at);
        Value take =
            arith::OrIOp::create(b, loc, better, arith::AndIOp::create(b, loc, equal, sooner));
        linalg::YieldOp::create(b, loc,
                                ValueRange{arith::SelectOp::create(b, loc, take, element, best),
                                           arith::SelectOp::create(b, loc, take, here, at)});
      });
  TensorValue result = makeValue(generic.getResult(1), ElementType::Int64, dims);
  return keepDims ? reshape(node, result, keptDims) : result;
}

TensorValue weft::onnx::logSoftmax(NodeContext &node, const TensorValue &x, int64_t axis) {
  ElementType type = x.elementType;
  TensorValue largest = reduceMax(node, x, axis, /*keepDims=*/true);
  TensorValue shifted = *elementwiseTo(node, {x, largest}, type, x.dims,
                                       [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                                         return arith::SubFOp::create(b, loc, args[0], args[1]);
                                       });
  TensorValue powers = *elementwiseTo(node, shifted, type, x.dims,
                                      [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                                        return math::ExpOp::create(b, loc, args[0]);
                                      });
  TensorValue sum = reduceSum(node, powers, axis, /*keepDims=*/true);
  return *elementwiseTo(
      node, {shifted, sum}, type, x.dims, [](OpBuilder &b, Location loc, ValueRange args) -> Value {
        return arith::SubFOp::create(b, loc, args[0], math::LogOp::create(b, loc, args[1]));
      });
}
