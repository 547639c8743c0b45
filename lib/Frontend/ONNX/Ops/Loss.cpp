//===- Loss.cpp - Losses of classification --------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/ElementOps.h"
#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/ReductionOps.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

namespace {
struct LossOptions {
  std::string reduction;
  /// The target that does not count, if there is one.
  std::optional<int64_t> ignored;
};
} // namespace

/// Reads the attributes and checks the inputs: scores [N, C, d...], classes
/// [N, d...] and weights [C]. Classes out of range fail the call.
static FailureOr<LossOptions> prepareLoss(NodeContext &node) {
  const TensorValue &x = node.input(0), &target = node.input(1);
  LossOptions options;
  options.reduction = node.getString("reduction", "mean");
  if (node.hasAttribute("ignore_index"))
    options.ignored = node.getInt("ignore_index", 0);
  if (node.failed() || failed(expectFloats(node)))
    return failure();
  if (options.reduction != "none" && options.reduction != "mean" && options.reduction != "sum")
    return node.error("attribute 'reduction' is '" + options.reduction +
                      "', expected none, mean or sum");
  if (x.rank() < 2 || target.rank() != x.rank() - 1 || !isInteger(target.elementType))
    return node.error("has scores " + describe(x) + " and classes " + describe(target) +
                      ", expected shapes [N,C,...] and [N,...] and integer classes");
  for (int64_t i = 0; i < target.rank(); ++i)
    if (failed(assertEqualExtents(node, x.dims[i == 0 ? 0 : i + 1], target.dims[i],
                                  "extents of scores and classes")))
      return failure();
  OpFoldResult classes = x.dims[1];
  if (node.hasInput(2)) {
    const TensorValue &weights = node.input(2);
    if (weights.rank() != 1 || weights.elementType != x.elementType)
      return node.error("has weights " + describe(weights) + " for scores " + describe(x) +
                        ", expected a vector of their type");
    if (failed(
            assertEqualExtents(node, weights.dims[0], classes, "numbers of weights and classes")))
      return failure();
  }
  if (x.staticDim(1) == 0)
    return node.error("has scores " + describe(x) + " of no class");
  if (ShapedType::isDynamic(x.staticDim(1))) {
    Value some =
        arith::CmpIOp::create(node.b, node.b.getLoc(), arith::CmpIPredicate::ne,
                              node.dims.value(classes), node.dims.value(node.dims.constant(0)));
    buildAssert(node, some, /*INVALID_ARGUMENT*/ 3, "has scores of no class");
  }
  assertNoElement(
      node, target,
      [&](OpBuilder &b, Location loc, Value element) -> Value {
        Value t = castScalar(b, loc, element, target.elementType, ElementType::Int64);
        Value count = arith::IndexCastOp::create(b, loc, b.getI64Type(),
                                                 getValueOrCreateConstantIndexOp(b, loc, classes));
        Value outside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::uge, t, count);
        if (!options.ignored)
          return outside;
        Value counts = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, t,
                                             makeIntScalar(b, loc, t.getType(), *options.ignored));
        return arith::AndIOp::create(b, loc, outside, counts);
      },
      /*OUT_OF_RANGE*/ 11, "element {0} of the classes is not in [0, {1})", classes);
  return options;
}

/// `index` limited to [0, extent), for reads whose range is checked elsewhere.
static Value clampIndex(OpBuilder &b, Location loc, Value index, OpFoldResult extent) {
  Value last = arith::SubIOp::create(b, loc, getValueOrCreateConstantIndexOp(b, loc, extent),
                                     arith::ConstantIndexOp::create(b, loc, 1));
  Value low = arith::MaxSIOp::create(b, loc, index, arith::ConstantIndexOp::create(b, loc, 0));
  return arith::MinSIOp::create(b, loc, low, last);
}

/// For each target: `body` of its class as an index (in range) and whether it
/// counts (i1); the result is of type `type`.
static TensorValue
forEachTarget(NodeContext &node, const TensorValue &target, OpFoldResult classes, ElementType type,
              const LossOptions &options,
              llvm::function_ref<Value(OpBuilder &, Location, Value, Value)> body) {
  return *elementwiseTo(
      node, target, type, target.dims, [&](OpBuilder &b, Location loc, ValueRange args) {
        Value t = castScalar(b, loc, args[0], target.elementType, ElementType::Int64);
        Value counts =
            arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, t,
                                  makeIntScalar(b, loc, t.getType(), options.ignored.value_or(-1)));
        Value index = arith::IndexCastOp::create(b, loc, b.getIndexType(), t);
        return body(b, loc, clampIndex(b, loc, index, classes), counts);
      });
}

