//===- Image.cpp - Sampling of images -------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/ScalarMath.h"
#include "Frontend/ONNX/Ops/Window.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

//===----------------------------------------------------------------------===//
// GridSample
//===----------------------------------------------------------------------===//

namespace {
enum class Sampling { Nearest, Linear, Cubic };
enum class Padding { Zeros, Border, Reflection };

/// The samples along one dimension: positions in range, and their weights.
struct Samples {
  SmallVector<Value> positions, weights;
};
} // namespace

/// Reflects a coordinate at `low` and `high` until it lies between them.
static Value reflect(ScalarMath &m, Value x, Value low, Value high) {
  Value zero = m.like(x, 0), two = m.like(x, 2), range = m.max(m.sub(high, low), m.like(x, 1e-6));
  Value distance = m.max(m.sub(low, x), m.sub(x, high));
  Value below = m.less(x, low);
  Value turns = m.floor(m.div(distance, range));
  Value rest = m.sub(distance, m.mul(turns, range));
  Value even = m.equal(turns, m.mul(m.floor(m.div(turns, two)), two));
  // An even number of turns comes back from the border that was crossed.
  Value fromLow = m.either(m.both(below, even), m.both(m.negate(below), m.negate(even)));
  Value inside = m.select(fromLow, m.add(low, rest), m.sub(high, rest));
  return m.select(m.less(zero, distance), inside, x);
}

/// The weights of the samples around a position with fraction `t`.
static SmallVector<Value> sampleWeights(ScalarMath &m, Sampling mode, Value t) {
  Value one = m.like(t, 1);
  if (mode == Sampling::Linear)
    return {m.sub(one, t), t};
  // Keys, "Cubic convolution interpolation", with a = -0.75.
  constexpr double a = -0.75;
  auto near = [&](Value d) {
    Value value = m.sub(m.mul(m.like(d, a + 2), d), m.like(d, a + 3));
    return m.add(m.mul(m.mul(value, d), d), one);
  };
  auto far = [&](Value d) {
    Value value = m.sub(m.mul(m.like(d, a), d), m.like(d, 5 * a));
    value = m.add(m.mul(value, d), m.like(d, 8 * a));
    return m.sub(m.mul(value, d), m.like(d, 4 * a));
  };
  return {far(m.add(t, one)), near(t), near(m.sub(one, t)), far(m.sub(m.like(t, 2), t))};
}

/// The samples along a dimension of `extent` for the normalised coordinate `x`.
static Samples samplesAlong(ScalarMath &m, Value x, Value extent, Sampling mode, Padding padding,
                            bool alignCorners) {
  Type type = x.getType();
  Value length = m.toFloat(extent, type), one = m.like(x, 1), half = m.like(x, 0.5);
  Value last = m.sub(length, one);
  Value position = alignCorners ? m.mul(m.mul(m.add(x, one), half), last)
                                : m.mul(m.sub(m.mul(m.add(x, one), length), one), half);
  if (mode == Sampling::Nearest)
    position = math::RoundEvenOp::create(m.b, m.loc, position);
  Value low = alignCorners ? m.like(x, 0) : m.like(x, -0.5);
  Value high = alignCorners ? last : m.sub(length, half);
  // Cubic samples are moved to the border one by one, as PyTorch does it.
  if (padding == Padding::Border && mode != Sampling::Cubic)
    position = m.max(m.min(position, last), m.like(x, 0));
  if (padding == Padding::Reflection)
    position = reflect(m, position, low, high);

  Value base = m.floor(position);
  SmallVector<Value> weights{one};
  int64_t first = 0;
  if (mode != Sampling::Nearest) {
    weights = sampleWeights(m, mode, m.sub(position, base));
    first = mode == Sampling::Cubic ? -1 : 0;
  }
  Samples samples;
  for (auto [i, weight] : llvm::enumerate(weights)) {
    Value at = m.add(base, m.like(base, static_cast<double>(first + static_cast<int64_t>(i))));
    if (padding == Padding::Reflection)
      at = reflect(m, at, low, high);
    Value index = m.toIndex(at);
    if (padding == Padding::Zeros)
      weight = m.select(m.inRange(index, extent), weight, m.like(weight, 0));
    samples.positions.push_back(m.clamp(index, extent));
    samples.weights.push_back(weight);
  }
  return samples;
}

