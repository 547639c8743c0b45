//===- Interpolation.cpp - Resizing along axes ----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Interpolation is separable: each axis that changes is resized for itself by two
// small tables, the positions [extent, taps] that an output position reads and
// their weights. The tables depend on extents and scales only, so constant
// evaluation can compute them; the operation that reads the image is a plain
// reduction over taps. Coordinates are f32, as ONNX Runtime computes them.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/Interpolation.h"

#include <cmath>

using namespace mlir;
using namespace weft;
using namespace weft::onnx;
using namespace weft::onnx::interpolation;

//===----------------------------------------------------------------------===//
// Coordinates
//===----------------------------------------------------------------------===//

/// The position (f32) in the input that output position `position` stands for.
static Value originalCoordinate(ScalarMath &m, const Axis &axis, const Options &options,
                                Value position) {
  Value x = asF32(m, position), in = asF32(m, m.extent(axis.in)),
        out = asF32(m, m.extent(axis.out));
  Value zero = m.like(x, 0), half = m.like(x, 0.5), one = m.like(x, 1);
  Value single = m.atMost(out, one);
  // With a scale, the width before it was rounded to an integer.
  Value width = axis.givenScale ? m.mul(in, axis.scale(m)) : out;
  Value steps = m.select(m.less(one, width), m.sub(width, one), one);
  auto halfPixel = [&] { return m.sub(m.div(m.add(x, half), axis.scale(m)), half); };
  switch (options.coordinates) {
  case Coordinates::HalfPixel:
    return halfPixel();
  case Coordinates::PytorchHalfPixel:
    return m.select(single, zero, halfPixel());
  case Coordinates::HalfPixelSymmetric: {
    Value adjustment = m.div(out, width), center = m.mul(in, half);
    return m.add(m.mul(center, m.sub(one, adjustment)), halfPixel());
  }
  case Coordinates::AlignCorners:
    return m.select(single, zero, m.div(m.mul(x, m.sub(in, one)), steps));
  case Coordinates::Asymmetric:
    return m.div(x, axis.scale(m));
  case Coordinates::TFHalfPixelForNN:
    return m.div(m.add(x, half), axis.scale(m));
  case Coordinates::TFCropAndResize: {
    Value begin = axis.region(m, false), end = axis.region(m, true), last = m.sub(in, one);
    Value center = m.mul(half, m.mul(m.add(begin, end), last));
    // This one counts whole pixels, as ONNX Runtime does.
    Value whole = m.select(single, one, m.sub(out, one));
    Value inside =
        m.add(m.mul(begin, last), m.div(m.mul(m.mul(x, m.sub(end, begin)), last), whole));
    return m.select(single, center, inside);
  }
  }
  llvm_unreachable("all coordinates are handled");
}

