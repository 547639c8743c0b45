//===- ContribMoE.cpp - Mixtures of experts in ONNX Runtime's domain ------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// MoE and QMoE become moe.route and moe.expert_ffn. Shapes: T tokens of H elements,
// E experts with I hidden elements; weights are [E, I, H] and [E, H, I].
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Ops/Contrib.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/ScalarMath.h"
#include "dialects/LowP/IR/LowP.h"
#include "dialects/MoE/IR/Activations.h"
#include "dialects/MoE/IR/MoE.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

namespace {
/// A weight, dense or packed, and its extents.
struct Weight {
  Value value;
  SmallVector<int64_t> shape;
};

/// What both operators have, wherever their inputs are.
struct Layer {
  Weight up, down, gated; ///< fc1, fc2, fc3
  const TensorValue *upBias = nullptr, *downBias = nullptr, *gatedBias = nullptr;
  /// What weighs experts instead of the scores that choose them, [T, E].
  const TensorValue *routerWeights = nullptr;
  bool normalize = false;
};

/// The tokens' experts and their weights, [T, K].
struct Choice {
  Value ids, weights;
};
} // namespace

static const TensorValue *find(NodeContext &node, size_t i) {
  return node.hasInput(i) ? &node.input(i) : nullptr;
}

static FailureOr<moe::Activation> readActivation(NodeContext &node) {
  moe::Activation activation;
  std::string name = node.getString("activation_type", "relu");
  if (name == "relu")
    activation.kind = moe::ActivationKind::Relu;
  else if (name == "gelu")
    activation.kind = moe::ActivationKind::GeluTanh;
  else if (name == "silu" || name == "swiglu")
    activation.kind = moe::ActivationKind::Silu;
  else if (name == "identity")
    activation.kind = moe::ActivationKind::Identity;
  else
    return node.unsupported("has the activation '" + Twine(name) +
                            "', expected relu, gelu, silu, swiglu or identity");
  if (name == "swiglu") {
    activation.alpha = node.getFloat("activation_alpha", 1);
    activation.beta = node.getFloat("activation_beta", 0);
    if (node.hasAttribute("swiglu_limit"))
      activation.limit = node.getFloat("swiglu_limit", 0);
  }
  if (node.failed())
    return failure();
  return activation;
}

/// How gate and the other half lie in the first weight.
static FailureOr<moe::Fusion> readFusion(NodeContext &node, bool isGated) {
  bool isSwiGLU = node.getString("activation_type", "relu") == "swiglu";
  int64_t fusion = node.getInt("swiglu_fusion", 0);
  if (fusion < 0 || fusion > 2)
    return node.error("has swiglu_fusion = " + Twine(fusion) + ", expected 0, 1 or 2");
  if (!isSwiGLU)
    return moe::Fusion::Separate;
  if (fusion != 0 && isGated)
    return node.error("has a third weight, and one that is fused");
  if (fusion == 0 && !isGated)
    return node.unsupported("has the activation swiglu of one weight that is not fused");
  return fusion == 0   ? moe::Fusion::Separate
         : fusion == 1 ? moe::Fusion::Interleaved
                       : moe::Fusion::Blocks;
}

static LogicalResult verifyBias(NodeContext &node, const TensorValue *bias, int64_t experts,
                                int64_t columns, ElementType type) {
  if (bias && (bias->rank() != 2 || bias->elementType != type || bias->staticDim(0) != experts ||
               bias->staticDim(1) != columns))
    return node.error("has a bias " + describe(*bias) + ", expected " + Twine(experts) + " x " +
                      Twine(columns));
  return success();
}

