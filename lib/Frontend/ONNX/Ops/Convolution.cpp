//===- Convolution.cpp - Convolutions and their transposes ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/ScalarMath.h"
#include "Frontend/ONNX/Ops/Window.h"
#include "dialects/Weft/IR/Weft.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

//===----------------------------------------------------------------------===//
// What all convolutions share
//===----------------------------------------------------------------------===//

/// The initial value of a convolution: the bias of each channel, or zero.
static FailureOr<TensorValue> makeInitial(NodeContext &node, const TensorValue *bias,
                                          ElementType type, ArrayRef<OpFoldResult> dims) {
  if (!bias)
    return makeSplat(node, type, dims, 0);
  if (bias->rank() != 1)
    return node.error("has a bias of rank " + Twine(bias->rank()) + ", expected 1");
  if (failed(requireEqual(node, bias->dims[0], dims[1],
                          "has a bias of {0} elements for {1} output channels")))
    return failure();
  Dims shape{dims[1]};
  TensorValue same = cast(node, *bias, type);
  same.dims[0] = dims[1];
  RankedTensorType wanted = tensorType(node.context(), type, shape);
  same.value = node.value(same);
  if (same.value.getType() != wanted)
    same.value = tensor::CastOp::create(node.b, node.b.getLoc(), wanted, same.value);
  shape.append(dims.size() - 2, node.dims.constant(1));
  return expand(node, reshape(node, same, shape), dims);
}

/// Checks the shapes of an input [N, C, spatial...] and a filter of its rank.
static LogicalResult checkOperands(NodeContext &node, const TensorValue &x, const TensorValue &w) {
  if (x.rank() < 3)
    return node.error("has an input of rank " + Twine(x.rank()) + ", expected at least 3");
  if (w.rank() != x.rank())
    return node.error("has an input of rank " + Twine(x.rank()) + " and a filter of rank " +
                      Twine(w.rank()));
  return success();
}

/// The attribute `group`, with the numbers of channels checked against it:
/// `perGroup` (of the filter) times groups are the input's.
static FailureOr<int64_t> readGroups(NodeContext &node, OpFoldResult channels,
                                     OpFoldResult perGroup, OpFoldResult outputs) {
  int64_t groups = node.getInt("group", 1);
  if (node.failed())
    return failure();
  if (groups < 1 || groups > INT32_MAX)
    return node.error("has " + Twine(groups) + " groups");
  DimBuilder &d = node.dims;
  OpFoldResult count = d.constant(groups);
  if (failed(requireEqual(node, d.mul(perGroup, count), channels,
                          "has a filter for {0} input channels but an input of {1}")))
    return failure();
  if (groups > 1 &&
      failed(requireEqual(node, d.rem(outputs, count), d.constant(0),
                          "has output channels that its groups do not divide: {0} are left")))
    return failure();
  return groups;
}

/// The attribute `kernel_shape`, if there, must be what the filter has.
static LogicalResult checkKernelShape(NodeContext &node, const TensorValue &w) {
  if (!node.hasAttribute("kernel_shape"))
    return success();
  FailureOr<Dims> kernel = readKernelShape(node, w.rank() - 2);
  if (failed(kernel))
    return failure();
  for (auto [i, extent] : llvm::enumerate(*kernel))
    if (failed(requireEqual(node, extent, w.dims[2 + i],
                            "has attribute 'kernel_shape' {0} for a filter of extent {1}")))
      return failure();
  return success();
}

namespace {
/// What a convolution does, and the extents of its result.
struct Convolution {
  Window window;
  int64_t groups = 1;
  Dims dims;
};
} // namespace

static FailureOr<Convolution> readConvolution(NodeContext &node, const TensorValue &x,
                                              const TensorValue &w) {
  if (failed(checkOperands(node, x, w)) || failed(checkKernelShape(node, w)))
    return failure();
  FailureOr<int64_t> groups = readGroups(node, x.dims[1], w.dims[1], w.dims[0]);
  if (failed(groups))
    return failure();
  FailureOr<Window> window =
      readWindow(node, x, ArrayRef<OpFoldResult>(w.dims).drop_front(2), /*ceilMode=*/false);
  if (failed(window))
    return failure();
  Convolution conv{*window, *groups, {x.dims[0], w.dims[0]}};
  conv.dims.append(window->extents);
  return conv;
}

