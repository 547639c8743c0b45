//===- Contrib.cpp - Fused operators of ONNX Runtime's own domain ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Products, Gelu and normalisations that ONNX Runtime's optimizer writes; their
// meaning is in its docs/ContribOperators.md.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/Contrib.h"
#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Ops/CompositeInputs.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/ScalarMath.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

static LogicalResult requireFloats(NodeContext &node, ArrayRef<size_t> inputs) {
  for (size_t i : inputs)
    if (node.hasInput(i) && !isFloat(node.input(i).elementType))
      return node.error("has an input " + describe(node.input(i)) + ", expected floats");
  return success();
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// alpha * A' * B', where A' and B' may be transposed in their last two
/// dimensions or have their first dimension moved before the last
/// (`transBatchA`).
static LogicalResult buildFusedMatMul(NodeContext &node) {
  if (failed(requireFloats(node, {0, 1})))
    return failure();
  ElementType type = node.input(0).elementType, sum = accumulatorType(type);
  double alpha = node.getFloat("alpha", 1);
  return buildComposite(
      node, [&](const CompositeInputs &in) -> FailureOr<SmallVector<TensorValue>> {
        auto prepare = [&](size_t i, StringRef last, StringRef batch) {
          TensorValue x = in[i];
          SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(0, x.rank()));
          if (node.getInt(batch, 0) && x.rank() >= 3)
            std::rotate(order.begin(), order.begin() + 1, order.end() - 1);
          if (node.getInt(last, 0) && x.rank() >= 2)
            std::swap(order[x.rank() - 2], order[x.rank() - 1]);
          return transpose(node, x, order);
        };
        FailureOr<TensorValue> product = matmul(node, prepare(0, "transA", "transBatchA"),
                                                prepare(1, "transB", "transBatchB"), sum);
        if (failed(product))
          return failure();
        FailureOr<TensorValue> scaled = elementwiseTo(
            node, {*product}, type, product->dims,
            [&](OpBuilder &b, Location loc, ValueRange args) {
              Value x = args[0];
              if (alpha != 1)
                x = arith::MulFOp::create(b, loc, x, makeScalar(b, loc, x.getType(), alpha));
              return castScalar(b, loc, x, sum, type);
            });
        return SmallVector<TensorValue>{*scaled};
      });
}

//===----------------------------------------------------------------------===//
// Gelu
//===----------------------------------------------------------------------===//

using ScalarFunction = Value (*)(ScalarMath &, Value x, double alpha);

/// x * (1 + erf(x / sqrt 2)) / 2
static Value geluErf(ScalarMath &m, Value x, double) {
  Value inner = math::ErfOp::create(m.b, m.loc, m.mul(x, m.like(x, 0.70710678118654752440)));
  return m.mul(m.mul(x, m.like(x, 0.5)), m.add(inner, m.like(x, 1)));
}

/// x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2
static Value geluTanh(ScalarMath &m, Value x, double) {
  Value cube = m.mul(m.mul(x, x), m.mul(x, m.like(x, 0.044715)));
  Value inner = m.mul(m.add(x, cube), m.like(x, 0.79788456080286535588));
  return m.mul(m.mul(x, m.like(x, 0.5)),
               m.add(math::TanhOp::create(m.b, m.loc, inner), m.like(x, 1)));
}

/// x * sigmoid(alpha * x)
static Value quickGelu(ScalarMath &m, Value x, double alpha) {
  Value e = math::ExpOp::create(m.b, m.loc, m.mul(x, m.like(x, -alpha)));
  return m.div(x, m.add(e, m.like(x, 1)));
}

/// A function of x, or of x and a bias along the last dimension.
static LogicalResult buildActivation(NodeContext &node, ScalarFunction function, double alpha) {
  if (failed(requireFloats(node, {0, 1})))
    return failure();
  ElementType type = node.input(0).elementType, wide = accumulatorType(type);
  return buildComposite(
      node, [&](const CompositeInputs &in) -> FailureOr<SmallVector<TensorValue>> {
        SmallVector<TensorValue> inputs{in[0]};
        if (in.has(1))
          inputs.push_back(in[1]);
        FailureOr<TensorValue> result = elementwiseTo(
            node, inputs, type, in[0].dims, [&](OpBuilder &b, Location loc, ValueRange args) {
              ScalarMath m{b, loc};
              Value x = castScalar(b, loc, args[0], type, wide);
              if (args.size() > 1)
                x = m.add(x, castScalar(b, loc, args[1], inputs[1].elementType, wide));
              return castScalar(b, loc, function(m, x, alpha), wide, type);
            });
        return SmallVector<TensorValue>{*result};
      });
}