/// The position that interpolation by nearest neighbour reads, not yet clamped.
static Value nearestPosition(ScalarMath &m, const Axis &axis, Nearest nearest, Value x) {
  switch (nearest) {
  case Nearest::Floor:
    return m.floor(x);
  case Nearest::Ceil:
    return m.ceil(x);
  case Nearest::RoundPreferFloor:
    return m.ceil(m.sub(x, m.like(x, 0.5)));
  case Nearest::RoundPreferCeil:
    return m.floor(m.add(x, m.like(x, 0.5)));
  case Nearest::FloorOrCeil: // opset 10 and Upsample: down to ceil, up to floor
    return m.select(m.less(axis.scale(m), m.like(x, 1)), m.ceil(x), m.floor(x));
  }
  llvm_unreachable("all modes are handled");
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// The weight of a sample at distance `d` (absolute).
static Value weightAt(ScalarMath &m, const Options &options, Value d) {
  Value zero = m.like(d, 0), one = m.like(d, 1);
  if (options.mode == Mode::Linear)
    return m.max(m.sub(one, d), zero);
  // Keys, "Cubic convolution interpolation", equation 4.
  double a = options.cubicCoefficient;
  auto polynomial = [&](double c3, double c2, double c1, double c0) {
    Value value = m.add(m.mul(m.like(d, c3), d), m.like(d, c2));
    value = m.add(m.mul(value, d), m.like(d, c1));
    return m.add(m.mul(value, d), m.like(d, c0));
  };
  Value near = polynomial(a + 2, -(a + 3), 0, 1), far = polynomial(a, -5 * a, 8 * a, -4 * a);
  return m.select(m.atMost(d, one), near, m.select(m.less(d, m.like(d, 2)), far, zero));
}

/// How many input positions an output position reads.
static FailureOr<OpFoldResult> countTaps(NodeContext &node, const Axis &axis,
                                         const Options &options) {
  DimBuilder &d = node.dims;
  int64_t support = options.mode == Mode::Linear ? 1 : 2;
  if (!options.antialias)
    return d.constant(2 * support);
  // The filter is stretched by 1/scale, if that is above 1.
  if (!axis.givenScale) {
    OpFoldResult stretched =
        d.ceilDiv(d.mul(axis.in, d.constant(support)), d.max(axis.out, d.constant(1)));
    return d.mul(d.constant(2), d.max(stretched, d.constant(support)));
  }
  if (!axis.constantScale)
    return node.unsupported("resizes with antialias by scales that are known only at run time");
  double stretched = static_cast<double>(support) / std::min(*axis.constantScale, 1.0);
  if (!(stretched < 1e6))
    return node.error("has a scale that is too small");
  return d.constant(2 * static_cast<int64_t>(std::ceil(stretched)));
}

//===----------------------------------------------------------------------===//
// Resizing
//===----------------------------------------------------------------------===//

/// Reads all axes at their nearest neighbours at once.
static TensorValue resizeNearest(NodeContext &node, const TensorValue &x, ArrayRef<Axis> axes,
                                 const Options &options, ArrayRef<OpFoldResult> dims) {
  SmallVector<Value> tables;
  for (const Axis &axis : axes) {
    TensorValue table = generate(
        node, ElementType::Int64, {axis.out}, [&](ScalarMath &m, ArrayRef<Value> at) -> Value {
          Value position = originalCoordinate(m, axis, options, at[0]);
          Value nearest = m.toIndex(nearestPosition(m, axis, options.nearest, position));
          return arith::IndexCastOp::create(m.b, m.loc, m.b.getI64Type(),
                                            m.clamp(nearest, m.extent(axis.in)));
        });
    tables.push_back(table.value);
  }
  return gatherElements(node, x, dims, [&](OpBuilder &b, Location loc, ArrayRef<Value> at) {
    ScalarMath m{b, loc};
    SmallVector<Value> position(at);
    for (auto [axis, table] : llvm::zip(axes, tables)) {
      Value entry = m.read(table, at[axis.dimension]);
      position[axis.dimension] = arith::IndexCastOp::create(b, loc, b.getIndexType(), entry);
    }
    return position;
  });
}

/// Interpolates along one axis. The values of the result have type `sumType`.
static FailureOr<TensorValue> resizeAxis(NodeContext &node, const TensorValue &x, const Axis &axis,
                                         const Options &options, ElementType sumType) {
  FailureOr<OpFoldResult> taps = countTaps(node, axis, options);
  if (failed(taps))
    return failure();
  OpFoldResult before =
      node.dims.sub(node.dims.floorDiv(*taps, node.dims.constant(2)), node.dims.constant(1));
  // Of tap t at output o: the position, which may lie outside, and the distance.
  auto tapPosition = [&](ScalarMath &m, Value coordinate, Value tap) {
    Value first = m.sub(m.toIndex(m.floor(coordinate)), m.extent(before));
    return m.add(first, tap);
  };
  auto stretch = [&](ScalarMath &m) {
    Value scale = axis.scale(m);
    return m.min(scale, m.like(scale, 1));
  };
  TensorValue positions = generate(
      node, ElementType::Int64, {axis.out, *taps}, [&](ScalarMath &m, ArrayRef<Value> at) -> Value {
        Value coordinate = originalCoordinate(m, axis, options, at[0]);
        Value position = m.clamp(tapPosition(m, coordinate, at[1]), m.extent(axis.in));
        return arith::IndexCastOp::create(m.b, m.loc, m.b.getI64Type(), position);
      });
  TensorValue weights = generate(
      node, ElementType::Float, {axis.out, *taps}, [&](ScalarMath &m, ArrayRef<Value> at) -> Value {
        Value coordinate = originalCoordinate(m, axis, options, at[0]);
        Value position = tapPosition(m, coordinate, at[1]);
        Value distance = m.abs(m.sub(asF32(m, position), coordinate));
        if (options.antialias)
          distance = m.mul(distance, stretch(m));
        Value weight = weightAt(m, options, distance);
        if (!options.excludeOutside)
          return weight;
        return m.select(m.inRange(position, m.extent(axis.in)), weight, m.like(weight, 0));
      });
  if (options.antialias || options.excludeOutside) {
    Value zero = makeScalar(node.b, node.b.getLoc(), node.b.getF32Type(), 0);
    TensorValue total = reduce(node, weights, {1}, true, ElementType::Float, zero,
                               [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                                 return arith::AddFOp::create(b, loc, args[1], args[0]);
                               });
    weights = *elementwiseTo(node, {weights, total}, ElementType::Float, weights.dims,
                             [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                               ScalarMath m{b, loc};
                               return m.select(m.equal(args[1], m.like(args[1], 0)), args[0],
                                               m.div(args[0], args[1]));
                             });
  }

  // result[..., o, ...] += x[..., positions[o, t], ...] * weights[o, t]
  Dims dims = x.dims;
  dims[axis.dimension] = axis.out;
  int64_t rank = x.rank();
  MLIRContext *context = node.context();
  SmallVector<AffineExpr> table{node.b.getAffineDimExpr(axis.dimension),
                                node.b.getAffineDimExpr(rank)};
  SmallVector<AffineExpr> output;
  for (int64_t i = 0; i < rank; ++i)
    output.push_back(node.b.getAffineDimExpr(i));
  AffineMap tableMap = AffineMap::get(rank + 1, 0, table, context);
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  iterators.push_back(utils::IteratorType::reduction);
  TensorValue start = makeSplat(node, sumType, dims, 0);
  Value source = node.value(x);
  auto generic = linalg::GenericOp::create(
      node.b, node.b.getLoc(), start.value.getType(), ValueRange{positions.value, weights.value},
      start.value,
      ArrayRef<AffineMap>{tableMap, tableMap, AffineMap::get(rank + 1, 0, output, context)},
      iterators, [&](OpBuilder &b, Location loc, ValueRange args) {
        ScalarMath m{b, loc};
        SmallVector<Value> at;
        for (int64_t i = 0; i < rank; ++i)
          at.push_back(linalg::IndexOp::create(b, loc, i));
        at[axis.dimension] = arith::IndexCastOp::create(b, loc, b.getIndexType(), args[0]);
        Value element = castScalar(b, loc, m.read(source, at), x.elementType, sumType);
        Value weight = castScalar(b, loc, args[1], ElementType::Float, sumType);
        // A weight of 0 is not multiplied: the element may be infinite.
        Value term =
            m.select(m.equal(weight, m.like(weight, 0)), m.like(weight, 0), m.mul(element, weight));
        linalg::YieldOp::create(b, loc, m.add(args[2], term));
      });
  return makeValue(generic.getResult(0), sumType, dims);
}

/// Sets what lies outside of the image to the extrapolation value.
static FailureOr<TensorValue> extrapolate(NodeContext &node, const TensorValue &x,
                                          ArrayRef<Axis> axes, const Options &options) {
  return elementwiseTo(
      node, x, x.elementType, x.dims, [&](OpBuilder &b, Location loc, ValueRange args) {
        ScalarMath m{b, loc};
        Value outside = arith::ConstantIntOp::create(b, loc, 0, 1);
        for (const Axis &axis : axes) {
          Value coordinate =
              originalCoordinate(m, axis, options, linalg::IndexOp::create(b, loc, axis.dimension));
          Value last = m.sub(asF32(m, m.extent(axis.in)), m.like(coordinate, 1));
          outside = m.either(outside, m.either(m.less(coordinate, m.like(coordinate, 0)),
                                               m.less(last, coordinate)));
        }
        return m.select(outside, m.like(args[0], options.extrapolation), args[0]);
      });
}

FailureOr<TensorValue> weft::onnx::interpolation::resize(NodeContext &node, const TensorValue &x,
                                                         ArrayRef<Axis> axes,
                                                         const Options &options) {
  Dims dims = x.dims;
  for (const Axis &axis : axes)
    dims[axis.dimension] = axis.out;
  // Nothing can be read from an image without elements.
  for (const Axis &axis : axes)
    if (failed(requireAtMost(node, node.dims.min(axis.out, node.dims.constant(1)), axis.in,
                             "resizes an extent of {1} to one that is not 0")))
      return failure();
  TensorValue result = x;
  bool crop = options.coordinates == Coordinates::TFCropAndResize;
  if (options.mode == Mode::Nearest) {
    result = resizeNearest(node, x, axes, options, dims);
    return crop ? extrapolate(node, result, axes, options) : FailureOr<TensorValue>(result);
  }
  ElementType sumType =
      x.elementType == ElementType::Double ? ElementType::Double : ElementType::Float;
  for (const Axis &axis : axes) {
    FailureOr<TensorValue> next = resizeAxis(node, result, axis, options, sumType);
    if (failed(next))
      return failure();
    result = *next;
  }
  if (crop) {
    FailureOr<TensorValue> next = extrapolate(node, result, axes, options);
    if (failed(next))
      return failure();
    result = *next;
  }
  if (isInteger(x.elementType) && options.antialias) {
    // Filtered integers are rounded; without a filter they truncate.
    result = *elementwiseTo(node, result, sumType, result.dims,
                            [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                              return math::RoundEvenOp::create(b, loc, args[0]);
                            });
  }
  return cast(node, result, x.elementType);
}
