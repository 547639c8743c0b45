//===- LinearAttention.cpp - Operators with a recurrent state -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LinearAttention becomes ssm.scan, whose states are f32 whatever type they come and leave
// in, and CausalConvWithState ssm.causal_conv1d.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/ScalarMath.h"
#include "Frontend/ONNX/TensorOps.h"
#include "dialects/SSM/IR/SSM.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

static LogicalResult requireRank(NodeContext &node, size_t i, int64_t rank) {
  if (!node.hasInput(i) || node.input(i).rank() == rank)
    return success();
  return node.error("has an input " + describe(node.input(i)) + ", expected rank " + Twine(rank));
}

static LogicalResult requireFloats(NodeContext &node, ArrayRef<size_t> inputs) {
  for (size_t i : inputs) {
    if (!node.hasInput(i))
      continue;
    ElementType type = node.input(i).elementType;
    if (type != ElementType::Float && type != ElementType::Float16 && type != ElementType::BFloat16)
      return node.error("has an input " + describe(node.input(i)) + ", expected floats");
  }
  return success();
}

static LogicalResult requireDims(NodeContext &node, const TensorValue &x,
                                 ArrayRef<OpFoldResult> dims, StringRef message) {
  for (auto [have, want] : llvm::zip_equal(x.dims, dims))
    if (failed(requireEqual(node, have, want, message)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// LinearAttention
//===----------------------------------------------------------------------===//

namespace {
/// The attributes: numbers of heads and which terms the recurrence has.
struct LinearRule {
  int64_t heads = 0, stateHeads = 0;
  bool decays = false, erases = false;
};
} // namespace

static FailureOr<LinearRule> readRule(NodeContext &node) {
  LinearRule rule;
  rule.heads = node.getInt("q_num_heads", 0);
  rule.stateHeads = node.getInt("kv_num_heads", 0);
  std::string name = node.getString("update_rule", "gated_delta");
  if (node.failed())
    return failure();
  if (rule.heads < 1 || rule.stateHeads < 1 || rule.heads > INT32_MAX ||
      rule.heads % rule.stateHeads != 0)
    return node.error("has " + Twine(rule.heads) + " heads of queries for " +
                      Twine(rule.stateHeads) + " of keys");
  if (name != "linear" && name != "gated" && name != "delta" && name != "gated_delta")
    return node.error("has the update_rule '" + Twine(name) +
                      "', expected linear, gated, delta or gated_delta");
  rule.decays = name == "gated" || name == "gated_delta";
  rule.erases = name == "delta" || name == "gated_delta";
  if (rule.decays != node.hasInput(4))
    return node.error(Twine(rule.decays ? "needs" : "takes no") + " decay for the update_rule '" +
                      name + "'");
  if (rule.erases != node.hasInput(5))
    return node.error(Twine(rule.erases ? "needs" : "takes no") + " beta for the update_rule '" +
                      name + "'");
  return rule;
}

/// [B, T, heads * D] as [B, T, heads, D].
static FailureOr<TensorValue> headsOf(NodeContext &node, const TensorValue &x, int64_t count) {
  DimBuilder &d = node.dims;
  OpFoldResult heads = d.constant(count);
  if (failed(requireEqual(node, d.rem(x.dims[2], heads), d.constant(0),
                          "has heads that do not divide its rows: {0} elements are left")))
    return failure();
  return reshape(node, x, {x.dims[0], x.dims[1], heads, d.floorDiv(x.dims[2], heads)});
}

/// The decays as [B, T, H] or [B, T, H, K].
static FailureOr<TensorValue> decayOf(NodeContext &node, int64_t heads, OpFoldResult rows) {
  const TensorValue &x = node.input(4);
  if (ShapedType::isDynamic(x.staticDim(2)))
    return node.unsupported("has decays whose last extent is not known");
  if (x.staticDim(2) == heads)
    return cast(node, x, ElementType::Float);
  FailureOr<TensorValue> split = headsOf(node, x, heads);
  if (failed(split) ||
      failed(requireEqual(node, split->dims[3], rows, "has {0} decays for keys of {1} elements")))
    return failure();
  return cast(node, *split, ElementType::Float);
}

/// beta * key of each head, [B, T, H, K]; beta is [B, T, H] or [B, T, 1].
static FailureOr<TensorValue> writtenKey(NodeContext &node, const TensorValue &key) {
  const TensorValue &beta = node.input(5);
  bool shared = beta.staticDim(2) == 1;
  if (failed(requireDims(node, beta,
                         {key.dims[0], key.dims[1], shared ? node.dims.constant(1) : key.dims[2]},
                         "has beta of extent {0}, expected {1}")))
    return failure();
  Dims column(beta.dims);
  column.push_back(node.dims.constant(1));
  TensorValue factors[] = {key, reshape(node, cast(node, beta, ElementType::Float), column)};
  return elementwiseTo(node, factors, ElementType::Float, key.dims,
                       [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                         return arith::MulFOp::create(b, loc, args[0], args[1]);
                       });
}

/// The queries, times the scale, in f32: they are not rounded once more.
static FailureOr<TensorValue> scaledQuery(NodeContext &node, const TensorValue &query) {
  double scale = node.getFloat("scale", 0);
  TensorValue wide = cast(node, query, ElementType::Float);
  if (scale == 0) {
    int64_t size = query.staticDim(3);
    if (ShapedType::isDynamic(size))
      return node.unsupported("has heads whose size is not known, and no scale");
    scale = 1 / std::sqrt(static_cast<double>(std::max<int64_t>(size, 1)));
  }
  if (scale == 1)
    return wide;
  return elementwiseTo(node, {wide}, ElementType::Float, wide.dims,
                       [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                         Value factor = makeScalar(b, loc, b.getF32Type(), scale);
                         return arith::MulFOp::create(b, loc, args[0], factor);
                       });
}

/// Inputs: query, key, value [B, T, heads * size], past_state [B, H, K, V], decay, beta;
/// outputs: the result, present_state.
static LogicalResult buildLinearAttention(NodeContext &node) {
  FailureOr<LinearRule> rule = readRule(node);
  if (failed(rule) || failed(requireFloats(node, {0, 1, 2, 3, 4, 5})) ||
      failed(requireRank(node, 3, 4)))
    return failure();
  for (size_t i : {0, 1, 2, 4, 5})
    if (failed(requireRank(node, i, 3)))
      return failure();
  ElementType type = node.input(0).elementType;
  FailureOr<TensorValue> query = headsOf(node, node.input(0), rule->heads),
                         key = headsOf(node, node.input(1), rule->stateHeads),
                         value = headsOf(node, node.input(2), rule->stateHeads);
  if (failed(query) || failed(key) || failed(value))
    return failure();
  Dims lead{query->dims[0], query->dims[1]};
  OpFoldResult rows = query->dims[3], heads = key->dims[2];
  if (failed(requireDims(node, *key, {lead[0], lead[1], heads, rows},
                         "has keys of extent {0}, expected {1}")) ||
      failed(requireDims(node, *value, {lead[0], lead[1], heads, value->dims[3]},
                         "has values of extent {0}, expected {1}")))
    return failure();
  Dims stateDims{lead[0], heads, rows, value->dims[3]};
  Value initial;
  ElementType stateType = type;
  if (node.hasInput(3)) {
    const TensorValue &past = node.input(3);
    if (failed(requireDims(node, past, stateDims, "has a past state of extent {0}, expected {1}")))
      return failure();
    stateType = past.elementType;
    initial = node.value(cast(node, past, ElementType::Float));
  }
  Value decay, alpha, beta;
  if (rule->decays) {
    FailureOr<TensorValue> logarithms = decayOf(node, rule->stateHeads, rows);
    if (failed(logarithms) ||
        failed(requireDims(node, node.input(4), {lead[0], lead[1], node.input(4).dims[2]},
                           "has decays of extent {0}, expected {1}")))
      return failure();
    decay = node.value(*logarithms);
  }
  TensorValue written = *key;
  if (rule->erases) {
    TensorValue wide = cast(node, *key, ElementType::Float);
    FailureOr<TensorValue> scaled = writtenKey(node, wide);
    if (failed(scaled))
      return failure();
    written = *scaled;
    alpha = node.value(wide);
    beta = node.value(written);
  }
  FailureOr<TensorValue> read = scaledQuery(node, *query);
  if (failed(read))
    return failure();
  Dims outputDims{lead[0], lead[1], query->dims[2], value->dims[3]};
  Value inits[] = {makeEmpty(node, type, outputDims),
                   makeEmpty(node, ElementType::Float, stateDims)};
  ssm::Transition transition = rule->erases    ? ssm::Transition::Householder
                               : !rule->decays ? ssm::Transition::Identity
                               : llvm::cast<RankedTensorType>(decay.getType()).getRank() == 3
                                   ? ssm::Transition::Scalar
                                   : ssm::Transition::Diagonal;
  auto scan = ssm::ScanOp::create(
      node.b, inits[0].getType(), inits[1].getType(), /*checkpoints=*/Type(), ssm::State::Outer,
      transition, node.value(*read), node.value(written), node.value(*value), decay,
      /*rate=*/Value(), /*angle=*/Value(), alpha, beta, /*matrix=*/Value(), /*bonus=*/Value(),
      initial, /*offsets=*/Value(), /*order=*/Value(), /*sources=*/Value(),
      /*destinations=*/Value(), inits, ssm::Read::Post, /*linear=*/false, /*rank=*/1,
      /*substeps=*/1, /*reads=*/1, ssm::Direction::Forward, ssm::Emit::Last, /*count=*/1,
      /*chunk=*/0);
  TensorValue output = makeValue(scan.getOutput(), type, outputDims);
  node.setOutput(
      0, reshape(node, output, {lead[0], lead[1], node.dims.mul(outputDims[2], outputDims[3])}));
  if (node.hasOutput(1))
    node.setOutput(
        1, cast(node, makeValue(scan.getFinal(), ElementType::Float, stateDims), stateType));
  return success();
}

//===----------------------------------------------------------------------===//
// CausalConvWithState
//===----------------------------------------------------------------------===//

/// Inputs: input [B, C, T], weight [C, 1, W], bias [C], past_state [B, C, W - 1]; outputs:
/// the result, present_state.
static LogicalResult buildCausalConvWithState(NodeContext &node) {
  if (failed(requireFloats(node, {0, 1, 2, 3})) || failed(requireRank(node, 0, 3)) ||
      failed(requireRank(node, 1, 3)) || failed(requireRank(node, 2, 1)) ||
      failed(requireRank(node, 3, 3)))
    return failure();
  std::string name = node.getString("activation", "none");
  if (node.failed())
    return failure();
  if (name != "none" && name != "silu" && name != "swish")
    return node.error("has the activation '" + Twine(name) + "', expected none, silu or swish");
  const TensorValue &x = node.input(0), &weight = node.input(1);
  for (size_t i = 1; i < 4; ++i)
    if (node.hasInput(i) && node.input(i).elementType != x.elementType)
      return node.error("has inputs " + describe(x) + " and " + describe(node.input(i)));
  DimBuilder &d = node.dims;
  int64_t width = weight.staticDim(2);
  if (ShapedType::isDynamic(width))
    return node.unsupported("has a filter whose width is not known");
  if (width < 1)
    return node.error("has a filter of width 0");
  OpFoldResult channels = x.dims[1];
  if (failed(requireDims(node, weight, {channels, d.constant(1), weight.dims[2]},
                         "has a filter of extent {0}, expected {1}")))
    return failure();
  Value bias, state;
  if (node.hasInput(2)) {
    if (failed(requireDims(node, node.input(2), {channels}, "has {0} biases for {1} channels")))
      return failure();
    bias = node.value(2);
  }
  Dims history{x.dims[0], channels, d.constant(width - 1)};
  if (node.hasInput(3)) {
    if (failed(requireDims(node, node.input(3), history,
                           "has a past state of extent {0}, expected {1}")))
      return failure();
    state = node.value(transpose(node, node.input(3), {0, 2, 1}));
  }
  TensorValue tokens = transpose(node, x, {0, 2, 1});
  Dims turned{history[0], history[2], history[1]};
  Value inits[] = {makeEmpty(node, x.elementType, tokens.dims),
                   makeEmpty(node, x.elementType, turned)};
  auto conv = ssm::CausalConv1dOp::create(
      node.b, TypeRange(ValueRange(inits)), node.value(tokens),
      node.value(reshape(node, weight, {channels, weight.dims[2]})), bias, state,
      /*offsets=*/Value(), /*sources=*/Value(), /*destinations=*/Value(), inits,
      name == "none" ? ssm::Activation::None : ssm::Activation::SiLU, /*dilation=*/1,
      /*reverse=*/false);
  TensorValue output = makeValue(conv.getResults()[0], x.elementType, tokens.dims);
  node.setOutput(0, transpose(node, output, {0, 2, 1}));
  if (node.hasOutput(1)) {
    TensorValue next = makeValue(conv.getResults()[1], x.elementType, turned);
    node.setOutput(1, transpose(node, next, {0, 2, 1}));
  }
  return success();
}

void weft::onnx::registerLinearAttentionOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"CausalConvWithState", 27, 2, 4, buildCausalConvWithState},
             {"LinearAttention", 27, 3, 6, buildLinearAttention},
         });
}