static LogicalResult buildGelu(NodeContext &node) { return buildActivation(node, geluErf, 0); }
static LogicalResult buildFastGelu(NodeContext &node) { return buildActivation(node, geluTanh, 0); }
static LogicalResult buildQuickGelu(NodeContext &node) {
  return buildActivation(node, quickGelu, node.getFloat("alpha", 1.702f));
}

//===----------------------------------------------------------------------===//
// Normalisations over the last dimensions
//===----------------------------------------------------------------------===//

namespace {
struct Normalized {
  TensorValue result, mean, inverseDeviation;
};
} // namespace

/// x normalised over the dimensions from `axis` on: less its mean unless
/// `simplified`, over the root of its mean square. `x` is f32 or f64.
static FailureOr<Normalized> normalize(NodeContext &node, const TensorValue &x, int64_t axis,
                                       double epsilon, bool simplified, const TensorValue &scale,
                                       const TensorValue *bias, ElementType type) {
  ElementType wide = x.elementType;
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(axis, x.rank()));
  Value zero = makeScalar(node.b, node.b.getLoc(), storageType(node.context(), wide), 0);
  OpFoldResult count = node.dims.constant(1);
  for (int64_t i : axes)
    count = node.dims.mul(count, x.dims[i]);
  auto mean = [&](const TensorValue &values) -> FailureOr<TensorValue> {
    TensorValue sum = reduce(node, values, axes, /*keepDims=*/true, wide, zero,
                             [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                               return arith::AddFOp::create(b, loc, args[0], args[1]);
                             });
    return elementwiseTo(node, {sum}, wide, sum.dims,
                         [&](OpBuilder &b, Location loc, ValueRange args) {
                           ScalarMath m{b, loc};
                           return m.div(args[0], m.toFloat(m.extent(count), args[0].getType()));
                         });
  };
  Normalized result;
  TensorValue centered = x;
  if (!simplified) {
    FailureOr<TensorValue> average = mean(x);
    if (failed(average))
      return failure();
    result.mean = *average;
    centered = *elementwiseTo(node, {x, *average}, wide, x.dims,
                              [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                                return arith::SubFOp::create(b, loc, args[0], args[1]);
                              });
  }
  TensorValue squares = *elementwiseTo(node, {centered}, wide, x.dims,
                                       [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                                         return arith::MulFOp::create(b, loc, args[0], args[0]);
                                       });
  FailureOr<TensorValue> variance = mean(squares);
  if (failed(variance))
    return failure();
  result.inverseDeviation =
      *elementwiseTo(node, {*variance}, wide, variance->dims,
                     [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                       ScalarMath m{b, loc};
                       Value root =
                           math::SqrtOp::create(b, loc, m.add(args[0], m.like(args[0], epsilon)));
                       return m.div(m.like(args[0], 1), root);
                     });
  SmallVector<TensorValue> inputs{centered, result.inverseDeviation, scale};
  if (bias)
    inputs.push_back(*bias);
  FailureOr<TensorValue> scaled =
      elementwiseTo(node, inputs, type, x.dims, [&](OpBuilder &b, Location loc, ValueRange args) {
        ScalarMath m{b, loc};
        Value y = m.mul(args[0], args[1]);
        y = m.mul(y, castScalar(b, loc, args[2], scale.elementType, wide));
        if (bias)
          y = m.add(y, castScalar(b, loc, args[3], bias->elementType, wide));
        return castScalar(b, loc, y, wide, type);
      });
  if (failed(scaled))
    return failure();
  result.result = *scaled;
  return result;
}

