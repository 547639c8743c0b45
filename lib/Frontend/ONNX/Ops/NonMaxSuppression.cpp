//===- NonMaxSuppression.cpp - The best of boxes that overlap -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Boxes of a class are taken in the order of their scores; each is kept unless
// it overlaps one that was kept before. Only boxes above the threshold are
// sorted. A host loop goes over what is kept: each step has one kernel in which
// every batch and class goes on to its next box that overlaps none of those kept
// so far, so that a box meets the kept ones only, and a class that has enough of
// them, or no more boxes, costs nothing.
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
/// The boxes that can be kept.
struct Candidates {
  /// [batch, class, most] i64: boxes by descending scores.
  TensorValue order;
  /// [batch, class] i64: how many of them count.
  TensorValue counts;
  OpFoldResult most;
};
} // namespace

/// [batch, box, 4]: the corners of the boxes, y1 <= y2 and x1 <= x2.
static FailureOr<TensorValue> orderCorners(NodeContext &node, const TensorValue &boxes,
                                           bool isCenter) {
  Value source = node.value(boxes);
  return elementwiseTo(
      node, {}, ElementType::Float, boxes.dims, [&](OpBuilder &b, Location loc, ValueRange) {
        KernelIndex k{b, loc};
        Value column = k.loop(2), two = k.constant(2);
        auto read = [&](Value at) -> Value {
          return tensor::ExtractOp::create(b, loc, source, ValueRange{k.loop(0), k.loop(1), at});
        };
        Value axis = k.rem(column, two);
        Value isLow = k.less(column, two);
        if (isCenter) {
          // x, y, width, height.
          Value center = k.sub(k.constant(1), axis);
          Value half = arith::MulFOp::create(b, loc, read(k.add(center, two)),
                                             makeScalar(b, loc, b.getF32Type(), 0.5));
          Value middle = read(center);
          return k.select(isLow, arith::SubFOp::create(b, loc, middle, half),
                          arith::AddFOp::create(b, loc, middle, half));
        }
        // Either diagonal of corners, in either order.
        Value x = read(axis), y = read(k.add(axis, two));
        return k.select(isLow, arith::MinimumFOp::create(b, loc, x, y),
                        arith::MaximumFOp::create(b, loc, x, y));
      });
}

