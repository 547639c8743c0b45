//===- Signal.cpp - Fourier transforms and windows ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A transform is the product with a matrix of cosines and sines that interleaves
// real and imaginary parts, so that it is a contraction like all others, and the
// matrix a constant where the length is.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/ScalarMath.h"

#include <cmath>

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

//===----------------------------------------------------------------------===//
// Fourier transforms
//===----------------------------------------------------------------------===//

namespace {
struct Transform {
  OpFoldResult length, bins; ///< of the transform, and how many are computed
  bool inverse = false;
  OpFoldResult inputParts; ///< 1 for a real signal, 2 for a complex one
  bool complexOutput = true;
  /// The spectrum is one-sided: the bins not given are conjugates of others.
  bool hermitian = false;
};
} // namespace

/// The matrix [inputs * (1 or 2), bins * (1 or 2)] of a transform of `inputs`
/// numbers.
static TensorValue makeMatrix(NodeContext &node, const Transform &t, OpFoldResult inputs,
                              ElementType type) {
  DimBuilder &d = node.dims;
  OpFoldResult columnParts = d.constant(t.complexOutput ? 2 : 1);
  Dims dims{d.mul(inputs, t.inputParts), d.mul(t.bins, columnParts)};
  mlir::Type number = storageType(node.context(), type);
  return generate(node, type, dims, [&](ScalarMath &m, ArrayRef<Value> at) -> Value {
    Value rowParts = m.max(m.extent(t.inputParts), m.index(1)), resultParts = m.extent(columnParts);
    Value row = m.div(at[0], rowParts), column = m.div(at[1], resultParts);
    Value fromImaginary = m.equal(m.rem(at[0], rowParts), m.index(1));
    Value toImaginary = m.equal(m.rem(at[1], resultParts), m.index(1));
    // (row * column) / length turns, less whole ones: a quadrant and the rest of
    // it, so that multiples of a quarter turn are exact.
    Value length = m.max(m.extent(t.length), m.index(1));
    Value quarters = m.mul(m.rem(m.mul(row, column), length), m.index(4));
    Value quadrant = m.div(quarters, length), rest = m.rem(quarters, length);
    Value size = m.toFloat(length, number);
    Value angle = m.div(m.mul(m.toFloat(rest, number), m.like(size, M_PI_2)), size);
    Value cosine = math::CosOp::create(m.b, m.loc, angle),
          sine = math::SinOp::create(m.b, m.loc, angle);
    Value odd = m.equal(m.rem(quadrant, m.index(2)), m.index(1));
    Value turned = m.select(odd, m.sub(m.like(sine, 0), sine), cosine);
    sine = m.select(odd, cosine, sine);
    Value half = m.atMost(m.index(2), quadrant);
    cosine = m.select(half, m.sub(m.like(turned, 0), turned), turned);
    sine = m.select(half, m.sub(m.like(sine, 0), sine), sine);
    if (!t.inverse)
      sine = m.sub(m.like(sine, 0), sine);
    // (a + bi)(c + si) = ac - bs + (as + bc)i
    Value minus = m.sub(m.like(sine, 0), sine);
    Value value = m.select(fromImaginary, m.select(toImaginary, cosine, minus),
                           m.select(toImaginary, sine, cosine));
    if (t.inverse)
      value = m.div(value, size);
    if (t.hermitian) {
      // What is not given equals the conjugate of what is, and the real parts
      // add up; the first and, for even lengths, the middle one stand alone.
      Value twice = m.mul(row, m.index(2));
      Value alone = m.either(m.equal(row, m.index(0)), m.equal(twice, length));
      value = m.select(alone, value, m.mul(value, m.like(value, 2)));
    }
    return value;
  });
}