static LogicalResult buildNormalization(NodeContext &node, bool simplified) {
  if (failed(requireFloats(node, {0, 1, 2})))
    return failure();
  const TensorValue &x = node.input(0);
  FailureOr<int64_t> axis = normalizeAxis(node, node.getInt("axis", -1), x.rank());
  if (failed(axis))
    return failure();
  double epsilon = node.getFloat("epsilon", 1e-5f);
  ElementType type = node.input(1).elementType;
  return buildComposite(
      node, [&](const CompositeInputs &in) -> FailureOr<SmallVector<TensorValue>> {
        TensorValue wide = cast(node, in[0], accumulatorType(in[0].elementType));
        FailureOr<Normalized> result =
            normalize(node, wide, *axis, epsilon, simplified, in[1], in.find(2), type);
        if (failed(result))
          return failure();
        if (simplified)
          return SmallVector<TensorValue>{result->result, result->inverseDeviation};
        return SmallVector<TensorValue>{result->result, result->mean, result->inverseDeviation};
      });
}

static LogicalResult buildLayerNormalization(NodeContext &node) {
  return buildNormalization(node, false);
}
static LogicalResult buildSimplifiedLayerNormalization(NodeContext &node) {
  return buildNormalization(node, true);
}

/// Inputs: input, skip, gamma, then beta (not if simplified) and bias; outputs:
/// the result, mean, inverse deviation, the sum of input, skip and bias.
static LogicalResult buildSkipNormalization(NodeContext &node, bool simplified) {
  size_t biasInput = simplified ? 3 : 4;
  if (failed(requireFloats(node, {0, 1, 2, 3, 4})))
    return failure();
  const TensorValue &x = node.input(0);
  if (x.rank() < 1)
    return node.error("has a scalar input");
  ElementType type = x.elementType, wide = accumulatorType(type);
  double epsilon = node.getFloat("epsilon", 1e-12f);
  return buildComposite(
      node, [&](const CompositeInputs &in) -> FailureOr<SmallVector<TensorValue>> {
        SmallVector<TensorValue> terms{in[0], in[1]};
        if (in.has(biasInput))
          terms.push_back(in[biasInput]);
        FailureOr<TensorValue> sum = elementwiseTo(
            node, terms, wide, in[0].dims, [&](OpBuilder &b, Location loc, ValueRange args) {
              ScalarMath m{b, loc};
              Value total = castScalar(b, loc, args[0], type, wide);
              for (size_t i = 1; i < terms.size(); ++i)
                total = m.add(total, castScalar(b, loc, args[i], terms[i].elementType, wide));
              return total;
            });
        if (failed(sum))
          return failure();
        const TensorValue *beta = simplified ? nullptr : in.find(3);
        FailureOr<Normalized> result =
            normalize(node, *sum, sum->rank() - 1, epsilon, simplified, in[2], beta, type);
        if (failed(result))
          return failure();
        TensorValue mean = simplified ? result->inverseDeviation : result->mean;
        return SmallVector<TensorValue>{result->result, mean, result->inverseDeviation,
                                        cast(node, *sum, type)};
      });
}

static LogicalResult buildSkipLayerNormalization(NodeContext &node) {
  return buildSkipNormalization(node, false);
}
static LogicalResult buildSkipSimplifiedLayerNormalization(NodeContext &node) {
  return buildSkipNormalization(node, true);
}

/// Rows of a table by ids of any shape; ids out of range fail the call.
static TensorValue lookup(NodeContext &node, const TensorValue &table, const TensorValue &ids) {
  assertInRange(node, ids, node.dims.constant(0), table.dims[0], "index");
  Dims dims = ids.dims;
  dims.push_back(table.dims[1]);
  Value source = node.value(table), positions = node.value(ids);
  return generate(node, table.elementType, dims, [&](ScalarMath &m, ArrayRef<Value> at) {
    Value id = tensor::ExtractOp::create(m.b, m.loc, positions, at.drop_back());
    Value row = m.clamp(arith::IndexCastOp::create(m.b, m.loc, m.b.getIndexType(), id),
                        m.extent(table.dims[0]));
    return m.read(source, {row, at.back()});
  });
}