static Corners readBox(const KernelIndex &k, Value corners, Value batch, Value box) {
  Value number[4];
  for (int64_t i = 0; i < 4; ++i)
    number[i] =
        tensor::ExtractOp::create(k.b, k.loc, corners, ValueRange{batch, box, k.constant(i)});
  return {number[0], number[1], number[2], number[3]};
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

/// An element of an i64 tensor as an index.
static Value readIndex(const KernelIndex &k, Value tensor, ValueRange at) {
  return k.toInteger(tensor::ExtractOp::create(k.b, k.loc, tensor, at), k.b.getIndexType());
}

/// The largest of a tensor of i64 of rank 2; `least` if it is empty.
static Value largest(NodeContext &node, const TensorValue &x, int64_t least) {
  Value start = makeIntScalar(node.b, node.b.getLoc(), node.b.getI64Type(), least);
  return extractScalar(node, reduce(node, x, {0, 1}, /*keepDims=*/false, ElementType::Int64, start,
                                    [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                                      return arith::MaxSIOp::create(b, loc, args[0], args[1]);
                                    }));
}

/// Where the candidates of each batch and class begin in a list of all: [batch, class] i64.
static TensorValue findStarts(NodeContext &node, const TensorValue &counts) {
  TensorValue flat = reshape(node, counts, {node.dims.product(counts.dims)});
  Value empty = makeEmpty(node, ElementType::Int64, flat.dims);
  auto scan = ScanOp::create(node.b, node.b.getLoc(), empty.getType(), ScanKind::Sum,
                             node.value(flat), empty, /*dimension=*/0, /*exclusive=*/true,
                             /*reverse=*/false);
  TensorValue starts = makeValue(scan.getResult(), ElementType::Int64, flat.dims);
  return reshape(node, starts, counts.dims);
}

/// All boxes, by their scores.
static FailureOr<Candidates> sortAll(NodeContext &node, const TensorValue &scores) {
  OpFoldResult count = scores.dims[2];
  FailureOr<TensorValue> counts =
      elementwiseTo(node, {}, ElementType::Int64, {scores.dims[0], scores.dims[1]},
                    [&](OpBuilder &b, Location loc, ValueRange) {
                      KernelIndex k{b, loc};
                      return k.toInteger(k.of(count), b.getI64Type());
                    });
  if (failed(counts))
    return failure();
  TensorValue order = sortAlong(node, scores, 2, count, /*descending=*/true).second;
  return Candidates{order, *counts, count};
}

/// The boxes with scores above `threshold`, by their scores. Usually they are few: their
/// scores are moved together before they are sorted.
static FailureOr<Candidates> sortAbove(NodeContext &node, const TensorValue &scores,
                                       Value threshold) {
  DimBuilder &d = node.dims;
  Location loc = node.b.getLoc();
  FailureOr<TensorValue> above = elementwiseTo(
      node, {scores}, ElementType::Bool, scores.dims,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        return toBool(b, loc,
                      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, args[0], threshold));
      });
  if (failed(above))
    return failure();
  Value none = makeIntScalar(node.b, loc, node.b.getI64Type(), 0);
  TensorValue counts = reduce(node, *above, {2}, /*keepDims=*/false, ElementType::Int64, none,
                              [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                                Value one = arith::ExtUIOp::create(b, loc, b.getI64Type(), args[0]);
                                return arith::AddIOp::create(b, loc, args[1], one);
                              });
  OpFoldResult most = d.fromInteger(largest(node, counts, 0));
  TensorValue starts = findStarts(node, counts), tuples = nonZeroTuples(node, *above);
  Value startTensor = starts.value, list = node.value(tuples), scoreTensor = node.value(scores);
  OpFoldResult total = tuples.dims[1], count = scores.dims[2];
  Dims dims{scores.dims[0], scores.dims[1], most};
  // The box of a batch's and class's i-th candidate in the order of the boxes.
  auto boxAt = [&](const KernelIndex &k, Value i) -> Value {
    Value start = readIndex(k, startTensor, ValueRange{k.loop(0), k.loop(1)});
    Value at = k.position(k.add(start, i), k.of(total));
    return k.position(readIndex(k, list, ValueRange{k.constant(2), at}), k.of(count));
  };
  Value countTensor = counts.value;
  FailureOr<TensorValue> packed = elementwiseTo(
      node, {}, ElementType::Float, dims, [&](OpBuilder &b, Location loc, ValueRange) {
        KernelIndex k{b, loc};
        Value number = readIndex(k, countTensor, ValueRange{k.loop(0), k.loop(1)});
        Value score = tensor::ExtractOp::create(
            b, loc, scoreTensor, ValueRange{k.loop(0), k.loop(1), boxAt(k, k.loop(2))});
        Value lowest = makeScalar(b, loc, b.getF32Type(), -std::numeric_limits<double>::infinity());
        return k.select(k.less(k.loop(2), number), score, lowest);
      });
  if (failed(packed))
    return failure();
  TensorValue places = sortAlong(node, *packed, 2, most, /*descending=*/true).second;
  FailureOr<TensorValue> order = elementwiseTo(
      node, {places}, ElementType::Int64, dims, [&](OpBuilder &b, Location loc, ValueRange args) {
        KernelIndex k{b, loc};
        Value place = k.toInteger(args[0], b.getIndexType());
        return k.toInteger(boxAt(k, place), b.getI64Type());
      });
  if (failed(order))
    return failure();
  return Candidates{*order, counts, most};
}