/// Extents of weights, biases and inputs agree.
static LogicalResult verifyLayer(NodeContext &node, const Layer &layer, moe::Fusion fusion) {
  const TensorValue &x = node.input(0), &router = node.input(1);
  if ((x.rank() != 2 && x.rank() != 3) || router.rank() != 2)
    return node.error("has inputs " + describe(x) + " and " + describe(router) +
                      ", expected tokens of rank 2 or 3 and logits of rank 2");
  if ((x.elementType != ElementType::Float && x.elementType != ElementType::Float16 &&
       x.elementType != ElementType::BFloat16) ||
      router.elementType != x.elementType)
    return node.error("has inputs " + describe(x) + " and " + describe(router) +
                      ", expected floats of one type");
  ArrayRef<int64_t> up = layer.up.shape, down = layer.down.shape;
  int64_t experts = down[0], hidden = down[2], columns = down[1];
  int64_t wide = fusion == moe::Fusion::Separate ? hidden : 2 * hidden;
  if (up[0] != experts || up[1] != wide)
    return node.error("has first weights of " + Twine(up[0]) + " x " + Twine(up[1]) +
                      ", expected " + Twine(experts) + " x " + Twine(wide));
  if (layer.gated.value && ArrayRef<int64_t>(layer.gated.shape) != up)
    return node.error("has first and third weights of different shapes");
  if (failed(verifyBias(node, layer.upBias, experts, wide, x.elementType)) ||
      failed(verifyBias(node, layer.gatedBias, experts, wide, x.elementType)) ||
      failed(verifyBias(node, layer.downBias, experts, columns, x.elementType)))
    return failure();
  if (layer.gated.value && (layer.upBias != nullptr) != (layer.gatedBias != nullptr))
    return node.unsupported("has a bias for one of the first and third weights only");
  int64_t k = node.getInt("k", 1);
  if (k < 1 || k > experts)
    return node.error("chooses k = " + Twine(k) + " of " + Twine(experts) + " experts");
  if (columns != up[2])
    return node.error("has results of " + Twine(columns) + " elements for tokens of " +
                      Twine(up[2]));
  return success(!node.failed());
}

/// The elements of `weights` [T, E] that `ids` [T, K] name, in f32, over their sum if
/// `normalize`.
static Value gatherWeights(NodeContext &node, const TensorValue &weights, Value ids,
                           ArrayRef<OpFoldResult> dims, bool normalize) {
  Value all = node.value(cast(node, weights, ElementType::Float));
  auto chosen = [&](ScalarMath &m, Value token, Value slot) {
    Value expert =
        arith::IndexCastOp::create(m.b, m.loc, m.b.getIndexType(), m.read(ids, {token, slot}));
    return m.read(all, {token, expert});
  };
  TensorValue picked =
      generate(node, ElementType::Float, dims,
               [&](ScalarMath &m, ArrayRef<Value> at) -> Value { return chosen(m, at[0], at[1]); });
  if (!normalize)
    return node.value(picked);
  Value zero = makeScalar(node.b, node.b.getLoc(), node.b.getF32Type(), 0);
  TensorValue sums = reduce(node, picked, {1}, /*keepDims=*/true, ElementType::Float, zero,
                            [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                              return arith::AddFOp::create(b, loc, args[0], args[1]);
                            });
  FailureOr<TensorValue> shares =
      elementwiseTo(node, {picked, sums}, ElementType::Float, dims,
                    [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                      return arith::DivFOp::create(b, loc, args[0], args[1]);
                    });
  return node.value(*shares);
}

static Choice buildRoute(NodeContext &node, const Layer &layer, OpFoldResult tokens, int64_t k) {
  Dims dims{tokens, node.dims.constant(k)};
  SmallVector<Value> inits{makeEmpty(node, ElementType::Int32, dims),
                           makeEmpty(node, ElementType::Float, dims)};
  auto route =
      moe::RouteOp::create(node.b, node.value(1), inits, moe::Score::Softmax, moe::Selection::TopK,
                           layer.normalize ? moe::Normalization::Sum : moe::Normalization::None);
  if (!layer.routerWeights)
    return {route.getIds(), route.getWeights()};
  return {route.getIds(),
          gatherWeights(node, *layer.routerWeights, route.getIds(), dims, layer.normalize)};
}