/// Inputs: input_ids, segment_ids, word, position and segment embedding, gamma,
/// beta, mask, position_ids; outputs: the result, mask_index, the sum.
static LogicalResult buildEmbedLayerNormalization(NodeContext &node) {
  if (failed(requireFloats(node, {2, 3, 4, 5, 6})))
    return failure();
  const TensorValue &ids = node.input(0);
  if (ids.rank() != 2 || node.input(2).rank() != 2 || node.input(3).rank() != 2)
    return node.error("has ids " + describe(ids) + " and embeddings " + describe(node.input(2)) +
                      " and " + describe(node.input(3)) + ", expected matrices");
  if (node.hasOutput(1) && node.hasInput(7) && node.getInt("mask_index_type", 0) != 0)
    return node.unsupported("gives a mask index");
  ElementType type = node.input(2).elementType, wide = accumulatorType(type);
  double epsilon = node.getFloat("epsilon", 1e-12f);
  return buildComposite(
      node, [&](const CompositeInputs &in) -> FailureOr<SmallVector<TensorValue>> {
        OpFoldResult batch = ids.dims[0], length = ids.dims[1], hidden = in[2].dims[1];
        SmallVector<TensorValue> terms{lookup(node, in[2], in[0])};
        if (in.has(8)) {
          terms.push_back(lookup(node, in[3], in[8]));
        } else {
          // Positions 0 to length - 1.
          Dims zeros(2, node.dims.constant(0)), ones(2, node.dims.constant(1));
          if (failed(requireAtMost(node, length, in[3].dims[0],
                                   "has {0} positions, but embeddings of {1}")))
            return failure();
          terms.push_back(slice(node, in[3], zeros, {length, hidden}, ones));
        }
        if (in.has(1) && in.has(4))
          terms.push_back(lookup(node, in[4], in[1]));
        FailureOr<TensorValue> sum =
            elementwiseTo(node, terms, wide, {batch, length, hidden},
                          [&](OpBuilder &b, Location loc, ValueRange args) {
                            ScalarMath m{b, loc};
                            Value total = castScalar(b, loc, args[0], type, wide);
                            for (size_t i = 1; i < terms.size(); ++i)
                              total = m.add(total, castScalar(b, loc, args[i], type, wide));
                            return total;
                          });
        if (failed(sum))
          return failure();
        FailureOr<Normalized> result =
            normalize(node, *sum, 2, epsilon, /*simplified=*/false, in[5], in.find(6), type);
        if (failed(result))
          return failure();
        // How many tokens of each row the mask keeps.
        TensorValue index = makeSplat(node, ElementType::Int32, {batch}, 0);
        if (in.has(7)) {
          Value zero = makeIntScalar(node.b, node.b.getLoc(), node.b.getI32Type(), 0);
          index =
              reduce(node, cast(node, in[7], ElementType::Int32), {1}, false, ElementType::Int32,
                     zero, [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                       return arith::AddIOp::create(b, loc, args[0], args[1]);
                     });
        }
        return SmallVector<TensorValue>{result->result, index, cast(node, *sum, type)};
      });
}

void weft::onnx::registerContribOps(Registrar &registrar) {
  addOps(registrar, kMicrosoftDomain,
         {
             {"FusedMatMul", 1, 2, 2, buildFusedMatMul},
             {"Gelu", 1, 1, 1, buildGelu},
             {"BiasGelu", 1, 2, 2, buildGelu},
             {"FastGelu", 1, 1, 2, buildFastGelu},
             {"QuickGelu", 1, 1, 1, buildQuickGelu},
             {"LayerNormalization", 1, 2, 3, buildLayerNormalization},
             {"SimplifiedLayerNormalization", 1, 2, 2, buildSimplifiedLayerNormalization},
             {"SkipLayerNormalization", 1, 3, 5, buildSkipLayerNormalization},
             {"SkipSimplifiedLayerNormalization", 1, 3, 4, buildSkipSimplifiedLayerNormalization},
             {"EmbedLayerNormalization", 1, 7, 9, buildEmbedLayerNormalization},
         });
  // ONNX Runtime writes this one without a domain.
  addOps(registrar, "",
         {{"SimplifiedLayerNormalization", 1, 2, 2, buildSimplifiedLayerNormalization}});
  registerContribQuantizedOps(registrar);
  registerContribNBitsOps(registrar);
  registerContribQLinearOps(registrar);
  registerContribGatherQuantizedOps(registrar);
  registerContribAttentionOps(registrar);
  registerContribMoEOps(registrar);
}
