//===- NonMaxSuppression.cpp - The best of boxes that overlap -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Boxes of a class are taken in the order of their scores; each is kept unless
// it overlaps one that was kept before. That is sequential in the boxes, so a
// host loop goes over them, with all batches and classes in one kernel a step.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/IndexOps.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/Selection.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

namespace {
/// The limits, as scalars on the host.
struct Limits {
  OpFoldResult most;
  Value overlap, score;
  bool hasScore = false, isCenter = false;
};
/// The corners of a box, in order.
struct Corners {
  Value y1, x1, y2, x2;
};
} // namespace

static Corners readBox(const KernelIndex &k, Value boxes, Value batch, Value box, bool isCenter) {
  Value number[4];
  for (int64_t i = 0; i < 4; ++i)
    number[i] = tensor::ExtractOp::create(k.b, k.loc, boxes, ValueRange{batch, box, k.constant(i)});
  OpBuilder &b = k.b;
  Location loc = k.loc;
  if (isCenter) {
    // x, y, width, height.
    Value half = makeScalar(b, loc, number[0].getType(), 0.5);
    Value w = arith::MulFOp::create(b, loc, number[2], half),
          h = arith::MulFOp::create(b, loc, number[3], half);
    return {
        arith::SubFOp::create(b, loc, number[1], h), arith::SubFOp::create(b, loc, number[0], w),
        arith::AddFOp::create(b, loc, number[1], h), arith::AddFOp::create(b, loc, number[0], w)};
  }
  // Either diagonal of corners, in either order.
  auto low = [&](int i) -> Value {
    return arith::MinimumFOp::create(b, loc, number[i], number[i + 2]);
  };
  auto high = [&](int i) -> Value {
    return arith::MaximumFOp::create(b, loc, number[i], number[i + 2]);
  };
  return {low(0), low(1), high(0), high(1)};
}

/// Whether two boxes overlap by more than the limit of their union.
static Value overlaps(OpBuilder &b, Location loc, const Corners &p, const Corners &q, Value limit) {
  auto sub = [&](Value x, Value y) -> Value { return arith::SubFOp::create(b, loc, x, y); };
  auto mul = [&](Value x, Value y) -> Value { return arith::MulFOp::create(b, loc, x, y); };
  Value zero = makeScalar(b, loc, limit.getType(), 0);
  auto length = [&](Value low1, Value high1, Value low2, Value high2) -> Value {
    Value low = arith::MaximumFOp::create(b, loc, low1, low2);
    Value high = arith::MinimumFOp::create(b, loc, high1, high2);
    return arith::MaximumFOp::create(b, loc, sub(high, low), zero);
  };
  Value common = mul(length(p.y1, p.y2, q.y1, q.y2), length(p.x1, p.x2, q.x1, q.x2));
  Value areas = arith::AddFOp::create(b, loc, mul(sub(p.y2, p.y1), sub(p.x2, p.x1)),
                                      mul(sub(q.y2, q.y1), sub(q.x2, q.x1)));
  Value whole = sub(areas, common);
  Value ratio = arith::DivFOp::create(b, loc, common, whole);
  Value some = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, whole, zero);
  Value above = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, ratio, limit);
  return arith::AndIOp::create(b, loc, some, above);
}