static LogicalResult buildLayer(NodeContext &node, const Layer &layer) {
  if (node.getInt("use_sparse_mixer", 0) != 0)
    return node.unsupported("uses the sparse mixer");
  FailureOr<moe::Activation> activation = readActivation(node);
  FailureOr<moe::Fusion> fusion = readFusion(node, layer.gated.value != nullptr);
  if (failed(activation) || failed(fusion) || failed(verifyLayer(node, layer, *fusion)))
    return failure();
  const TensorValue &x = node.input(0), &router = node.input(1);
  OpFoldResult width = x.dims.back();
  OpFoldResult tokens = node.dims.product(ArrayRef(x.dims).drop_back());
  if (failed(requireEqual(node, width, node.dims.constant(layer.up.shape[2]),
                          "has tokens of {0} elements, expected {1}")) ||
      failed(
          requireEqual(node, router.dims[0], tokens, "has logits of {0} tokens, expected {1}")) ||
      failed(requireEqual(node, router.dims[1], node.dims.constant(layer.down.shape[0]),
                          "has logits of {0} experts, expected {1}")))
    return failure();
  // Extents that the checks above hold to are static where weights say so.
  Dims rows{tokens, node.dims.constant(layer.up.shape[2])};
  TensorValue flat = reshape(node, x, rows);
  if (const TensorValue *weights = layer.routerWeights) {
    if (weights->rank() != 2 || weights->elementType != x.elementType)
      return node.error("has router_weights " + describe(*weights) + ", expected rank 2");
    for (auto [have, want] : llvm::zip(weights->dims, router.dims))
      if (failed(requireEqual(node, have, want, "has router_weights of extent {0}, expected {1}")))
        return failure();
  }
  Choice choice = buildRoute(node, layer, tokens, node.getInt("k", 1));
  TensorValue zeros = makeSplat(node, x.elementType, rows, 0);
  SmallVector<Value> up{layer.up.value}, biases;
  if (layer.gated.value)
    up.push_back(layer.gated.value);
  for (const TensorValue *bias : {layer.upBias, layer.gatedBias})
    if (bias)
      biases.push_back(node.value(*bias));
  Value init = node.value(zeros);
  auto result = moe::ExpertFFNOp::create(
      node.b, init.getType(), /*weightBefore=*/false, /*transposed=*/true, *fusion,
      node.value(flat), choice.ids, choice.weights, up, biases, layer.down.value,
      layer.downBias ? node.value(*layer.downBias) : Value(), init);
  moe::buildActivationRegion(node.b, result, *activation);
  TensorValue y = makeValue(result.getResult(), x.elementType, rows);
  node.setOutput(0, reshape(node, y, x.dims));
  return success();
}

/// A weight of rank 3 and static extents.
static FailureOr<Weight> denseWeight(NodeContext &node, size_t i) {
  if (!node.hasInput(i))
    return node.error("has no second weight");
  const TensorValue &x = node.input(i);
  if (x.rank() != 3 || x.elementType != node.input(0).elementType)
    return node.error("has a weight " + describe(x) + ", expected rank 3 and the input's type");
  Weight weight{node.value(x), {}};
  for (int64_t d = 0; d < 3; ++d) {
    weight.shape.push_back(x.staticDim(d));
    if (ShapedType::isDynamic(weight.shape.back()))
      return node.unsupported("has a weight of dynamic shape");
  }
  return weight;
}

/// Inputs: tokens, logits, weights and biases of the three products.
static LogicalResult buildMoE(NodeContext &node) {
  Layer layer;
  FailureOr<Weight> up = denseWeight(node, 2), down = denseWeight(node, 4);
  if (failed(up) || failed(down))
    return failure();
  layer.up = *up;
  layer.down = *down;
  if (node.hasInput(6)) {
    FailureOr<Weight> gated = denseWeight(node, 6);
    if (failed(gated))
      return failure();
    layer.gated = *gated;
  }
  layer.upBias = find(node, 3);
  layer.downBias = find(node, 5);
  layer.gatedBias = find(node, 7);
  layer.normalize = node.getInt("normalize_routing_weights", 0) != 0;
  return buildLayer(node, layer);
}

