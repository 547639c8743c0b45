//===- Determinant.cpp - Determinants of matrices -------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Gaussian elimination with partial pivoting. Steps follow one another in an
// `scf.for`; within a step all matrices, rows and columns are parallel.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/ScalarMath.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

/// For each matrix of `a` [B, n, n] the row from `step` on whose element in
/// column `step` is the largest in magnitude; the first of equal ones. [B] i64.
static TensorValue findPivots(NodeContext &node, const TensorValue &a, Value step) {
  ElementType type = a.elementType;
  TensorValue largest = makeSplat(node, type, {a.dims[0]}, -1);
  TensorValue rows = makeSplat(node, ElementType::Int64, {a.dims[0]}, 0);
  Value source = node.value(a);
  // Never read: it gives the loops over rows their extent.
  Value shape = tensor::EmptyOp::create(node.b, node.b.getLoc(), Dims{a.dims[0], a.dims[1]},
                                        node.b.getI8Type());
  AffineExpr batch = node.b.getAffineDimExpr(0), row = node.b.getAffineDimExpr(1);
  AffineMap both = AffineMap::get(2, 0, {batch, row}, node.context());
  AffineMap one = AffineMap::get(2, 0, {batch}, node.context());
  auto generic = linalg::GenericOp::create(
      node.b, node.b.getLoc(), TypeRange{largest.value.getType(), rows.value.getType()}, shape,
      ValueRange{largest.value, rows.value}, ArrayRef<AffineMap>{both, one, one},
      ArrayRef<utils::IteratorType>{utils::IteratorType::parallel, utils::IteratorType::reduction},
      [&](OpBuilder &b, Location loc, ValueRange args) {
        ScalarMath m{b, loc};
        Value matrix = linalg::IndexOp::create(b, loc, 0), row = linalg::IndexOp::create(b, loc, 1);
        Value size = m.abs(m.read(source, {matrix, row, step}));
        Value better = m.both(m.atMost(step, row), m.less(args[1], size));
        Value position = arith::IndexCastOp::create(b, loc, b.getI64Type(), row);
        Value values[] = {m.select(better, size, args[1]), m.select(better, position, args[2])};
        linalg::YieldOp::create(b, loc, values);
      });
  return makeValue(generic.getResult(1), ElementType::Int64, rows.dims);
}

static LogicalResult buildDet(NodeContext &node) {
  const TensorValue &x = node.input(0);
  ElementType type = x.elementType, computed = accumulatorType(type);
  if (!isFloat(type))
    return node.error("expects a float tensor, got " + name(type));
  if (x.rank() < 2)
    return node.error("has an input of rank " + Twine(x.rank()) + ", expected at least 2");
  OpFoldResult size = x.dims[x.rank() - 1];
  if (failed(requireEqual(node, x.dims[x.rank() - 2], size,
                          "has matrices of {0} rows and {1} columns")))
    return failure();
  DimBuilder &d = node.dims;
  Dims leading(x.dims.begin(), x.dims.end() - 2);
  OpFoldResult count = d.product(leading);
  TensorValue matrices = reshape(node, cast(node, x, computed), {count, size, size});
  TensorValue product = makeSplat(node, computed, {count}, 1);
  auto &b = node.b;
  Location loc = b.getLoc();
  Value zero = d.value(d.constant(0)), one = d.value(d.constant(1));
  auto loop = scf::ForOp::create(b, loc, zero, d.value(size), one,
                                 ValueRange{node.value(matrices), product.value});
  {
    mlir::OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    d.pushScope();
    Value step = loop.getInductionVar();
    TensorValue a = makeValue(loop.getRegionIterArg(0), computed, matrices.dims);
    TensorValue sofar = makeValue(loop.getRegionIterArg(1), computed, product.dims);
    TensorValue pivots = findPivots(node, a, step);
    Value source = a.value, rows = pivots.value;
    auto pivotOf = [&](ScalarMath &m, Value matrix) -> Value {
      Value row = arith::IndexCastOp::create(m.b, m.loc, m.b.getIndexType(), m.read(rows, matrix));
      return m.clamp(row, m.extent(size));
    };
    TensorValue next = *elementwiseTo(
        node, sofar, computed, sofar.dims,
        [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
          ScalarMath m{b, loc};
          Value matrix = linalg::IndexOp::create(b, loc, 0), pivot = pivotOf(m, matrix);
          Value factor = m.mul(args[0], m.read(source, {matrix, pivot, step}));
          // Two rows that change places change the sign.
          return m.select(m.equal(pivot, step), factor, m.sub(m.like(factor, 0), factor));
        });
    TensorValue reduced =
        generate(node, computed, matrices.dims, [&](ScalarMath &m, ArrayRef<Value> at) -> Value {
          Value pivot = pivotOf(m, at[0]);
          Value row =
              m.select(m.equal(at[1], step), pivot, m.select(m.equal(at[1], pivot), step, at[1]));
          Value element = m.read(source, {at[0], row, at[2]});
          Value head = m.read(source, {at[0], pivot, step});
          Value singular = m.equal(head, m.like(head, 0));
          Value factor =
              m.div(m.read(source, {at[0], row, step}), m.select(singular, m.like(head, 1), head));
          Value below = m.both(m.less(step, at[1]), m.negate(singular));
          return m.select(
              below, m.sub(element, m.mul(factor, m.read(source, {at[0], pivot, at[2]}))), element);
        });
    scf::YieldOp::create(b, loc, ValueRange{reduced.value, next.value});
    d.popScope();
  }
  TensorValue result = makeValue(loop.getResult(1), computed, product.dims);
  node.setOutput(0, cast(node, reshape(node, result, leading), type));
  return success();
}

void weft::onnx::registerDeterminantOps(Registrar &registrar) {
  addOps(registrar, "", {{"Det", 11, 1, 1, buildDet}});
}