/// Transforms [..., n, parts] along the dimension before the last; `x` has `n`
/// extents that are the transform's inputs.
static FailureOr<TensorValue> applyTransform(NodeContext &node, const TensorValue &x,
                                             const Transform &t) {
  DimBuilder &d = node.dims;
  int64_t rank = x.rank();
  OpFoldResult inputs = x.dims[rank - 2];
  ElementType type = x.elementType, computed = accumulatorType(type);
  TensorValue matrix = makeMatrix(node, t, inputs, computed);
  Dims leading(x.dims.begin(), x.dims.end() - 2);
  OpFoldResult rows = d.product(leading);
  TensorValue flat = reshape(node, cast(node, x, computed), {rows, matrix.dims[0]});
  FailureOr<TensorValue> product = matmul(node, flat, matrix, computed);
  if (failed(product))
    return failure();
  Dims dims = leading;
  dims.push_back(t.bins);
  dims.push_back(d.constant(t.complexOutput ? 2 : 1));
  return cast(node, reshape(node, *product, dims), type);
}

/// `x` with extent `length` in `axis`: cut off, or filled with zeros.
static TensorValue withExtent(NodeContext &node, const TensorValue &x, int64_t axis,
                              OpFoldResult length) {
  if (DimBuilder::same(x.dims[axis], length))
    return x;
  DimBuilder &d = node.dims;
  OpFoldResult kept = d.min(x.dims[axis], length);
  Dims offsets(x.rank(), d.constant(0)), strides(x.rank(), d.constant(1)), sizes = x.dims;
  sizes[axis] = kept;
  TensorValue part =
      DimBuilder::same(kept, x.dims[axis]) ? x : slice(node, x, offsets, sizes, strides);
  if (DimBuilder::same(kept, length))
    return part;
  Dims dims = x.dims;
  dims[axis] = length;
  TensorValue zeros = makeSplat(node, x.elementType, dims, 0);
  Value filled = insertSlice(node, node.value(part), zeros.value, offsets, sizes);
  return makeValue(filled, x.elementType, dims);
}

/// The extent of the last dimension: 1 if the signal is real, 2 if complex.
static FailureOr<OpFoldResult> readParts(NodeContext &node, const TensorValue &x) {
  OpFoldResult parts = x.dims.back();
  StringRef message = "has a signal of {1} parts, expected 1 (real) or 2 (complex)";
  if (failed(requireAtMost(node, node.dims.constant(1), parts, message)) ||
      failed(requireAtMost(node, parts, node.dims.constant(2),
                           "has a signal of {0} parts, expected 1 (real) or 2 (complex)")))
    return failure();
  return parts;
}

static FailureOr<OpFoldResult> scalarInput(NodeContext &node, size_t i) {
  FailureOr<Dims> elements = shapeElements(node, node.input(i));
  if (failed(elements))
    return failure();
  if (elements->size() != 1)
    return node.error("has input " + Twine(i) + " of " + Twine(elements->size()) +
                      " elements, expected 1");
  return elements->front();
}