/// How zero points of bytes lie: those of a row's blocks side by side, or without blocks
/// those of all rows of an expert.
static Attribute zeroPointStorage(MLIRContext *context, int64_t bits, bool hasBlocks) {
  auto elem = lowp::IntElementAttr::get(context, static_cast<unsigned>(bits), /*isSigned=*/false,
                                        /*offset=*/0);
  PackInterface pack;
  if (bits < 8)
    pack = llvm::cast<PackInterface>(Attribute(lowp::WordsPackAttr::get(
        context, /*axis=*/hasBlocks ? 2 : 1, /*word=*/8, /*multiple=*/1, ArrayRef<int64_t>())));
  return LeafFormatAttr::get(context, elem, {}, StructureInterface(), pack);
}

/// Codes [E, N, bytes of K] with scales [E, N] or [E, N, blocks of K] as a packed
/// tensor [E, N, K], the lowest bits first. Codes count from their zero points, input
/// `zeros`, or from the middle of their range.
static FailureOr<Weight> packedWeight(NodeContext &node, size_t i, size_t zeros, int64_t bits,
                                      int64_t block) {
  if (!node.hasInput(i) || !node.hasInput(i + 1))
    return node.error("expects two weights with scales");
  const TensorValue &codes = node.input(i);
  const TensorValue &scales = node.input(i + 1);
  auto isStatic = [](const TensorValue &x) {
    for (int64_t d = 0; d < x.rank(); ++d)
      if (ShapedType::isDynamic(x.staticDim(d)))
        return false;
    return true;
  };
  if (codes.rank() != 3 || codes.elementType != ElementType::UInt8 ||
      (scales.elementType != ElementType::Float && scales.elementType != ElementType::Float16))
    return node.error("has a weight " + describe(codes) + " with scales " + describe(scales) +
                      ", expected bytes of rank 3 and floats");
  if (!isStatic(codes) || !isStatic(scales))
    return node.unsupported("has a weight of dynamic shape");
  int64_t k = codes.staticDim(2) * 8 / bits, blocks = block ? llvm::divideCeil(k, block) : 1;
  Weight weight{Value(), {codes.staticDim(0), codes.staticDim(1), k}};
  bool hasBlocks = scales.rank() == 3 && scales.staticDim(2) == blocks;
  if (!(hasBlocks || (scales.rank() == 2 && blocks == 1)) ||
      scales.staticDim(0) != weight.shape[0] || scales.staticDim(1) != weight.shape[1])
    return node.error("has scales " + describe(scales) + " for " + Twine(weight.shape[0]) + " x " +
                      Twine(weight.shape[1]) + " x " + Twine(blocks) + " blocks");
  MLIRContext *context = node.context();
  const TensorValue *zeroPoints = find(node, zeros);
  auto elem = lowp::IntElementAttr::get(context, static_cast<unsigned>(bits), /*isSigned=*/false,
                                        zeroPoints ? 0 : int64_t(1) << (bits - 1));
  SmallVector<int64_t> extents{1, 1, block};
  SmallVector<ScaleInterface> parameters;
  SmallVector<const TensorValue *> parts{&codes};
  if (zeroPoints) {
    int64_t rows = weight.shape[1];
    SmallVector<int64_t> want{weight.shape[0]};
    if (scales.rank() == 3)
      want.push_back(rows);
    want.push_back(llvm::divideCeil((scales.rank() == 3 ? blocks : rows) * bits, 8));
    SmallVector<int64_t> have;
    for (int64_t d = 0; d < zeroPoints->rank(); ++d)
      have.push_back(zeroPoints->staticDim(d));
    if (zeroPoints->elementType != ElementType::UInt8 || have != want)
      return node.error("has zero points " + describe(*zeroPoints) + " for scales " +
                        describe(scales));
    parameters.push_back(llvm::cast<ScaleInterface>(
        Attribute(lowp::ScaleAttr::get(context, lowp::Role::ZeroPoint, extents,
                                       zeroPointStorage(context, bits, scales.rank() == 3)))));
    parts.push_back(zeroPoints);
  }
  parameters.push_back(llvm::cast<ScaleInterface>(
      Attribute(lowp::ScaleAttr::get(context, lowp::Role::Multiply, extents,
                                     TypeAttr::get(storageType(context, scales.elementType))))));
  parts.push_back(&scales);
  auto format =
      LeafFormatAttr::get(context, elem, parameters, StructureInterface(), PackInterface());
  auto type = PackedType::get(weight.shape, node.b.getF32Type(), format);
  SmallVector<RankedTensorType> types = type.getComponentTypes();
  SmallVector<Value> components;
  for (auto [part, component] : llvm::zip_equal(parts, types)) {
    Dims dims;
    for (int64_t extent : component.getShape())
      dims.push_back(node.dims.constant(extent));
    components.push_back(node.value(reshape(node, *part, dims)));
  }
  weight.value = AssembleOp::create(node.b, type, components);
  return weight;
}

