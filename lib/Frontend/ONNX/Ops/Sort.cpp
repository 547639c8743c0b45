//===- Sort.cpp - TopK, Unique and NonMaxSuppression ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/IndexOps.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/Selection.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

std::pair<TensorValue, TensorValue> weft::onnx::sortAlong(NodeContext &node, const TensorValue &x,
                                                          int64_t axis, OpFoldResult count,
                                                          bool descending) {
  Dims dims = x.dims;
  dims[axis] = count;
  Value valuesInit = makeEmpty(node, x.elementType, dims);
  Value indicesInit = makeEmpty(node, ElementType::Int64, dims);
  auto op = SortOp::create(node.b, node.b.getLoc(), valuesInit.getType(), indicesInit.getType(),
                           node.value(x), valuesInit, indicesInit, axis, descending,
                           isUnsigned(x.elementType));
  return {makeValue(op.getValues(), x.elementType, dims),
          makeValue(op.getIndices(), ElementType::Int64, dims)};
}

//===----------------------------------------------------------------------===//
// TopK
//===----------------------------------------------------------------------===//

static LogicalResult buildTopK(NodeContext &node) {
  const TensorValue x = node.input(0);
  DimBuilder &d = node.dims;
  FailureOr<int64_t> axis = normalizeAxis(node, node.getInt("axis", -1), x.rank());
  if (failed(axis))
    return failure();
  OpFoldResult count;
  if (node.opset() < 10) {
    count = d.constant(node.getInt("k", 0));
  } else {
    if (!node.hasInput(1))
      return node.error("has no input 1, expected how many");
    FailureOr<OpFoldResult> k = shapeScalar(node, node.input(1), "a k");
    if (failed(k))
      return failure();
    count = *k;
  }
  OpFoldResult extent = x.dims[*axis];
  if (!DimBuilder::same(count, extent) &&
      failed(require(
          node,
          both(node, d.less(d.constant(-1), count), d.less(count, d.add(extent, d.constant(1)))),
          WEFT_INVALID_ARGUMENT, "asks for the top {0} of {1} elements", {count, extent})))
    return failure();
  // Sorted also where the order may be any.
  auto [values, indices] = sortAlong(node, x, *axis, count, node.getInt("largest", 1) != 0);
  node.setOutput(0, values);
  node.setOutput(1, indices);
  return success();
}

//===----------------------------------------------------------------------===//
// Unique
//===----------------------------------------------------------------------===//

/// Whether scalars are equal (`unequal` false) or how they compare.
static Value compareScalars(OpBuilder &b, Location loc, ElementType type, Value x, Value y,
                            bool less) {
  if (isFloat(type))
    return arith::CmpFOp::create(
        b, loc, less ? arith::CmpFPredicate::OLT : arith::CmpFPredicate::UNE, x, y);
  arith::CmpIPredicate below =
      isUnsigned(type) ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt;
  return arith::CmpIOp::create(b, loc, less ? below : arith::CmpIPredicate::ne, x, y);
}

/// [N, N] i8: the sign of the comparison of rows i and j of a matrix, by their
/// first elements that differ.
static TensorValue compareRows(NodeContext &node, const TensorValue &rows) {
  OpFoldResult n = rows.dims[0];
  Location loc = node.b.getLoc();
  MLIRContext *context = node.context();
  TensorValue zero = makeSplat(node, ElementType::Int8, {n, n}, 0);
  AffineExpr i = getAffineDimExpr(0, context), j = getAffineDimExpr(1, context),
             m = getAffineDimExpr(2, context);
  Value matrix = node.value(rows);
  auto generic = linalg::GenericOp::create(
      node.b, loc, zero.value.getType(), ValueRange{matrix, matrix}, zero.value,
      ArrayRef<AffineMap>{AffineMap::get(3, 0, {i, m}, context),
                          AffineMap::get(3, 0, {j, m}, context),
                          AffineMap::get(3, 0, {i, j}, context)},
      ArrayRef<utils::IteratorType>{utils::IteratorType::parallel, utils::IteratorType::parallel,
                                    utils::IteratorType::reduction},
      [&](OpBuilder &b, Location loc, ValueRange args) {
        KernelIndex k{b, loc};
        ElementType type = rows.elementType;
        mlir::Type small = b.getI8Type();
        Value less = compareScalars(b, loc, type, args[0], args[1], true);
        Value differ = compareScalars(b, loc, type, args[0], args[1], false);
        Value sign = k.select(
            less, makeIntScalar(b, loc, small, -1),
            k.select(differ, makeIntScalar(b, loc, small, 1), makeIntScalar(b, loc, small, 0)));
        Value open = k.cmp(arith::CmpIPredicate::eq, args[2], makeIntScalar(b, loc, small, 0));
        linalg::YieldOp::create(b, loc, k.select(open, sign, args[2]));
      });
  return makeValue(generic.getResult(0), ElementType::Int8, {n, n});
}