static FailureOr<TensorValue> buildConvolution(NodeContext &node, const Convolution &conv,
                                               const TensorValue &input, const TensorValue &filter,
                                               const TensorValue *bias, ElementType sumType) {
  const Window &window = conv.window;
  TensorValue x = input;
  SmallVector<int64_t> pads(2 * window.rank(), 0);
  if (window.hasStaticPads()) {
    pads = window.staticPads();
  } else {
    // What depends on extents of the call is padded beforehand.
    Dims low(2, node.dims.constant(0)), high = low;
    low.append(window.low);
    high.append(window.high);
    x = pad(node, x, low, high,
            makeIntScalar(node.b, node.b.getLoc(), storageType(node.context(), x.elementType), 0));
  }
  FailureOr<TensorValue> initial = makeInitial(node, bias, sumType, conv.dims);
  if (failed(initial))
    return failure();
  auto op = ConvOp::create(node.b, node.b.getLoc(), initial->value.getType(), node.value(x),
                           node.value(filter), initial->value, window.strides, window.dilations,
                           pads, static_cast<uint64_t>(conv.groups), /*transposed=*/false);
  return makeValue(op.getResult(), sumType, conv.dims);
}

//===----------------------------------------------------------------------===//
// Conv and ConvTranspose
//===----------------------------------------------------------------------===//

static LogicalResult buildConv(NodeContext &node) {
  const TensorValue &x = node.input(0), &w = node.input(1);
  ElementType type = x.elementType;
  if (!isFloat(type) || w.elementType != type)
    return node.error("expects an input and a filter of one float type, got " + name(type) +
                      " and " + name(w.elementType));
  const TensorValue *bias = node.hasInput(2) ? &node.input(2) : nullptr;
  FailureOr<Convolution> conv = readConvolution(node, x, w);
  if (failed(conv))
    return failure();
  FailureOr<TensorValue> sum = buildConvolution(node, *conv, x, w, bias, accumulatorType(type));
  if (failed(sum))
    return failure();
  node.setOutput(0, cast(node, *sum, type));
  return success();
}

namespace {
/// Which part of the full result of a transposed convolution, with all that the
/// filter reaches, is kept.
struct TransposedWindow {
  SmallVector<int64_t> strides, dilations;
  Dims full;    ///< extents of the full result
  Dims low;     ///< where the part begins
  Dims extents; ///< of the part
  /// Of ConvOp: begins and ends of the part, and ends of the full result, to
  /// which output padding is added.
  SmallVector<int64_t> pads, fullPads;
  bool isStatic = true; ///< whether the pads are numbers
};
} // namespace

