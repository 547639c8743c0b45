//===- Normalization.cpp - Means, variances and what they scale -----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/ScalarMath.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

static LogicalResult requireFloat(NodeContext &node, const TensorValue &x) {
  if (isFloat(x.elementType))
    return success();
  return node.error("expects a float tensor, got " + name(x.elementType));
}

/// The sum over `axes`, kept with extent 1, of what `map` makes of each element.
/// The result has the accumulator's type.
static TensorValue sumOver(NodeContext &node, const TensorValue &x, ArrayRef<int64_t> axes,
                           llvm::function_ref<Value(ScalarMath &, Value)> map) {
  ElementType type = x.elementType, sumType = accumulatorType(type);
  Value zero = makeScalar(node.b, node.b.getLoc(), storageType(node.context(), sumType), 0);
  return reduce(node, x, axes, /*keepDims=*/true, sumType, zero,
                [&](OpBuilder &b, Location loc, ValueRange args) {
                  ScalarMath m{b, loc};
                  return m.add(args[1], map(m, castScalar(b, loc, args[0], type, sumType)));
                });
}

static OpFoldResult countOver(NodeContext &node, const TensorValue &x, ArrayRef<int64_t> axes) {
  OpFoldResult count = node.dims.constant(1);
  for (int64_t axis : axes)
    count = node.dims.mul(count, x.dims[axis]);
  return count;
}

/// The result in `resultType` of a function of the inputs (all of the
/// accumulator's type) that broadcast to `dims`.
static FailureOr<TensorValue> combine(NodeContext &node, ArrayRef<TensorValue> inputs,
                                      ElementType resultType, ArrayRef<OpFoldResult> dims,
                                      llvm::function_ref<Value(ScalarMath &, ValueRange)> body) {
  ElementType sumType = accumulatorType(inputs[0].elementType);
  return elementwiseTo(node, inputs, resultType, dims,
                       [&](OpBuilder &b, Location loc, ValueRange args) {
                         ScalarMath m{b, loc};
                         SmallVector<Value> wide;
                         for (auto [value, input] : llvm::zip(args, inputs))
                           wide.push_back(castScalar(b, loc, value, input.elementType, sumType));
                         return castScalar(b, loc, body(m, wide), sumType, resultType);
                       });
}

namespace {
/// Mean and inverse of the standard deviation, in the accumulator's type, with
/// extent 1 where reduced.
struct Moments {
  TensorValue mean, variance;
};
} // namespace

/// Mean and variance over `axes`, the latter from the differences to the mean:
/// the difference of squares would cancel.
static Moments momentsOver(NodeContext &node, const TensorValue &x, ArrayRef<int64_t> axes) {
  OpFoldResult count = countOver(node, x, axes);
  auto divide = [&](ScalarMath &m, Value sum) {
    return m.div(sum, m.toFloat(m.extent(count), sum.getType()));
  };
  TensorValue sum = sumOver(node, x, axes, [](ScalarMath &, Value x) { return x; });
  Moments moments;
  moments.mean = *combine(node, sum, sum.elementType, sum.dims,
                          [&](ScalarMath &m, ValueRange v) { return divide(m, v[0]); });
  TensorValue squares =
      *combine(node, {x, moments.mean}, sum.elementType, x.dims, [](ScalarMath &m, ValueRange v) {
        Value difference = m.sub(v[0], v[1]);
        return m.mul(difference, difference);
      });
  TensorValue total = sumOver(node, squares, axes, [](ScalarMath &, Value x) { return x; });
  moments.variance = *combine(node, total, sum.elementType, sum.dims,
                              [&](ScalarMath &m, ValueRange v) { return divide(m, v[0]); });
  return moments;
}

/// 1 / sqrt(x + epsilon).
static TensorValue inverseRoot(NodeContext &node, const TensorValue &x, double epsilon) {
  return *combine(node, x, x.elementType, x.dims, [&](ScalarMath &m, ValueRange v) -> Value {
    Value root = math::SqrtOp::create(m.b, m.loc, m.add(v[0], m.like(v[0], epsilon)));
    return m.div(m.like(root, 1), root);
  });
}