/// A vector of i64 computed by position.
static FailureOr<TensorValue>
makeVector(NodeContext &node, OpFoldResult extent, ElementType type,
           llvm::function_ref<Value(const KernelIndex &, Value)> body) {
  return elementwiseTo(node, {}, type, {extent}, [&](OpBuilder &b, Location loc, ValueRange) {
    KernelIndex k{b, loc};
    return body(k, k.loop(0));
  });
}

static Value readIndex(const KernelIndex &k, Value vector, Value at) {
  Value raw = tensor::ExtractOp::create(k.b, k.loc, vector, at);
  return k.toInteger(raw, k.b.getIndexType());
}

/// A permutation the other way round.
static TensorValue invert(NodeContext &node, const TensorValue &values,
                          const TensorValue &permutation) {
  TensorValue init = makeSplat(node, ElementType::Int64, permutation.dims, 0);
  TensorValue tuples = reshape(node, permutation, {permutation.dims[0], node.dims.constant(1)});
  return scatterTuples(node, init, tuples, values,
                       [](OpBuilder &, Location, ValueRange args) { return args[1]; });
}

/// Sorts; where neighbours differ a group begins. Everything that is asked for
/// follows from the order and the beginnings.
LogicalResult weft::onnx::buildUnique(NodeContext &node) {
  const TensorValue x = node.input(0);
  DimBuilder &d = node.dims;
  bool byAxis = node.hasAttribute("axis"), sorted = node.getInt("sorted", 1) != 0;
  int64_t axis = 0;
  TensorValue items = x, order, signs;
  if (byAxis) {
    FailureOr<int64_t> normal = normalizeAxis(node, node.getInt("axis", 0), x.rank());
    if (failed(normal))
      return failure();
    axis = *normal;
  } else {
    items = reshape(node, x, {d.product(x.dims)});
  }
  bool asRows = byAxis && x.rank() > 1;
  OpFoldResult n = items.dims[axis];
  TensorValue values;
  if (asRows) {
    SmallVector<int64_t> front{axis};
    Dims others;
    for (int64_t i = 0; i < x.rank(); ++i)
      if (i != axis) {
        front.push_back(i);
        others.push_back(x.dims[i]);
      }
    TensorValue rows = reshape(node, transpose(node, x, front), {n, d.product(others)});
    signs = compareRows(node, rows);
    // A row's rank is how many come before it; equal ones by position.
    TensorValue start = makeSplat(node, ElementType::Int64, {n}, 0);
    MLIRContext *context = node.context();
    auto ranks = linalg::GenericOp::create(
        node.b, node.b.getLoc(), start.value.getType(), node.value(signs), start.value,
        ArrayRef<AffineMap>{node.b.getMultiDimIdentityMap(2),
                            AffineMap::get(2, 0, {getAffineDimExpr(0, context)}, context)},
        ArrayRef<utils::IteratorType>{utils::IteratorType::parallel,
                                      utils::IteratorType::reduction},
        [&](OpBuilder &b, Location loc, ValueRange args) {
          KernelIndex k{b, loc};
          Value none = makeIntScalar(b, loc, args[0].getType(), 0);
          Value after = k.cmp(arith::CmpIPredicate::sgt, args[0], none);
          Value tied = k.cmp(arith::CmpIPredicate::eq, args[0], none);
          Value earlier = arith::AndIOp::create(b, loc, tied, k.less(k.loop(1), k.loop(0)));
          Value counts = arith::OrIOp::create(b, loc, after, earlier);
          Value one = arith::ExtUIOp::create(b, loc, b.getI64Type(), counts);
          linalg::YieldOp::create(b, loc, arith::AddIOp::create(b, loc, args[1], one).getResult());
        });
    order =
        sortAlong(node, makeValue(ranks.getResult(0), ElementType::Int64, {n}), 0, n, false).second;
  } else {
    std::tie(values, order) = sortAlong(node, items, 0, n, false);
  }
  Value orderTensor = node.value(order);
  // 1 where a group begins.
  FailureOr<TensorValue> begins =
      makeVector(node, n, ElementType::Bool, [&](const KernelIndex &k, Value i) -> Value {
        Value isFirst = k.cmp(arith::CmpIPredicate::eq, i, k.constant(0));
        Value before = k.max(k.sub(i, k.constant(1)), k.constant(0));
        Value differ;
        if (asRows) {
          Value sign = tensor::ExtractOp::create(
              k.b, k.loc, signs.value,
              ValueRange{readIndex(k, orderTensor, i), readIndex(k, orderTensor, before)});
          differ =
              k.cmp(arith::CmpIPredicate::ne, sign, makeIntScalar(k.b, k.loc, sign.getType(), 0));
        } else {
          Value here = tensor::ExtractOp::create(k.b, k.loc, values.value, i);
          Value there = tensor::ExtractOp::create(k.b, k.loc, values.value, before);
          differ = compareScalars(k.b, k.loc, items.elementType, here, there, false);
        }
        return toBool(k.b, k.loc, arith::OrIOp::create(k.b, k.loc, isFirst, differ));
      });
  TensorValue starts = nonZeroTuples(node, *begins);
  OpFoldResult count = starts.dims[1];
  starts = reshape(node, starts, {count});
  // Positions of the first of each group, in the order of the values.
  TensorValue first = takeAlong(node, order, starts, 0);
  TensorValue places = first, permutation;
  if (!sorted)
    std::tie(places, permutation) = sortAlong(node, first, 0, count, false);
  node.setOutput(0, takeAlong(node, items, places, axis));
  node.setOutput(1, places);
  Value startsTensor = node.value(starts);
  if (node.hasOutput(2)) {
    // The group of each sorted place: how many have begun, less one.
    TensorValue none = makeSplat(node, ElementType::Int64, {n}, -1);
    MLIRContext *context = node.context();
    auto groups = linalg::GenericOp::create(
        node.b, node.b.getLoc(), none.value.getType(), startsTensor, none.value,
        ArrayRef<AffineMap>{AffineMap::get(2, 0, {getAffineDimExpr(1, context)}, context),
                            AffineMap::get(2, 0, {getAffineDimExpr(0, context)}, context)},
        ArrayRef<utils::IteratorType>{utils::IteratorType::parallel,
                                      utils::IteratorType::reduction},
        [&](OpBuilder &b, Location loc, ValueRange args) {
          KernelIndex k{b, loc};
          Value begun =
              k.cmp(arith::CmpIPredicate::sle, args[0], k.toInteger(k.loop(0), b.getI64Type()));
          Value one = arith::ExtUIOp::create(b, loc, b.getI64Type(), begun);
          linalg::YieldOp::create(b, loc, arith::AddIOp::create(b, loc, args[1], one).getResult());
        });
    TensorValue inverse =
        invert(node, makeValue(groups.getResult(0), ElementType::Int64, {n}), order);
    if (!sorted) {
      FailureOr<TensorValue> numbers =
          makeVector(node, count, ElementType::Int64, [](const KernelIndex &k, Value i) {
            return k.toInteger(i, k.b.getI64Type());
          });
      inverse = takeAlong(node, invert(node, *numbers, permutation), inverse, 0);
    }
    node.setOutput(2, inverse);
  }
  if (node.hasOutput(3)) {
    FailureOr<TensorValue> counts =
        makeVector(node, count, ElementType::Int64, [&](const KernelIndex &k, Value i) {
          Value next = k.add(i, k.constant(1)), last = k.sub(k.of(count), k.constant(1));
          Value end =
              k.select(k.less(i, last), readIndex(k, startsTensor, k.min(next, last)), k.of(n));
          return k.toInteger(k.sub(end, readIndex(k, startsTensor, i)), k.b.getI64Type());
        });
    node.setOutput(3, sorted ? *counts : takeAlong(node, *counts, permutation, 0));
  }
  return success();
}

void weft::onnx::registerSortOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"TopK", 1, 1, 2, buildTopK},
             {"NonMaxSuppression", 10, 2, 5, buildNonMaxSuppression},
         });
}