static FailureOr<TransposedWindow> readTransposedWindow(NodeContext &node, const TensorValue &x,
                                                        const TensorValue &w) {
  DimBuilder &d = node.dims;
  OpFoldResult zero = d.constant(0), one = d.constant(1), two = d.constant(2);
  size_t spatial = x.rank() - 2;
  auto strides = readSpatial(node, "strides", spatial, 1, 1);
  auto dilations = readSpatial(node, "dilations", spatial, 1, 1);
  auto extra = readSpatial(node, "output_padding", spatial, 0, 0);
  if (failed(strides) || failed(dilations) || failed(extra) || node.failed())
    return failure();
  std::string autoPad = node.getString("auto_pad", "NOTSET");
  bool same = autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER";
  if (!same && autoPad != "NOTSET" && autoPad != "VALID" && !autoPad.empty())
    return node.error("has attribute 'auto_pad' \"" + autoPad +
                      "\", expected NOTSET, SAME_UPPER, SAME_LOWER or VALID");
  SmallVector<int64_t> pads(2 * spatial, 0);
  if (!same && autoPad != "VALID") {
    auto given = readSpatial(node, "pads", 2 * spatial, 0, 0);
    if (failed(given))
      return failure();
    pads = *given;
  }
  SmallVector<int64_t> shape = node.getInts("output_shape");
  if (shape.size() == spatial + 2)
    shape.erase(shape.begin(), shape.begin() + 2);
  if (!shape.empty() && shape.size() != spatial)
    return node.error("has " + Twine(shape.size()) +
                      " values in attribute 'output_shape', expected " + Twine(spatial));

  TransposedWindow window{
      *strides, *dilations, {}, {}, {}, pads, SmallVector<int64_t>(2 * spatial, 0)};
  for (size_t i = 0; i < spatial; ++i) {
    OpFoldResult in = x.dims[2 + i], stride = d.constant((*strides)[i]);
    OpFoldResult reach = d.add(d.mul(d.sub(w.dims[2 + i], one), d.constant((*dilations)[i])), one);
    OpFoldResult more = d.constant((*extra)[i]);
    OpFoldResult size = d.add(d.add(d.mul(d.sub(in, one), stride), reach), more);
    OpFoldResult begin, end, out;
    if (!shape.empty() || same) {
      if (!shape.empty() && (shape[i] < 0 || shape[i] > INT32_MAX))
        return node.error("has " + Twine(shape[i]) + " in attribute 'output_shape'");
      if (failed(requireAtMost(node, zero, size, "expects an extent of at least {0}, got {1}")))
        return failure();
      out = shape.empty() ? d.mul(in, stride) : d.constant(shape[i]);
      // Without this form a dynamic extent would seem to matter where it cancels.
      OpFoldResult excess = shape.empty() ? d.add(d.sub(reach, stride), more) : d.sub(size, out);
      OpFoldResult total = d.max(excess, zero);
      OpFoldResult half = d.floorDiv(total, two);
      begin = autoPad == "SAME_UPPER" ? half : d.sub(total, half);
      end = d.sub(d.sub(excess, begin), more);
    } else {
      begin = d.constant(pads[i]);
      end = d.constant(pads[spatial + i] - (*extra)[i]);
      OpFoldResult total = d.constant(pads[i] + pads[spatial + i]);
      if (failed(requireAtMost(node, total, size, "has pads of {0} for an output of extent {1}")))
        return failure();
      out = d.sub(size, total);
    }
    std::optional<int64_t> staticBegin = DimBuilder::constantOf(begin),
                           staticEnd = DimBuilder::constantOf(end);
    window.isStatic &= staticBegin && staticEnd;
    window.pads[i] = staticBegin.value_or(0);
    window.pads[spatial + i] = staticEnd.value_or(0);
    window.fullPads[spatial + i] = -(*extra)[i];
    window.full.push_back(size);
    window.low.push_back(begin);
    window.extents.push_back(out);
  }
  return window;
}

/// The part of a full result that `window` keeps, and zeros where it goes beyond.
static TensorValue takePart(NodeContext &node, const TensorValue &full,
                            const TransposedWindow &window) {
  DimBuilder &d = node.dims;
  Dims none(full.rank(), d.constant(0)), ones(full.rank(), d.constant(1));
  Dims offsets(2, d.constant(0)), beyond = offsets, kept{full.dims[0], full.dims[1]};
  offsets.append(window.low);
  for (size_t i = 0; i < window.low.size(); ++i) {
    kept.push_back(d.min(window.extents[i], d.sub(window.full[i], window.low[i])));
    beyond.push_back(d.sub(window.extents[i], kept.back()));
  }
  Type type = storageType(node.context(), full.elementType);
  return pad(node, slice(node, full, offsets, kept, ones), none, beyond,
             makeIntScalar(node.b, node.b.getLoc(), type, 0));
}