/// A vector [C] as [C, 1, ...], to be broadcast against [N, C, spatial...].
static TensorValue asChannels(NodeContext &node, const TensorValue &x, int64_t rank) {
  if (x.rank() != 1)
    return x;
  Dims shape{x.dims[0]};
  shape.append(rank > 2 ? rank - 2 : 0, node.dims.constant(1));
  return reshape(node, x, shape);
}

static SmallVector<int64_t> axesFrom(int64_t first, int64_t rank) {
  SmallVector<int64_t> axes;
  for (int64_t i = first; i < rank; ++i)
    axes.push_back(i);
  return axes;
}

/// Checks that a parameter is a vector with one number for each channel.
static LogicalResult checkVector(NodeContext &node, size_t input, OpFoldResult extent) {
  const TensorValue &x = node.input(input);
  if (x.rank() != 1)
    return node.error("has input " + Twine(input) + " of rank " + Twine(x.rank()) + ", expected 1");
  return requireEqual(node, x.dims[0], extent, "has a parameter of {0} elements, expected {1}");
}

/// Inputs as a composite takes them.
static SmallVector<TensorValue> gatherInputs(NodeContext &node, size_t count) {
  SmallVector<TensorValue> inputs;
  for (size_t i = 0; i < count; ++i)
    if (node.hasInput(i))
      inputs.push_back(node.input(i));
  return inputs;
}