/// Decides about the boxes at place `step` of the order: [batch, class, 1] bool.
/// `kept` says which of the places before are kept, 0 from `step` on.
static Value decide(NodeContext &node, Value step, Value kept, Value boxes,
                    const TensorValue &scores, Value order, const Limits &limits) {
  Location loc = node.b.getLoc();
  MLIRContext *context = node.context();
  DimBuilder &d = node.dims;
  OpFoldResult batches = scores.dims[0], classes = scores.dims[1], count = scores.dims[2];
  AffineExpr batch = getAffineDimExpr(0, context), kind = getAffineDimExpr(1, context);
  // How many are kept, and whether one of them overlaps: both in one reduction.
  TensorValue none = makeSplat(node, ElementType::Int64, {batches, classes}, 0);
  AffineMap outer = AffineMap::get(3, 0, {batch, kind}, context);
  auto tally = linalg::GenericOp::create(
      node.b, loc, TypeRange{none.value.getType(), none.value.getType()}, kept,
      ValueRange{none.value, none.value},
      ArrayRef<AffineMap>{AffineMap::getMultiDimIdentityMap(3, context), outer, outer},
      ArrayRef<utils::IteratorType>{utils::IteratorType::parallel, utils::IteratorType::parallel,
                                    utils::IteratorType::reduction},
      [&](OpBuilder &b, Location loc, ValueRange args) {
        KernelIndex k{b, loc};
        auto boxAt = [&](Value place) {
          Value raw =
              tensor::ExtractOp::create(b, loc, order, ValueRange{k.loop(0), k.loop(1), place});
          Value at = k.position(k.toInteger(raw, b.getIndexType()), k.of(count));
          return readBox(k, boxes, k.loop(0), at, limits.isCenter);
        };
        Value isKept = fromBool(b, loc, args[0]);
        Value overlap = overlaps(b, loc, boxAt(step), boxAt(k.loop(2)), limits.overlap);
        auto asNumber = [&](Value bit) -> Value {
          return arith::ExtUIOp::create(b, loc, b.getI64Type(), bit);
        };
        Value number = arith::AddIOp::create(b, loc, args[1], asNumber(isKept));
        Value hits = arith::AddIOp::create(
            b, loc, args[2], asNumber(arith::AndIOp::create(b, loc, isKept, overlap)));
        linalg::YieldOp::create(b, loc, ValueRange{number, hits});
      });
  TensorValue number = makeValue(tally.getResult(0), ElementType::Int64, {batches, classes});
  TensorValue hits = makeValue(tally.getResult(1), ElementType::Int64, {batches, classes});
  Value scoreTensor = scores.value, most = d.value(limits.most);
  FailureOr<TensorValue> verdict = elementwiseTo(
      node, {number, hits}, ElementType::Bool, {batches, classes},
      [&](OpBuilder &b, Location loc, ValueRange args) {
        KernelIndex k{b, loc};
        Value limit = k.toInteger(most, b.getI64Type());
        Value free = k.cmp(arith::CmpIPredicate::slt, args[0], limit);
        Value clear =
            k.cmp(arith::CmpIPredicate::eq, args[1], makeIntScalar(b, loc, b.getI64Type(), 0));
        Value keep = arith::AndIOp::create(b, loc, free, clear);
        if (limits.hasScore) {
          Value raw =
              tensor::ExtractOp::create(b, loc, order, ValueRange{k.loop(0), k.loop(1), step});
          Value at = k.position(k.toInteger(raw, b.getIndexType()), k.of(count));
          Value score =
              tensor::ExtractOp::create(b, loc, scoreTensor, ValueRange{k.loop(0), k.loop(1), at});
          Value above =
              arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, score, limits.score);
          keep = arith::AndIOp::create(b, loc, keep, above);
        }
        return toBool(b, loc, keep);
      });
  return reshape(node, *verdict, {batches, classes, d.constant(1)}).value;
}

/// A limit's one element, or 0.
static FailureOr<Value> readLimit(NodeContext &node, size_t input) {
  mlir::Type type = node.b.getF32Type();
  if (!node.hasInput(input))
    return makeScalar(node.b, node.b.getLoc(), type, 0);
  const TensorValue &x = node.input(input);
  if (x.elementType != ElementType::Float)
    return node.error("has a threshold " + describe(x) + ", expected a float");
  for (OpFoldResult extent : x.dims)
    if (failed(require(node, node.dims.equal(extent, node.dims.constant(1)), WEFT_INVALID_ARGUMENT,
                       "has a threshold of {0} elements, expected 1", {extent})))
      return failure();
  return extractScalar(node, x);
}