/// Whether a box of (batch, class) `of` overlaps one of the first `filled` kept there.
static Value overlapsKept(const KernelIndex &k, ArrayRef<Value> of, const Corners &box, Value kept,
                          Value filled, Value corners, OpFoldResult boxCount, Value limit) {
  Value batch = of[0], kind = of[1];
  Value no = arith::ConstantIntOp::create(k.b, k.loc, 0, 1);
  auto search = scf::WhileOp::create(
      k.b, k.loc, TypeRange{k.b.getIndexType(), k.b.getI1Type()}, ValueRange{k.constant(0), no},
      [&](OpBuilder &b, Location loc, ValueRange args) {
        KernelIndex k{b, loc};
        Value more = k.select(args[1], no, k.less(args[0], filled));
        scf::ConditionOp::create(b, loc, more, args);
      },
      [&](OpBuilder &b, Location loc, ValueRange args) {
        KernelIndex k{b, loc};
        Value other =
            k.position(readIndex(k, kept, ValueRange{batch, kind, args[0]}), k.of(boxCount));
        Value hit = overlaps(b, loc, box, readBox(k, corners, batch, other), limit);
        scf::YieldOp::create(b, loc, ValueRange{k.add(args[0], k.constant(1)), hit});
      });
  return search.getResult(1);
}

/// For each batch and class the next box to keep, or -1, and where to go on after it,
/// both [batch, class] i64. `kept` has `filled` boxes of each.
static std::pair<TensorValue, TensorValue> findNext(NodeContext &node, const Candidates &candidates,
                                                    Value next, Value kept, Value filled,
                                                    const TensorValue &corners,
                                                    const Limits &limits) {
  Location loc = node.b.getLoc();
  const Dims &dims = candidates.counts.dims;
  Value order = candidates.order.value, cornerTensor = corners.value;
  OpFoldResult most = candidates.most, boxCount = corners.dims[1];
  Value empty = makeEmpty(node, ElementType::Int64, dims);
  AffineMap all = AffineMap::getMultiDimIdentityMap(2, node.context());
  auto generic = linalg::GenericOp::create(
      node.b, loc, TypeRange{empty.getType(), empty.getType()},
      ValueRange{next, candidates.counts.value}, ValueRange{empty, empty},
      SmallVector<AffineMap>(4, all),
      SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
      [&](OpBuilder &b, Location loc, ValueRange args) {
        KernelIndex k{b, loc};
        Value batch = k.loop(0), kind = k.loop(1);
        Value count = k.toInteger(args[1], b.getIndexType());
        auto boxAt = [&](const KernelIndex &k, Value place) -> Value {
          Value at = k.position(place, k.of(most));
          return k.position(readIndex(k, order, ValueRange{batch, kind, at}), k.of(boxCount));
        };
        auto search = scf::WhileOp::create(
            b, loc, TypeRange{b.getIndexType()}, ValueRange{k.toInteger(args[0], b.getIndexType())},
            [&](OpBuilder &b, Location loc, ValueRange at) {
              KernelIndex k{b, loc};
              auto skip = scf::IfOp::create(
                  b, loc, k.less(at[0], count),
                  [&](OpBuilder &b, Location loc) {
                    KernelIndex k{b, loc};
                    Corners box = readBox(k, cornerTensor, batch, boxAt(k, at[0]));
                    scf::YieldOp::create(b, loc,
                                         overlapsKept(k, {batch, kind}, box, kept, filled,
                                                      cornerTensor, boxCount, limits.overlap));
                  },
                  [&](OpBuilder &b, Location loc) {
                    Value no = arith::ConstantIntOp::create(b, loc, 0, 1);
                    scf::YieldOp::create(b, loc, no);
                  });
              scf::ConditionOp::create(b, loc, skip.getResult(0), at);
            },
            [&](OpBuilder &b, Location loc, ValueRange at) {
              KernelIndex k{b, loc};
              scf::YieldOp::create(b, loc, k.add(at[0], k.constant(1)));
            });
        Value place = search.getResult(0);
        auto found = scf::IfOp::create(
            b, loc, k.less(place, count),
            [&](OpBuilder &b, Location loc) {
              KernelIndex k{b, loc};
              scf::YieldOp::create(b, loc, k.toInteger(boxAt(k, place), b.getI64Type()));
            },
            [&](OpBuilder &b, Location loc) {
              scf::YieldOp::create(b, loc, makeIntScalar(b, loc, b.getI64Type(), -1));
            });
        Value after = k.toInteger(k.add(place, k.constant(1)), b.getI64Type());
        linalg::YieldOp::create(b, loc, ValueRange{found.getResult(0), after});
      });
  return {makeValue(generic.getResult(0), ElementType::Int64, dims),
          makeValue(generic.getResult(1), ElementType::Int64, dims)};
}