static LogicalResult buildConvTranspose(NodeContext &node) {
  const TensorValue &x = node.input(0), &w = node.input(1);
  ElementType type = x.elementType, sumType = accumulatorType(type);
  if (!isFloat(type) || w.elementType != type)
    return node.error("expects an input and a filter of one float type, got " + name(type) +
                      " and " + name(w.elementType));
  if (failed(checkOperands(node, x, w)) || failed(checkKernelShape(node, w)))
    return failure();
  DimBuilder &d = node.dims;
  int64_t groups = node.getInt("group", 1);
  FailureOr<TransposedWindow> window = readTransposedWindow(node, x, w);
  if (failed(window) || node.failed())
    return failure();
  if (groups < 1 || groups > INT32_MAX)
    return node.error("has " + Twine(groups) + " groups");
  if (failed(requireEqual(node, w.dims[0], x.dims[1],
                          "has a filter for {0} input channels but an input of {1}")) ||
      failed(requireEqual(node, d.rem(x.dims[1], d.constant(groups)), d.constant(0),
                          "has input channels that its groups do not divide: {0} are left")))
    return failure();

  auto convolve = [&](ArrayRef<OpFoldResult> dims, ArrayRef<int64_t> pads,
                      const TensorValue *bias) -> FailureOr<TensorValue> {
    FailureOr<TensorValue> initial = makeInitial(node, bias, sumType, dims);
    if (failed(initial))
      return failure();
    auto op = ConvOp::create(node.b, node.b.getLoc(), initial->value.getType(), node.value(x),
                             node.value(w), initial->value, window->strides, window->dilations,
                             pads, static_cast<uint64_t>(groups), /*transposed=*/true);
    return makeValue(op.getResult(), sumType, dims);
  };
  Dims dims{x.dims[0], d.mul(w.dims[1], d.constant(groups))}, fullDims = dims;
  dims.append(window->extents);
  fullDims.append(window->full);
  const TensorValue *bias = node.hasInput(2) ? &node.input(2) : nullptr;
  FailureOr<TensorValue> result = window->isStatic ? convolve(dims, window->pads, bias)
                                                   : convolve(fullDims, window->fullPads, nullptr);
  if (failed(result))
    return failure();
  if (!window->isStatic) {
    // Pads that depend on extents of the call: what is asked for beyond the full
    // result has the bias only.
    FailureOr<TensorValue> initial = makeInitial(node, bias, sumType, dims);
    if (failed(initial))
      return failure();
    result = elementwiseTo(node, {*initial, takePart(node, *result, *window)}, sumType, dims,
                           [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                             return arith::AddFOp::create(b, loc, args[0], args[1]);
                           });
    if (failed(result))
      return failure();
  }
  node.setOutput(0, cast(node, *result, type));
  return success();
}

//===----------------------------------------------------------------------===//
// Integer convolutions
//===----------------------------------------------------------------------===//

/// An 8-bit tensor less its zero point (a scalar, or one for each extent of
/// `axis`), as signed integers of up to 16 bits.
static FailureOr<TensorValue> withoutZeroPoint(NodeContext &node, const TensorValue &x,
                                               const TensorValue *zeroPoint, int64_t axis) {
  if (!zeroPoint)
    return isUnsigned(x.elementType) ? cast(node, x, ElementType::Int16) : x;
  if (zeroPoint->elementType != x.elementType)
    return node.error("has a zero point of type " + name(zeroPoint->elementType) +
                      " for a tensor of type " + name(x.elementType));
  if (zeroPoint->rank() > 1)
    return node.error("has a zero point of rank " + Twine(zeroPoint->rank()));
  TensorValue zero = *zeroPoint;
  Dims shape(x.rank(), node.dims.constant(1));
  if (zero.rank() == 1 && zero.staticDim(0) != 1)
    shape[axis] = zero.dims[0];
  zero = reshape(node, zero, shape);
  return elementwiseTo(node, {x, zero}, ElementType::Int16, x.dims,
                       [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                         Value value =
                             castScalar(b, loc, args[0], x.elementType, ElementType::Int16);
                         Value subtrahend =
                             castScalar(b, loc, args[1], x.elementType, ElementType::Int16);
                         return arith::SubIOp::create(b, loc, value, subtrahend);
                       });
}

static bool is8Bit(ElementType type) {
  return type == ElementType::Int8 || type == ElementType::UInt8;
}