LogicalResult weft::onnx::buildNonMaxSuppression(NodeContext &node) {
  const TensorValue boxes = node.input(0);
  TensorValue scores = node.input(1);
  DimBuilder &d = node.dims;
  Location loc = node.b.getLoc();
  OpFoldResult zero = d.constant(0), one = d.constant(1), four = d.constant(4);
  if (boxes.rank() != 3 || scores.rank() != 3 || boxes.elementType != ElementType::Float ||
      scores.elementType != ElementType::Float)
    return node.error("expects float tensors of rank 3, got " + describe(boxes) + " and " +
                      describe(scores));
  auto agree = [&](OpFoldResult x, OpFoldResult y, StringRef what) {
    return require(node, d.equal(x, y), WEFT_INVALID_ARGUMENT, what, {x, y});
  };
  if (failed(agree(boxes.dims[2], four, "has boxes of {0} numbers, expected {1}")) ||
      failed(agree(boxes.dims[0], scores.dims[0], "has boxes of {0} batches and scores of {1}")) ||
      failed(agree(boxes.dims[1], scores.dims[2], "has {0} boxes and scores for {1}")))
    return failure();
  Limits limits;
  limits.most = zero;
  if (node.hasInput(2)) {
    FailureOr<OpFoldResult> most = shapeScalar(node, node.input(2), "a number of boxes");
    if (failed(most))
      return failure();
    limits.most = *most;
  }
  FailureOr<Value> overlap = readLimit(node, 3), score = readLimit(node, 4);
  if (failed(overlap) || failed(score))
    return failure();
  limits.overlap = *overlap;
  limits.score = *score;
  limits.hasScore = node.hasInput(4);
  limits.isCenter = node.getInt("center_point_box", 0) != 0;

  scores.value = node.value(scores);
  Value boxTensor = node.value(boxes);
  OpFoldResult batches = scores.dims[0], classes = scores.dims[1], count = scores.dims[2];
  Value order = node.value(sortAlong(node, scores, 2, count, /*descending=*/true).second);
  TensorValue kept = makeSplat(node, ElementType::Bool, scores.dims, 0);
  auto loop =
      scf::ForOp::create(node.b, loc, d.value(zero), d.value(count), d.value(one), kept.value);
  {
    OpBuilder::InsertionGuard guard(node.b);
    node.b.setInsertionPointToStart(loop.getBody());
    d.pushScope();
    Value step = loop.getInductionVar(), carried = loop.getRegionIterArgs()[0];
    Value verdict = decide(node, step, carried, boxTensor, scores, order, limits);
    Value next = tensor::InsertSliceOp::create(
        node.b, loc, verdict, carried, ArrayRef<OpFoldResult>{zero, zero, OpFoldResult(step)},
        ArrayRef<OpFoldResult>{batches, classes, one}, ArrayRef<OpFoldResult>{one, one, one});
    scf::YieldOp::create(node.b, loc, next);
    d.popScope();
  }
  kept.value = loop.getResult(0);
  // Places in the order become boxes: rows (batch, class, box).
  TensorValue tuples = nonZeroTuples(node, kept);
  Value table = node.value(tuples);
  FailureOr<TensorValue> result = elementwiseTo(
      node, {}, ElementType::Int64, {tuples.dims[1], d.constant(3)},
      [&](OpBuilder &b, Location loc, ValueRange) {
        KernelIndex k{b, loc};
        Value part[3];
        for (int64_t i = 0; i < 3; ++i)
          part[i] = tensor::ExtractOp::create(b, loc, table, ValueRange{k.constant(i), k.loop(0)});
        SmallVector<Value> at;
        for (int64_t i = 0; i < 3; ++i)
          at.push_back(k.position(k.toInteger(part[i], b.getIndexType()), k.of(scores.dims[i])));
        Value box = tensor::ExtractOp::create(b, loc, order, at);
        auto isColumn = [&](int64_t i) {
          return k.cmp(arith::CmpIPredicate::eq, k.loop(1), k.constant(i));
        };
        return k.select(isColumn(0), part[0], k.select(isColumn(1), part[1], box));
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}