static LogicalResult buildDFT(NodeContext &node) {
  TensorValue x = node.input(0);
  if (!isFloat(x.elementType))
    return node.error("expects a float tensor, got " + name(x.elementType));
  if (x.rank() < 2)
    return node.error("has a signal of rank " + Twine(x.rank()) + ", expected at least 2");
  Transform t;
  t.inverse = node.getInt("inverse", 0) != 0;
  bool oneSided = node.getInt("onesided", 0) != 0;
  int64_t axis = node.opset() < 20 ? node.getInt("axis", 1) : -2;
  if (node.opset() >= 20 && node.hasInput(2)) {
    auto given = constantElements(node, node.input(2), "the axis");
    if (failed(given))
      return failure();
    if (given->size() != 1)
      return node.error("has " + Twine(given->size()) + " axes, expected 1");
    axis = given->front();
  }
  FailureOr<int64_t> normal = normalizeAxis(node, axis, x.rank());
  FailureOr<OpFoldResult> parts = readParts(node, x);
  if (failed(normal) || failed(parts) || node.failed())
    return failure();
  if (*normal == x.rank() - 1)
    return node.error("transforms along the axis of real and imaginary parts");
  DimBuilder &d = node.dims;
  OpFoldResult one = d.constant(1), two = d.constant(2);
  bool spectrum = t.inverse && oneSided;
  t.inputParts = *parts;
  if (oneSided && !t.inverse &&
      failed(requireEqual(node, t.inputParts, one,
                          "computes a one-sided spectrum of a signal of {0} parts, expected {1}")))
    return failure();
  t.length = spectrum ? d.mul(two, d.sub(x.dims[*normal], one)) : x.dims[*normal];
  if (node.hasInput(1)) {
    FailureOr<OpFoldResult> length = scalarInput(node, 1);
    if (failed(length))
      return failure();
    t.length = *length;
  }
  if (failed(requireAtMost(node, one, t.length,
                           "has a transform of length {1}, expected at least {0}")))
    return failure();
  OpFoldResult half = d.add(d.floorDiv(t.length, two), one);
  t.bins = oneSided && !t.inverse ? half : t.length;
  t.complexOutput = !spectrum;
  t.hermitian = spectrum;
  x = withExtent(node, x, *normal, spectrum ? half : t.length);
  // The axis goes next to the parts, and back.
  SmallVector<int64_t> there, back(x.rank());
  for (int64_t i = 0; i < x.rank(); ++i)
    if (i != *normal && i != x.rank() - 1)
      there.push_back(i);
  there.push_back(*normal);
  there.push_back(x.rank() - 1);
  for (auto [to, from] : llvm::enumerate(there))
    back[from] = static_cast<int64_t>(to);
  FailureOr<TensorValue> result = applyTransform(node, transpose(node, x, there), t);
  if (failed(result))
    return failure();
  node.setOutput(0, transpose(node, *result, back));
  return success();
}