/// Builds the composite and sets the outputs that the node has.
static LogicalResult
setComposite(NodeContext &node, ArrayRef<TensorValue> inputs,
             llvm::function_ref<FailureOr<SmallVector<TensorValue>>(ArrayRef<TensorValue>)> body) {
  FailureOr<SmallVector<TensorValue>> outputs = composite(node, inputs, body);
  if (failed(outputs))
    return failure();
  // The body gives the first output always, others where they are wanted.
  size_t next = 0;
  for (size_t i = 0; i < node.outputCount() && next < outputs->size(); ++i) {
    if (node.hasOutput(i))
      node.setOutput(i, (*outputs)[next]);
    next += i == 0 || node.hasOutput(i);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// BatchNormalization
//===----------------------------------------------------------------------===//

static LogicalResult buildBatchNormalization(NodeContext &node) {
  const TensorValue &x = node.input(0);
  if (failed(requireFloat(node, x)))
    return failure();
  if (x.rank() < 1)
    return node.error("has an input of rank 0");
  double epsilon = node.getFloat("epsilon", 1e-5f), momentum = node.getFloat("momentum", 0.9f);
  bool training = node.opset() >= 14 && node.getInt("training_mode", 0) != 0;
  bool perElement = node.opset() < 9 && node.getInt("spatial", 1) == 0;
  if (node.failed())
    return failure();
  if (node.opset() < 14)
    for (size_t i = 1; i < node.outputCount(); ++i)
      if (node.hasOutput(i))
        return node.unsupported("computes statistics of a training step");
  if (node.opset() < 7 && node.getInt("is_test", 0) == 0)
    return node.unsupported("normalizes by the statistics of a training batch");
  OpFoldResult channels = x.rank() > 1 ? x.dims[1] : node.dims.constant(1);
  if (!perElement)
    for (size_t i = 1; i < 5; ++i)
      if (failed(checkVector(node, i, channels)))
        return failure();
  ElementType type = x.elementType, sumType = accumulatorType(type);
  ElementType statistics = node.input(3).elementType;
  SmallVector<int64_t> batchAxes{0};
  llvm::append_range(batchAxes, axesFrom(2, x.rank()));
  SmallVector<TensorValue> inputs = gatherInputs(node, 5);
  return setComposite(
      node, inputs, [&](ArrayRef<TensorValue> in) -> FailureOr<SmallVector<TensorValue>> {
        TensorValue mean = cast(node, in[3], sumType), variance = cast(node, in[4], sumType);
        SmallVector<TensorValue> outputs(1);
        if (training) {
          Moments moments = momentsOver(node, in[0], batchAxes);
          std::pair<TensorValue *, TensorValue *> pairs[] = {{&mean, &moments.mean},
                                                             {&variance, &moments.variance}};
          for (size_t i = 0; i < 2; ++i) {
            auto [given, computed] = pairs[i];
            TensorValue current = reshape(node, *computed, in[3].dims);
            auto running = combine(node, {*given, current}, statistics, in[3].dims,
                                   [&](ScalarMath &m, ValueRange v) {
                                     return m.add(m.mul(v[0], m.like(v[0], momentum)),
                                                  m.mul(v[1], m.like(v[1], 1 - momentum)));
                                   });
            if (failed(running))
              return failure();
            *given = current;
            if (node.hasOutput(i + 1))
              outputs.push_back(*running);
          }
        }
        // One multiplication and one addition for each element.
        auto factor =
            combine(node, {cast(node, in[1], sumType), variance}, sumType, in[1].dims,
                    [&](ScalarMath &m, ValueRange v) -> Value {
                      return m.div(v[0], math::SqrtOp::create(m.b, m.loc,
                                                              m.add(v[1], m.like(v[1], epsilon))));
                    });
        if (failed(factor))
          return failure();
        auto offset =
            combine(node, {cast(node, in[2], sumType), mean, *factor}, sumType, in[1].dims,
                    [](ScalarMath &m, ValueRange v) { return m.sub(v[0], m.mul(v[1], v[2])); });
        if (failed(offset))
          return failure();
        auto result = combine(node,
                              {in[0], asChannels(node, *factor, in[0].rank()),
                               asChannels(node, *offset, in[0].rank())},
                              type, in[0].dims, [](ScalarMath &m, ValueRange v) {
                                return m.add(m.mul(v[0], v[1]), v[2]);
                              });
        if (failed(result))
          return failure();
        outputs[0] = *result;
        return outputs;
      });
}

//===----------------------------------------------------------------------===//
// InstanceNormalization, GroupNormalization
//===----------------------------------------------------------------------===//

/// (x - mean) / sqrt(variance + epsilon) * scale + bias, where the moments are
/// over `axes` and the parameters broadcast.
static FailureOr<TensorValue> normalize(NodeContext &node, const TensorValue &x,
                                        ArrayRef<int64_t> axes, double epsilon,
                                        const TensorValue &scale, const TensorValue &bias,
                                        ElementType resultType) {
  Moments moments = momentsOver(node, x, axes);
  TensorValue inverse = inverseRoot(node, moments.variance, epsilon);
  return combine(node, {x, moments.mean, inverse, scale, bias}, resultType, x.dims,
                 [](ScalarMath &m, ValueRange v) {
                   return m.add(m.mul(m.mul(m.sub(v[0], v[1]), v[2]), v[3]), v[4]);
                 });
}

static LogicalResult buildInstanceNormalization(NodeContext &node) {
  const TensorValue &x = node.input(0);
  double epsilon = node.getFloat("epsilon", 1e-5f);
  if (failed(requireFloat(node, x)) || node.failed())
    return failure();
  if (x.rank() < 3)
    return node.error("has an input of rank " + Twine(x.rank()) + ", expected at least 3");
  if (failed(checkVector(node, 1, x.dims[1])) || failed(checkVector(node, 2, x.dims[1])))
    return failure();
  ElementType type = x.elementType;
  return setComposite(node, gatherInputs(node, 3),
                      [&](ArrayRef<TensorValue> in) -> FailureOr<SmallVector<TensorValue>> {
                        int64_t rank = in[0].rank();
                        auto result = normalize(node, in[0], axesFrom(2, rank), epsilon,
                                                asChannels(node, in[1], rank),
                                                asChannels(node, in[2], rank), type);
                        if (failed(result))
                          return failure();
                        return SmallVector<TensorValue>{*result};
                      });
}

static LogicalResult buildGroupNormalization(NodeContext &node) {
  const TensorValue &x = node.input(0);
  ElementType type = x.elementType;
  double epsilon = node.getFloat("epsilon", 1e-5f);
  int64_t groups = node.getInt("num_groups", 0);
  if (failed(requireFloat(node, x)) || node.failed())
    return failure();
  if (x.rank() < 2)
    return node.error("has an input of rank " + Twine(x.rank()) + ", expected at least 2");
  if (groups < 1 || groups > INT32_MAX)
    return node.error("has " + Twine(groups) + " groups in attribute 'num_groups'");
  DimBuilder &d = node.dims;
  OpFoldResult count = d.constant(groups);
  // Opset 18 had parameters for each group.
  OpFoldResult parameters = node.opset() < 21 ? count : x.dims[1];
  if (failed(requireEqual(node, d.rem(x.dims[1], count), d.constant(0),
                          "has channels that its groups do not divide: {0} are left")) ||
      failed(checkVector(node, 1, parameters)) || failed(checkVector(node, 2, parameters)))
    return failure();
  OpFoldResult members = d.floorDiv(x.dims[1], count);
  Dims split{x.dims[0], count, members};
  split.append(x.dims.begin() + 2, x.dims.end());
  bool byGroup = node.opset() < 21;
  return setComposite(node, gatherInputs(node, 3),
                      [&](ArrayRef<TensorValue> in) -> FailureOr<SmallVector<TensorValue>> {
                        TensorValue grouped = reshape(node, in[0], split);
                        auto parameter = [&](const TensorValue &value) {
                          Dims shape{count, byGroup ? d.constant(1) : members};
                          shape.append(split.size() - 3, d.constant(1));
                          return reshape(node, value, shape);
                        };
                        auto result = normalize(node, grouped, axesFrom(2, grouped.rank()), epsilon,
                                                parameter(in[1]), parameter(in[2]), type);
                        if (failed(result))
                          return failure();
                        return SmallVector<TensorValue>{reshape(node, *result, in[0].dims)};
                      });
}

//===----------------------------------------------------------------------===//
// LayerNormalization, RMSNormalization
//===----------------------------------------------------------------------===//

/// The type that attribute `stash_type` asks statistics to be in.
static FailureOr<ElementType> readStashType(NodeContext &node) {
  auto type = static_cast<ElementType>(node.getInt("stash_type", 1));
  if (node.failed())
    return failure();
  if (!isFloat(type) || !storageType(node.context(), type))
    return node.unsupported("has an attribute 'stash_type' that is no float type");
  return type;
}

/// The parameters (from input 1 on) must broadcast to the input.
static LogicalResult checkParameters(NodeContext &node, const TensorValue &x, size_t count) {
  for (size_t i = 1; i < count; ++i) {
    if (!node.hasInput(i))
      continue;
    const TensorValue &parameter = node.input(i);
    if (!isFloat(parameter.elementType))
      return node.error("has input " + Twine(i) + " of type " + name(parameter.elementType));
    if (parameter.rank() > x.rank())
      return node.error("has input " + Twine(i) + " of rank " + Twine(parameter.rank()) +
                        " for a tensor of rank " + Twine(x.rank()));
    int64_t offset = x.rank() - parameter.rank();
    for (int64_t d = 0; d < parameter.rank(); ++d)
      if (DimBuilder::constantOf(parameter.dims[d]) != 1 &&
          failed(requireEqual(node, parameter.dims[d], x.dims[offset + d],
                              "has a parameter of extent {0} for an input of extent {1}")))
        return failure();
  }
  return success();
}

static LogicalResult buildLayerNormalization(NodeContext &node) {
  const TensorValue &x = node.input(0);
  ElementType type = x.elementType, sumType = accumulatorType(type);
  double epsilon = node.getFloat("epsilon", 1e-5f);
  FailureOr<int64_t> axis = normalizeAxis(node, node.getInt("axis", -1), x.rank());
  FailureOr<ElementType> stash = readStashType(node);
  if (failed(requireFloat(node, x)) || failed(axis) || failed(stash) || node.failed() ||
      failed(checkParameters(node, x, 3)))
    return failure();
  bool biased = node.hasInput(2);
  return setComposite(
      node, gatherInputs(node, 3),
      [&](ArrayRef<TensorValue> in) -> FailureOr<SmallVector<TensorValue>> {
        Moments moments = momentsOver(node, in[0], axesFrom(*axis, in[0].rank()));
        TensorValue inverse = inverseRoot(node, moments.variance, epsilon);
        SmallVector<TensorValue> operands{in[0], moments.mean, inverse, cast(node, in[1], sumType)};
        if (biased)
          operands.push_back(cast(node, in[2], sumType));
        auto result = combine(node, operands, type, in[0].dims, [&](ScalarMath &m, ValueRange v) {
          Value scaled = m.mul(m.mul(m.sub(v[0], v[1]), v[2]), v[3]);
          return biased ? m.add(scaled, v[4]) : scaled;
        });
        if (failed(result))
          return failure();
        SmallVector<TensorValue> outputs{*result};
        if (node.hasOutput(1))
          outputs.push_back(cast(node, moments.mean, *stash));
        if (node.hasOutput(2))
          outputs.push_back(cast(node, inverse, *stash));
        return outputs;
      });
}

static LogicalResult buildRMSNormalization(NodeContext &node) {
  const TensorValue &x = node.input(0);
  ElementType type = x.elementType, sumType = accumulatorType(type);
  double epsilon = node.getFloat("epsilon", 1e-5f);
  FailureOr<int64_t> axis = normalizeAxis(node, node.getInt("axis", -1), x.rank());
  if (failed(requireFloat(node, x)) || failed(axis) || failed(readStashType(node)) ||
      node.failed() || failed(checkParameters(node, x, 2)))
    return failure();
  // The result is of the scale's type.
  ElementType resultType = node.input(1).elementType;
  SmallVector<int64_t> axes = axesFrom(*axis, x.rank());
  OpFoldResult count = countOver(node, x, axes);
  return setComposite(
      node, gatherInputs(node, 2),
      [&](ArrayRef<TensorValue> in) -> FailureOr<SmallVector<TensorValue>> {
        TensorValue squares =
            sumOver(node, in[0], axes, [](ScalarMath &m, Value x) { return m.mul(x, x); });
        TensorValue mean =
            *combine(node, squares, sumType, squares.dims, [&](ScalarMath &m, ValueRange v) {
              return m.div(v[0], m.toFloat(m.extent(count), v[0].getType()));
            });
        auto result = combine(node, {in[0], inverseRoot(node, mean, epsilon), in[1]}, resultType,
                              in[0].dims, [&](ScalarMath &m, ValueRange v) {
                                // The normalised value is rounded to the input's type, as the
                                // standard's body does.
                                Value normal =
                                    castScalar(m.b, m.loc, m.mul(v[0], v[1]), sumType, type);
                                return m.mul(castScalar(m.b, m.loc, normal, type, sumType), v[2]);
                              });
        if (failed(result))
          return failure();
        return SmallVector<TensorValue>{*result};
      });
}

//===----------------------------------------------------------------------===//
// LRN, LpNormalization, MeanVarianceNormalization
//===----------------------------------------------------------------------===//

static LogicalResult buildLRN(NodeContext &node) {
  const TensorValue &x = node.input(0);
  ElementType type = x.elementType, sumType = accumulatorType(type);
  double alpha = node.getFloat("alpha", 0.0001f), beta = node.getFloat("beta", 0.75f);
  double bias = node.getFloat("bias", 1.0f);
  int64_t size = node.getInt("size", 0);
  if (failed(requireFloat(node, x)) || node.failed())
    return failure();
  if (x.rank() < 2)
    return node.error("has an input of rank " + Twine(x.rank()) + ", expected at least 2");
  if (size < 1 || size > INT32_MAX)
    return node.error("has " + Twine(size) + " in attribute 'size'");
  DimBuilder &d = node.dims;
  return setComposite(
      node, gatherInputs(node, 1),
      [&](ArrayRef<TensorValue> in) -> FailureOr<SmallVector<TensorValue>> {
        // Squares of neighbouring channels, read through a window over padded ones.
        int64_t rank = in[0].rank();
        Dims low(rank, d.constant(0)), high = low;
        low[1] = d.constant((size - 1) / 2);
        high[1] = d.constant(size - 1 - (size - 1) / 2);
        Value zero = makeScalar(node.b, node.b.getLoc(), storageType(node.context(), type), 0);
        TensorValue padded = pad(node, in[0], low, high, zero);
        Value window = tensor::EmptyOp::create(node.b, node.b.getLoc(), Dims{d.constant(size)},
                                               node.b.getI8Type());
        SmallVector<AffineExpr> input, output;
        for (int64_t i = 0; i < rank; ++i) {
          AffineExpr loop = node.b.getAffineDimExpr(i);
          output.push_back(loop);
          input.push_back(i == 1 ? loop + node.b.getAffineDimExpr(rank) : loop);
        }
        SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
        iterators.push_back(utils::IteratorType::reduction);
        TensorValue start = makeSplat(node, sumType, in[0].dims, 0);
        auto generic = linalg::GenericOp::create(
            node.b, node.b.getLoc(), start.value.getType(), ValueRange{padded.value, window},
            start.value,
            ArrayRef<AffineMap>{
                AffineMap::get(rank + 1, 0, input, node.context()),
                AffineMap::get(rank + 1, 0, node.b.getAffineDimExpr(rank), node.context()),
                AffineMap::get(rank + 1, 0, output, node.context())},
            iterators, [&](OpBuilder &b, Location loc, ValueRange args) {
              ScalarMath m{b, loc};
              Value wide = castScalar(b, loc, args[0], type, sumType);
              linalg::YieldOp::create(b, loc, m.add(args[2], m.mul(wide, wide)));
            });
        TensorValue squares = makeValue(generic.getResult(0), sumType, in[0].dims);
        auto result = combine(
            node, {in[0], squares}, type, in[0].dims, [&](ScalarMath &m, ValueRange v) -> Value {
              Value base = m.add(m.like(v[0], bias),
                                 m.mul(v[1], m.like(v[1], alpha / static_cast<double>(size))));
              return m.div(v[0], math::PowFOp::create(m.b, m.loc, base, m.like(base, beta)));
            });
        if (failed(result))
          return failure();
        return SmallVector<TensorValue>{*result};
      });
}

static LogicalResult buildLpNormalization(NodeContext &node) {
  const TensorValue &x = node.input(0);
  ElementType type = x.elementType;
  int64_t p = node.getInt("p", 2);
  FailureOr<int64_t> axis = normalizeAxis(node, node.getInt("axis", -1), x.rank());
  if (failed(requireFloat(node, x)) || failed(axis) || node.failed())
    return failure();
  if (p != 1 && p != 2)
    return node.error("has " + Twine(p) + " in attribute 'p', expected 1 or 2");
  TensorValue sum = sumOver(
      node, x, *axis, [&](ScalarMath &m, Value x) { return p == 1 ? m.abs(x) : m.mul(x, x); });
  auto result = combine(node, {x, sum}, type, x.dims, [&](ScalarMath &m, ValueRange v) -> Value {
    Value norm = p == 1 ? v[1] : Value(math::SqrtOp::create(m.b, m.loc, v[1]));
    Value zero = m.like(norm, 0), empty = m.equal(norm, zero);
    return m.select(empty, zero, m.div(v[0], norm));
  });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

static LogicalResult buildMeanVarianceNormalization(NodeContext &node) {
  const TensorValue &x = node.input(0);
  ElementType type = x.elementType;
  SmallVector<int64_t> axes = node.getInts("axes");
  if (!node.hasAttribute("axes"))
    axes = {0, 2, 3};
  FailureOr<SmallVector<int64_t>> reduced = normalizeAxes(node, axes, x.rank());
  if (failed(requireFloat(node, x)) || failed(reduced) || node.failed())
    return failure();
  return setComposite(node, gatherInputs(node, 1),
                      [&](ArrayRef<TensorValue> in) -> FailureOr<SmallVector<TensorValue>> {
                        Moments moments = momentsOver(node, in[0], *reduced);
                        auto result =
                            combine(node, {in[0], moments.mean, moments.variance}, type, in[0].dims,
                                    [](ScalarMath &m, ValueRange v) -> Value {
                                      Value deviation = math::SqrtOp::create(m.b, m.loc, v[2]);
                                      return m.div(m.sub(v[0], v[1]),
                                                   m.add(deviation, m.like(deviation, 1e-9)));
                                    });
                        if (failed(result))
                          return failure();
                        return SmallVector<TensorValue>{*result};
                      });
}

void weft::onnx::registerNormalizationOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"BatchNormalization", 1, 5, 5, buildBatchNormalization},
             {"InstanceNormalization", 6, 3, 3, buildInstanceNormalization},
             {"LayerNormalization", 17, 2, 3, buildLayerNormalization},
             {"GroupNormalization", 18, 3, 3, buildGroupNormalization},
             {"RMSNormalization", 23, 2, 2, buildRMSNormalization},
             {"LRN", 1, 1, 1, buildLRN},
             {"LpNormalization", 1, 1, 1, buildLpNormalization},
             {"MeanVarianceNormalization", 9, 1, 1, buildMeanVarianceNormalization},
         });
}