/// The bits of the codes of product `i`, whose attribute takes the place of the common one.
static FailureOr<int64_t> readBits(NodeContext &node, int64_t i) {
  int64_t bits = node.getInt("fc" + std::to_string(i) + "_expert_weight_bits",
                             node.getInt("expert_weight_bits", 4));
  if (node.failed())
    return failure();
  if (bits != 2 && bits != 4 && bits != 8)
    return node.unsupported("has codes of " + Twine(bits) + " bits, expected 2, 4 or 8");
  return bits;
}

/// Inputs: tokens, logits; codes, scales and biases of the three products; their zero
/// points; what weighs the choice.
static LogicalResult buildQMoE(NodeContext &node) {
  int64_t block = node.getInt("block_size", 0);
  if (node.failed())
    return failure();
  if (block < 0 || block > INT32_MAX)
    return node.error("has block_size = " + Twine(block));
  if (std::string type = node.getString("quant_type", "int"); type != "int")
    return node.unsupported("has quant_type '" + Twine(type) + "', expected int");
  if (node.getInt("weights_prepacked", 0) > 0)
    return node.unsupported("has weights in the layout of a provider");
  for (size_t i = 15; i < node.inputCount(); ++i)
    if (node.hasInput(i))
      return node.unsupported("has scales of activations or of experts");
  Layer layer;
  Weight *products[] = {&layer.up, &layer.down, &layer.gated};
  for (size_t i = 0; i < 3; ++i) {
    if (i == 2 && !node.hasInput(8))
      continue;
    FailureOr<int64_t> bits = readBits(node, static_cast<int64_t>(i) + 1);
    if (failed(bits))
      return failure();
    FailureOr<Weight> weight = packedWeight(node, 2 + 3 * i, 11 + i, *bits, block);
    if (failed(weight))
      return failure();
    *products[i] = *weight;
  }
  layer.upBias = find(node, 4);
  layer.downBias = find(node, 7);
  layer.gatedBias = find(node, 10);
  layer.routerWeights = find(node, 14);
  // Without weights of its own, ONNX Runtime takes the softmax of the chosen logits, whatever
  // the attribute says.
  layer.normalize = !layer.routerWeights || node.getInt("normalize_routing_weights", 0) != 0;
  return buildLayer(node, layer);
}

void weft::onnx::registerContribMoEOps(Registrar &registrar) {
  addOps(registrar, kMicrosoftDomain,
         {
             {"MoE", 1, 3, 8, buildMoE},
             {"QMoE", 1, 3, 21, buildQMoE},
         });
}