/// The loss of log-probabilities `x` of type f32 or f64; `weights` has x's type,
/// or is null.
static TensorValue negativeLogLikelihood(NodeContext &node, const TensorValue &x,
                                         const TensorValue &target, const TensorValue *weights,
                                         const LossOptions &options) {
  ElementType type = x.elementType;
  OpFoldResult classes = x.dims[1];
  Value scores = node.value(x), factors = weights ? node.value(*weights) : Value();
  mlir::Type scalar = storageType(node.context(), type);
  TensorValue loss = forEachTarget(
      node, target, classes, type, options,
      [&](OpBuilder &b, Location loc, Value index, Value counts) -> Value {
        SmallVector<Value> position;
        for (int64_t i = 0; i < target.rank(); ++i) {
          Value at = linalg::IndexOp::create(b, loc, i);
          int64_t dimension = i == 0 ? 0 : i + 1;
          if (!DimBuilder::same(x.dims[dimension], target.dims[i]))
            at = clampIndex(b, loc, at, x.dims[dimension]);
          position.push_back(at);
        }
        position.insert(position.begin() + 1, index);
        Value score = tensor::ExtractOp::create(b, loc, scores, position);
        Value result = arith::NegFOp::create(b, loc, score);
        if (factors)
          result = arith::MulFOp::create(b, loc, result,
                                         tensor::ExtractOp::create(b, loc, factors, index));
        return arith::SelectOp::create(b, loc, counts, result, makeScalar(b, loc, scalar, 0));
      });
  if (options.reduction == "none")
    return loss;
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, target.rank()));
  TensorValue sum = reduceSum(node, loss, axes, /*keepDims=*/false);
  if (options.reduction == "sum")
    return sum;
  // The mean is that of what counts, by weight.
  TensorValue shares = forEachTarget(
      node, target, classes, type, options,
      [&](OpBuilder &b, Location loc, Value index, Value counts) -> Value {
        Value share = factors ? Value(tensor::ExtractOp::create(b, loc, factors, index))
                              : makeScalar(b, loc, scalar, 1);
        return arith::SelectOp::create(b, loc, counts, share, makeScalar(b, loc, scalar, 0));
      });
  TensorValue total = reduceSum(node, shares, axes, /*keepDims=*/false);
  return *elementwiseTo(node, {sum, total}, type, sum.dims,
                        [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                          return arith::DivFOp::create(b, loc, args[0], args[1]);
                        });
}

/// Both losses; `fromScores` takes the logarithm of the softmax first and gives
/// it as the second output.
template <bool fromScores> static LogicalResult buildLoss(NodeContext &node) {
  FailureOr<LossOptions> options = prepareLoss(node);
  if (failed(options))
    return failure();
  SmallVector<TensorValue> inputs{node.input(0), node.input(1)};
  bool weighted = node.hasInput(2);
  if (weighted)
    inputs.push_back(node.input(2));
  ElementType type = inputs[0].elementType, wide = accumulatorType(type);
  FailureOr<SmallVector<TensorValue>> results = composite(
      node, inputs, [&](ArrayRef<TensorValue> inner) -> FailureOr<SmallVector<TensorValue>> {
        TensorValue x = cast(node, inner[0], wide);
        if (fromScores)
          x = logSoftmax(node, x, /*axis=*/1);
        TensorValue weights;
        if (weighted)
          weights = cast(node, inner[2], wide);
        TensorValue loss =
            negativeLogLikelihood(node, x, inner[1], weighted ? &weights : nullptr, *options);
        SmallVector<TensorValue> outputs{cast(node, loss, type)};
        if (fromScores)
          outputs.push_back(cast(node, x, type));
        return outputs;
      });
  if (failed(results))
    return failure();
  for (auto [i, result] : llvm::enumerate(*results))
    node.setOutput(i, result);
  return success();
}

void weft::onnx::registerLossOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"NegativeLogLikelihoodLoss", 12, 2, 3, buildLoss<false>},
             {"SoftmaxCrossEntropyLoss", 12, 2, 3, buildLoss<true>},
         });
}