static LogicalResult buildGridSample(NodeContext &node) {
  const TensorValue &x = node.input(0), &grid = node.input(1);
  std::string modeName = node.getString("mode", node.opset() < 20 ? "bilinear" : "linear");
  std::string paddingName = node.getString("padding_mode", "zeros");
  bool alignCorners = node.getInt("align_corners", 0) != 0;
  if (node.failed())
    return failure();
  Sampling mode;
  if (modeName == "linear" || modeName == "bilinear")
    mode = Sampling::Linear;
  else if (modeName == "cubic" || modeName == "bicubic")
    mode = Sampling::Cubic;
  else if (modeName == "nearest")
    mode = Sampling::Nearest;
  else
    return node.error("has attribute 'mode' \"" + modeName +
                      "\", expected linear, nearest or cubic");
  Padding padding;
  if (paddingName == "zeros")
    padding = Padding::Zeros;
  else if (paddingName == "border")
    padding = Padding::Border;
  else if (paddingName == "reflection")
    padding = Padding::Reflection;
  else
    return node.error("has attribute 'padding_mode' \"" + paddingName +
                      "\", expected zeros, border or reflection");
  int64_t spatial = x.rank() - 2;
  if (spatial < 1 || grid.rank() != x.rank())
    return node.error("has an input of rank " + Twine(x.rank()) + " and a grid of rank " +
                      Twine(grid.rank()));
  if (spatial > 3)
    return node.unsupported("samples " + Twine(spatial) + " spatial dimensions, supported are 3");
  if (!isFloat(grid.elementType))
    return node.error("has a grid of type " + name(grid.elementType));
  if (!storageType(node.context(), x.elementType))
    return node.unsupported("samples a tensor of type " + name(x.elementType));
  DimBuilder &d = node.dims;
  if (failed(requireEqual(node, grid.dims.back(), d.constant(spatial),
                          "has a grid of {0} coordinates, expected {1}")) ||
      failed(requireEqual(node, grid.dims[0], x.dims[0],
                          "has a grid for a batch of {0} but an input of {1}")))
    return failure();
  ElementType computed =
      x.elementType == ElementType::Double || grid.elementType == ElementType::Double
          ? ElementType::Double
          : ElementType::Float;
  Dims dims{x.dims[0], x.dims[1]};
  dims.append(grid.dims.begin() + 1, grid.dims.end() - 1);
  // What lies outside of an image without elements is zero, but is read clamped.
  for (int64_t i = 0; i < spatial; ++i)
    if (failed(requireAtMost(node, d.constant(1), x.dims[2 + i], "samples an image of extent {1}")))
      return failure();
  Value source = node.value(x), coordinates = node.value(grid);
  node.setOutput(
      0, generate(node, x.elementType, dims, [&](ScalarMath &m, ArrayRef<Value> at) -> Value {
        SmallVector<Samples> samples;
        for (int64_t i = 0; i < spatial; ++i) {
          SmallVector<Value> entry{at[0]};
          entry.append(at.begin() + 2, at.end());
          entry.push_back(m.index(spatial - 1 - i)); // the last dimension comes first
          Value raw =
              castScalar(m.b, m.loc, m.read(coordinates, entry), grid.elementType, computed);
          samples.push_back(
              samplesAlong(m, raw, m.extent(x.dims[2 + i]), mode, padding, alignCorners));
        }
        size_t taps = samples[0].positions.size(), count = 1;
        for (int64_t i = 0; i < spatial; ++i)
          count *= taps;
        Value sum;
        for (size_t tap = 0; tap < count; ++tap) {
          SmallVector<Value> position{at[0], at[1]};
          Value weight;
          size_t rest = tap;
          for (int64_t i = 0; i < spatial; ++i, rest /= taps) {
            position.push_back(samples[i].positions[rest % taps]);
            Value own = samples[i].weights[rest % taps];
            weight = weight ? m.mul(weight, own) : own;
          }
          Value element = m.read(source, position);
          if (mode == Sampling::Nearest) {
            // Nothing is computed: the element, whatever its type, or zero.
            Value zero = m.like(weight, 0);
            return m.select(m.equal(weight, zero), m.like(element, 0), element);
          }
          Value wide = castScalar(m.b, m.loc, element, x.elementType, computed);
          Value zero = m.like(weight, 0);
          Value term = m.select(m.equal(weight, zero), zero, m.mul(weight, wide));
          sum = sum ? m.add(sum, term) : term;
        }
        return castScalar(m.b, m.loc, sum, computed, x.elementType);
      }));
  return success();
}