static LogicalResult buildConvInteger(NodeContext &node) {
  SmallVector<TensorValue> inputs{node.input(0), node.input(1)};
  if (!is8Bit(inputs[0].elementType) || !is8Bit(inputs[1].elementType))
    return node.error("expects int8 or uint8 tensors, got " + name(inputs[0].elementType) +
                      " and " + name(inputs[1].elementType));
  std::optional<size_t> xZero, wZero;
  if (node.hasInput(2)) {
    xZero = inputs.size();
    inputs.push_back(node.input(2));
  }
  if (node.hasInput(3)) {
    wZero = inputs.size();
    inputs.push_back(node.input(3));
  }
  FailureOr<Convolution> conv = readConvolution(node, inputs[0], inputs[1]);
  if (failed(conv))
    return failure();
  auto body = [&](ArrayRef<TensorValue> in) -> FailureOr<SmallVector<TensorValue>> {
    auto x = withoutZeroPoint(node, in[0], xZero ? &in[*xZero] : nullptr, 1);
    auto w = withoutZeroPoint(node, in[1], wZero ? &in[*wZero] : nullptr, 0);
    if (failed(x) || failed(w))
      return failure();
    auto sum = buildConvolution(node, *conv, *x, *w, nullptr, ElementType::Int32);
    if (failed(sum))
      return failure();
    return SmallVector<TensorValue>{*sum};
  };
  FailureOr<SmallVector<TensorValue>> outputs = composite(node, inputs, body);
  if (failed(outputs))
    return failure();
  node.setOutput(0, outputs->front());
  return success();
}

/// A parameter of quantization as a tensor that broadcasts against [N, C, ...].
static TensorValue perChannel(NodeContext &node, const TensorValue &x, int64_t rank) {
  Dims shape(rank, node.dims.constant(1));
  if (x.rank() == 1 && x.staticDim(0) != 1)
    shape[1] = x.dims[0];
  return reshape(node, x, shape);
}

static LogicalResult buildQLinearConv(NodeContext &node) {
  // x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, [B]
  const TensorValue &x = node.input(0), &w = node.input(3);
  for (size_t i : {1, 4, 6})
    if (node.input(i).elementType != ElementType::Float || node.input(i).rank() > 1)
      return node.error("has input " + Twine(i) + " of type " + name(node.input(i).elementType) +
                        " and rank " + Twine(node.input(i).rank()) + ", expected a scale");
  ElementType outType = node.input(7).elementType;
  if (!is8Bit(x.elementType) || !is8Bit(w.elementType) || !is8Bit(outType))
    return node.error("expects int8 or uint8 tensors, got " + name(x.elementType) + ", " +
                      name(w.elementType) + " and " + name(outType));
  if (node.input(7).rank() > 1)
    return node.error("has an output zero point of rank " + Twine(node.input(7).rank()));
  FailureOr<Convolution> conv = readConvolution(node, x, w);
  if (failed(conv))
    return failure();
  SmallVector<TensorValue> inputs;
  for (size_t i = 0; i < (node.hasInput(8) ? 9u : 8u); ++i)
    inputs.push_back(node.input(i));
  double low = outType == ElementType::Int8 ? -128 : 0,
         high = outType == ElementType::Int8 ? 127 : 255;
  auto body = [&](ArrayRef<TensorValue> in) -> FailureOr<SmallVector<TensorValue>> {
    auto xValue = withoutZeroPoint(node, in[0], &in[2], 1);
    auto wValue = withoutZeroPoint(node, in[3], &in[5], 0);
    if (failed(xValue) || failed(wValue))
      return failure();
    const TensorValue *bias = in.size() > 8 ? &in[8] : nullptr;
    auto sum = buildConvolution(node, *conv, *xValue, *wValue, bias, ElementType::Int32);
    if (failed(sum))
      return failure();
    SmallVector<TensorValue> operands{*sum};
    for (size_t i : {1, 4, 6, 7})
      operands.push_back(perChannel(node, in[i], in[0].rank()));
    FailureOr<TensorValue> result = elementwiseTo(
        node, operands, outType, conv->dims,
        [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
          ScalarMath m{b, loc};
          Value scale = m.div(m.mul(args[1], args[2]), args[3]);
          Value value = castScalar(b, loc, args[0], ElementType::Int32, ElementType::Float);
          value = math::RoundEvenOp::create(b, loc, m.mul(value, scale));
          value = m.add(value, castScalar(b, loc, args[4], outType, ElementType::Float));
          value = m.max(m.min(value, m.like(value, high)), m.like(value, low));
          return castScalar(b, loc, value, ElementType::Float, outType);
        });
    if (failed(result))
      return failure();
    return SmallVector<TensorValue>{*result};
  };
  FailureOr<SmallVector<TensorValue>> outputs = composite(node, inputs, body);
  if (failed(outputs))
    return failure();
  node.setOutput(0, outputs->front());
  return success();
}

