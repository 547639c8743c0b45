//===- RouteColumns.cpp - Routes in which tokens depend on each other -----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/RouteReference.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

/// Sinkhorn's algorithm. Sums are taken in the order of rows and columns.
Value RouteReference::scaleByColumns(Value keys) {
  Value tokens = m.dim(keys, 0), zero = m.number(compute, 0), one = m.number(compute, 1),
        epsilon = m.number(compute, 1e-8);
  auto sizes = tensor::getMixedSizes(m.b, m.loc, keys);
  auto count = [&](Value extent) -> Value {
    Value whole = arith::IndexCastOp::create(m.b, m.loc, m.b.getI64Type(), extent);
    return arith::SIToFPOp::create(m.b, m.loc, compute, whole);
  };
  // exp(key - largest of the row)
  Value lowest = arith::ConstantOp::create(
      m.b, m.loc,
      m.b.getFloatAttr(compute, APFloat::getInf(compute.getFloatSemantics(), /*Negative=*/true)));
  AffineMap all = m.b.getMultiDimIdentityMap(2),
            row = AffineMap::get(2, 0, m.b.getAffineDimExpr(0));
  using utils::IteratorType;
  Value largest = linalg::GenericOp::create(
                      m.b, m.loc, RankedTensorType::get({typeOf(keys).getDimSize(0)}, compute),
                      keys, m.fill(m.empty(sizes[0], compute), lowest), {all, row},
                      {IteratorType::parallel, IteratorType::reduction},
                      [&](OpBuilder &b, Location loc, ValueRange args) {
                        linalg::YieldOp::create(
                            b, loc, Value(arith::MaximumFOp::create(b, loc, args[0], args[1])));
                      })
                      .getResult(0);
  Value matrix = linalg::GenericOp::create(
                     m.b, m.loc, RankedTensorType::get(typeOf(keys).getShape(), compute),
                     ValueRange{keys, largest}, m.empty(sizes, compute), {all, row, all},
                     {IteratorType::parallel, IteratorType::parallel},
                     [&](OpBuilder &b, Location loc, ValueRange args) {
                       Value x = arith::SubFOp::create(b, loc, args[0], args[1]);
                       linalg::YieldOp::create(b, loc, Value(math::ExpOp::create(b, loc, x)));
                     })
                     .getResult(0);
  // d[i] = 1 / (extent * (sum_j other[j] * x + epsilon)), along rows or columns
  auto scale = [&](Value extent, Value other, Value otherExtent, Value into, bool rows) {
    return m.loop(m.constant(0), extent, into, [&](Value i, ValueRange carried) {
      Value sum = m.loop(m.constant(0), otherExtent, zero, [&](Value j, ValueRange s) {
        Value x = m.read(matrix, rows ? ValueRange{i, j} : ValueRange{j, i});
        Value product = arith::MulFOp::create(m.b, m.loc, x, m.read(other, j));
        return SmallVector<Value>{arith::AddFOp::create(m.b, m.loc, s[0], product)};
      })[0];
      sum = arith::AddFOp::create(m.b, m.loc, sum, epsilon);
      Value d = arith::DivFOp::create(m.b, m.loc, one,
                                      arith::MulFOp::create(m.b, m.loc, count(extent), sum));
      return SmallVector<Value>{m.write(d, carried[0], i)};
    })[0];
  };
  Value rowScale = m.empty(sizes[0], compute);
  Value columnScale = m.fill(m.empty(sizes[1], compute), one);
  SmallVector<Value> scales =
      m.loop(m.constant(0), m.constant(*op.getIterations()), {rowScale, columnScale},
             [&](Value, ValueRange carried) {
               Value d0 = scale(tokens, carried[1], experts, carried[0], /*rows=*/true);
               Value d1 = scale(experts, d0, tokens, carried[1], /*rows=*/false);
               return SmallVector<Value>{d0, d1};
             });
  AffineMap column = AffineMap::get(2, 0, m.b.getAffineDimExpr(1));
  return linalg::GenericOp::create(
             m.b, m.loc, matrix.getType(), ValueRange{matrix, scales[0], scales[1]},
             m.empty(sizes, compute), {all, row, column, all},
             {IteratorType::parallel, IteratorType::parallel},
             [&](OpBuilder &b, Location loc, ValueRange args) {
               Value x = arith::MulFOp::create(b, loc, args[1], args[0]);
               linalg::YieldOp::create(b, loc, Value(arith::MulFOp::create(b, loc, x, args[2])));
             })
      .getResult(0);
}

/// Which tokens each expert takes: i8 [E, T].
Value RouteReference::chooseByExperts(Value keys) {
  Type i8 = m.b.getI8Type();
  Value tokens = m.dim(keys, 0), zero = m.constant(0);
  Value marks = m.empty({m.size(keys, 1), m.size(keys, 0)}, i8);
  Value capacity = m.min(m.max(op.getCapacity(), zero), tokens);
  return m.parallel(
      OpFoldResult(experts), marks,
      [&](ValueRange at) { return SmallVector<ReferenceBuilder::Slice>{m.rowOf(marks, at[0])}; },
      [&](ValueRange at, ValueRange parts) {
        Value row = m.fill(parts[0], m.number(i8, 0));
        auto keyAt = [&](Value t) { return m.read(keys, {t, at[0]}); };
        return SmallVector<Value>{
            m.loop(zero, capacity, {row, m.number(compute, 0), m.constant(-1)},
                   [&](Value j, ValueRange carried) {
                     Value isFirst = m.cmp(arith::CmpIPredicate::eq, j, zero);
                     auto [place, found] = next(tokens, isFirst, {carried[1], carried[2]}, keyAt,
                                                [](Value) { return Value(); });
                     // There are at least `capacity` tokens.
                     Value t = m.max(place.id, zero);
                     return SmallVector<Value>{m.write(m.number(i8, 1), carried[0], t), place.key,
                                               place.id};
                   })
                .front()};
      })[0];
}