//===----------------------------------------------------------------------===//
// RoiAlign
//===----------------------------------------------------------------------===//

namespace {
/// The region along one dimension: where it begins, how large a bin of the result
/// is, and how many samples a bin has.
struct Bins {
  Value start, size, samples;
};
} // namespace

static LogicalResult buildRoiAlign(NodeContext &node) {
  const TensorValue &x = node.input(0), &rois = node.input(1), &batches = node.input(2);
  ElementType type = x.elementType, computed = accumulatorType(type);
  if (!isFloat(type) || rois.elementType != type)
    return node.error("expects an input and regions of one float type");
  if (x.rank() != 4 || rois.rank() != 2 || batches.rank() != 1 || !isInteger(batches.elementType))
    return node.error("has inputs of ranks " + Twine(x.rank()) + ", " + Twine(rois.rank()) +
                      " and " + Twine(batches.rank()) + ", expected 4, 2 and 1");
  int64_t height = node.getInt("output_height", 1), width = node.getInt("output_width", 1);
  int64_t ratio = node.getInt("sampling_ratio", 0);
  double scale = node.getFloat("spatial_scale", 1);
  std::string mode = node.getString("mode", "avg");
  bool halfPixel = node.opset() >= 16 &&
                   node.getString("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  if (node.failed())
    return failure();
  if (height < 1 || width < 1 || ratio < 0 || height > INT32_MAX || width > INT32_MAX ||
      ratio > INT32_MAX)
    return node.error("has output_height " + Twine(height) + ", output_width " + Twine(width) +
                      " and sampling_ratio " + Twine(ratio));
  if (mode != "avg" && mode != "max")
    return node.error("has attribute 'mode' \"" + mode + "\", expected avg or max");
  bool average = mode == "avg";
  DimBuilder &d = node.dims;
  if (failed(requireEqual(node, rois.dims[1], d.constant(4),
                          "has regions of {0} numbers, expected {1}")) ||
      failed(requireEqual(node, batches.dims[0], rois.dims[0],
                          "has {0} batch indices for {1} regions")))
    return failure();
  assertInRange(node, batches, d.constant(0), x.dims[0], "a batch index");
  Value source = node.value(x), regions = node.value(rois), indices = node.value(batches);
  mlir::Type number = storageType(node.context(), computed);
  int64_t pooled[] = {height, width};
  auto binsOf = [&](ScalarMath &m, Value roi, int i) {
    auto corner = [&](int64_t k) {
      Value raw = castScalar(m.b, m.loc, m.read(regions, {roi, m.index(k)}), type, computed);
      return m.sub(m.mul(raw, m.number(number, scale)), m.number(number, halfPixel ? 0.5 : 0));
    };
    Bins bins; // regions are x1, y1, x2, y2
    bins.start = corner(1 - i);
    Value extent = m.sub(corner(3 - i), bins.start);
    if (!halfPixel)
      extent = m.max(extent, m.number(number, 1));
    bins.size = m.div(extent, m.number(number, static_cast<double>(pooled[i])));
    bins.samples = ratio > 0 ? m.index(ratio) : m.max(m.toIndex(m.ceil(bins.size)), m.index(0));
    return bins;
  };
  Dims inner(2, d.constant(ratio));
  if (ratio == 0) {
    // As many samples as the largest region needs.
    for (int i = 0; i < 2; ++i) {
      TensorValue counts =
          generate(node, ElementType::Int64, {rois.dims[0]},
                   [&](ScalarMath &m, ArrayRef<Value> at) -> Value {
                     return arith::IndexCastOp::create(m.b, m.loc, m.b.getI64Type(),
                                                       binsOf(m, at[0], i).samples);
                   });
      TensorValue largest = reduce(node, counts, {0}, false, ElementType::Int64,
                                   makeIntScalar(node.b, node.b.getLoc(), node.b.getI64Type(), 0),
                                   [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                                     return arith::MaxSIOp::create(b, loc, args[0], args[1]);
                                   });
      inner[i] = d.fromInteger(extractScalar(node, largest));
    }
  }
  Dims dims{rois.dims[0], x.dims[1], d.constant(height), d.constant(width)};
  auto floating = mlir::cast<FloatType>(number);
  APFloat least = APFloat::getInf(floating.getFloatSemantics(), true);
  Value initial = average ? makeScalar(node.b, node.b.getLoc(), number, 0)
                          : Value(arith::ConstantOp::create(node.b, node.b.getLoc(),
                                                            node.b.getFloatAttr(floating, least)));
  TensorValue result = accumulate(
      node, computed, dims, inner, initial,
      [&](ScalarMath &m, ArrayRef<Value> o, ArrayRef<Value> sample, Value value) -> Value {
        Value batch =
            castScalar(m.b, m.loc, m.read(indices, o[0]), batches.elementType, ElementType::Int64);
        batch = m.clamp(arith::IndexCastOp::create(m.b, m.loc, m.b.getIndexType(), batch),
                        m.extent(x.dims[0]));
        Value wanted = arith::ConstantIntOp::create(m.b, m.loc, 1, 1), inside = wanted,
              count = m.index(1);
        Value low[2], high[2], fraction[2];
        for (int i = 0; i < 2; ++i) {
          Bins bins = binsOf(m, o[0], i);
          Value extent = m.extent(x.dims[2 + i]), size = m.toFloat(extent, number);
          Value zero = m.like(size, 0), one = m.like(size, 1), half = m.like(size, 0.5);
          wanted = m.both(wanted, m.less(sample[i], bins.samples));
          count = m.mul(count, bins.samples);
          Value samples = m.toFloat(m.max(bins.samples, m.index(1)), number);
          Value offset =
              m.div(m.mul(m.add(m.toFloat(sample[i], number), half), bins.size), samples);
          Value at =
              m.add(m.add(bins.start, m.mul(m.toFloat(o[2 + i], number), bins.size)), offset);
          inside = m.both(inside, m.both(m.atMost(m.like(at, -1), at), m.atMost(at, size)));
          at = m.max(m.min(at, m.sub(size, one)), zero);
          low[i] = m.clamp(m.toIndex(at), extent);
          high[i] = m.clamp(m.add(low[i], m.index(1)), extent);
          fraction[i] = m.sub(at, m.toFloat(low[i], number));
        }
        Value combined;
        for (int corner = 0; corner < 4; ++corner) {
          bool y = corner & 2, column = corner & 1;
          Value element = castScalar(
              m.b, m.loc,
              m.read(source, {batch, o[1], y ? high[0] : low[0], column ? high[1] : low[1]}), type,
              computed);
          Value one = m.like(element, 1);
          Value weight = m.mul(y ? fraction[0] : m.sub(one, fraction[0]),
                               column ? fraction[1] : m.sub(one, fraction[1]));
          Value term = m.mul(weight, element);
          if (!combined)
            combined = term;
          else
            combined = average ? m.add(combined, term) : m.max(combined, term);
        }
        combined = m.select(inside, combined, m.like(combined, 0));
        Value next;
        if (average)
          next = m.add(value, m.div(combined, m.toFloat(m.max(count, m.index(1)), number)));
        else
          next = m.max(value, combined);
        return m.select(wanted, next, value);
      });
  if (!average)
    // Regions without samples are 0.
    result = *elementwiseTo(
        node, result, computed, dims, [&](OpBuilder &b, Location loc, ValueRange args) {
          ScalarMath m{b, loc};
          Value none = arith::ConstantOp::create(b, loc, b.getFloatAttr(floating, least));
          return m.select(m.equal(args[0], none), m.like(args[0], 0), args[0]);
        });
  node.setOutput(0, cast(node, result, type));
  return success();
}

//===----------------------------------------------------------------------===//
// Col2Im and AffineGrid
//===----------------------------------------------------------------------===//

static LogicalResult buildCol2Im(NodeContext &node) {
  const TensorValue &x = node.input(0);
  if (x.rank() != 3)
    return node.error("has an input of rank " + Twine(x.rank()) + ", expected 3");
  if (!storageType(node.context(), x.elementType))
    return node.unsupported("adds columns of type " + name(x.elementType));
  FailureOr<Dims> image = shapeElements(node, node.input(1)),
                  block = shapeElements(node, node.input(2));
  if (failed(image) || failed(block))
    return failure();
  size_t spatial = image->size();
  if (spatial < 1 || block->size() != spatial)
    return node.error("has an image of " + Twine(spatial) + " dimensions and blocks of " +
                      Twine(block->size()));
  auto strides = readSpatial(node, "strides", spatial, 1, 1);
  auto dilations = readSpatial(node, "dilations", spatial, 1, 1);
  auto pads = readSpatial(node, "pads", 2 * spatial, 0, 0);
  if (failed(strides) || failed(dilations) || failed(pads))
    return failure();
  DimBuilder &d = node.dims;
  OpFoldResult one = d.constant(1);
  Dims columns;
  for (size_t i = 0; i < spatial; ++i) {
    if (failed(requireAtMost(node, one, (*block)[i],
                             "has a block of extent {1}, expected at least {0}")) ||
        failed(requireAtMost(node, one, (*image)[i],
                             "has an image of extent {1}, expected at least {0}")))
      return failure();
    OpFoldResult reach = d.add(d.mul(d.sub((*block)[i], one), d.constant((*dilations)[i])), one);
    OpFoldResult padded = d.add((*image)[i], d.constant((*pads)[i] + (*pads)[spatial + i]));
    if (failed(requireAtMost(node, reach, padded,
                             "has blocks of extent {0} in an image of extent {1} with its pads")))
      return failure();
    columns.push_back(d.add(d.floorDiv(d.sub(padded, reach), d.constant((*strides)[i])), one));
  }
  OpFoldResult size = d.product(*block), channels = d.floorDiv(x.dims[1], d.max(size, one));
  if (failed(requireEqual(node, d.mul(channels, size), x.dims[1],
                          "has blocks that use {0} of {1} rows")) ||
      failed(requireEqual(node, d.product(columns), x.dims[2], "has {1} columns, expected {0}")))
    return failure();
  ElementType type = x.elementType, sumType = accumulatorType(type);
  Dims dims{x.dims[0], channels};
  dims.append(*image);
  Value source = node.value(x);
  TensorValue sum = accumulate(
      node, sumType, dims, *block,
      makeIntScalar(node.b, node.b.getLoc(), storageType(node.context(), sumType), 0),
      [&](ScalarMath &m, ArrayRef<Value> o, ArrayRef<Value> k, Value sum) -> Value {
        Value row = o[1], column = m.index(0), zero = m.index(0);
        Value inside = arith::ConstantIntOp::create(m.b, m.loc, 1, 1);
        for (size_t i = 0; i < spatial; ++i) {
          Value stride = m.index((*strides)[i]), extent = m.extent(columns[i]);
          Value offset =
              m.sub(m.add(o[2 + i], m.index((*pads)[i])), m.mul(k[i], m.index((*dilations)[i])));
          Value at = m.div(offset, stride);
          inside =
              m.both(inside, m.both(m.atMost(zero, offset), m.equal(m.rem(offset, stride), zero)));
          inside = m.both(inside, m.less(at, extent));
          row = m.add(m.mul(row, m.extent((*block)[i])), k[i]);
          column = m.add(m.mul(column, extent), m.clamp(at, extent));
        }
        Value element = castScalar(m.b, m.loc, m.read(source, {o[0], row, column}), type, sumType);
        return m.select(inside, m.add(sum, element), sum);
      });
  node.setOutput(0, cast(node, sum, type));
  return success();
}

static LogicalResult buildAffineGrid(NodeContext &node) {
  const TensorValue &theta = node.input(0);
  ElementType type = theta.elementType, computed = accumulatorType(type);
  bool alignCorners = node.getInt("align_corners", 0) != 0;
  if (node.failed())
    return failure();
  if (!isFloat(type) || theta.rank() != 3)
    return node.error("has a transform of type " + name(type) + " and rank " + Twine(theta.rank()) +
                      ", expected floats and rank 3");
  TensorValue sizes = node.input(1);
  if (sizes.rank() == 1 && !ShapedType::isDynamic(theta.staticDim(1))) {
    FailureOr<TensorValue> vector = withLength(node, sizes, theta.staticDim(1) + 2, "extents");
    if (failed(vector))
      return failure();
    sizes = *vector;
  }
  FailureOr<Dims> size = shapeElements(node, sizes);
  if (failed(size))
    return failure();
  if (size->size() != 4 && size->size() != 5)
    return node.error("has a size of " + Twine(size->size()) + " extents, expected 4 or 5");
  int64_t spatial = static_cast<int64_t>(size->size()) - 2;
  DimBuilder &d = node.dims;
  if (failed(
          requireEqual(node, theta.dims[0], (*size)[0], "has {0} transforms for a batch of {1}")) ||
      failed(requireEqual(node, theta.dims[1], d.constant(spatial),
                          "has a transform of {0} rows, expected {1}")) ||
      failed(requireEqual(node, theta.dims[2], d.constant(spatial + 1),
                          "has a transform of {0} columns, expected {1}")))
    return failure();
  for (int64_t i = 0; i < spatial; ++i)
    if (failed(requireAtMost(node, d.constant(0), (*size)[2 + i], "has a size {1} below {0}")))
      return failure();
  Dims dims{theta.dims[0]};
  dims.append(size->begin() + 2, size->end());
  dims.push_back(d.constant(spatial));
  Value source = node.value(theta);
  mlir::Type number = storageType(node.context(), computed);
  node.setOutput(
      0, generate(node, type, dims, [&](ScalarMath &m, ArrayRef<Value> at) -> Value {
        auto entry = [&](int64_t column) {
          return castScalar(m.b, m.loc, m.read(source, {at[0], at.back(), m.index(column)}), type,
                            computed);
        };
        Value sum = entry(spatial);
        for (int64_t i = 0; i < spatial; ++i) {
          // Columns are x, y(, z): the last dimension comes first.
          Value position = m.toFloat(at[1 + i], number),
                extent = m.toFloat(m.extent((*size)[2 + i]), number);
          Value one = m.like(extent, 1), two = m.like(extent, 2), coordinate;
          if (alignCorners)
            coordinate = m.sub(m.div(m.mul(position, two), m.max(m.sub(extent, one), one)), one);
          else
            coordinate = m.sub(m.div(m.add(m.mul(position, two), one), extent), one);
          sum = m.add(sum, m.mul(entry(spatial - 1 - i), coordinate));
        }
        return castScalar(m.b, m.loc, sum, computed, type);
      }));
  return success();
}

void weft::onnx::registerImageOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"GridSample", 16, 2, 2, buildGridSample},
             {"RoiAlign", 10, 3, 3, buildRoiAlign},
             {"Col2Im", 18, 3, 3, buildCol2Im},
             {"AffineGrid", 20, 2, 2, buildAffineGrid},
         });
}