//===----------------------------------------------------------------------===//
// DeformConv
//===----------------------------------------------------------------------===//

/// Reads x[n, c] at a position between elements; zero outside.
static Value readBilinear(ScalarMath &m, Value x, ArrayRef<Value> plane, Value y, Value column,
                          Value height, Value width, Type type) {
  Value y0 = m.floor(y), x0 = m.floor(column);
  Value fy = m.sub(y, y0), fx = m.sub(column, x0);
  Value top = m.toIndex(y0), left = m.toIndex(x0), one = m.index(1);
  Value sum;
  for (int i = 0; i < 4; ++i) {
    Value r = i & 2 ? m.add(top, one) : top, c = i & 1 ? m.add(left, one) : left;
    Value weight =
        m.mul(i & 2 ? fy : m.sub(m.like(fy, 1), fy), i & 1 ? fx : m.sub(m.like(fx, 1), fx));
    SmallVector<Value> at(plane);
    at.push_back(m.clamp(r, height));
    at.push_back(m.clamp(c, width));
    Value element = m.read(x, at);
    if (element.getType() != type)
      element = arith::ExtFOp::create(m.b, m.loc, type, element);
    Value inside = m.both(m.inRange(r, height), m.inRange(c, width));
    Value term = m.select(inside, m.mul(weight, element), m.like(weight, 0));
    sum = sum ? m.add(sum, term) : term;
  }
  return sum;
}