/// The boxes that are kept, -1 after the last of each batch and class:
/// [batch, class, slots] i64.
static TensorValue keepBoxes(NodeContext &node, const Candidates &candidates,
                             const TensorValue &corners, const Limits &limits) {
  DimBuilder &d = node.dims;
  Location loc = node.b.getLoc();
  OpFoldResult zero = d.constant(0), one = d.constant(1);
  OpFoldResult batches = candidates.counts.dims[0], classes = candidates.counts.dims[1];
  OpFoldResult slots = d.min(d.max(limits.most, zero), candidates.most);
  Dims dims{batches, classes, slots};
  TensorValue none = makeSplat(node, ElementType::Int64, dims, -1);
  TensorValue first = makeSplat(node, ElementType::Int64, {batches, classes}, 0);
  Value end = d.value(slots), yes = arith::ConstantIntOp::create(node.b, 1, 1);
  Value initial[] = {d.value(zero), yes, first.value, none.value};
  auto before = [&](OpBuilder &b, Location loc, ValueRange args) {
    KernelIndex k{b, loc};
    Value more = arith::AndIOp::create(b, loc, args[1], k.less(args[0], end));
    scf::ConditionOp::create(b, loc, more, args);
  };
  auto loop = scf::WhileOp::create(node.b, ValueRange(initial).getTypes(), initial, before,
                                   /*afterBuilder=*/nullptr);
  OpBuilder::InsertionGuard guard(node.b);
  Block *body = loop.getAfterBody();
  node.b.setInsertionPointToEnd(body);
  d.pushScope();
  Value step = body->getArgument(0), next = body->getArgument(2), kept = body->getArgument(3);
  auto [found, after] = findNext(node, candidates, next, kept, step, corners, limits);
  Value any = arith::CmpIOp::create(node.b, arith::CmpIPredicate::sge, largest(node, found, -1),
                                    makeIntScalar(node.b, loc, node.b.getI64Type(), 0));
  Value column = reshape(node, found, {batches, classes, one}).value;
  Value filled =
      insertSlice(node, column, kept, {zero, zero, OpFoldResult(step)}, {batches, classes, one});
  Value advanced = arith::AddIOp::create(node.b, step, d.value(one));
  scf::YieldOp::create(node.b, ValueRange{advanced, any, after.value, filled});
  d.popScope();
  return makeValue(loop.getResult(3), ElementType::Int64, dims);
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
  OpFoldResult zero = d.constant(0), four = d.constant(4);
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
  FailureOr<TensorValue> corners = orderCorners(node, boxes, limits.isCenter);
  FailureOr<Candidates> candidates =
      limits.hasScore ? sortAbove(node, scores, limits.score) : sortAll(node, scores);
  if (failed(corners) || failed(candidates))
    return failure();
  candidates->order.value = node.value(candidates->order);
  TensorValue kept = keepBoxes(node, *candidates, *corners, limits);
  FailureOr<TensorValue> isKept = elementwiseTo(
      node, {kept}, ElementType::Bool, kept.dims, [](OpBuilder &b, Location loc, ValueRange args) {
        Value none = makeIntScalar(b, loc, b.getI64Type(), 0);
        return toBool(b, loc,
                      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, args[0], none));
      });
  if (failed(isKept))
    return failure();
  // Rows (batch, class, box).
  TensorValue tuples = nonZeroTuples(node, *isKept);
  Value table = node.value(tuples);
  FailureOr<TensorValue> result = elementwiseTo(
      node, {}, ElementType::Int64, {tuples.dims[1], d.constant(3)},
      [&](OpBuilder &b, Location loc, ValueRange) {
        KernelIndex k{b, loc};
        Value part[3];
        SmallVector<Value> at;
        for (int64_t i = 0; i < 3; ++i) {
          part[i] = tensor::ExtractOp::create(b, loc, table, ValueRange{k.constant(i), k.loop(0)});
          at.push_back(k.position(k.toInteger(part[i], b.getIndexType()), k.of(kept.dims[i])));
        }
        Value box = tensor::ExtractOp::create(b, loc, kept.value, at);
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