static LogicalResult buildSTFT(NodeContext &node) {
  TensorValue x = node.input(0);
  if (!isFloat(x.elementType))
    return node.error("expects a float tensor, got " + name(x.elementType));
  DimBuilder &d = node.dims;
  OpFoldResult one = d.constant(1);
  if (x.rank() == 2)
    x = reshape(node, x, {x.dims[0], x.dims[1], one});
  if (x.rank() != 3)
    return node.error("has a signal of rank " + Twine(x.rank()) + ", expected 3");
  FailureOr<OpFoldResult> step = scalarInput(node, 1);
  FailureOr<OpFoldResult> parts = readParts(node, x);
  bool oneSided = node.getInt("onesided", 1) != 0;
  if (failed(step) || failed(parts) || node.failed())
    return failure();
  bool windowed = node.hasInput(2);
  OpFoldResult length;
  if (node.hasInput(3)) {
    FailureOr<OpFoldResult> given = scalarInput(node, 3);
    if (failed(given))
      return failure();
    length = *given;
  } else if (windowed && node.input(2).rank() == 1) {
    length = node.input(2).dims[0];
  } else {
    return node.error("has neither a window nor a frame length");
  }
  if (windowed) {
    const TensorValue &window = node.input(2);
    if (window.rank() != 1 || window.elementType != x.elementType)
      return node.error("has a window of type " + name(window.elementType) + " and rank " +
                        Twine(window.rank()) + ", expected a vector of the signal's type");
    if (failed(requireEqual(node, window.dims[0], length,
                            "has a window of {0} elements for frames of {1}")))
      return failure();
  }
  if (failed(requireAtMost(node, one, *step, "has a frame step of {1}, expected at least {0}")) ||
      failed(
          requireAtMost(node, one, length, "has frames of {1} elements, expected at least {0}")) ||
      failed(
          requireAtMost(node, length, x.dims[1], "has frames of {0} elements of a signal of {1}")))
    return failure();
  OpFoldResult frames = d.add(d.floorDiv(d.sub(x.dims[1], length), d.max(*step, one)), one);
  ElementType type = x.elementType;
  Value source = node.value(x), window = windowed ? node.value(node.input(2)) : Value();
  TensorValue framed =
      generate(node, type, {x.dims[0], frames, length, x.dims[2]},
               [&](ScalarMath &m, ArrayRef<Value> at) -> Value {
                 Value position =
                     m.clamp(m.add(m.mul(at[1], m.extent(*step)), at[2]), m.extent(x.dims[1]));
                 Value element = m.read(source, {at[0], position, at[3]});
                 return windowed ? m.mul(element, m.read(window, at[2])) : element;
               });
  Transform t;
  t.length = length;
  t.inputParts = *parts;
  t.bins = oneSided ? d.add(d.floorDiv(length, d.constant(2)), one) : length;
  FailureOr<TensorValue> result = applyTransform(node, framed, t);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

/// The attribute `output_datatype`.
static FailureOr<ElementType> readOutputType(NodeContext &node) {
  auto type = static_cast<ElementType>(node.getInt("output_datatype", 1));
  if (node.failed())
    return failure();
  if ((!isFloat(type) && !isInteger(type)) || !storageType(node.context(), type))
    return node.unsupported("has an attribute 'output_datatype' that is no type of numbers");
  return type;
}

/// A window that is a sum of cosines: sum of coefficients[k] * cos(2 pi k n / N).
static LogicalResult buildWindow(NodeContext &node, ArrayRef<double> coefficients) {
  FailureOr<ElementType> type = readOutputType(node);
  FailureOr<OpFoldResult> size = scalarInput(node, 0);
  bool periodic = node.getInt("periodic", 1) != 0;
  if (failed(type) || failed(size) || node.failed())
    return failure();
  DimBuilder &d = node.dims;
  if (failed(requireAtMost(node, d.constant(0), *size,
                           "has a window of size {1}, expected at least {0}")))
    return failure();
  ElementType computed = *type == ElementType::Double ? ElementType::Double : ElementType::Float;
  mlir::Type number = storageType(node.context(), computed);
  OpFoldResult period = d.max(periodic ? *size : d.sub(*size, d.constant(1)), d.constant(1));
  node.setOutput(0, generate(node, *type, {*size}, [&](ScalarMath &m, ArrayRef<Value> at) -> Value {
                   Value length = m.toFloat(m.extent(period), number),
                         sum = m.number(number, coefficients[0]);
                   for (size_t k = 1; k < coefficients.size(); ++k) {
                     Value position = m.mul(m.toFloat(at[0], number),
                                            m.number(number, 2 * M_PI * static_cast<double>(k)));
                     Value cosine = math::CosOp::create(m.b, m.loc, m.div(position, length));
                     sum = m.add(sum, m.mul(m.number(number, coefficients[k]), cosine));
                   }
                   return castScalar(m.b, m.loc, sum, computed, *type);
                 }));
  return success();
}

static LogicalResult buildHann(NodeContext &node) { return buildWindow(node, {0.5, -0.5}); }
static LogicalResult buildHamming(NodeContext &node) {
  return buildWindow(node, {25.0 / 46.0, -21.0 / 46.0});
}
static LogicalResult buildBlackman(NodeContext &node) {
  return buildWindow(node, {0.42, -0.5, 0.08});
}

//===----------------------------------------------------------------------===//
// MelWeightMatrix
//===----------------------------------------------------------------------===//

static LogicalResult buildMelWeightMatrix(NodeContext &node) {
  FailureOr<ElementType> type = readOutputType(node);
  FailureOr<OpFoldResult> bands = scalarInput(node, 0), length = scalarInput(node, 1),
                          rate = scalarInput(node, 2);
  if (failed(type) || failed(bands) || failed(length) || failed(rate))
    return failure();
  DimBuilder &d = node.dims;
  OpFoldResult one = d.constant(1), two = d.constant(2);
  if (failed(requireAtMost(node, one, *bands, "has {1} bands, expected at least {0}")) ||
      failed(requireAtMost(node, one, *length,
                           "has a transform of length {1}, expected at least {0}")) ||
      failed(requireAtMost(node, one, *rate, "has a sample rate of {1}, expected at least {0}")))
    return failure();
  for (size_t i : {3, 4})
    if (!isFloat(node.input(i).elementType) || node.input(i).rank() > 1)
      return node.error("has input " + Twine(i) + " of type " + name(node.input(i).elementType) +
                        ", expected a float");
  // Edges are computed in f64: rounding them down makes bins of them.
  ElementType computed = ElementType::Double;
  mlir::Type number = node.b.getF64Type();
  Value edges[] = {node.value(node.input(3)), node.value(node.input(4))};
  OpFoldResult spectrum = d.add(d.floorDiv(*length, two), one), points = d.add(*bands, two);
  // The bins where bands begin, peak and end.
  TensorValue bins =
      generate(node, ElementType::Int64, {points}, [&](ScalarMath &m, ArrayRef<Value> at) -> Value {
        auto mel = [&](int i) {
          auto rank = mlir::cast<RankedTensorType>(edges[i].getType()).getRank();
          Value hertz =
              castScalar(m.b, m.loc, m.read(edges[i], SmallVector<Value>(rank, m.index(0))),
                         node.input(3 + i).elementType, computed);
          Value ratio = m.add(m.like(hertz, 1), m.div(hertz, m.like(hertz, 700)));
          return m.mul(m.like(hertz, 2595 / std::log(10.0)),
                       math::LogOp::create(m.b, m.loc, ratio));
        };
        Value low = mel(0), high = mel(1);
        Value step = m.div(m.sub(high, low), m.toFloat(m.extent(points), number));
        Value position = m.add(m.mul(m.toFloat(at[0], number), step), low);
        Value power = math::ExpOp::create(m.b, m.loc,
                                          m.mul(position, m.like(position, std::log(10.0) / 2595)));
        Value hertz = m.mul(m.like(power, 700), m.sub(power, m.like(power, 1)));
        Value scaled = m.div(m.mul(m.toFloat(m.add(m.extent(*length), m.index(1)), number), hertz),
                             m.toFloat(m.extent(*rate), number));
        return arith::IndexCastOp::create(m.b, m.loc, m.b.getI64Type(), m.toIndex(m.floor(scaled)));
      });
  Value table = bins.value;
  node.setOutput(
      0, generate(node, *type, {spectrum, *bands}, [&](ScalarMath &m, ArrayRef<Value> at) -> Value {
        auto bin = [&](int64_t i) -> Value {
          Value raw = m.read(table, m.add(at[1], m.index(i)));
          return arith::IndexCastOp::create(m.b, m.loc, m.b.getIndexType(), raw);
        };
        Value begin = bin(0), peak = bin(1), end = bin(2), here = at[0], least = m.index(1);
        auto ratio = [&](Value distance, Value all) {
          return m.div(m.toFloat(distance, number), m.toFloat(m.max(all, least), number));
        };
        Value rise = m.sub(peak, begin), fall = m.sub(end, peak);
        Value zero = m.number(number, 0), full = m.number(number, 1);
        Value value = m.select(m.both(m.atMost(begin, here), m.atMost(here, peak)),
                               ratio(m.sub(here, begin), rise), zero);
        value = m.select(m.both(m.equal(rise, m.index(0)), m.equal(here, peak)), full, value);
        value = m.select(m.both(m.atMost(peak, here), m.less(here, end)),
                         ratio(m.sub(end, here), fall), value);
        return castScalar(m.b, m.loc, value, computed, *type);
      }));
  return success();
}

void weft::onnx::registerSignalOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"DFT", 17, 1, 3, buildDFT},
             {"STFT", 17, 2, 4, buildSTFT},
             {"HannWindow", 17, 1, 1, buildHann},
             {"HammingWindow", 17, 1, 1, buildHamming},
             {"BlackmanWindow", 17, 1, 1, buildBlackman},
             {"MelWeightMatrix", 17, 5, 5, buildMelWeightMatrix},
         });
}