static LogicalResult buildDeformConv(NodeContext &node) {
  TensorValue x = node.input(0), w = node.input(1), offset = node.input(2);
  ElementType type = x.elementType, sumType = accumulatorType(type);
  if (!isFloat(type) || w.elementType != type || offset.elementType != type)
    return node.error("expects inputs of one float type");
  if (x.rank() != 4)
    return node.unsupported("has an input of rank " + Twine(x.rank()) + ", supported is 4");
  if (failed(checkOperands(node, x, w)))
    return failure();
  if (offset.rank() != 4)
    return node.error("has offsets of rank " + Twine(offset.rank()) + ", expected 4");
  FailureOr<int64_t> groups = readGroups(node, x.dims[1], w.dims[1], w.dims[0]);
  int64_t offsetGroups = node.getInt("offset_group", 1);
  if (failed(groups) || node.failed())
    return failure();
  if (offsetGroups < 1 || offsetGroups > INT32_MAX)
    return node.error("has " + Twine(offsetGroups) + " offset groups");
  FailureOr<Window> window =
      readWindow(node, x, ArrayRef<OpFoldResult>(w.dims).drop_front(2), /*ceilMode=*/false);
  if (failed(window))
    return failure();
  DimBuilder &d = node.dims;
  OpFoldResult taps = d.product(window->kernel);
  OpFoldResult offsetChannels = d.mul(d.mul(taps, d.constant(2)), d.constant(offsetGroups));
  if (failed(requireEqual(node, offset.dims[0], x.dims[0],
                          "has offsets for a batch of {0} but an input of {1}")) ||
      failed(requireEqual(node, offset.dims[1], offsetChannels,
                          "has offsets of {0} channels, expected {1}")) ||
      failed(requireEqual(node, d.rem(x.dims[1], d.constant(offsetGroups)), d.constant(0),
                          "has channels that its offset groups do not divide: {0} are left")))
    return failure();
  for (size_t i = 0; i < 2; ++i)
    if (failed(requireEqual(node, offset.dims[2 + i], window->extents[i],
                            "has offsets of extent {0} for an output of extent {1}")))
      return failure();
  bool masked = node.hasInput(4);
  Value mask;
  if (masked) {
    const TensorValue &m = node.input(4);
    if (m.rank() != 4 || m.elementType != type)
      return node.error("has a mask of rank " + Twine(m.rank()) + ", expected 4");
    if (failed(requireEqual(node, m.dims[1], d.mul(taps, d.constant(offsetGroups)),
                            "has a mask of {0} channels, expected {1}")) ||
        failed(requireEqual(node, m.dims[0], x.dims[0],
                            "has masks for a batch of {0} but an input of {1}")) ||
        failed(requireEqual(node, m.dims[2], window->extents[0],
                            "has a mask of extent {0} for an output of extent {1}")) ||
        failed(requireEqual(node, m.dims[3], window->extents[1],
                            "has a mask of extent {0} for an output of extent {1}")))
      return failure();
    mask = node.value(m);
  }
  Dims dims{x.dims[0], w.dims[0], window->extents[0], window->extents[1]};
  Dims inner{w.dims[1], w.dims[2], w.dims[3]};
  Value input = node.value(x), filter = node.value(w), offsets = node.value(offset);
  Type number = storageType(node.context(), sumType);
  OpFoldResult groupOutputs = d.floorDiv(w.dims[0], d.constant(*groups));
  OpFoldResult offsetGroupChannels = d.floorDiv(x.dims[1], d.constant(offsetGroups));
  TensorValue sum =
      accumulate(node, sumType, dims, inner, makeScalar(node.b, node.b.getLoc(), number, 0),
                 [&](ScalarMath &m, ArrayRef<Value> o, ArrayRef<Value> k, Value sum) -> Value {
                   auto wide = [&](Value x) { return castScalar(m.b, m.loc, x, type, sumType); };
                   Value group = m.div(o[1], m.extent(groupOutputs));
                   Value channel = m.add(m.mul(group, m.extent(w.dims[1])), k[0]);
                   Value offsetGroup = m.div(channel, m.extent(offsetGroupChannels));
                   Value tap = m.add(m.mul(k[1], m.extent(w.dims[3])), k[2]);
                   Value entry = m.add(m.mul(offsetGroup, m.extent(taps)), tap);
                   SmallVector<Value> position;
                   for (int i = 0; i < 2; ++i) {
                     Value at = m.add(m.mul(entry, m.index(2)), m.index(i));
                     Value shift = wide(m.read(offsets, {o[0], at, o[2], o[3]}));
                     Value base = m.sub(m.add(m.mul(o[2 + i], m.index(window->strides[i])),
                                              m.mul(k[1 + i], m.index(window->dilations[i]))),
                                        m.extent(window->low[i]));
                     position.push_back(m.add(m.toFloat(base, number), shift));
                   }
                   Value value = readBilinear(m, input, {o[0], channel}, position[0], position[1],
                                              m.extent(x.dims[2]), m.extent(x.dims[3]), number);
                   if (masked)
                     value = m.mul(value, wide(m.read(mask, {o[0], entry, o[2], o[3]})));
                   return m.add(sum, m.mul(value, wide(m.read(filter, {o[1], k[0], k[1], k[2]}))));
                 });
  if (node.hasInput(3)) {
    FailureOr<TensorValue> bias = makeInitial(node, &node.input(3), sumType, dims);
    if (failed(bias))
      return failure();
    sum = *elementwiseTo(node, {sum, *bias}, sumType, dims,
                         [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                           return arith::AddFOp::create(b, loc, args[0], args[1]);
                         });
  }
  node.setOutput(0, cast(node, sum, type));
  return success();
}

void weft::onnx::registerConvolutionOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"Conv", 1, 2, 3, buildConv},
             {"ConvTranspose", 1, 2, 3, buildConvTranspose},
             {"ConvInteger", 10, 2, 4, buildConvInteger},
             {"QLinearConv", 10, 8, 9, buildQLinearConv},
             {"DeformConv", 19, 3, 5, buildDeformConv},
         });
}
